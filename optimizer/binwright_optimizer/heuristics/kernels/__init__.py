"""Compiled heuristics: covers at prices, cheapest holders, and pods of a few nodes grouped anew."""
