"""Neighbourhood search: pods of a few nodes at a time are grouped anew, each time in the best way.

Every neighbourhood is small enough to be solved exactly in some ten microseconds (`kernels.regroup`), and so
poor that its best answer is seldom cheaper. What leads on is how groups are judged: waste, the price of a
node beyond what its pods are worth at dual prices, counts less where there is much of it on one node. So
nodes give their waste to others until there is enough of it in one place for a smaller node, or for none
(the idea of E. Falkenauer's objective, A hybrid grouping genetic algorithm for bin packing, 1996,
doi:10.1007/BF00226291).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.kernels.regroup import MOST_MOVED, regroup
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.pricing import MICRO, Pricing
from binwright_optimizer.work import Work

Float = NDArray[np.float64]
STEPS_PER_UNIT = 100
"""Pairs of parts that are looked at in a unit of work."""
MOST_CELLS = 8_000_000
"""Nodes times classes, up to which all nodes of a packing are looked at; of more, as many are drawn."""


class Regroup:
    """Better packings near one packing after the other.

    Nodes that a limit or minimum counts, and those of finite supply, stay what they are; what pods are on
    them may change.

    Parameters
    ----------
    downsize
        Knows those nodes, and the candidates by price.
    flag
        Ends the search at once when it is set.
    work
        Counts what it takes.
    """

    def __init__(
        self, pricing: Pricing, downsize: Downsize, rng: np.random.Generator, flag: bytearray, work: Work
    ) -> None:
        instance = self._instance = pricing.instance
        self._pricing = pricing
        self._rng = rng
        self._work = work
        self._flag = np.frombuffer(flag, dtype=np.uint8)
        self._price = instance.price * MICRO
        self._is_fixed = downsize.is_floored | downsize.is_blocked
        self._order = downsize.order[~self._is_fixed[downsize.order]]
        self._last: Packing | None = None
        self._others: tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int32]] | None = None
        self._patterns = np.zeros((0, instance.n_classes), dtype=np.int32)
        self._candidates = np.zeros(0, dtype=np.int64)
        self._n_nodes = 0
        self._least_cost = 0

    @staticmethod
    def is_possible(instance: Instance) -> bool:
        """Whether there are pods, and rules tell what a node may hold, alike for all that are bought."""
        rules = instance.rules
        if instance.n_classes == 0 or rules.is_empty or not rules.has_parts:
            return instance.n_classes > 0 and rules.is_empty
        return not np.diff(rules.begin_start)[instance.supply == UNLIMITED].any()

    def run(self, target: Instance, packing: Packing, worth: Float, units: float) -> Packing:
        """The packing, or a cheaper one; it goes on from where it was if the packing is its own last.

        Parameters
        ----------
        target
            The instance with pods allocated to domains as in the packing.
        packing
            Places every pod.
        worth
            float64 array (i,): dollars one pod is worth at the duals.
        units
            Work it may take.
        """
        if packing is not self._last:
            self._begin(packing, worth)
        steps, pricing = np.zeros(1, dtype=np.int64), self._pricing
        self._n_nodes = int(
            regroup(
                self._patterns, self._candidates, self._n_nodes, np.array(worth), self._price,
                pricing.requests, pricing.allocatable, pricing.compatible, self._instance.node_cap,
                self._order, self._is_fixed, self._instance.rules, int(self._rng.integers(2**31)),
                max(1, int(STEPS_PER_UNIT * units)), self._flag, steps,
            )
        )  # fmt: skip
        self._work.add(float(steps[0]) / STEPS_PER_UNIT)
        self._last = packing if self._others is None else None  # then others are drawn
        if self._cost() >= self._least_cost:
            return packing
        found = self._packing(target)
        if found.rank(target) >= packing.rank(target):
            return packing
        self._last, self._least_cost = found, self._cost()
        return found

    def _begin(self, packing: Packing, worth: Float) -> None:
        """Take the nodes of a packing one by one, or so many of them."""
        most = max(2, MOST_CELLS // self._instance.n_classes)
        taken = packing.counts
        self._others = None
        if packing.nodes > most:
            taken = self._drawn(packing, worth, most)
            self._others = packing.candidates, packing.counts - taken, packing.patterns
        which = np.repeat(np.arange(len(taken)), taken)
        n = self._n_nodes = len(which)
        self._patterns = np.zeros((n + n // 2 + MOST_MOVED, self._instance.n_classes), dtype=np.int32)
        self._patterns[:n] = packing.patterns[which]
        self._candidates = np.zeros(len(self._patterns), dtype=np.int64)
        self._candidates[:n] = packing.candidates[which]
        self._least_cost = self._cost()

    def _cost(self) -> int:
        """Micro-dollars per hour of the nodes looked at, before commitments."""
        return int(self._instance.price[self._candidates[: self._n_nodes]].sum())

    def _drawn(self, packing: Packing, worth: Float, most: int) -> NDArray[np.int64]:
        """How many nodes of each pattern to look at, drawn by their waste: int64 array (p,)."""
        which = np.repeat(np.arange(len(packing.counts)), packing.counts)
        waste = np.maximum(self._price[packing.candidates] - packing.patterns @ worth, 0.0)[which]
        chance = waste + 0.1 * waste.mean() + 1e-12
        drawn = self._rng.choice(which, size=most, replace=False, p=chance / chance.sum())
        return np.bincount(drawn, minlength=len(packing.counts)).astype(np.int64)

    def _packing(self, target: Instance) -> Packing:
        """The nodes as they are now, those that are alike together."""
        n = self._n_nodes
        alike: dict[tuple[int, bytes], int] = {}
        for j, pattern in zip(self._candidates[:n].tolist(), self._patterns[:n], strict=True):
            key = j, pattern.tobytes()
            alike[key] = alike.get(key, 0) + 1
        candidates = np.array([j for j, _ in alike], dtype=np.intp)
        counts = np.array(list(alike.values()), dtype=np.int64)
        patterns = np.frombuffer(b"".join(p for _, p in alike), dtype=np.int32).reshape(len(alike), -1)
        if self._others is not None:
            candidates = np.concatenate([candidates, self._others[0]])
            counts = np.concatenate([counts, self._others[1]])
            patterns = np.concatenate([patterns, self._others[2]])
        return Packing.of(target, candidates, counts, patterns)
