"""Compiled inner loops of the baselines."""
