"""The pricing problem: bounded vector knapsacks over all candidates, compiled."""

from binwright_optimizer.pricing.sweep import MICRO, TOLERANCE, Priced, Pricing

__all__ = ["MICRO", "TOLERANCE", "Priced", "Pricing"]
