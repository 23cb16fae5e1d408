"""The fluid relaxation: pods and nodes in any fraction, each resource of a kind of node by itself.

::

    min  sum_j c_j y_j + sum_i penalty_i z_i
    s.t. sum_j x_ij + z_i >= d_i                          pi_i >= 0      every pod is placed, or left out
         sum_i share_ijr x_ij <= y_j   for resources r    mu_jr >= 0
         sum_j use_jk y_j <= room_k    for limits k       lambda_k >= 0
         y_j <= k_j                    where supply is finite

Without limits no pod is left out, and ``z`` is missing.

Its dual prices are weaker than those of the master problem, but they balance the resources against each
other, and there is no column per pattern: hundreds of classes take ten milliseconds. Thousands would take
seconds: they are put into groups of nearly equal pods (`Groups`), of which the programme knows the average.
Whatever multipliers ``mu`` it finds, the least that the room of a pod costs by them is a price for it.
Few of the candidates matter: those that a greedy answer chose, to begin with. Those whose fluid node would
be worth more than its price are added until there are none.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.bounds import feasible_prices
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.highs import make_interruptible, quiet_solver, run
from binwright_optimizer.columns.round import WHOLE
from binwright_optimizer.columns.rows import Float
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.instance.coarsen import Groups
from binwright_optimizer.pricing import MICRO, TOLERANCE, Pricing
from binwright_optimizer.stopping import Stop

ADDED = 8
"""Candidates added at a time: those worth most beyond their price, as a share of it."""
MOST_ROUNDS = 20
"""Rounds of adding candidates; five suffice for the whole AWS catalogue."""
CLOSE = 1e-4
"""Share of its price that a node may be worth beyond it without being added."""


@dataclass(frozen=True, slots=True)
class Fluid:
    """What the relaxation says.

    Parameters
    ----------
    prices
        float64 array (i,): dual feasible prices of pods, dollars.
    limits
        float64 array (k,): what a unit of each limit costs, dollars; nodes are worth no more than their
        price and that of what they use.
    paid
        Dollars per hour that limits and finite supply take back of what the demand is worth at these prices:
        the bound is what is left.
    candidates, pods
        intp array (u,), int64 array (u, i): the candidates it buys, and how it shares the demand between
        them, in whole pods; none where it was not solved.
    """

    prices: Float
    limits: Float
    paid: float
    candidates: NDArray[np.intp]
    pods: NDArray[np.int64]


class FluidProgramme:
    """The relaxation over a growing set of candidates.

    Parameters
    ----------
    groups
        Of classes, whose average pods have the rows; None for a row for each class.
    """

    def __init__(self, instance: Instance, pricing: Pricing, groups: Groups | None = None) -> None:
        self.instance = instance
        self._groups = groups
        self._work = pricing.work
        solver = quiet_solver()
        make_interruptible(solver, pricing.halt)
        kinds = instance if groups is None else groups
        self._requests = instance.requests if groups is None else groups.mean_requests
        self._compatible = kinds.compatible
        demand = kinds.demand.astype(np.float64)
        n = self._n_rows = len(demand)
        starts, empty = np.zeros(n, dtype=np.int32), np.zeros(0, dtype=np.int32)
        solver.addRows(n, demand, np.full(n, np.inf), 0, starts, empty, np.zeros(0))
        self._solver = solver
        self._price = instance.price * MICRO
        self.room = np.array([row.room for row in instance.limits], dtype=np.float64)
        self._unit = np.maximum(self.room, 1.0)
        """Limits are stated in these, so that rows are about as large as those of resources."""
        self._n_limits = k = len(self.room)
        self._most = np.full(instance.n_classes, np.inf)
        """What a pod may be worth: no more than it costs to leave it out."""
        if k:
            starts = np.zeros(max(n, k), dtype=np.int32)
            solver.addRows(k, np.full(k, -np.inf), self.room / self._unit, 0, starts[:k], empty, np.zeros(0))
            penalty = self._most = penalties(instance)
            if groups is not None:
                penalty = np.array([penalty[mine].max() for mine in groups.members])
            solver.addCols(
                n, penalty, np.zeros(n), np.full(n, np.inf), n, np.arange(n, dtype=np.int32),
                np.arange(n, dtype=np.int32), np.ones(n),
            )  # fmt: skip
        self._first: dict[int, int] = {}
        """Number of the first variable of each candidate: of the first row that it may hold."""
        self._room_rows: dict[int, tuple[int, NDArray[np.intp]]] = {}
        """Of each candidate, the first row of what room it has, and the resources that these rows are of."""

    def add(self, j: int) -> None:
        """Let pods stand on candidate ``j``."""
        instance, solver = self.instance, self._solver
        used = np.flatnonzero(instance.allocatable[j] > 0)
        first = solver.getNumRow()
        k = len(used)
        zeros, empty = np.zeros(k, dtype=np.int32), np.zeros(0, dtype=np.int32)
        solver.addRows(k, np.full(k, -np.inf), np.zeros(k), 0, zeros, empty, np.zeros(0))
        held = np.flatnonzero(self._compatible[:, j])
        self._first[j] = solver.getNumCol()
        self._room_rows[j] = first, used
        rows = np.column_stack(
            [held, np.broadcast_to(first + np.arange(k), (len(held), k))],
        ).astype(np.int32)
        share = self._requests[np.ix_(held, used)] / instance.allocatable[j, used]
        values = np.column_stack([np.ones(len(held)), share])
        solver.addCols(
            len(held), np.zeros(len(held)), np.zeros(len(held)), np.full(len(held), np.inf), rows.size,
            (np.arange(len(held)) * (k + 1)).astype(np.int32), rows.ravel(), values.ravel(),
        )  # fmt: skip
        supply = float(instance.supply[j])
        most = supply if supply < UNLIMITED else np.inf
        limited = np.flatnonzero(instance.limit_use[j])
        nodes = np.concatenate([first + np.arange(k), self._n_rows + limited]).astype(np.int32)
        uses = np.concatenate([np.full(k, -1.0), instance.limit_use[j, limited] / self._unit[limited]])
        solver.addCol(float(self._price[j]), 0.0, most, len(nodes), nodes, uses)

    def prices(self, time_limit_s: float) -> tuple[Float, Float] | None:
        """Dual prices of pods (i,) and of limits (k,), dollars; None if there was too little time."""
        solver = self._solver
        run(solver, time_limit_s, self._work)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        duals = np.asarray(solver.getSolution().row_dual)
        n = self._n_rows
        limits = np.asarray(np.maximum(-duals[n : n + self._n_limits], 0.0) / self._unit)
        if self._groups is not None:
            return self._cheapest_room(-duals), limits
        return np.asarray(np.maximum(duals[:n], 0.0), dtype=np.float64), limits

    def _cheapest_room(self, multipliers: Float) -> Float:
        """What the room of a pod costs where it costs least at these multipliers of rows: (i,), dollars."""
        instance = self.instance
        cheapest = np.full(instance.n_classes, np.inf)
        for j, (first, used) in self._room_rows.items():
            unit = np.maximum(multipliers[first : first + len(used)], 0.0) / instance.allocatable[j, used]
            cost = np.where(instance.compatible[:, j], instance.requests[:, used] @ unit, np.inf)
            cheapest = np.minimum(cheapest, cost)
        return np.where(np.isfinite(cheapest), np.minimum(cheapest, self._most), 0.0)

    def shares(self) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The candidates bought, and their shares of the demand in whole pods: (u,), (u, i)."""
        instance = self.instance
        values = np.asarray(self._solver.getSolution().col_value)
        candidates, shares = [], []
        for j, first in self._first.items():
            held = np.flatnonzero(self._compatible[:, j])
            if values[first + len(held)] > WHOLE:
                share = np.zeros(self._n_rows)
                share[held] = values[first : first + len(held)]
                candidates.append(j)
                shares.append(share)
        fractions = np.array(shares).reshape(len(shares), self._n_rows)
        if self._groups is not None:
            fractions = self._groups.spread(fractions)
        return np.array(candidates, dtype=np.intp), _whole(fractions, instance.demand)


