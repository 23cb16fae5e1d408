"""The anytime search: greedy first, then columns, dives and neighbourhoods in turn.

Every stage hands what it finds to one incumbent; whoever stops the search gets the best so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.bounds import volume_prices
from binwright_optimizer.columns.choose import Choice, choose, place_most
from binwright_optimizer.columns.domains import Twins, components, joined
from binwright_optimizer.columns.enumerate import maximal_patterns
from binwright_optimizer.columns.fluid import fluid_duals
from binwright_optimizer.columns.generate import Bound, Generation, penalties
from binwright_optimizer.columns.known import Head, Known
from binwright_optimizer.columns.master import Rows, Solution
from binwright_optimizer.columns.round import WHOLE, Dive
from binwright_optimizer.columns.start import single_class_columns
from binwright_optimizer.columns.tree import Part, Tree
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder, fluid_prices
from binwright_optimizer.heuristics.parts import Parts, wary_prices
from binwright_optimizer.heuristics.repack import Repack
from binwright_optimizer.incumbent import Incumbent, Progress
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.pricing import MICRO, Pricing
from binwright_optimizer.stopping import Halt, Reserved, Stop
from binwright_optimizer.work import Work

Float = NDArray[np.float64]
LEAST_VALUE = 1e-9
"""Share of its penalty that a pod is worth at least, so that no greedy step overlooks it."""
LP_FAILED = "a linear programme failed to solve: the answer and the bound are the best found before it"
BOUND_SHARE = 0.5
"""Share of the incumbent's distance to the relaxation down to which the relaxation is solved before
the incumbent is worked on; each time around it is this much smaller."""
NEARLY = 0.01
"""Relative distance of bound and relaxation above which the relaxation always goes first."""
DIVE_SHARE = 0.2
"""Share of the time before convergence that dives may take."""
TURN_SHARE = 0.3
"""Share of the time so far that a turn of neighbourhood search, or of choosing, may take."""
LEAST_TURN_S = 0.1
"""Seconds every turn of neighbourhood search may take."""
SPLIT_SHARE = 0.5
"""Share of the incumbent's distance to the relaxation down to which the relaxation is solved before
the solutions are split into parts."""
MOST_PARTS = 200
"""Parts into which the solutions may be split."""
MOST_CLASSES = 2_500
"""Classes beyond which a master with a row for each takes most of the time, and parts are packed instead."""
FLUID_SHARE = 0.2
"""Share of the time that the fluid relaxation of so many classes may take."""
PART_S = 0.1
"""Seconds that a part of the nodes is packed again."""
PARTS_TURN_S = 3.0
"""Seconds between two incumbents of packing parts."""
MOST_FRUITLESS_TURNS = 20
"""Turns without a better incumbent after which packing parts ends."""
ATTEMPT_UNITS = 300.0
"""Units of work of an attempt of neighbourhood search, beside what its dive takes."""
WATCHED_SIZE = 100
"""Classes times candidates from which a thread watches the clock for kernels: smaller sweeps take less time
than starting it."""
LEAST_DIVE_S = 0.05
"""Seconds every dive may take."""
FIRST_ALLOCATION_SHARE = 0.5
"""Share of the time that the first allocation of pods to domains may take: without it there is no answer."""
ALLOCATION_SHARE = 0.1
"""Share of the time left that allocating pods to domains may take."""
DOMAINS_SHARE = 0.7
"""Share of the time left that packing every domain by itself may take."""
PARTIAL_SHARE = 0.5
"""Share of the time after which a search whose answer leaves pods out ends, so that a bound can be
proven for the pods it places."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search ends with: the packing, and the bounds of all parts of the solutions.

    It is exhausted if it ended before its time was up.
    """

    packing: Packing
    proof: Part
    is_exhausted: bool
    warnings: tuple[str, ...] = ()


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
    on_packing
        Called with every packing that becomes the incumbent.
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
    ) -> None:
        self.instance = instance
        self._known = known
        self._head = head
        self.params = params
        self._most_parts = most_parts
        self._price_step = price_step(instance)
        self.incumbent = Incumbent(instance, stop, self._price_step, on_progress, on_packing)
        self.stop = _PartialStop(instance, stop, self.incumbent)
        self.work = work or Work()
        self.halt = Halt(self.work.deadline or self.stop)
        self.pricing = Pricing(instance, self.halt, self.work, most_pods)
        self.greedy = Greedy(instance, self.pricing)
        self.downsize = Downsize(instance, self.pricing.compatible)
        self.penalty = penalties(instance)
        self.generation = Generation(
            instance,
            self.pricing,
            self.penalty,
            self._cover_at,
            has_columns=known is not None and known.is_close,
        )
        if known is not None:
            self.generation.look_as_closely_as(known.branches)
        self.target = instance
        """What whole-number answers pack: the instance, linked pods allocated to domains."""
        self.rng = np.random.default_rng(params.seed)
        self.tree: Tree | None = None
        self._fruitless = 0
        self._began = stop.elapsed_s()

    def run(self, columns: tuple[NDArray[np.intp], NDArray[np.int32]] | None = None) -> Found:
        """Search until the gap, the deadline, cancellation or exhaustion.

        Parameters
        ----------
        columns
            Candidates (p,) and patterns (p, i) known beforehand.
        """
        if self.instance.n_classes * self.instance.n_candidates >= WATCHED_SIZE:
            self.halt.watch()
        try:
            self._start(columns)
            return self._run()
        finally:
            self.halt.close()

    def _run(self) -> Found:
        if self._has_thousands_of_classes:
            self._pack_parts()
        else:
            self._pack_together()
        is_exhausted = self.stop.remaining_s() > 0
        packing = self.incumbent.packing
        assert packing is not None
        warnings = (LP_FAILED,) if self.generation.has_failed else ()
        proof = self.tree.root if self.tree is not None else Part(self.generation.bound, {}, {})
        return Found(packing, proof, is_exhausted, warnings)

    def known(self) -> Known:
        """What the next search of a like instance should know."""
        packing, root = self.incumbent.packing, self.generation.bound
        assert packing is not None
        if self.tree is not None:
            root = self.tree.root.bound
        generation = self.generation
        return Known.of(generation.rows, generation.pool.arrays(), root, packing, generation.branches)

    def _pack_together(self) -> None:
        """Column generation over all classes, with dives, choices and neighbourhoods in turn."""
        share = BOUND_SHARE
        while not self._is_done():
            self._generate(share)
            if self._is_worth_splitting():
                break
            if not self._is_done():
                self._choose()
            if not self._is_done():
                self._improve(self.generation.bound, Reserved.within(self.stop, self._turn_s()))
            share *= BOUND_SHARE
        if not self._is_done():
            self._choose()
        self._split()

    def _pack_domains(self) -> None:
        """Each domain by itself for the first allocation: an incumbent, columns, and a bound."""
        instance, linking = self.instance, self.instance.linking
        parts = [] if linking is None or self._is_done() else components(self.target)
        if linking is None or len(parts) < 2:
            return
        twins = Twins(instance, linking)
        pods = np.zeros(instance.n_classes)
        is_known = np.zeros(instance.n_classes, dtype=bool)
        bought: list[Columns] = []
        known = [self.generation.pool.arrays()]
        for number, part in enumerate(parts):
            left = DOMAINS_SHARE * self.stop.remaining_s() / (len(parts) - number)
            stop, most_pods = Reserved.within(self.stop, left), instance.demand[part.classes]
            search = Search(part.instance, self.params, stop, work=self.work, most_pods=most_pods)
            packing = search.run(joined([part.own(columns) for columns in known])).packing
            pods[part.classes] = search.generation.bound.duals.pods
            is_known[part.classes] = True
            found = part.wide(search.generation.useful_columns(), instance.n_classes)
            known.append(twins.of_columns(found))
            self.generation.look_as_closely_as(search.generation.branches)
            candidates, patterns = part.wide((packing.candidates, packing.patterns), instance.n_classes)
            bought.append((candidates, packing.counts, patterns))
        together = [np.concatenate(arrays) for arrays in zip(*bought, strict=True)]
        self._offer((together[0], together[1], together[2]), "domains")
        self.generation.add(*joined(known[1:]))
        duals = replace(self.generation.rows.zero_duals(), pods=twins.prices(pods, is_known))
        self.generation.sweep(duals, lift=True)
        self.incumbent.raise_bound(self.generation.bound.dollars, "domains")

    def _turn_s(self) -> float:
        """Seconds of a turn that must not take longer than a share of the time so far."""
        return max(LEAST_TURN_S, TURN_SHARE * (self.stop.elapsed_s() - self._began))

    def _is_done(self) -> bool:
        is_over = self.stop.remaining_s() <= 0 or self.halt.flag[0] != 0
        return is_over or self.incumbent.gap <= self.params.gap

    def _offer(self, columns: Columns, phase: str) -> bool:
        packing = self._settled(Packing.of(self.target, *columns))
        return self.incumbent.offer(self.downsize.apply(packing), phase)

    def _allocate(self, allocation: NDArray[np.int64]) -> None:
        """Pack for these numbers of pods by domain from now on."""
        self.target = self.instance.allocated(allocation)

    def _allocation_s(self) -> float:
        """Seconds that an allocation may take."""
        return ALLOCATION_SHARE * max(0.0, self.stop.remaining_s())

    def _settled(self, packing: Packing) -> Packing:
        """The packing, or as much of it as the rules about domains allow where it leaves linked pods out."""
        allocator, linking = self.generation.allocator, self.instance.linking
        if allocator is None or linking is None or not packing.left_out[linking.class_of].any():
            return packing
        placed = self.target.demand - packing.left_out
        smaller = self.instance.allocated(allocator.within(placed, self._allocation_s()))
        return Packing.of(smaller, packing.candidates, packing.counts, packing.patterns)

    def _cover_at(self, values: Float) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """A greedy cover at dual prices: an incumbent, and columns for the master."""
        priced = np.maximum(values, LEAST_VALUE * self.penalty)
        columns = self.greedy.cover(priced, Remainder.whole(self.target), 200)
        self._offer(columns, "cover")
        return columns[0], columns[2]

    def _start(self, known: tuple[NDArray[np.intp], NDArray[np.int32]] | None = None) -> None:
        """The first incumbent, from prices that need no linear programme, and the first columns."""
        prices = fluid_prices(self.instance)
        if self.generation.allocator is not None:
            limit = FIRST_ALLOCATION_SHARE * self.stop.remaining_s()
            self._allocate(self.generation.allocator.cheapest(prices, limit))
        columns = self.greedy.cover(prices, Remainder.whole(self.target), 200)
        self._offer(columns, "greedy")
        if self._known is not None and self.instance.linking is None:
            values = np.maximum(self._known.prices, LEAST_VALUE * self.penalty)
            self._offer(self._known.answer(self.instance, self.greedy, values), "warm start")
        if self.incumbent.packing is not None and self.incumbent.packing.short:
            careful = self.greedy.minimums_first(prices, 200)
            if careful is not None:
                columns = careful
                self._offer(columns, "greedy")
        if self._head is not None:
            self._allocate(self._head.allocation)
            self._offer((self._head.candidates, self._head.counts, self._head.patterns), "without charges")
        rows, nothing = self.generation.rows, self.generation.rows.zero_duals()
        if self._head is not None and rows.has_only_pods:  # then prices that hold without charges hold here
            prices_only = replace(nothing, pods=self._head.prices)
            self.generation.offer_bound(self.generation.worth(self._head.prices), prices_only)
        volume = volume_prices(self.instance)
        self.generation.offer_bound(self.generation.worth(volume), replace(nothing, pods=volume))
        floor = rows.cheapest_nodes()
        self.generation.offer_bound(float(rows.missing @ floor), replace(nothing, minimums=floor))
        self.incumbent.raise_bound(self.generation.bound.dollars, "volume")
        if self._is_done():
            return
        if self._has_thousands_of_classes:
            fluid_stop = Reserved.within(self.stop, FLUID_SHARE * self.stop.remaining_s())
            pods, dollars = fluid_duals(self.instance, self.pricing, fluid_stop)
            self.generation.offer_bound(dollars, replace(nothing, pods=pods))
            self.incumbent.raise_bound(self.generation.bound.dollars, "fluid")
            wary = self.greedy.cover(wary_prices(self.instance, prices), Remainder.whole(self.target), 200)
            self._offer(wary, "greedy")
            return
        single = single_class_columns(self.instance)
        if self._is_done():
            return
        self.generation.add(*single)
        self.generation.add(columns[0], columns[2])
        if self._is_done():
            return
        if self._known is not None:
            self.generation.add(self._known.candidates, self._known.patterns)
            self.generation.sweep(replace(nothing, pods=self._known.prices), lift=True)
            self.incumbent.raise_bound(self.generation.bound.dollars, "warm start")
            if self._known.is_close:
                return
        if self._head is not None:
            self.generation.add(self._head.candidates, self._head.patterns)
            self.generation.sweep(replace(nothing, pods=self._head.prices), lift=True)
            self.incumbent.raise_bound(self.generation.bound.dollars, "without charges")
        elif known is not None:
            self.generation.add(*known)
        elif self._has_domains:
            self._pack_domains()  # whose prices are better than those, and found sooner
        else:
            self.generation.sweep(replace(nothing, pods=prices), lift=True)
            self.incumbent.raise_bound(self.generation.bound.dollars, "fluid")

    @property
    def _has_domains(self) -> bool:
        """Whether domains can be looked at one by one."""
        return self.instance.linking is not None and self.instance.rules.has_parts

    @property
    def _has_thousands_of_classes(self) -> bool:
        """Whether a master with a row for each class would take most of the time."""
        instance = self.instance
        return instance.n_classes > MOST_CLASSES and instance.linking is None and instance.rules.has_parts

    def _pack_parts(self) -> None:
        """Pack a few nodes at a time again, as problems of their own, until time is over."""

        def solve(part: Instance) -> Packing:
            stop = Reserved.within(self.stop, PART_S)
            params = replace(self.params, deadline_s=PART_S)
            return Search(part, params, stop, work=self.work).run().packing

        pods, node_worth = self.generation.bound.duals.pods, np.empty(self.instance.n_candidates)
        self.pricing.price(pods, self.generation.rows.price.astype(np.float64), node_worth, branches=0)
        parts = Parts(self.instance, solve, pods, node_worth, self.rng)
        assert self.incumbent.packing is not None
        began = self.stop.elapsed_s()
        packing = self.incumbent.packing.with_demand(self.instance)
        kept_s = 2.0 * (self.stop.elapsed_s() - began)  # to put the parts together at the end
        while not self._is_done() and self._fruitless < MOST_FRUITLESS_TURNS:
            turn = Reserved(Reserved.within(self.stop, PARTS_TURN_S), kept_s)
            packing = parts.improve(packing, turn)
            is_better = self.incumbent.offer(packing, "parts")
            self._fruitless = 0 if is_better else self._fruitless + 1

    def _is_bound_better(self, share: float) -> bool:
        """Whether the relaxation is solved so much better than the incumbent that it can wait.

        The gap has two parts: from the incumbent down to the relaxation, and from there to the
        bound. Solving the relaxation pays while the second is more than ``share`` of the first.
        """
        solution, packing = self.generation.solution, self.incumbent.packing
        if solution is None or packing is None or packing.is_partial(self.instance):
            return False
        below, above = self._distances(solution, packing)
        return below <= share * above and below <= NEARLY * solution.objective

    def _distances(self, solution: Solution, packing: Packing) -> tuple[float, float]:
        """Dollars from the bound up to the relaxation, and from there up to the incumbent."""
        below = solution.objective - self.generation.bound.dollars
        return below, packing.cost * MICRO - solution.objective

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

    def _dive(self, phase: str = "dive") -> None:
        solution = self.generation.whole_solution(self.stop)
        if solution is None:
            return
        seconds = max(LEAST_DIVE_S, DIVE_SHARE * (self.stop.elapsed_s() - self._began))
        stop = Reserved.within(self.stop, seconds)
        first: Solution | None = solution
        if self.generation.allocator is not None:
            wanted = self.generation.allocator.nearest(solution.allocation, self._allocation_s())
            if wanted is not None:
                self._allocate(wanted)
            if wanted is None or (np.abs(wanted - solution.allocation) > WHOLE).any():
                first = None  # the master's nodes hold other numbers of pods
        columns = self._diver(self._plain_rows).run(Remainder.whole(self.target), first, stop)
        self._offer(columns, phase)

    @property
    def _plain_rows(self) -> Rows:
        """The master's rows for pods that are allocated to domains."""
        rows = self.generation.rows
        return rows if rows.linking is None else rows.without_linking()

    def _diver(self, rows: Rows) -> Dive:
        return Dive(
            self.instance,
            rows,
            self.pricing,
            self.greedy,
            self.penalty,
            self.generation.pool.arrays(),
        )

    @cached_property
    def _every_pattern(self) -> tuple[NDArray[np.intp], NDArray[np.int32]] | None:
        """Every maximal pattern, where they are few."""
        return maximal_patterns(self.instance)

    def _choose(self) -> None:
        """The best choice among the columns known, where that is a small programme."""
        packing = self.incumbent.packing
        every = self._every_pattern
        limit = min(TURN_SHARE * self.stop.remaining_s(), self._turn_s())
        if every is not None:
            self.generation.add(*every)
        if packing is None or packing.is_partial(self.instance):
            known = self.generation.pool.arrays()
            fullest = None
            if every:
                fullest = place_most(self.generation.rows, known, limit, self.halt, self.work)
            if fullest is not None:
                self._offer_choice(fullest)
            return
        columns = choose(
            self.generation.rows,
            self.generation.pool.arrays(),
            self.generation.bound,
            packing.cost * MICRO,
            limit,
            self.halt,
            self.work,
        )
        if columns is not None:
            self._offer_choice(columns)

    def _offer_choice(self, choice: Choice) -> None:
        if choice.allocation is not None:
            self._allocate(choice.allocation)
        self._offer(choice.columns, "choose")

    def _is_worth_splitting(self) -> bool:
        """Whether more of the gap is above the relaxation than below it."""
        solution, packing = self.generation.solution, self.incumbent.packing
        if self.generation.is_converged or solution is None:
            return self.generation.is_converged
        assert packing is not None
        below, above = self._distances(solution, packing)
        return below <= SPLIT_SHARE * above

    def _split(self) -> None:
        """Branching and neighbourhood search in turns, until both run out of ideas."""
        packing = self.incumbent.packing
        if self._is_done() or packing is None or packing.is_partial(self.instance):
            return
        if self.instance.problem.savings_plans:
            self._improve_only()  # a node in part on a plan is on both sides of a split by prices
            return
        root = self.generation.bound
        self.tree = Tree(self.generation, root)
        room = self._most_parts(root)
        turn = LEAST_TURN_S
        while not self._is_done():
            has_parts = self._branch(self.tree, room, Reserved.within(self.stop, turn))
            if self._is_done():
                return
            has_ideas = self._improve(root, Reserved.within(self.stop, turn))
            if not (has_parts or has_ideas):
                return
            turn *= 1.5

    def _improve_only(self) -> None:
        """Neighbourhood search until it runs out of ideas."""
        while not self._is_done() and self._improve(self.generation.bound, self.stop):
            pass

    def _branch(self, tree: Tree, room: int, turn: Stop) -> bool:
        """Branching for a turn; False once it cannot raise the bound any more."""
        while not self._is_done() and turn.remaining_s() > 0:
            assert self.incumbent.packing is not None
            cutoff = (self.incumbent.packing.cost - self._price_step) * MICRO + 1e-9
            part = tree.next_part(cutoff)
            if part is None:
                return False
            tree.enter(part)
            solution = tree.solve(part, cutoff, turn)
            self.incumbent.raise_bound(tree.dollars, "branch")
            if self._is_done() or part.bound.dollars >= cutoff:
                continue
            if turn.remaining_s() <= 0 and not self.generation.is_converged:
                self._dive("branch")
                return True  # the part is taken up again where its columns are
            if solution is None:
                part.is_closed = True  # nothing feasible that the relaxation could tell
                continue
            self._dive("branch")
            if tree.n_leaves >= room or not tree.split(part, solution):
                part.is_closed = True
        return True

    def _improve(self, bound: Bound, turn: Stop) -> bool:
        """Neighbourhood search for a turn; False once it has run out of ideas."""
        plain = Rows(self.instance)  # without the levels of a part, or rules about domains
        diver = self._diver(plain)
        assert self.incumbent.packing is not None
        allocation = self.incumbent.packing.allocation
        if allocation is not None:
            self._allocate(allocation)
        repack = Repack(
            self.target,
            lambda remainder: diver.run(remainder, None, self.stop),
            bound.duals.pods,
            plain.costs(bound.duals),
            self.rng,
        )
        while not self._is_done() and turn.remaining_s() > 0:
            packing = self.incumbent.packing
            assert packing is not None
            if self._fruitless >= self.params.patience or not packing.nodes:
                return False
            size = int(self.rng.integers(2, 16))
            self.work.add(ATTEMPT_UNITS)
            trial = self.downsize.apply(repack.attempt(packing, size))
            is_better = self.incumbent.offer(trial, "improve")
            self._fruitless = 0 if is_better else self._fruitless + 1
        return True


def price_step(instance: Instance) -> int:
    """Largest amount that divides every price and charge, in micro-dollars; 0 if all are free."""
    if instance.problem.savings_plans:
        return 1  # they may pay any part of a node
    prices = [instance.shelf.price[part.rows] for part in instance.origin.shelved]
    if instance.linking is not None and instance.linking.charge.any():
        prices.append(instance.linking.charge)
    return int(np.gcd.reduce(np.concatenate(prices))) if prices else 0


def with_demand_of(instance: Instance, packing: Packing) -> Instance:
    """The instance that asks only for the pods this packing places."""
    linking = instance.linking
    if linking is None or packing.allocation is None:
        demand = instance.demand - packing.left_out
    else:
        linking = linking.placing(packing.allocation)
        demand = np.minimum(instance.demand, instance.allocated(packing.allocation).demand - packing.left_out)
        demand[linking.class_of] = instance.demand[linking.class_of]
    demand.flags.writeable = False
    return replace(instance, demand=demand, linking=linking)
