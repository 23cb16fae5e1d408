"""A search that counts its steps instead of the seconds: the same answer on any machine, however loaded.

The parts are the engine's: column generation, diving, neighbourhoods and branching. `search.Search` gives
each a share of the time; here each gets a number of steps, and whether one is taken depends on costs and
bounds alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.bounds import volume_prices
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.choose import choose
from binwright_optimizer.columns.enumerate import maximal_patterns
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.columns.round import Dive
from binwright_optimizer.columns.rows import Duals, Rows
from binwright_optimizer.columns.start import single_class_columns
from binwright_optimizer.columns.tree import Part, Tree
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder, fluid_prices
from binwright_optimizer.heuristics.repack import Repack
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.pricing import MICRO, Pricing
from binwright_optimizer.search import LEAST_VALUE, price_step
from binwright_optimizer.stopping import Halt

Pool = tuple[NDArray[np.intp], NDArray[np.int32]]
"""Columns: candidates (p,) and patterns (p, i)."""

MOST_NODES = 2_000
"""Nodes that a greedy cover buys at once."""
CLOSE = 0.25
"""Share of the gap asked for at which the relaxation counts as solved."""
MOST_PROGRAMME_PODS = 200
"""Pods up to which all maximal patterns are tried and chosen from exactly."""
PROGRAMME_S = 3_600.0
"""Seconds for the choice among columns. Programmes of this size end in a second; the limit only
keeps one that would not from running for ever."""


MOST_BRANCHES = 160
"""Branches per candidate of a sweep: with 140 workloads more take minutes, and no clock ends them here."""
DIVE_MARGIN = 0.01
"""Reduced cost, as a share of its price, up to which a dive uses a column."""


class Untimed:
    """A stop that never comes: whoever counts steps has no deadline."""

    def is_cancelled(self) -> bool:
        """Never."""
        return False

    def remaining_s(self) -> float:
        """More than any step takes."""
        return 1e6

    def elapsed_s(self) -> float:
        """Nothing, whatever the clock says."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Steps:
    """How much work one demand gets.

    Parameters
    ----------
    gap
        (cost - bound) / cost at which no more is done.
    rounds
        Rounds of column generation.
    dives
        Dives from the relaxation.
    repacks
        Neighbourhoods tried.
    parts
        Parts into which the solutions may be split for a better bound.
    """

    gap: float = 0.003
    rounds: int = 80
    dives: int = 1
    repacks: int = 20
    parts: int = 24


@dataclass(frozen=True, slots=True)
class CountedResult:
    """What a search ends with; the bound is the search's belief until it is proven."""

    packing: Packing
    proof: Part
    whole: Bound
    columns: Pool


