"""How answers look in a terminal: tables of at most 100 columns."""
