"""From a packing of groups of classes to one of the classes: who gets which place.

There are many more pods in a group than rules between any two of them, so that nearly every place finds a pod
that may stand there. Pods that many may not stand beside choose first, and so do those of which a node
takes few. What is left is covered by further nodes.
"""

from __future__ import annotations

import numpy as np

from binwright_optimizer.heuristics.greedy import Columns, Float, Greedy, Remainder
from binwright_optimizer.heuristics.kernels.hand_out import hand_out
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.coarsen import Groups
from binwright_optimizer.packing import Packing

PLACE_UNITS = 1.0
"""Units of work of a place handed out."""
COVER_NODES = 200
"""Depth-first nodes per knapsack of the cover of what is left."""


def handed_out(groups: Groups, packing: Packing, greedy: Greedy, values: Float) -> Columns:
    """Columns of nodes as in the packing, each place with a pod of its group, and a cover of the rest.

    Parameters
    ----------
    packing
        Of the instance `Groups.largest`.
    values
        float64 array (i,): dollars that pods are worth to the cover.
    """
    instance = groups.instance
    pods = packing.patterns.sum(axis=1)
    order = np.argsort(-pods, kind="stable")
    start = np.cumsum([0, *(len(mine) for mine in groups.members)])
    remainder = Remainder.whole(instance)
    most = packing.nodes
    candidates, counts = np.empty(most, dtype=np.intp), np.empty(most, dtype=np.int64)
    patterns = np.zeros((most, instance.n_classes), dtype=np.int32)
    used = hand_out(
        packing.candidates[order], packing.counts[order], packing.patterns[order], start,
        np.concatenate(groups.members).astype(np.int64), _urgency(instance), remainder.demand,
        instance.node_cap, instance.rules, candidates, counts, patterns,
    )  # fmt: skip
    greedy.pricing.work.add(PLACE_UNITS * float(packing.counts @ pods))
    candidates, counts, patterns = candidates[:used], counts[:used], patterns[:used]
    np.subtract.at(remainder.supply, candidates, counts)
    remainder.room -= counts @ instance.limit_use[candidates]
    for m, row in enumerate(instance.minimums):
        remainder.missing[m] -= counts[instance.pool_of[candidates] == row.pool].sum()
    if not remainder.demand.any() and not remainder.missing.any():
        return candidates, counts, patterns
    rest = greedy.cover(values, remainder, COVER_NODES)
    return (
        np.concatenate([candidates, rest[0]]),
        np.concatenate([counts, rest[1]]),
        np.concatenate([patterns, rest[2]]),
    )


def _urgency(instance: Instance) -> Float:
    """How much each pod left of a class counts: more, the fewer a node takes and the more it keeps away."""
    excluded = instance.rules.excluded(instance.demand) / max(1, int(instance.demand.sum()))
    return np.asarray((1.0 + excluded) / np.clip(instance.node_cap, 1, np.maximum(instance.demand, 1)))