class CountedSearch:
    """One search over one instance; a context manager, because kernels are watched by a thread.

    Parameters
    ----------
    known
        Columns to start with, of this instance or of one that differs in its demand.
    bound
        A bound with dual prices feasible for this instance, if any is known.
    packing
        A packing to begin with, if any is known.
    """

    def __init__(
        self,
        instance: Instance,
        steps: Steps,
        seed: int,
        known: Pool | None = None,
        bound: Bound | None = None,
        packing: Packing | None = None,
    ) -> None:
        self.instance = instance
        self.steps = steps
        self._stop = Untimed()
        self._halt = Halt(self._stop)
        self.pricing = Pricing(instance, self._halt)
        self._greedy = Greedy(instance, self.pricing)
        self._downsize = Downsize(instance, self.pricing.compatible)
        self._penalty = penalties(instance)
        self.generation = Generation(instance, self.pricing, self._penalty, self._cover_at, MOST_BRANCHES)
        self._rng = np.random.default_rng(seed)
        self._step = max(1, price_step(instance))
        self._known = known
        self._bound = bound
        self.packing = packing

    def __enter__(self) -> CountedSearch:
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.close()

    @property
    def gap(self) -> float:
        """Between the best packing and the bound; 1 without a packing of all pods."""
        packing = self.packing
        if packing is None or packing.left_out.any():
            return 1.0
        bound = self._dollars() / MICRO
        return max(0.0, 1.0 - bound / packing.cost) if packing.cost else 0.0

    def relax(self) -> None:
        """Solve the linear relaxation as far as the steps go: columns and dual prices."""
        self._start()
        generation = self.generation
        for _ in range(self.steps.rounds):
            if generation.is_converged or self._is_relaxed():
                return
            generation.round(self._stop)

    def run(self) -> CountedResult:
        """All steps, until the gap is reached."""
        self.relax()
        for _ in range(self.steps.dives):
            if self.gap > self.steps.gap:
                self._dive()
        self._choose()
        self._improve()
        tree = self._branch()
        assert self.packing is not None
        proof = tree.root if tree is not None else Part(self.generation.bound, {}, {})
        whole = proof.bound if tree is not None else self.generation.bound
        return CountedResult(self.packing, proof, whole, self.generation.pool.arrays())

    def _dollars(self) -> float:
        """The bound, rounded up to what prices can add up to."""
        step = self._step * MICRO
        return float(np.ceil(self.generation.bound.dollars * (1 - 1e-9) / step - 1e-6) * step)

    def _is_relaxed(self) -> bool:
        solution, packing = self.generation.solution, self.packing
        if solution is None or packing is None or packing.left_out.any():
            return False
        below = solution.objective - self.generation.bound.dollars
        return self.gap <= self.steps.gap or below <= CLOSE * self.steps.gap * solution.objective

    def _start(self) -> None:
        generation, instance = self.generation, self.instance
        alone = generation.rows.priced(fluid_prices(instance))
        columns = self._cover_at(alone)
        volume = volume_prices(instance)
        generation.offer_bound(float(instance.demand @ volume), generation.rows.priced(volume))
        if self._bound is not None:
            generation.offer_bound(self._bound.dollars, self._bound.duals)
        generation.add(*single_class_columns(instance))
        generation.add(*columns)
        if self._known is not None:
            generation.add(*self._known)
        if self.gap > self.steps.gap:
            generation.sweep(alone, lift=True)

    def _offer(self, columns: Columns) -> bool:
        packing = self._downsize.apply(Packing.of(self.instance, *columns))
        if self.packing is not None and packing.rank(self.instance) >= self.packing.rank(self.instance):
            return False
        self.packing = packing
        return True

    def _cover_at(self, duals: Duals) -> Pool:
        priced = np.maximum(duals.pods, LEAST_VALUE * self._penalty)
        columns = self._greedy.cover(priced, Remainder.whole(self.instance), MOST_NODES, limits=duals.limits)
        self._offer(columns)
        return columns[0], columns[2]

    def _diver(self) -> Dive:
        """Dives over the columns that are nearly worth their price: all would take minutes."""
        rows = Rows(self.instance)
        pool = worth_keeping(rows, self.generation.pool.arrays(), self.generation.bound, DIVE_MARGIN)
        return Dive(self.instance, rows, self.pricing, self._greedy, self._penalty, pool)

    def _dive(self) -> None:
        self._offer(self._diver().run(Remainder.whole(self.instance), None, self._stop))

    def _choose(self) -> None:
        """Small instances: the best choice among all maximal patterns, or among the columns known."""
        packing = self.packing
        if packing is None or packing.left_out.any() or self.gap <= self.steps.gap:
            return
        if self.instance.demand.sum() > MOST_PROGRAMME_PODS or self.steps.parts == 0:
            return
        every = maximal_patterns(self.instance, self.pricing.flag)
        if every is None:
            return
        self.generation.add(*every)
        rows, pool = Rows(self.instance), self.generation.pool.arrays()
        columns = choose(rows, pool, self.generation.bound, packing.cost * MICRO, PROGRAMME_S, self._halt)
        if columns is not None:
            self._offer(columns.columns)

    def _improve(self) -> None:
        if self.packing is None or not self.packing.nodes or not self.steps.repacks:
            return
        bound = self.generation.bound
        rows = Rows(self.instance)
        diver = self._diver()
        repack = Repack(
            self.instance,
            lambda remainder: diver.run(remainder, None, self._stop),
            bound.duals.pods,
            rows.costs(replace(bound.duals, levels=np.zeros(0))),
            self._rng,
        )
        for _ in range(self.steps.repacks):
            if self.gap <= self.steps.gap:
                return
            trial = self._downsize.apply(repack.attempt(self.packing, int(self._rng.integers(2, 16))))
            if trial.rank(self.instance) < self.packing.rank(self.instance):
                self.packing = trial

    def _branch(self) -> Tree | None:
        """Split the solutions until the bound of all parts is good enough, or none can be raised."""
        packing = self.packing
        if packing is None or packing.left_out.any() or self.gap <= self.steps.gap or not self.steps.parts:
            return None
        tree = Tree(self.generation, self.generation.bound)
        while tree.n_leaves < self.steps.parts and tree.dollars < (1 - self.steps.gap) * packing.cost * MICRO:
            cutoff = (packing.cost - self._step) * MICRO + 1e-9
            part = tree.next_part(cutoff)
            if part is None:
                break
            tree.enter(part)
            solution = tree.solve(part, cutoff, self._stop)
            if part.bound.dollars >= cutoff:
                continue
            if solution is None or not tree.split(part, solution):
                part.is_closed = True
        return tree


def worth_keeping(rows: Rows, columns: Pool, bound: Bound, margin: float) -> Pool:
    """The columns whose reduced cost is at most ``margin`` of their price."""
    candidates, patterns = columns
    plain = replace(bound.duals, levels=np.zeros(0))
    reduced = rows.costs(plain)[candidates] - patterns @ plain.pods
    kept = reduced <= margin * rows.price[candidates] + 1e-12
    return candidates[kept], patterns[kept]
