"""The rules of other autoscalers, on exactly the offerings the optimizer has."""

from binwright_benchmarks.baselines.first_fit import best_fit
from binwright_benchmarks.baselines.karpenter import karpenter
from binwright_benchmarks.baselines.least_waste import least_waste
from binwright_benchmarks.baselines.market import Market, open_market
from binwright_benchmarks.baselines.result import BaselineResult, BrokenBaselineError

__all__ = [
    "BaselineResult",
    "BrokenBaselineError",
    "Market",
    "best_fit",
    "karpenter",
    "least_waste",
    "open_market",
]
