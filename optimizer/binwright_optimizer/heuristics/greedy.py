"""Price-driven greedy covering: buy the pattern of best worth per dollar until all is placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.heuristics.kernels.cover import cover
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.instance.minimums import nodes_for_minimums
from binwright_optimizer.pricing import MICRO, Pricing

Float = NDArray[np.float64]
COVER_UNITS, NODE_UNITS, LOOK_UNITS = 50.0, 2.0, 0.1
"""Units of work of a cover, beside those of each column and of each class that its knapsacks look at."""


@dataclass(slots=True)
class Remainder:
    """What is still to place and what may still be bought; reduced in place by each step.

    Parameters
    ----------
    demand, supply, room, missing
        int64 arrays (i,), (j,), (k,), (m,).
    """

    demand: NDArray[np.int64]
    supply: NDArray[np.int64]
    room: NDArray[np.int64]
    missing: NDArray[np.int64]

    @classmethod
    def whole(cls, instance: Instance) -> Remainder:
        """Everything."""
        return cls(
            instance.demand.copy(),
            instance.supply.copy(),
            np.array([row.room for row in instance.limits], dtype=np.int64),
            np.array([row.missing for row in instance.minimums], dtype=np.int64),
        )

    def copy(self) -> Remainder:
        """An independent copy."""
        return Remainder(self.demand.copy(), self.supply.copy(), self.room.copy(), self.missing.copy())

    def become(self, other: Remainder) -> None:
        """Take over another's amounts."""
        for mine, theirs in (
            (self.demand, other.demand),
            (self.supply, other.supply),
            (self.room, other.room),
            (self.missing, other.missing),
        ):
            mine[:] = theirs


Columns = tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int32]]
"""Candidates (p,), counts (p,) and patterns (p, i)."""


def cheapest_alone(instance: Instance) -> tuple[Float, NDArray[np.intp]]:
    """Dollars one pod of each class costs where it fills a node best, and that candidate (or -1): (i,), (i,).

    The price of class ``i`` alone with fractional nodes: the least over its candidates of the
    node's price times the largest share of any resource that one pod takes. A candidate that is
    free, such as an existing node, counts as the cheapest that is not.
    """
    price = instance.price * MICRO
    positive = price[price > 0]
    price = np.where(price > 0, price, positive.min() if len(positive) else 1.0)
    cheapest = np.full(instance.n_classes, np.inf)
    candidate = np.full(instance.n_classes, -1, dtype=np.intp)
    for j in range(instance.n_candidates):
        rows = np.flatnonzero(instance.compatible[:, j])
        room = np.maximum(instance.allocatable[j], 1)
        cost = price[j] * (instance.requests[rows] / room).max(axis=1)
        is_cheaper = cost < cheapest[rows]
        cheapest[rows[is_cheaper]] = cost[is_cheaper]
        candidate[rows[is_cheaper]] = j
    return cheapest, candidate


def fluid_prices(instance: Instance) -> Float:
    """Dollars one pod of each class costs where it fills a node best: float64 array (i,)."""
    return cheapest_alone(instance)[0]


def favouring_large(values: Float, unit: float, power: float) -> Float:
    """Values by which large pods count more: they are placed while there are small ones to go with them.

    Parameters
    ----------
    values, unit
        float64 array (i,): worth of one pod, dollars; dollars at which a pod counts as much as it is worth.
    power
        How much more than its worth a larger one counts, as the power of it.
    """
    favoured: Float = values * (values / unit) ** power
    return favoured


