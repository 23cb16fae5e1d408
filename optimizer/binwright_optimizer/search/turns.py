"""Column generation over all classes, with dives, choices and neighbourhoods in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.allocation import Allocator
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.choose import Choice, choose, place_most
from binwright_optimizer.columns.enumerate import maximal_patterns
from binwright_optimizer.columns.master import Solution
from binwright_optimizer.columns.round import WHOLE
from binwright_optimizer.columns.round_linked import LinkedDive
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.heuristics.greedy import Remainder
from binwright_optimizer.heuristics.repack import Repack
from binwright_optimizer.packing import Packing
from binwright_optimizer.pricing import MICRO
from binwright_optimizer.search.dives_due import DIVE_SHARE, DivesDue
from binwright_optimizer.search.state import TURN_SHARE, State
from binwright_optimizer.stopping import Reserved, Stop

BOUND_SHARE = 0.2
"""Share of the incumbent's distance to the relaxation down to which the relaxation is solved before
the incumbent is worked on; each time around it is this much smaller."""
NEARLY = 0.01
"""Relative distance of bound and relaxation above which the relaxation always goes first."""
SHORT_TIMES = 1.5
"""Times what the first columns took that a round and a dive take: where less is left, the dive goes first."""
LAST_DIVE_SHARE = 1.0
"""Share of the time so far that the dive from a relaxation that is solved well enough may take."""
LEAST_DIVE_S = 0.05
"""Seconds every dive may take."""
SPLIT_SHARE = 0.5
"""Share of the incumbent's distance to the relaxation down to which the relaxation is solved before
the solutions are split into parts."""
LEAST_LINKED_S, LINKED_SHARE, LEFT_SHARE = 0.5, 0.3, 0.1
"""Seconds that a dive may take which allocates pods to domains last, and its shares of the time so far and of
the time left, whichever is most: cut short, it is worth little."""
MANY_NODES = 50
"""Nodes per domain from which such dives are left out."""
MOST_LINKED_PAUSE = 8
"""Dives between two of those, at most, while they find nothing better."""
QUICK_CLASSES = 100
"""Classes up to which the relaxation of a part takes milliseconds."""
SPLIT_DISTANCE = 0.005
"""Relative distance of the incumbent to the relaxation up to which splitting is worth it with more classes:
before, more is gained by better nodes."""
ATTEMPT_UNITS = 300.0
"""Units of work of an attempt of neighbourhood search, beside what its dive takes."""
REGROUP_SHARE = 1.0
"""Work of grouping pods of a few nodes anew, for that of a dive or such an attempt before it."""
ENUMERATION_S = 0.1
"""Seconds left from which maximal patterns are enumerated; that they are too many takes half of it to see."""


class Turns:
    """The stages that work on all classes together, over the state of one search.

    Parameters
    ----------
    on_bound
        Called with the best bound after each round of columns.
    """

    def __init__(self, state: State, on_bound: Callable[[Bound], None]) -> None:
        self.state = state
        self._on_bound = on_bound
        self._dives = 0
        self._next_linked = 1
        self._linked_pause = 1

    def run(self) -> None:
        """Stages in turn until the relaxation is solved well enough to be split, or time is up."""
        state, share = self.state, BOUND_SHARE
        while not state.is_done:
            self._generate(share)
            if self._is_worth_splitting():
                break
            if not state.is_done:
                self._choose()
            if not state.is_done:
                self.improve(state.generation.bound, Reserved.within(state.stop, state.turn_s))
            share *= BOUND_SHARE
        if not state.is_done:
            self._choose()

    def dive(self, phase: str = "dive", share: float = DIVE_SHARE) -> None:
        """Round the relaxation's solution to whole nodes, in this share of the time so far at most."""
        state, generation = self.state, self.state.generation
        solution = generation.whole_solution(state.stop)
        if solution is None:
            return
        seconds = max(LEAST_DIVE_S, share * state.elapsed_s)
        stop = Reserved.within(state.stop, seconds)
        first: Solution | None = solution
        if generation.allocator is not None:
            wanted = generation.allocator.nearest(solution.allocation, state.allocation_s)
            if wanted is not None:
                state.allocate(wanted)
            if wanted is None or (np.abs(wanted - solution.allocation) > WHOLE).any():
                first = None  # the master's nodes hold other numbers of pods
        began = state.work.units
        columns = state.diver(self._plain_rows).run(Remainder.whole(state.target), first, stop)
        state.offer(columns, phase)
        state.regrouping.go_on(REGROUP_SHARE * (state.work.units - began))
        if generation.allocator is not None and self._is_linked_due(generation.allocator, solution):
            seconds = max(
                LEAST_LINKED_S, LINKED_SHARE * state.elapsed_s, LEFT_SHARE * state.stop.remaining_s()
            )
            self._dive_linked(generation.allocator, solution, Reserved.within(state.stop, seconds), phase)

    def _is_linked_due(self, allocator: Allocator, solution: Solution) -> bool:
        """Whether to dive with pods allocated last, too: more seldom, the more often it was no better.

        Where domains have many nodes each, parts of nodes are of little account.
        """
        used = np.flatnonzero(solution.allocation > WHOLE)
        domains = {allocator.linking.scopes[v] for v in used.tolist()}
        if solution.nodes.sum() > MANY_NODES * len(domains):
            return False
        self._dives += 1
        return self._dives >= self._next_linked

    def _dive_linked(self, allocator: Allocator, solution: Solution, stop: Stop, phase: str) -> None:
        """Round to whole nodes with pods allocated last; the better answer is kept."""
        state, before = self.state, self.state.target
        dive = LinkedDive(state.diver(self._plain_rows), state.generation.rows, allocator, state.allocation_s)
        found = dive.run(solution, stop)
        if found is not None:
            state.allocate(found.allocation)
        if found is not None and state.offer(found.columns, phase):
            self._linked_pause = 1
        else:
            state.target = before
            self._linked_pause = min(2 * self._linked_pause, MOST_LINKED_PAUSE)
        self._next_linked = self._dives + self._linked_pause

    def improve(self, bound: Bound, turn: Stop) -> bool:
        """Neighbourhood search for a turn; False once it has run out of ideas."""
        state = self.state
        plain = Rows(state.instance)  # without the levels of a part, or rules about domains
        diver = state.diver(plain)
        assert state.incumbent.packing is not None
        allocation = state.incumbent.packing.allocation
        if allocation is not None:
            state.allocate(allocation)
        repack = Repack(
            state.target,
            lambda remainder: diver.run(remainder, None, state.stop),
            bound.duals.pods,
            plain.costs(bound.duals),
            state.rng,
        )
        while not state.is_done and turn.remaining_s() > 0:
            packing = state.incumbent.packing
            assert packing is not None
            if state.fruitless >= state.params.patience or not packing.nodes:
                return False
            began = state.work.units
            size = int(state.rng.integers(2, 16))
            state.work.add(ATTEMPT_UNITS)
            trial = state.downsize.apply(repack.attempt(packing, size))
            is_better = state.incumbent.offer(trial, "improve")
            is_better |= state.regrouping.go_on(REGROUP_SHARE * (state.work.units - began))
            state.fruitless = 0 if is_better else state.fruitless + 1
        return True

    def _generate(self, share: float) -> None:
        """Columns until the relaxation is solved well enough, with a dive now and then."""
        state, generation = self.state, self.state.generation
        dives = DivesDue(is_relaxed=generation.relaxed.is_on)
        is_short = state.stop.remaining_s() < SHORT_TIMES * state.elapsed_s
        if is_short and not generation.rounds and generation.solve(state.stop) and not state.is_done:
            self._dive_as_due(dives)  # from the columns that there are: far better than any cover
        while not (generation.is_converged or self._is_bound_better(share) or state.is_done):
            before, began_s = generation.solution, state.elapsed_s
            generation.round(state.stop)
            state.incumbent.raise_bound(generation.bound.dollars, "columns")
            self._on_bound(generation.bound)
            state.regrouping.go_on(0.0)
            round_s = state.elapsed_s - began_s
            if dives.is_due(
                before, generation.solution, self._incumbent_dollars, elapsed_s=state.elapsed_s,
                remaining_s=state.stop.remaining_s(), round_s=round_s,
            ):  # fmt: skip
                self._dive_as_due(dives)
        if not state.is_done:
            self.dive(share=LAST_DIVE_SHARE)

    def _dive_as_due(self, dives: DivesDue) -> None:
        began_s, solution = self.state.elapsed_s, self.state.generation.solution
        self.dive()
        dives.note(solution, self.state.elapsed_s - began_s, began_s)

    @property
    def _incumbent_dollars(self) -> float:
        """What the best answer costs, dollars per hour; infinite if it leaves pods out."""
        packing = self.state.incumbent.packing
        if packing is None or packing.is_partial(self.state.instance):
            return np.inf
        return packing.cost * MICRO

    def _is_bound_better(self, share: float) -> bool:
        """Whether the relaxation is solved so much better than the incumbent that it can wait.

        The gap has two parts: from the incumbent down to the relaxation, and from there to the
        bound. Solving the relaxation pays while the second is more than ``share`` of the first.
        """
        solution, packing = self.state.generation.solution, self.state.incumbent.packing
        if solution is None or packing is None or packing.is_partial(self.state.instance):
            return False
        if solution.relaxed > 0.0:  # then it is no relaxation of what dives begin with
            return False
        below, above = self._distances(solution, packing)
        return below <= share * above and below <= NEARLY * solution.objective

    def _is_worth_splitting(self) -> bool:
        """Whether more of the gap is above the relaxation than below it, and parts are worth their time."""
        generation, packing = self.state.generation, self.state.incumbent.packing
        if generation.is_converged or generation.solution is None:
            return generation.is_converged
        assert packing is not None
        below, above = self._distances(generation.solution, packing)
        is_ripe = (
            self.state.instance.n_classes <= QUICK_CLASSES
            or above <= SPLIT_DISTANCE * generation.solution.objective
            or self.state.fruitless >= self.state.params.patience
        )
        return is_ripe and below <= SPLIT_SHARE * above

    def _distances(self, solution: Solution, packing: Packing) -> tuple[float, float]:
        """Dollars from the bound up to the relaxation, and from there up to the incumbent."""
        below = solution.objective - self.state.generation.bound.dollars
        return below, packing.cost * MICRO - solution.objective

    @property
    def _plain_rows(self) -> Rows:
        """The master's rows for pods that are allocated to domains."""
        rows = self.state.generation.rows
        return rows if rows.linking is None else rows.without_linking()

    @cached_property
    def _every_pattern(self) -> tuple[NDArray[np.intp], NDArray[np.int32]] | None:
        """Every maximal pattern, where they are few."""
        return maximal_patterns(self.state.instance, self.state.pricing.flag)

    def _choose(self) -> None:
        """The best choice among the columns known, where that is a small programme."""
        state, generation = self.state, self.state.generation
        packing = state.incumbent.packing
        every = self._every_pattern if state.stop.remaining_s() >= ENUMERATION_S else None
        limit = min(TURN_SHARE * state.stop.remaining_s(), state.turn_s)
        if every is not None:
            generation.add(*every)
        if packing is None or packing.is_partial(state.instance):
            known = generation.pool.arrays()
            fullest = None
            if every:
                fullest = place_most(generation.rows, known, limit, state.halt, state.work)
            if fullest is not None:
                self._offer_choice(fullest)
            return
        columns = choose(
            generation.rows,
            generation.pool.arrays(),
            generation.bound,
            packing.cost * MICRO,
            limit,
            state.halt,
            state.work,
        )
        if columns is not None:
            self._offer_choice(columns)

    def _offer_choice(self, choice: Choice) -> None:
        if choice.allocation is not None:
            self.state.allocate(choice.allocation)
        self.state.offer(choice.columns, "choose")
