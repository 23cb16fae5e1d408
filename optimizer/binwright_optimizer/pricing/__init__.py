"""The pricing problem: bounded vector knapsacks over all candidates, compiled."""

from binwright_optimizer.pricing.kernels.branch import BRANCH_WORK
from binwright_optimizer.pricing.sweep import MICRO, TOLERANCE, Priced, Pricing

__all__ = ["BRANCH_WORK", "MICRO", "TOLERANCE", "Priced", "Pricing"]