class Greedy:
    """Greedy covering over one instance; dual prices steer what is packed together."""

    def __init__(self, instance: Instance, pricing: Pricing) -> None:
        self.instance = instance
        self.pricing = pricing
        pools = [row.pool for row in instance.minimums]
        index = {pool: m for m, pool in enumerate(pools)}
        self.minimum_of = np.array([index.get(int(p), -1) for p in instance.pool_of], dtype=np.int64)
        self.price = instance.price * MICRO
        self.discount = np.zeros(instance.n_candidates)
        self.members: list[NDArray[np.intp]] = []
        for m in range(len(pools)):
            members = np.flatnonzero(self.minimum_of == m)
            self.members.append(members[np.argsort(instance.price[members], kind="stable")])
            self.discount[members] = self.price[members].min(initial=np.inf)

    def cover(
        self,
        values: Float,
        remainder: Remainder,
        max_nodes: int,
        *,
        limits: Float | None = None,
        may_be_halted: bool = False,
    ) -> Columns:
        """Columns that cover what remains as far as limits allow; ``remainder`` is reduced.

        Parameters
        ----------
        values
            float64 array (i,): what pods are worth to it.
        max_nodes
            Depth-first nodes per knapsack.
        limits
            float64 array (k,): dollars that a unit of each limit is worth to it; nothing by default.
        may_be_halted
            Whether it may end with the time, with pods left over, where there is an answer already. When the
            solve is abandoned the cover ends anyway.
        """
        instance = self.instance
        capacity = int(min(4 * instance.n_classes + 64 + remainder.demand.sum(), 200_000))
        candidates = np.empty(capacity, dtype=np.int64)
        counts = np.empty(capacity, dtype=np.int64)
        patterns = np.empty((capacity, instance.n_classes), dtype=np.int32)
        looks = np.zeros(1, dtype=np.int64)
        price = self.price if limits is None else self.price + instance.limit_use @ limits
        flag = self.pricing.abandoned
        if may_be_halted:
            self.pricing.halt.watch()
            flag = self.pricing.flag
        used = cover(
            values, remainder.demand, price, self.discount, self.minimum_of, self.pricing.requests,
            self.pricing.allocatable, self.pricing.compatible, self.pricing.multipliers, remainder.supply,
            instance.limit_use, remainder.room, remainder.missing, max_nodes, candidates, counts, patterns,
            instance.node_cap, instance.rules, flag, looks,
        )  # fmt: skip
        self.pricing.work.add(COVER_UNITS + NODE_UNITS * used + LOOK_UNITS * int(looks[0]))
        columns = candidates[:used].astype(np.intp), counts[:used], patterns[:used]
        return self._with_minimums(columns, remainder)

    def minimums_first(self, values: Float, max_nodes: int) -> Columns | None:
        """Columns that meet every minimum before anything else takes their room.

        For the rare problem where `cover` uses up a limit that a minimum needs; None if no nodes
        meet the minimums.
        """
        instance = self.instance
        counts = nodes_for_minimums(
            instance.minimums, instance.limits, instance.pool_of, instance.limit_use, instance.price
        )
        if counts is None:
            return None
        remainder = Remainder.whole(instance)
        remainder.supply = counts.copy()
        bought = self.cover(values, remainder, max_nodes)
        remainder.supply = instance.supply - np.where(instance.supply < UNLIMITED, counts, 0)
        rest = self.cover(values, remainder, max_nodes)
        return (
            np.concatenate([bought[0], rest[0]]),
            np.concatenate([bought[1], rest[1]]),
            np.concatenate([bought[2], rest[2]]),
        )

    def _with_minimums(self, columns: Columns, remainder: Remainder) -> Columns:
        """Add the cheapest empty nodes that NodePool minimums still ask for and limits allow."""
        added: list[tuple[int, int]] = []
        for m in np.flatnonzero(remainder.missing > 0):
            for j in self.members[m]:
                use = self.instance.limit_use[j]
                count = int(min(remainder.missing[m], remainder.supply[j]))
                for k in np.flatnonzero(use):
                    count = min(count, int(remainder.room[k] // use[k]))
                if count > 0:
                    remainder.missing[m] -= count
                    remainder.supply[j] -= count
                    remainder.room -= count * use
                    added.append((int(j), count))
        if not added:
            return columns
        candidates, counts, patterns = columns
        empty = np.zeros((len(added), self.instance.n_classes), dtype=np.int32)
        return (
            np.concatenate([candidates, np.array([j for j, _ in added], dtype=np.intp)]),
            np.concatenate([counts, np.array([n for _, n in added], dtype=np.int64)]),
            np.concatenate([patterns, empty]),
        )
