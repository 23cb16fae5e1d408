"""Diving: from the linear programme's fractions to whole nodes.

Fix the whole part of every column, solve the master again for what remains, generate columns that
fit the remainder, and repeat; where nothing is whole, round up the largest fractions (R. Sadykov
et al., Primal heuristics for branch and price, 2019, doi:10.1287/ijoc.2018.0822).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.master import Master, Solution
from binwright_optimizer.columns.pool import ColumnPool
from binwright_optimizer.columns.rows import Duals, Rows
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder, favouring_large
from binwright_optimizer.instance import Instance
from binwright_optimizer.pricing import Pricing
from binwright_optimizer.stopping import Stop

Float = NDArray[np.float64]
WHOLE = 1e-6
"""A value this close below an integer counts as that integer."""
ROUND_UP = 0.7
"""Fractions from here on are rounded up together; the largest one always is."""
LEAST_SHARE = 0.05
"""Share of the nodes that every step fixes at least."""
COVER_POWERS = (0.0, 0.3)
"""How much large pods are favoured in covers of what is left."""
COVER_NODES = 2_000
"""Depth-first nodes per knapsack of such a cover."""
PRICING_ROUNDS = 2
"""Rounds of column generation after each fixing."""


@dataclass(frozen=True, slots=True)
class _Completed:
    """A complete choice of columns with its cost, penalties included, and what it leaves out."""

    cost: float
    columns: Columns
    remainder: Remainder


class Dive:
    """One dive over a remainder.

    Parameters
    ----------
    columns
        Columns to start with: intp array (p,), int32 array (p, i).
    """

    def __init__(
        self,
        instance: Instance,
        rows: Rows,
        pricing: Pricing,
        greedy: Greedy,
        penalty: Float,
        columns: tuple[NDArray[np.intp], NDArray[np.int32]],
    ) -> None:
        self.instance = instance
        self.rows = rows
        self.pricing = pricing
        self.greedy = greedy
        self.penalty = penalty
        self.columns = columns
        self._bought = np.zeros(len(rows.levels))

    def run(self, remainder: Remainder, first: Solution | None, stop: Stop) -> Columns:
        """Columns with counts that cover ``remainder`` as far as possible; it is reduced.

        Parameters
        ----------
        first
            Solution of the master over ``columns`` for this remainder, if known.
        """
        pool = ColumnPool(self.instance)
        self.begin()
        usable: NDArray[np.bool_] = np.all(self.columns[1] <= remainder.demand, axis=1)
        nodes = np.zeros(0)
        if first is not None:  # columns added since that solution was found are not part of it
            nodes = np.zeros(len(usable))
            nodes[: len(first.nodes)] = first.nodes
            usable |= nodes >= 1.0
            nodes = nodes[usable]
        pool.add(self.columns[0][usable], self.columns[1][usable])
        fixed: list[tuple[int, int, NDArray[np.int32]]] = []
        duals = self.rows.zero_duals() if first is None else first.duals
        best: _Completed | None = None
        master: Master | None = None
        while remainder.demand.any() and stop.remaining_s() > 0:
            if first is not None:
                solution, first = first, None
            else:
                master = master or self._master(pool, remainder)
                master.set_demand(remainder.demand, *self.sides(remainder))
                master.set_levels(*self.levels())
                known = self.solve(master, pool, remainder, stop)
                if known is None:
                    break
                solution = known
                nodes = solution.nodes
            duals = solution.duals
            candidates, patterns = pool.arrays()
            taken = self.fix(candidates, patterns, nodes, remainder)
            if not taken:
                break
            fixed.extend(taken)
            best = self._completed(fixed, duals, remainder, best)
        if best is None:
            best = self._completed(fixed, duals, remainder, None)
        remainder.become(best.remainder)
        return best.columns

    def _completed(
        self,
        fixed: list[tuple[int, int, NDArray[np.int32]]],
        duals: Duals,
        remainder: Remainder,
        best: _Completed | None,
    ) -> _Completed:
        """The better of ``best`` and what has been fixed with a greedy cover of the remainder.

        Where replicas are few the later steps of a dive find no good columns for what is left, and a
        greedy cover after an early one is better.
        """
        worth = np.maximum(duals.pods if duals.pods.any() else self.penalty, 1e-9)
        most = float(worth.max(initial=1e-9))
        for power in COVER_POWERS:
            left = remainder.copy()
            rest = self.greedy.cover(
                favouring_large(worth, most, power), left, COVER_NODES,
                limits=duals.limits, may_be_halted=True,
            )  # fmt: skip
            columns = _joined(fixed, rest, self.instance.n_classes)
            cost = float(self.rows.price[columns[0]] @ columns[1] + self.penalty @ left.demand)
            if best is None or cost < best.cost:
                best = _Completed(cost, columns, left)
        assert best is not None
        return best

    def begin(self) -> None:
        """Forget the nodes that were fixed before."""
        self._bought[:] = 0.0

    def levels(self) -> tuple[Float, Float]:
        """Bounds on the nodes of each price level that are still to be bought."""
        return np.maximum(self.rows.least - self._bought, 0.0), self.rows.most - self._bought

    def sides(self, remainder: Remainder) -> tuple[Float, Float, Float]:
        """Right-hand sides of limits, minimums and supplies for what is left."""
        return (
            remainder.room.astype(np.float64),
            np.maximum(remainder.missing, 0).astype(np.float64),
            remainder.supply[self.rows.finite].astype(np.float64),
        )

    def _master(self, pool: ColumnPool, remainder: Remainder) -> Master:
        pricing = self.pricing
        master = Master(self.rows, remainder.demand, self.penalty, work=pricing.work, halt=pricing.halt)
        master.add(*pool.arrays())
        return master

    def solve(self, master: Master, pool: ColumnPool, remainder: Remainder, stop: Stop) -> Solution | None:
        """The master's optimum after a little column generation over the remainder."""
        solution = master.solve_again(stop.remaining_s())
        for _ in range(PRICING_ROUNDS):
            if solution is None or stop.remaining_s() <= 0:
                return solution
            bounds = np.empty(self.instance.n_candidates)
            priced = self.pricing.price(
                solution.duals.pods,
                self.rows.costs(solution.duals),
                bounds,
                caps=remainder.demand,
                branches=20,
            )
            fresh = pool.add(priced.candidates, priced.patterns)
            if not len(fresh[0]):
                return solution
            master.add(*fresh)
            solution = master.solve(stop.remaining_s())
        return solution

    def fix(
        self,
        candidates: NDArray[np.intp],
        patterns: NDArray[np.int32],
        nodes: Float,
        remainder: Remainder,
    ) -> list[tuple[int, int, NDArray[np.int32]]]:
        """Whole nodes taken from a fractional solution; the remainder shrinks accordingly."""
        taken = []
        used = np.flatnonzero(nodes > WHOLE)
        whole = np.floor(nodes[used] + WHOLE).astype(np.int64)
        for p, count in zip(used[whole > 0], whole[whole > 0], strict=True):
            taken.append(self._take(int(candidates[p]), int(count), patterns[p], remainder))
        fractions = nodes[used] - whole
        order = used[np.argsort(-fractions, kind="stable")]
        fraction_of = dict(zip(used.tolist(), fractions.tolist(), strict=True))
        rounded_up = 0
        enough = LEAST_SHARE * float(nodes.sum()) - float(whole.sum())
        for p in order:
            fraction = fraction_of[int(p)]
            is_needed = not taken and not rounded_up
            if fraction <= WHOLE or (fraction < ROUND_UP and not is_needed and rounded_up >= enough):
                break
            if (patterns[p] > remainder.demand).any():
                continue
            step = self._take(int(candidates[p]), 1, patterns[p], remainder)
            taken.append(step)
            rounded_up += step[1]
        return [step for step in taken if step[1] > 0]

    def _take(
        self, j: int, count: int, pattern: NDArray[np.int32], remainder: Remainder
    ) -> tuple[int, int, NDArray[np.int32]]:
        """Buy up to ``count`` nodes of a pattern as far as limits allow."""
        use = self.instance.limit_use[j]
        count = min(count, int(remainder.supply[j]))
        for k in np.flatnonzero(use):
            count = min(count, int(remainder.room[k] // use[k]))
        counted = self.rows.is_counted[j]
        if counted.any():
            count = int(min(count, (self.rows.most - self._bought)[counted].min()))
        if count <= 0:
            return j, 0, pattern
        self._bought[counted] += count
        remainder.demand -= np.minimum(remainder.demand, count * pattern.astype(np.int64))
        remainder.supply[j] -= count
        remainder.room -= count * use
        m = self.greedy.minimum_of[j]
        if m >= 0:
            remainder.missing[m] -= count
        return j, count, pattern


def _joined(fixed: list[tuple[int, int, NDArray[np.int32]]], rest: Columns, n_classes: int) -> Columns:
    candidates = np.array([j for j, _, _ in fixed], dtype=np.intp)
    counts = np.array([n for _, n, _ in fixed], dtype=np.int64)
    patterns = np.array([p for _, _, p in fixed], dtype=np.int32).reshape(len(fixed), n_classes)
    return (
        np.concatenate([candidates, rest[0]]),
        np.concatenate([counts, rest[1]]),
        np.concatenate([patterns, rest[2]]),
    )
