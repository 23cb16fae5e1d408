"""The pricing problem over all candidates: which patterns would improve the master."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.device_packing import COUNT
from binwright_optimizer.instance.node_rules import NodeRules
from binwright_optimizer.pricing.kernels.lift import fits, lift
from binwright_optimizer.pricing.kernels.neighbours import LOOKS_PER_US, best_neighbours
from binwright_optimizer.pricing.kernels.on_devices import CONTENTS_WORK
from binwright_optimizer.pricing.kernels.relaxed_nodes import relaxed_patterns
from binwright_optimizer.pricing.kernels.sweep import sweep
from binwright_optimizer.stopping import Halt
from binwright_optimizer.work import Work

DEPTH_FIRST_NODES = 5_000
"""Depth-first nodes per candidate, about 50 us, before its search branches on relaxations."""
QUICK_BRANCHES = 200
"""Branches per candidate up to which a sweep need not be watched: some milliseconds."""
TOLERANCE = 1e-9
"""Least relative tolerance: below it, differences are rounding errors."""
LIFT_NODES = 300
"""Depth-first nodes per class and candidate in a lift, about 5 us."""
WORTH_SHARING = 1_000
"""Microseconds of work from which a sweep is shared between two threads."""
CALL_UNITS = 20.0
"""Units of work of a call, beside what it measures."""
LOOK_UNITS = 0.25
"""Units of work for each class that a relaxation of a lift looks at."""
NO_RULES = NodeRules.of(0, 0)
"""For searches among patterns that obey the rules by how they are made."""
MICRO = 1e-6
"""Dollars in a micro-dollar: the search works in dollars, answers are exact in micro-dollars."""

_HELPER = ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="binwright-pricing")
"""Threads that take a share of long sweeps; idle, and not even started, before the first of them."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What a sweep found.

    Parameters
    ----------
    candidates, patterns
        intp array (p,) and int32 array (p, i): improving patterns with their candidates.
    """

    candidates: NDArray[np.intp]
    patterns: NDArray[np.int32]


class Pricing:
    """Exact pricing with multipliers kept from sweep to sweep.

    Parameters
    ----------
    instance
        The problem.
    halt
        Cuts long searches short.
    work
        Counts what sweeps and lifts take.
    most_pods
        int64 array (i,): most pods of a class in one pattern; its demand by default. More where prices
        have to hold for nodes with more pods than the instance has.
    """

    def __init__(
        self,
        instance: Instance,
        halt: Halt,
        work: Work | None = None,
        most_pods: NDArray[np.int64] | None = None,
    ) -> None:
        self.work = work or Work()
        self.halt = halt
        self._most_pods = instance.demand if most_pods is None else most_pods
        self.flag = np.frombuffer(halt.flag, dtype=np.uint8)
        self.abandoned = np.frombuffer(halt.abandoned, dtype=np.uint8)
        self.instance = instance
        # Copies that may be written, as arrays made inside kernels may: numba compiles each kernel once for
        # those and once more for read-only ones.
        self.compatible = instance.compatible.T.copy()
        self.requests, self.allocatable = instance.requests.copy(), instance.allocatable.copy()
        scale = np.where(instance.price > 0, instance.price, instance.price.max(initial=1)) * MICRO
        n_resources = instance.requests.shape[1]
        self.multipliers = np.repeat(scale[:, None] / n_resources, n_resources, axis=1)
        self.multipliers[:, 0] *= 0.1  # pod slots seldom bind
        self._work = np.zeros(instance.n_candidates, dtype=np.int64)
        self._all = np.arange(instance.n_candidates, dtype=np.intp)

    def twin(self, work: Work) -> Pricing:
        """The same pricing for another thread, which counts its work by itself."""
        return Pricing(self.instance, self.halt, work, self._most_pods)

    @cached_property
    def _most(self) -> NDArray[np.int64]:
        """Most pods of each class alone on each candidate: int64 array (j, i)."""
        instance = self.instance
        caps = np.minimum(self._most_pods, instance.node_cap)
        most = fits(caps, self.requests, self.allocatable, self.compatible, instance.rules)
        return np.asarray(most)

    def price(
        self,
        values: NDArray[np.float64],
        costs: NDArray[np.float64],
        bounds: NDArray[np.float64],
        candidates: NDArray[np.intp] | None = None,
        caps: NDArray[np.int64] | None = None,
        branches: int = 50,
        tolerance: float = TOLERANCE,
    ) -> Priced:
        """Improving patterns, best one per candidate.

        Parameters
        ----------
        values, costs
            float64 arrays (i,), (j,): dual price of one pod; dollars a pattern must exceed.
        bounds
            float64 array (j,): receives an upper bound on the worth of any pattern.
        candidates
            intp array (c,): candidates to price; all by default.
        caps
            int64 array (i,): most pods of a class in one pattern; ``most_pods`` by default. The
            node rules hold besides.
        branches
            Linear relaxations solved per candidate before its search is cut short.
        tolerance
            Patterns that beat their cost by less than this share of it are not looked for.
        """
        if branches > QUICK_BRANCHES:
            self.halt.watch()
        chosen = self._all if candidates is None else candidates
        limits = np.minimum(self._most_pods if caps is None else caps, self.instance.node_cap)
        patterns = np.empty((len(chosen), self.instance.n_classes), dtype=np.int32)

        def sweep_some(positions: NDArray[np.intp] | slice) -> None:
            found = patterns[positions]  # a copy unless all are asked for
            sweep(
                chosen[positions], values, costs, limits, self.requests, self.allocatable,
                self.compatible, self.multipliers, DEPTH_FIRST_NODES, branches, max(tolerance, TOLERANCE),
                self.flag, bounds, found, self._work, self.instance.rules, NO_RULES,
            )  # fmt: skip
            patterns[positions] = found

        shares = self._two_shares(chosen)
        if shares is None:
            sweep_some(slice(None))
        else:
            other = _HELPER.submit(sweep_some, shares[1])
            sweep_some(shares[0])
            other.result()
        self.work.add(CALL_UNITS + float(self._work[chosen].sum()))
        improving = np.flatnonzero(patterns.any(axis=1))
        return Priced(chosen[improving], patterns[improving])

    def neighbours(
        self,
        candidates: NDArray[np.intp],
        patterns: NDArray[np.int32],
        values: NDArray[np.float64],
        costs: NDArray[np.float64],
        tolerance: float = TOLERANCE,
    ) -> Priced:
        """The best neighbour of each pattern, where it improves; see `kernels.neighbours`.

        Parameters
        ----------
        candidates, patterns
            intp array (p,) and int32 array (p, i).
        values, costs
            float64 arrays (i,), (j,): dual price of one pod; dollars a pattern must exceed.
        tolerance
            Neighbours that beat their cost by less than this share of it are not looked for.
        """
        caps = np.minimum(self._most_pods, self.instance.node_cap)
        found = np.zeros(len(candidates), dtype=bool)
        changed = patterns.copy()
        looks = best_neighbours(
            candidates, changed, values, costs, caps, self.requests, self.allocatable, self.compatible,
            max(tolerance, TOLERANCE), self.instance.rules, found,
        )  # fmt: skip
        self.work.add(CALL_UNITS + looks / LOOKS_PER_US)
        return Priced(candidates[found], changed[found])

    @cached_property
    def may_relax(self) -> NDArray[np.bool_]:
        """Candidates whose relaxation is one over contents of single GPUs: bool array (j,)."""
        devices = self.instance.rules.devices
        if devices.is_empty or devices.mig.any():
            return np.zeros(self.instance.n_candidates, dtype=bool)
        return np.asarray(devices.room[:, COUNT] > 0)

    def relaxed(self, candidates: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What solves the relaxation of each candidate that may be relaxed; see `kernels.relaxed_nodes`.

        Parameters
        ----------
        candidates, values
            intp array (c,), float64 array (i,): dual price of one pod.

        Returns
        -------
        float64 array (c, i): pods, in parts; zeros where there was no time.
        """
        patterns = np.zeros((len(candidates), self.instance.n_classes))
        caps = np.minimum(self._most_pods, self.instance.node_cap)
        relaxed_patterns(
            candidates, values, caps, self.requests, self.allocatable, self.compatible, self.multipliers,
            self.flag, self.instance.rules, patterns,
        )  # fmt: skip
        self.work.add(CALL_UNITS + CONTENTS_WORK * len(candidates))
        return patterns

    def _two_shares(self, chosen: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
        """Positions of two halves of like work, as the last sweep measured it; None if it was little.

        A candidate's result does not depend on its half, so answers do not depend on threads.
        """
        work = self._work[chosen]
        if work.sum() < WORTH_SHARING or len(chosen) < 2:
            return None
        halves: tuple[list[int], list[int]] = ([], [])
        load = [0, 0]
        for position in np.argsort(-work, kind="stable").tolist():
            side = 0 if load[0] <= load[1] else 1
            halves[side].append(position)
            load[side] += int(work[position])
        return np.array(halves[0], dtype=np.intp), np.array(halves[1], dtype=np.intp)

    def lift(
        self,
        values: NDArray[np.float64],
        targets: NDArray[np.float64],
        costs: NDArray[np.float64],
        bounds: NDArray[np.float64],
    ) -> Priced:
        """Raise dual feasible prices in place, one class after the other; see `kernels.lift`.

        Parameters
        ----------
        values, targets
            float64 arrays (i,): dual feasible prices; how far each may go up. Classes furthest
            below their target, as a share, go first.
        costs, bounds
            float64 arrays (j,): what a pattern may be worth, and at most is worth; the second is
            kept up to date.

        Returns
        -------
        Columns worth more than their cost at the prices tried.
        """
        self.halt.watch()
        with np.errstate(divide="ignore", invalid="ignore"):
            shortfall = np.where(values > 0, targets / values, np.inf)
        order = np.argsort(-shortfall, kind="stable")
        order = order[(targets > values)[order] & (self.instance.demand > 0)[order]]
        room = 4 * len(order) + 64
        candidates = np.empty(room, dtype=np.int64)
        patterns = np.empty((room, self.instance.n_classes), dtype=np.int32)
        looks = np.zeros(1, dtype=np.int64)
        used = lift(
            order, targets, values, costs, self._most, self.requests, self.allocatable,
            self.multipliers, bounds, LIFT_NODES, self.flag, candidates, patterns, self.instance.rules,
            looks,
        )  # fmt: skip
        self.work.add(CALL_UNITS + LOOK_UNITS * int(looks[0]))
        return Priced(candidates[:used].astype(np.intp), patterns[:used])
