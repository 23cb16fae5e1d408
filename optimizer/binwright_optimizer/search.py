"""The anytime search: greedy first, then columns, dives and neighbourhoods in turn.

Every stage hands what it finds to one incumbent; whoever stops the search gets the best so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.bounds import volume_prices
from binwright_optimizer.columns.choose import choose, place_most
from binwright_optimizer.columns.enumerate import maximal_patterns
from binwright_optimizer.columns.generate import Bound, Generation, penalties
from binwright_optimizer.columns.round import Dive
from binwright_optimizer.columns.start import single_class_columns
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder, fluid_prices
from binwright_optimizer.heuristics.repack import Repack
from binwright_optimizer.incumbent import Incumbent, Progress
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.pricing import MICRO, Pricing
from binwright_optimizer.stopping import Halt, Reserved, Stop

Float = NDArray[np.float64]
LEAST_VALUE = 1e-9
"""Share of its penalty that a pod is worth at least, so that no greedy step overlooks it."""
LP_FAILED = "a linear programme failed to solve: the answer and the bound are the best found before it"
BOUND_SHARE = 0.3
"""Share of the incumbent's distance to the relaxation down to which the relaxation is solved before
the incumbent is worked on; each time around it is this much smaller."""
NEARLY = 0.01
"""Relative distance of bound and relaxation above which the relaxation always goes first."""
DIVE_SHARE = 0.3
"""Share of the time before convergence that dives may take."""
LEAST_TURN_S = 0.1
"""Seconds every turn of neighbourhood search may take."""
LEAST_DIVE_S = 0.05
"""Seconds every dive may take."""
PARTIAL_SHARE = 0.5
"""Share of the time after which a search whose answer leaves pods out ends, so that a bound can be
proven for the pods it places."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search ends with; it is exhausted if it ended before its time was up."""

    packing: Packing
    bound: Bound
    is_exhausted: bool
    warnings: tuple[str, ...] = ()


class _PartialStop:
    """A stop that comes early while the incumbent leaves pods out (`PARTIAL_SHARE`)."""

    def __init__(self, stop: Stop, incumbent: Incumbent) -> None:
        self._stop = stop
        self._incumbent = incumbent
        self._kept_s = (1.0 - PARTIAL_SHARE) * stop.remaining_s()

    def is_cancelled(self) -> bool:
        return self._stop.is_cancelled()

    def remaining_s(self) -> float:
        packing = self._incumbent.packing
        is_partial = packing is not None and packing.left_out.any()
        return self._stop.remaining_s() - (self._kept_s if is_partial else 0.0)

    def elapsed_s(self) -> float:
        return self._stop.elapsed_s()


