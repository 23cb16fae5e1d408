"""Compiled code of the expander."""
