"""Heuristics: solutions in milliseconds, and ways to improve them."""
