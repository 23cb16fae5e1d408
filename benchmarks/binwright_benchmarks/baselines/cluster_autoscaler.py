"""Cluster Autoscaler's scale-up loop: estimate every node group, let an expander choose, grow one.

After ``pkg/core/scaleup/orchestrator`` of kubernetes-sigs/cluster-autoscaler (commit 33c3f97):

- A node group is a NodePool x instance type x zone x capacity type.
- The estimator says how many nodes each group would need for the pending pods it can hold.
- The expander keeps the best options; between several the choice is uniformly random.
- One group grows by its whole estimate, at most ``--max-nodes-per-scaleup`` nodes, and the loop
  starts again with the pods still pending, until no group can take any.

Two simplifications, both harmless to the result: a pending pod was refused by every node bought in an
earlier round (the estimator had tried it there), so rounds do not look back; and balancing similar
groups over zones is left out, because it changes neither node counts nor prices.
"""

from __future__ import annotations

import random

import numpy as np

from binwright_benchmarks.baselines.estimator import Estimator
from binwright_benchmarks.baselines.expanders import Expander
from binwright_benchmarks.baselines.result import BaselineResult, Filled, result_of
from binwright_benchmarks.baselines.standing import fill_standing


class ClusterAutoscaler:
    """The loop with one expander.

    Parameters
    ----------
    name
        What the results are called, most often the value of ``--expander``.
    """

    def __init__(self, name: str, estimator: Estimator, expander: Expander) -> None:
        self._name = name
        self._estimator = estimator
        self._expander = expander

    def run(self, seed: int) -> BaselineResult:
        """What the loop buys when ties are broken with this seed."""
        market = self._estimator.market
        instance = market.instance
        rng = random.Random(seed)
        position = np.empty(instance.n_classes, dtype=np.int64)
        position[self._estimator.queue] = np.arange(instance.n_classes)
        standing = fill_standing(market, market.pods[np.argsort(position[market.pods], kind="stable")])
        demand = np.bincount(standing.pods, minlength=instance.n_classes).astype(np.int64)
        room = standing.room
        filled = standing.filled
        while options := self._estimator.options(demand, room):
            bought = int((filled.candidates < market.n_bought).sum())
            best = self._expander(options, len(instance.problem.existing_nodes) + bought)
            groups = sorted(group for option in best for group in option.groups)
            if not groups:
                break  # "Expander filtered out all options": the real loop ends here too
            group = rng.choice(groups)
            nodes = self._estimator.fill(group, demand, room)
            filled = filled + Filled(np.full(len(nodes), group, dtype=np.int64), nodes)
            demand = demand - nodes.sum(axis=0)
            room = room - instance.limit_use[group] * len(nodes)
        return result_of(self._name, market, filled)
