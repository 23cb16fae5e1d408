"""The rows of the master problem: what columns must add up to, and what each row's dual price means.

`master` states the programme; this is its left-hand side and its prices, for all that solve or bound it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import highspy
import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.allocation import add_linked
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.instance.domains import Linking
from binwright_optimizer.pricing import MICRO

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Duals:
    """Dual prices in dollars: of pods (i,), limits (k,), minimums (m,), supply (f,), levels (l,).

    The price of a level is negative where an upper bound on its nodes binds, and may be missing
    for levels that were added later.
    """

    pods: Float
    limits: Float
    minimums: Float
    supply: Float
    levels: Float = field(default_factory=lambda: np.zeros(0))

    def blended(self, other: Duals, share: float) -> Duals:
        """``share`` of ``other`` and the rest of these."""

        def mix(a: Float, b: Float) -> Float:
            return (1.0 - share) * a + share * b

        return Duals(
            mix(self.pods, other.pods),
            mix(self.limits, other.limits),
            mix(self.minimums, other.minimums),
            mix(self.supply, other.supply),
            mix(*_same_length(self.levels, other.levels)),
        )


def _same_length(a: Float, b: Float) -> tuple[Float, Float]:
    n = max(len(a), len(b))
    return np.pad(a, (0, n - len(a))), np.pad(b, (0, n - len(b)))


class Rows:
    """Which rows the master has, and what each candidate must be worth under given duals.

    Attributes
    ----------
    levels
        Price levels: micro-dollars per hour from which a node counts, in the order they were added.
    least, most
        Bounds on the nodes of each level, the second maybe infinite.
    """

    def __init__(self, instance: Instance, linking: Linking | None = None) -> None:
        self.instance = instance
        self.linking = linking
        self.n_linking = 0 if linking is None else len(linking.lower)
        self.n_linked = 0 if linking is None else linking.n_variables
        self.n_classes = instance.n_classes
        self.room = np.array([row.room for row in instance.limits], dtype=np.float64)
        self.commitments = [k for k, row in enumerate(instance.limits) if row.commitment]
        self.missing = np.array([row.missing for row in instance.minimums], dtype=np.float64)
        pools = np.array([row.pool for row in instance.minimums], dtype=np.intp)
        self.in_pool = instance.pool_of[:, None] == pools[None, :]
        self.finite = np.flatnonzero(instance.supply < UNLIMITED)
        self.supply = instance.supply[self.finite].astype(np.float64)
        self.finite_index = np.full(instance.n_candidates, -1, dtype=np.intp)
        self.finite_index[self.finite] = np.arange(len(self.finite))
        self.price = instance.price * MICRO
        self.levels: list[int] = []
        self.is_counted = np.zeros((instance.n_candidates, 0), dtype=bool)
        self.least: Float = np.zeros(0)
        self.most: Float = np.zeros(0)

    def add_level(self, level: int) -> None:
        """Count the nodes that cost at least ``level`` micro-dollars per hour, without bounds yet."""
        self.levels.append(level)
        counted = (self.instance.price >= level)[:, None]
        self.is_counted = np.concatenate([self.is_counted, counted], axis=1)
        self.least = np.append(self.least, 0.0)
        self.most = np.append(self.most, np.inf)

    @property
    def has_only_pods(self) -> bool:
        """Whether nothing but placing pods, and rules about domains, has a price."""
        return not (len(self.room) or len(self.missing) or len(self.supply))

    def zero_duals(self) -> Duals:
        """Duals of zero."""
        return Duals(
            np.zeros(self.n_classes),
            np.zeros(len(self.room)),
            np.zeros(len(self.missing)),
            np.zeros(len(self.supply)),
        )

    def priced(self, pods: Float, limits: Float | None = None) -> Duals:
        """Duals of pods (i,), and of limits (k,) if they have any."""
        duals = replace(self.zero_duals(), pods=pods)
        return duals if limits is None else replace(duals, limits=limits)

    def cheapest_nodes(self) -> Float:
        """Price of the cheapest node of each pool with a minimum: (m,), dollars."""
        prices = np.where(self.in_pool, self.price[:, None], np.inf)
        return np.asarray(prices.min(axis=0, initial=np.inf))

    def costs(self, duals: Duals, with_supply: bool = True) -> Float:
        """What a pattern on each candidate must be worth more than to improve: (j,), dollars."""
        costs: Float = self.price + self.instance.limit_use @ duals.limits - self.in_pool @ duals.minimums
        if with_supply and len(self.finite):
            costs[self.finite] += duals.supply
        if len(duals.levels):
            costs -= self.is_counted[:, : len(duals.levels)] @ duals.levels
        return costs

    def constant(self, duals: Duals) -> float:
        """What limits, minimums and levels add to the dual objective, dollars; supplies apart."""
        total = float(self.missing @ duals.minimums - self.room @ duals.limits)
        for price, least, most in zip(duals.levels, self.least, self.most, strict=False):
            total += price * (least if price > 0 else most) if price else 0.0
        return total

    def add_to(self, solver: highspy.Highs, demand: NDArray[np.int64]) -> None:
        """Add these rows, without columns, to an empty programme."""
        n, k, m, f = self.n_classes, len(self.room), len(self.missing), len(self.supply)
        lower = np.concatenate([demand, np.full(k, -np.inf), self.missing, np.full(f, -np.inf)])
        upper = np.concatenate([np.full(n, np.inf), self.room, np.full(m, np.inf), self.supply])
        if self.linking is not None:
            lower[np.unique(self.linking.class_of)] = 0.0
            lower = np.concatenate([lower, self.linking.lower])
            upper = np.concatenate([upper, self.linking.upper])
        lower, upper = np.concatenate([lower, self.least]), np.concatenate([upper, self.most])
        starts, empty = np.zeros(len(lower), dtype=np.int32), np.zeros(0, dtype=np.int32)
        solver.addRows(len(lower), lower, upper, 0, starts, empty, np.zeros(0))

    def add_columns(
        self,
        solver: highspy.Highs,
        candidates: NDArray[np.intp],
        patterns: NDArray[np.int32] | Float,
    ) -> None:
        """Add columns at their prices: intp array (p,) and int32 array (p, i), or float64 if relaxed."""
        others = np.concatenate(
            [
                self.instance.limit_use[candidates],
                self.in_pool[candidates],
                self.finite_index[candidates][:, None] == np.arange(len(self.supply))[None, :],
                self.is_counted[candidates],
            ],
            axis=1,
        ).astype(np.float64)
        column, i = np.nonzero(patterns)  # apart, since there may be thousands of classes
        other_column, other = np.nonzero(others)
        where = np.concatenate([column, other_column])
        order = np.argsort(where, kind="stable")
        index = np.concatenate([i, self.n_classes + other])[order]
        values = np.concatenate([patterns[column, i], others[other_column, other]])[order]
        starts = np.searchsorted(where[order], np.arange(len(candidates)))
        index[index >= self._before_linking] += self.n_linking
        solver.addCols(
            len(candidates),
            self.price[candidates],
            np.zeros(len(candidates)),
            np.full(len(candidates), np.inf),
            len(index),
            starts.astype(np.int32),
            index.astype(np.int32),
            values,
        )

    def without_linking(self) -> Rows:
        """The same rows, levels included, for pods that are allocated to domains already."""
        plain = Rows(self.instance)
        plain.levels, plain.is_counted = self.levels, self.is_counted
        plain.least, plain.most = self.least, self.most
        return plain

    @property
    def _before_linking(self) -> int:
        """Number of the first row that links, and of the first level without such rows."""
        return self.n_classes + len(self.room) + len(self.missing) + len(self.supply)

    def add_linked(self, solver: highspy.Highs, penalty: Float, *, may_leave_out: bool) -> None:
        """Add the variables of the rules about domains after whatever columns there are.

        Parameters
        ----------
        penalty
            float64 array (q,): dollars for leaving out a pod of a split kind.
        """
        if self.linking is not None:
            add_linked(self.linking, solver, self._before_linking, penalty, may_leave_out=may_leave_out)
