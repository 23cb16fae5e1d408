"""Compiled parts of column generation."""
