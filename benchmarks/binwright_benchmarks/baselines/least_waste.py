"""Cluster Autoscaler's default expander, least-waste.

After ``pkg/expander/waste`` (commit 33c3f97): of the node *capacity* bought, the share of CPU that no
pod requests plus the share of memory; smallest wins. GPUs, prices and the number of pods placed do
not count. Options are equal only if their floating-point scores are, and then one is drawn at random,
so a fair report gives several seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from binwright_benchmarks.baselines.estimator import Option


def least_waste(options: Sequence[Option], _cluster_nodes: int) -> Sequence[Option]:
    """The options of exactly the smallest waste."""
    scores = [waste(option) for option in options]
    least = min(scores)
    return [option for option, score in zip(options, scores, strict=True) if score == least]


def waste(option: Option) -> float:
    """Wasted share of CPU plus wasted share of memory, from 0 to 2.

    A node without CPU or memory capacity scores NaN in the original, which never compares as less;
    here it is infinity.
    """
    total = 0.0
    for requested, capacity in zip(option.requested, option.capacity, strict=True):
        available = capacity * option.nodes
        if available == 0:
            return math.inf
        total += float(available - requested) / float(available)
    return total
