"""Nodes filled with pods that go along the room that is left, for many kinds of pods.

Where nearly every pod is a kind of its own, knapsacks by prices take the pods of most worth and leave over
those that nothing goes with. Heuristics that know no prices do better there: the next pod on a node is the
one whose requests point in the direction of what is free, scarce resources weighed more (Panigrahy et al.
2011, "Heuristics for vector bin packing", Microsoft Research; the cosine is between the two).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from binwright_optimizer.heuristics.greedy import Columns, Float, Greedy, Remainder
from binwright_optimizer.heuristics.kernels.balance import COSINE, DISTANCE, DOT, balance
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.work import UNITS_PER_SECOND

RULES = DOT, DISTANCE, COSINE
MOST_KINDS = 6
"""Kinds of nodes that are tried for each node, those of which an answer has most."""
MOST_ALIKE = 2.0
"""Pods of a class up to which, on average, nearly every pod counts as a kind of its own: services of 33 pods
a class came out 1 to 10 % dearer than by covers of the fluid relaxation's shares."""
LOOK_UNITS = 5e-3
"""Units of work of looking at a class, for each resource."""
COVER_NODES = 200
"""Depth-first nodes per knapsack of the cover of what is left."""


def is_worth_balancing(instance: Instance, seconds: float) -> bool:
    """Whether nearly every pod is a kind of its own, and nodes can be filled so in the time.

    Limits, minimums, shares of devices and rules about domains are left to covers.
    """
    pods = float(instance.demand.sum())
    most_s = LOOK_UNITS / UNITS_PER_SECOND * pods * instance.n_classes * len(instance.resources)
    is_plain = not (instance.limits or instance.minimums or len(instance.rules.devices.need))
    is_plain &= instance.linking is None
    is_various = pods <= MOST_ALIKE * instance.n_classes
    return is_plain and is_various and len(RULES) * MOST_KINDS * most_s <= seconds


def balanced(packing: Packing, greedy: Greedy, values: Float) -> Iterator[Columns]:
    """Covers by each rule with the kinds of nodes that a packing has most of.

    Parameters
    ----------
    values
        float64 array (i,): dollars that pods are worth, by which a kind of node is chosen.
    """
    instance, pricing = greedy.instance, greedy.pricing
    kinds, place = np.unique(packing.candidates, return_inverse=True)
    nodes = np.bincount(place, weights=packing.counts)
    kinds = np.sort(kinds[np.argsort(-nodes, kind="stable")[:MOST_KINDS]]).astype(np.int64)
    price = np.maximum(greedy.price[kinds], 1e-9)
    for rule in RULES:
        remainder = Remainder.whole(instance)
        capacity = int(min(remainder.demand.sum(), 20_000))
        candidates = np.empty(capacity, dtype=np.int64)
        counts = np.empty(capacity, dtype=np.int64)
        patterns = np.zeros((capacity, instance.n_classes), dtype=np.int32)
        looks = np.zeros(1, dtype=np.int64)
        used = balance(
            rule, kinds, price, instance.requests, instance.allocatable, instance.compatible, values,
            remainder.demand, remainder.supply, instance.node_cap, instance.rules, candidates, counts,
            patterns, pricing.flag, looks,
        )  # fmt: skip
        pricing.work.add(LOOK_UNITS * float(looks[0]) * len(instance.resources))
        rest = greedy.cover(values, remainder, COVER_NODES)
        yield (
            np.concatenate([candidates[:used].astype(np.intp), rest[0]]),
            np.concatenate([counts[:used], rest[1]]),
            np.concatenate([patterns[:used], rest[2]]),
        )