class Search:
    """One search over one instance."""

    def __init__(
        self,
        instance: Instance,
        params: SolveParams,
        stop: Stop,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.instance = instance
        self.params = params
        self.incumbent = Incumbent(instance, stop, price_step(instance), on_progress)
        self.stop = _PartialStop(stop, self.incumbent)
        self.halt = Halt(self.stop)
        self.pricing = Pricing(instance, self.halt)
        self.greedy = Greedy(instance, self.pricing)
        self.downsize = Downsize(instance, self.pricing.compatible)
        self.penalty = penalties(instance)
        self.generation = Generation(instance, self.pricing, self.penalty, self._cover_at)
        self.rng = np.random.default_rng(params.seed)
        self._began = stop.elapsed_s()

    def run(self) -> Found:
        """Search until the gap, the deadline, cancellation or exhaustion."""
        try:
            return self._run()
        finally:
            self.halt.close()

    def _run(self) -> Found:
        self._start()
        share = BOUND_SHARE
        while not self._is_done():
            self._generate(share)
            if not self._is_done():
                self._choose()
            if not self._is_done():
                self._improve()
            if self.generation.is_converged:
                break
            share *= BOUND_SHARE
        is_exhausted = self.stop.remaining_s() > 0
        packing = self.incumbent.packing
        assert packing is not None
        warnings = (LP_FAILED,) if self.generation.has_failed else ()
        return Found(packing, self.generation.bound, is_exhausted, warnings)

    def _is_done(self) -> bool:
        return self.stop.remaining_s() <= 0 or self.incumbent.gap <= self.params.gap

    def _offer(self, columns: Columns, phase: str) -> bool:
        return self.incumbent.offer(self.downsize.apply(Packing.of(self.instance, *columns)), phase)

    def _cover_at(self, values: Float) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """A greedy cover at dual prices: an incumbent, and columns for the master."""
        priced = np.maximum(values, LEAST_VALUE * self.penalty)
        columns = self.greedy.cover(priced, Remainder.whole(self.instance), 200)
        self._offer(columns, "cover")
        return columns[0], columns[2]

    def _start(self) -> None:
        """The first incumbent, from prices that need no linear programme."""
        prices = fluid_prices(self.instance)
        columns = self.greedy.cover(prices, Remainder.whole(self.instance), 200)
        self._offer(columns, "greedy")
        if self.incumbent.packing is not None and self.incumbent.packing.short:
            careful = self.greedy.minimums_first(prices, 200)
            if careful is not None:
                columns = careful
                self._offer(columns, "greedy")
        rows, nothing = self.generation.rows, self.generation.rows.zero_duals()
        volume = volume_prices(self.instance)
        self.generation.offer_bound(float(self.instance.demand @ volume), replace(nothing, pods=volume))
        floor = rows.cheapest_nodes()
        self.generation.offer_bound(float(rows.missing @ floor), replace(nothing, minimums=floor))
        self.incumbent.raise_bound(self.generation.bound.dollars, "volume")
        if self._is_done():
            return
        self.generation.add(*single_class_columns(self.instance))
        self.generation.add(columns[0], columns[2])
        self.generation.sweep(replace(nothing, pods=prices))
        self.incumbent.raise_bound(self.generation.bound.dollars, "fluid")

    def _is_bound_better(self, share: float) -> bool:
        """Whether the relaxation is solved so much better than the incumbent that it can wait.

        The gap has two parts: from the incumbent down to the relaxation, and from there to the
        bound. Solving the relaxation pays while the second is more than ``share`` of the first.
        """
        solution, packing = self.generation.solution, self.incumbent.packing
        if solution is None or packing is None or packing.left_out.any():
            return False
        below = solution.objective - self.generation.bound.dollars
        above = packing.cost * MICRO - solution.objective
        return below <= share * above and below <= NEARLY * solution.objective

    def _generate(self, share: float) -> None:
        """Columns until the relaxation is solved well enough, with a dive now and then."""
        generation = self.generation
        dived = 0.0
        while not (generation.is_converged or self._is_bound_better(share) or self._is_done()):
            generation.round(self.stop)
            self.incumbent.raise_bound(generation.bound.dollars, "columns")
            elapsed = self.stop.elapsed_s() - self._began
            due = 0.03 + dived / DIVE_SHARE
            if elapsed >= due:
                before = self.stop.elapsed_s()
                self._dive()
                dived += max(self.stop.elapsed_s() - before, 0.2 * elapsed * DIVE_SHARE)
        if not self._is_done():
            self._dive()

    def _dive(self) -> None:
        if self.generation.solution is None:
            return
        seconds = max(LEAST_DIVE_S, DIVE_SHARE * (self.stop.elapsed_s() - self._began))
        stop = Reserved.within(self.stop, seconds)
        columns = self._diver().run(Remainder.whole(self.instance), self.generation.solution, stop)
        self._offer(columns, "dive")

    def _diver(self) -> Dive:
        return Dive(
            self.instance,
            self.generation.rows,
            self.pricing,
            self.greedy,
            self.penalty,
            self.generation.pool.arrays(),
        )

    def _choose(self) -> None:
        """The best choice among the columns known, where that is a small programme."""
        packing = self.incumbent.packing
        every = maximal_patterns(self.instance)
        limit = min(0.2 * self.stop.remaining_s(), 2.0)
        if every is not None:
            self.generation.add(*every)
        if packing is None or packing.left_out.any():
            known = self.generation.pool.arrays()
            fullest = place_most(self.generation.rows, known, limit, self.halt) if every else None
            if fullest is not None:
                self._offer(fullest, "choose")
            return
        columns = choose(
            self.generation.rows,
            self.generation.pool.arrays(),
            self.generation.bound,
            packing.cost * 1e-6,
            limit,
            self.halt,
        )
        if columns is not None:
            self._offer(columns, "choose")

    def _improve(self) -> None:
        """Neighbourhood search until it runs out of ideas, or of its turn.

        While the relaxation is not solved, a turn is as long as the search so far.
        """
        generation = self.generation
        left = self.stop.remaining_s()
        if not generation.is_converged:
            left = min(left, max(LEAST_TURN_S, self.stop.elapsed_s() - self._began))
        turn = Reserved.within(self.stop, left)
        duals = generation.bound.duals
        diver = self._diver()
        repack = Repack(
            self.instance,
            lambda remainder: diver.run(remainder, None, self.stop),
            duals.pods,
            generation.rows.costs(duals),
            self.rng,
        )
        fruitless = 0
        while not self._is_done() and turn.remaining_s() > 0:
            packing = self.incumbent.packing
            assert packing is not None
            if fruitless >= self.params.patience or not packing.nodes:
                return
            size = int(self.rng.integers(2, 16))
            trial = self.downsize.apply(repack.attempt(packing, size))
            fruitless = 0 if self.incumbent.offer(trial, "improve") else fruitless + 1


def price_step(instance: Instance) -> int:
    """Largest amount that divides every price a node may have, in micro-dollars; 0 if all are free."""
    prices = [instance.shelf.price[part.rows] for part in instance.origin.shelved]
    return int(np.gcd.reduce(np.concatenate(prices))) if prices else 0


def with_demand_of(instance: Instance, packing: Packing) -> Instance:
    """The instance that asks only for the pods this packing places."""
    demand = instance.demand - packing.left_out
    demand.flags.writeable = False
    return replace(instance, demand=demand)
