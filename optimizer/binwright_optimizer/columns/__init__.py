"""Column generation: patterns, the restricted master, pricing, and rounding."""
