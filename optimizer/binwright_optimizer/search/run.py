"""Who runs when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.domains import Component, Patterns
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.columns.known import Head, Known
from binwright_optimizer.columns.tree import Part, Tree
from binwright_optimizer.heuristics.greedy import cheapest_alone
from binwright_optimizer.incumbent import Incumbent, Progress
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.coarsen import grouped
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.search.domains import DOMAIN_GAP, LARGE_DOMAIN, pack_domains
from binwright_optimizer.search.fluid_ahead import FluidAhead
from binwright_optimizer.search.found import MOST_PARTS, Found
from binwright_optimizer.search.groups import MOST_GROUPS, few_groups, pack_groups
from binwright_optimizer.search.parts import has_thousands_of_classes, pack_parts
from binwright_optimizer.search.splits import split
from binwright_optimizer.search.start import (
    first_answers,
    first_columns,
    fluid_start,
    regroup_first,
    take_fluid,
)
from binwright_optimizer.search.state import State
from binwright_optimizer.search.turns import Turns
from binwright_optimizer.stopping import Stop
from binwright_optimizer.work import Work

Float = NDArray[np.float64]
LP_FAILED = "a linear programme failed to solve: the answer and the bound are the best found before it"
WATCHED_SIZE = 100
"""Classes times candidates from which a thread watches the clock for kernels: smaller sweeps take less time
than starting it."""


class Search:
    """One search over one instance.

    Parameters
    ----------
    most_parts
        Tells from the bound of the whole into how many parts the solutions may be split, so that
        a proof of each is affordable.
    work
        Counts what is done. Where it stands for time, ``stop`` has to be a clock of it.
    known
        What a search of a like instance found, to begin with.
    most_pods
        int64 array (i,): pods of each class for which prices have to hold on one node; its demand by
        default.
    head
        An answer and prices to begin with.
    on_packing, on_bound
        Called with every packing that becomes the incumbent, and with the bound after each round of columns.
    """

    def __init__(
        self,
        instance: Instance,
        params: SolveParams,
        stop: Stop,
        on_progress: Callable[[Progress], None] | None = None,
        most_parts: Callable[[Bound], int] = lambda _: MOST_PARTS,
        work: Work | None = None,
        known: Known | None = None,
        most_pods: NDArray[np.int64] | None = None,
        head: Head | None = None,
        on_packing: Callable[[Packing], None] | None = None,
        on_bound: Callable[[Bound], None] = lambda _: None,
    ) -> None:
        self.instance = instance
        self.params = params
        self._known = known
        self._head = head
        self._most_parts = most_parts
        self._on_bound = on_bound
        self.work = work or Work()
        self.state = State(
            instance, params, stop, self.work, on_progress, most_pods, on_packing, has_columns=self._is_like,
            is_by_parts=has_thousands_of_classes(instance),
        )  # fmt: skip
        if known is not None:
            self.generation.look_as_closely_as(known.branches)
        self._tree: Tree | None = None

    @property
    def generation(self) -> Generation:
        """Columns, the relaxation and the best bound of the whole."""
        return self.state.generation

    @property
    def incumbent(self) -> Incumbent:
        """The best packing and bound so far."""
        return self.state.incumbent

    def run(self, columns: Patterns | None = None) -> Found:
        """Search until the gap, the deadline, cancellation or exhaustion.

        Parameters
        ----------
        columns
            Candidates (p,) and patterns (p, i) known beforehand.
        """
        if self.instance.n_classes * self.instance.n_candidates >= WATCHED_SIZE:
            self.state.halt.watch()
        try:
            self._run(columns)
            is_exhausted = not self.state.has_run_out
        finally:
            self.state.close()
        packing = self.incumbent.packing
        assert packing is not None
        warnings = (LP_FAILED,) if self.generation.has_failed else ()
        proof = Part(self.generation.bound, {}, {}) if self._tree is None else self._tree.root
        return Found(packing, proof, is_exhausted, warnings, self.state.simple)

    def known(self) -> Known:
        """What the next search of a like instance should know."""
        generation, packing = self.generation, self.incumbent.packing
        assert packing is not None
        root = generation.bound if self._tree is None else self._tree.root.bound
        return Known.of(generation.rows, generation.pool.arrays(), root, packing, generation.branches)

    def _run(self, columns: Patterns | None) -> None:
        state = self.state
        is_by_parts = has_thousands_of_classes(self.instance)
        prices, alone = cheapest_alone(self.instance)
        groups = few_groups(self.instance)
        is_fresh = self._is_fresh(columns)
        ahead = state.begin_fluid(alone, groups) if is_fresh and not self._is_like else None
        first, is_warm = first_answers(state, prices, self._known, self._head, groups, self._pack_instance)
        if is_fresh and self._is_like and not is_warm and not state.is_done:
            ahead = state.begin_fluid(alone, groups)
        if is_by_parts:
            self._by_parts(prices, ahead)
            return
        if not state.is_done:
            if not first_columns(state, first, ahead, self._known, self._head, columns):
                pack_domains(state, self._pack_domain)  # whose prices are better than those, and found sooner
        elif ahead is not None and ahead.is_known:
            take_fluid(state, ahead)  # there is no time for more
        turns = Turns(state, self._on_bound)
        turns.run()
        self._tree = split(state, turns, self._most_parts)

    def _by_parts(self, prices: Float, ahead: FluidAhead | None) -> None:
        """Pack thousands of classes: groups of them first, and then parts of the packing."""
        state = self.state
        groups = None
        if not state.is_done:
            groups = grouped(self.instance, MOST_GROUPS)
            fluid_start(state, prices, groups)
        if ahead is not None and ahead.is_known:  # of fewer groups: the other one may have been cut short
            take_fluid(state, ahead)
        if groups is not None and not state.is_done:
            pack_groups(state, groups, self._pack_instance)
            regroup_first(state)
        pack_parts(state, self._pack_part)

    @property
    def _is_like(self) -> bool:
        """Whether a search of a like instance ended near its bound."""
        return self._known is not None and self._known.is_close

    def _is_fresh(self, columns: Patterns | None) -> bool:
        """Whether nothing is there to begin with but the fluid relaxation, or what a like question taught."""
        return self._head is None and columns is None and not self.state.has_domains

    def _pack_domain(
        self, domain: Component, stop: Stop, most_pods: NDArray[np.int64], columns: Patterns
    ) -> tuple[Packing, Generation]:
        params = self.params
        if domain.instance.n_classes >= LARGE_DOMAIN:
            params = replace(params, gap=max(params.gap, DOMAIN_GAP))
        search = Search(domain.instance, params, stop, work=self.work, most_pods=most_pods)
        return search.run(columns).packing, search.generation

    def _pack_part(self, part: Instance, stop: Stop, seconds: float) -> Packing:
        return self._pack_instance(part, stop, seconds, self.params.gap)

    def _pack_instance(self, instance: Instance, stop: Stop, seconds: float, gap: float) -> Packing:
        params = replace(self.params, deadline_s=seconds, gap=max(gap, self.params.gap))
        return Search(instance, params, stop, work=self.work).run().packing
