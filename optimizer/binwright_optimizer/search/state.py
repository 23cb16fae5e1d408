"""What all stages of one search share: the incumbent, the columns, the clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.columns.round import Dive
from binwright_optimizer.columns.rows import Duals, Rows
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder
from binwright_optimizer.incumbent import Incumbent, Progress
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.coarsen import Groups
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.pricing import Pricing
from binwright_optimizer.search.fluid_ahead import FluidAhead
from binwright_optimizer.search.found import price_step
from binwright_optimizer.search.regrouping import Regrouping
from binwright_optimizer.stopping import Halt, Stop
from binwright_optimizer.work import Work

Float = NDArray[np.float64]
LEAST_VALUE = 1e-9
"""Share of its penalty that a pod is worth at least, so that no greedy step overlooks it."""
TURN_SHARE = 0.1
"""Share of the time so far that a turn of neighbourhood search, or of choosing, may take."""
LEAST_TURN_S = 0.1
"""Seconds every turn of neighbourhood search may take."""
ALLOCATION_SHARE = 0.1
"""Share of the time left that allocating pods to domains may take."""
PARTIAL_SHARE = 0.5
"""Share of the time after which a search whose answer leaves pods out ends, so that a bound can be
proven for the pods it places."""


class _PartialStop:
    """A stop that comes early while the incumbent leaves pods out (`PARTIAL_SHARE`)."""

    def __init__(self, instance: Instance, stop: Stop, incumbent: Incumbent) -> None:
        self._instance = instance
        self._stop = stop
        self._incumbent = incumbent
        self._kept_s = (1.0 - PARTIAL_SHARE) * stop.remaining_s()

    def is_cancelled(self) -> bool:
        return self._stop.is_cancelled()

    def remaining_s(self) -> float:
        packing = self._incumbent.packing
        is_partial = packing is not None and packing.is_partial(self._instance)
        return self._stop.remaining_s() - (self._kept_s if is_partial else 0.0)

    def elapsed_s(self) -> float:
        return self._stop.elapsed_s()


class State:
    """Where one search over one instance stands.

    Parameters
    ----------
    has_columns
        Whether good columns are known beforehand.
    most_pods
        int64 array (i,): pods of each class for which prices have to hold on one node; its demand by
        default.
    on_packing
        Called with every packing that becomes the incumbent.
    is_by_parts
        Whether parts of the packing are packed again, which does not go together with a second thread that
        changes all of it.

    Attributes
    ----------
    target
        What whole-number answers pack: the instance, linked pods allocated to domains.
    simple
        Dual feasible prices by the fluid relaxation, once it is solved.
    fruitless
        Attempts since the incumbent was last improved by one.
    """

    def __init__(
        self,
        instance: Instance,
        params: SolveParams,
        stop: Stop,
        work: Work,
        on_progress: Callable[[Progress], None] | None = None,
        most_pods: NDArray[np.int64] | None = None,
        on_packing: Callable[[Packing], None] | None = None,
        *,
        has_columns: bool = False,
        is_by_parts: bool = False,
    ) -> None:
        self.instance = instance
        self.params = params
        self.price_step = price_step(instance)
        self.incumbent = Incumbent(instance, stop, self.price_step, on_progress, on_packing)
        self.stop = _PartialStop(instance, stop, self.incumbent)
        self.work = work
        self.halt = Halt(work.deadline or self.stop)
        self.pricing = Pricing(instance, self.halt, work, most_pods)
        self.greedy = Greedy(instance, self.pricing)
        self.downsize = Downsize(instance, self.pricing.compatible)
        self.penalty = penalties(instance)
        self.generation = Generation(
            instance, self.pricing, self.penalty, self._cover_at, has_columns=has_columns
        )
        self.target = instance
        self.rng = np.random.default_rng(params.seed)
        self.regrouping = Regrouping(
            self.pricing, self.downsize, self.incumbent, self.generation, self.rng, params.seed,
            has_second_thread=not is_by_parts,
        )  # fmt: skip
        self.simple: Duals | None = None
        self.fruitless = 0
        self._ahead: FluidAhead | None = None
        self._began = stop.elapsed_s()
        self._has_run_out = False

    @property
    def is_done(self) -> bool:
        """Whether time is up, or the gap small enough."""
        return self.has_run_out or self.incumbent.gap <= self.params.gap

    @property
    def has_run_out(self) -> bool:
        """Whether time is, or once was, up: what is kept for the proof may become less later."""
        self._has_run_out |= self.stop.remaining_s() <= 0 or self.halt.flag[0] != 0
        return self._has_run_out

    @property
    def elapsed_s(self) -> float:
        """Seconds since this search began."""
        return self.stop.elapsed_s() - self._began

    @property
    def turn_s(self) -> float:
        """Seconds of a turn that must not take longer than a share of the time so far."""
        return max(LEAST_TURN_S, TURN_SHARE * self.elapsed_s)

    @property
    def allocation_s(self) -> float:
        """Seconds that an allocation may take."""
        return ALLOCATION_SHARE * max(0.0, self.stop.remaining_s())

    @property
    def has_domains(self) -> bool:
        """Whether domains can be looked at one by one."""
        return self.instance.linking is not None and self.instance.rules.has_parts

    def begin_fluid(self, alone: NDArray[np.intp], groups: Groups | None) -> FluidAhead:
        """Begin the fluid relaxation with the candidates that are cheapest for each class alone: (i,)."""
        self._ahead = FluidAhead(self.instance, self.pricing, self.stop, alone, groups)
        self._ahead.begin()
        return self._ahead

    def close(self) -> None:
        """End the threads of the search."""
        self.halt.flag[0] = 1
        with ExitStack() as closed:
            closed.callback(self.regrouping.close)
            if self._ahead is not None:
                closed.callback(self._ahead.close)
            closed.callback(self.halt.close)

    def offer(self, columns: Columns, phase: str) -> bool:
        """Offer these nodes to the incumbent, each as cheap as its pods allow; whether they are better."""
        packing = self._settled(Packing.of(self.target, *columns))
        return self.incumbent.offer(self.downsize.apply(packing), phase)

    def allocate(self, allocation: NDArray[np.int64]) -> None:
        """Pack for these numbers of pods by domain from now on."""
        self.target = self.instance.allocated(allocation)

    def diver(self, rows: Rows) -> Dive:
        """Dives that begin with the columns known."""
        columns = self.generation.pool.arrays()
        return Dive(self.instance, rows, self.pricing, self.greedy, self.penalty, columns)

    def _settled(self, packing: Packing) -> Packing:
        """The packing, or as much of it as the rules about domains allow where it leaves linked pods out."""
        allocator, linking = self.generation.allocator, self.instance.linking
        if allocator is None or linking is None or not packing.left_out[linking.class_of].any():
            return packing
        placed = self.target.demand - packing.left_out
        smaller = self.instance.allocated(allocator.within(placed, self.allocation_s))
        return Packing.of(smaller, packing.candidates, packing.counts, packing.patterns)

    def _cover_at(self, duals: Duals) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """A greedy cover at dual prices: an incumbent, and columns for the master."""
        priced = np.maximum(duals.pods, LEAST_VALUE * self.penalty)
        columns = self.greedy.cover(
            priced, Remainder.whole(self.target), 200, limits=duals.limits, may_be_halted=True
        )
        self.offer(columns, "cover")
        return columns[0], columns[2]
