"""The rules of other autoscalers, on exactly the offerings the optimizer has."""

from binwright_benchmarks.baselines.first_fit import best_fit
from binwright_benchmarks.baselines.karpenter import karpenter
from binwright_benchmarks.baselines.market import Market, open_market
from binwright_benchmarks.baselines.result import BaselineResult, BrokenBaselineError
from binwright_benchmarks.baselines.rules import MAIN_RULES, RULES, is_random, open_rules

__all__ = [
    "MAIN_RULES",
    "RULES",
    "BaselineResult",
    "BrokenBaselineError",
    "Market",
    "best_fit",
    "is_random",
    "karpenter",
    "open_market",
    "open_rules",
]