def solve_fluid(
    instance: Instance, pricing: Pricing, stop: Stop, used: NDArray[np.intp], groups: Groups | None = None
) -> Fluid:
    """The fluid relaxation, as far as there is time for it.

    However early the stop comes due, the prices are made feasible by what a sweep finds.

    Parameters
    ----------
    used
        intp array (u,): candidates of a good answer.
    groups
        Of classes, where there are too many to have a row each.
    """
    programme = FluidProgramme(instance, pricing, groups)
    price = (instance.price * MICRO).astype(np.float64)
    chosen = _cheapest_by_resource(instance) | set(used.tolist())
    for j in sorted(chosen):
        programme.add(j)
    is_finite = instance.supply < UNLIMITED
    best, best_limits = np.zeros(instance.n_classes), np.zeros(len(programme.room))
    best_paid, best_bound = 0.0, 0.0
    shares = np.zeros(0, dtype=np.intp), np.zeros((0, instance.n_classes), dtype=np.int64)
    for _ in range(MOST_ROUNDS):
        duals = programme.prices(stop.remaining_s())
        if duals is None:
            break
        pods, limits = duals
        shares = programme.shares()
        cost = price + instance.limit_use @ limits
        worth = np.empty(instance.n_candidates)
        pricing.price(pods, cost, worth, branches=0, tolerance=CLOSE)
        feasible = feasible_prices(instance, pods, cost * (1.0 + TOLERANCE), worth, is_finite)
        paid = float(instance.supply[is_finite] @ np.maximum(0.0, worth - cost)[is_finite])
        paid += float(programme.room @ limits)
        bound = float(instance.demand @ feasible) - paid
        if bound > best_bound:
            best, best_limits, best_paid, best_bound = feasible, limits, paid, bound
        excess = np.where(cost > 0, worth / np.maximum(cost, MICRO) - 1.0, np.where(worth > 0, np.inf, 0.0))
        excess[list(chosen)] = 0.0
        fresh = np.argsort(-excess, kind="stable")[:ADDED]
        fresh = fresh[excess[fresh] > CLOSE]
        if not len(fresh) or stop.remaining_s() <= 0:
            break
        for j in fresh.tolist():
            programme.add(j)
            chosen.add(j)
    return Fluid(best, best_limits, best_paid, *shares)


def _whole(shares: Float, demand: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shares of each class's demand as whole pods: what is left goes to the largest fractions."""
    pods = np.floor(shares + WHOLE).astype(np.int64)
    missing = np.maximum(demand - pods.sum(axis=0), 0)
    rank = np.argsort(np.argsort(-(shares - pods), axis=0, kind="stable"), axis=0, kind="stable")
    whole: NDArray[np.int64] = pods + (rank < missing)
    return whole


def _cheapest_by_resource(instance: Instance) -> set[int]:
    """Candidates to begin with: the cheapest of each resource, and of each class that none of them holds."""
    price = (instance.price * MICRO).astype(np.float64)
    chosen: set[int] = set()
    for r in range(instance.requests.shape[1]):
        room: NDArray[np.int64] = instance.allocatable[:, r]
        unit = np.where(room > 0, price / np.maximum(room, 1), np.inf)
        if np.isfinite(unit).any():
            chosen.add(int(unit.argmin()))
    for i in range(instance.n_classes):
        if not instance.compatible[i, list(chosen)].any():
            held = np.flatnonzero(instance.compatible[i])
            chosen.add(int(held[price[held].argmin()]))
    return chosen
