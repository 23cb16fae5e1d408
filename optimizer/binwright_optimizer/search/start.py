"""The first incumbent, from prices that need no linear programme, and the first columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.bounds import volume_prices
from binwright_optimizer.columns.fluid import Fluid, solve_fluid
from binwright_optimizer.columns.known import Head, Known
from binwright_optimizer.columns.rows import Duals
from binwright_optimizer.columns.shares import POWERS, share_cover
from binwright_optimizer.columns.start import single_class_columns
from binwright_optimizer.columns.whole_domains import least_on_whole_nodes
from binwright_optimizer.heuristics.balance import balanced, is_worth_balancing
from binwright_optimizer.heuristics.greedy import Columns, Remainder
from binwright_optimizer.heuristics.parts import wary_prices
from binwright_optimizer.instance.coarsen import Groups
from binwright_optimizer.pricing import MICRO
from binwright_optimizer.search.fluid_ahead import FluidAhead
from binwright_optimizer.search.groups import Pack, first_groups
from binwright_optimizer.search.state import LEAST_VALUE, State
from binwright_optimizer.stopping import Reserved
from binwright_optimizer.work import UNITS_PER_SECOND

Float = NDArray[np.float64]
FIRST_ALLOCATION_SHARE = 0.5
"""Share of the time that the first allocation of pods to domains may take: without it there is no answer."""
PARTS_FLUID_SHARE = 0.2
"""Share of the time that the fluid relaxation of thousands of classes may take, which may be seconds."""
REGROUP_SHARE, REGROUP_GAIN = 0.2, 0.02
"""Share of the time so far that pods are grouped anew at a time, and share of the gap that is worth it."""
MOST_POOR = 2
"""Times in a row that it may be worth less."""
FIRST_REGROUP_SHARE = 0.2
"""Share of the time left that this may take: on thousands of nodes it goes on gaining, while columns that
would gain more are not even begun with."""
BALANCE_SHARE = 0.1
"""Share of the time left that filling nodes with what goes along their room may take."""
MOST_NODES, MOST_SHARE_NODES = 200, 2_000
"""Depth-first nodes per knapsack of a cover, and of one of the fluid relaxation's shares where less than half
of the time is over: it takes twice as long, and packs small pods hardly better."""


def first_answers(
    state: State,
    prices: Float,
    known: Known | None,
    head: Head | None,
    groups: Groups | None,
    pack: Pack,
) -> tuple[Columns, bool]:
    """Offer answers and bounds that need no linear programme of all classes.

    Returns the first answer's columns, and whether what is left of a like question's answer is better: of
    one whose nodes hold twenty pods each, few are whole after some pods have changed.

    Parameters
    ----------
    prices
        float64 array (i,): dollars that pods are worth to the greedy cover.
    groups, pack
        Of classes, where there are many; what packs them.
    """
    instance, generation, greedy = state.instance, state.generation, state.greedy
    if generation.allocator is not None:
        limit = FIRST_ALLOCATION_SHARE * state.stop.remaining_s()
        state.allocate(generation.allocator.cheapest(prices, limit))
    columns = first_groups(state, groups, prices, pack)
    if columns is None:
        columns = greedy.cover(prices, Remainder.whole(state.target), MOST_NODES)
        state.offer(columns, "greedy")
    is_warm = False
    if known is not None and instance.linking is None:
        values = np.maximum(known.prices, LEAST_VALUE * state.penalty)
        is_warm = state.offer(known.answer(instance, greedy, values), "warm start")
    if state.incumbent.packing is not None and state.incumbent.packing.short:
        careful = greedy.minimums_first(prices, MOST_NODES)
        if careful is not None:
            columns = careful
            state.offer(columns, "greedy")
    if head is not None:
        state.allocate(head.allocation)
        state.offer((head.candidates, head.counts, head.patterns), "without charges")
    rows = generation.rows
    if head is not None and rows.has_only_pods:  # then prices that hold without charges hold here
        generation.offer_bound(generation.worth(head.prices), rows.priced(head.prices))
    volume = volume_prices(instance)
    generation.offer_bound(generation.worth(volume), rows.priced(volume))
    floor = rows.cheapest_nodes()
    generation.offer_bound(float(rows.missing @ floor), replace(rows.zero_duals(), minimums=floor))
    state.incumbent.raise_bound(generation.bound.dollars, "volume")
    state.incumbent.raise_bound(least_on_whole_nodes(instance) * MICRO, "whole nodes")
    return columns, is_warm


def fluid_start(state: State, prices: Float, groups: Groups | None) -> None:
    """The bound of the fluid relaxation; without groups also a cover that minds who keeps whom away."""
    packing = state.incumbent.packing
    assert packing is not None
    stop = Reserved.within(state.stop, PARTS_FLUID_SHARE * state.stop.remaining_s())
    _note_fluid(state, solve_fluid(state.instance, state.pricing, stop, packing.candidates, groups))
    if groups is None:
        wary = wary_prices(state.instance, prices)
        state.offer(state.greedy.cover(wary, Remainder.whole(state.target), MOST_NODES), "greedy")


def first_columns(
    state: State,
    columns: Columns,
    ahead: FluidAhead | None,
    known: Known | None,
    head: Head | None,
    given: tuple[NDArray[np.intp], NDArray[np.int32]] | None,
) -> bool:
    """Columns to begin with, and what they prove; False where the domains should be looked at first.

    Parameters
    ----------
    columns
        Of the first answer.
    ahead
        The fluid relaxation, where nothing better is known to begin with.
    given
        Candidates (p,) and patterns (p, i) known beforehand.
    """
    generation = state.generation
    fluid, covers = (None, []) if ahead is None else _fluid_answers(state, ahead)
    if state.is_done:
        return True
    single = single_class_columns(state.instance)
    if state.is_done:
        return True
    generation.add(*single)
    generation.add(columns[0], columns[2])
    if state.is_done:
        return True
    if known is not None:
        generation.add(known.candidates, known.patterns)
        _sweep(state, generation.rows.priced(known.prices), "warm start")
        if known.is_close:
            for candidates, _, patterns in covers:
                generation.add(candidates, patterns)
            return True
    if head is not None:
        generation.add(head.candidates, head.patterns)
        _sweep(state, generation.rows.priced(head.prices), "without charges")
    elif given is not None:
        generation.add(*given)
    elif fluid is None:
        return False
    else:
        for candidates, _, patterns in covers:
            generation.add(candidates, patterns)
        duals = generation.rows.priced(fluid.prices, fluid.limits)
        generation.centre_at(duals)
        _sweep(state, duals, "columns")
    return True


def take_fluid(state: State, ahead: FluidAhead) -> Fluid:
    """The fluid relaxation, and the bound that it gives."""
    assert state.incumbent.packing is not None
    fluid = ahead.result(state.incumbent.packing.candidates)
    _note_fluid(state, fluid)
    return fluid


def _fluid_answers(state: State, ahead: FluidAhead) -> tuple[Fluid, list[Columns]]:
    """The fluid relaxation, and covers of its shares."""
    fluid = take_fluid(state, ahead)
    covers: list[Columns] = []
    if state.is_done:
        return fluid, covers
    for power in POWERS:
        is_half_over = state.stop.remaining_s() < state.elapsed_s
        nodes = MOST_NODES if is_half_over else MOST_SHARE_NODES
        covers.append(share_cover(state.target, state.greedy, fluid, power, nodes))
        state.offer(covers[-1], "fluid")  # however late: it is far better than the first answer
        if state.is_done:
            break
    packing = state.incumbent.packing
    assert packing is not None
    if not state.is_done and is_worth_balancing(state.instance, BALANCE_SHARE * state.stop.remaining_s()):
        for balanced_columns in balanced(packing, state.greedy, fluid.prices):
            covers.append(balanced_columns)
            state.offer(balanced_columns, "balance")
    regroup_first(state)
    return fluid, covers


def regroup_first(state: State) -> None:
    """Group pods of the answer's nodes anew, as long as that gains more than anything else would."""
    poor, until_s = 0, state.elapsed_s + FIRST_REGROUP_SHARE * state.stop.remaining_s()
    while not state.is_done and poor < MOST_POOR and state.elapsed_s < until_s:
        gap, units = state.incumbent.gap, REGROUP_SHARE * UNITS_PER_SECOND * state.elapsed_s
        state.regrouping.go_on(units)
        poor = 0 if gap - state.incumbent.gap >= REGROUP_GAIN * gap else poor + 1


def _note_fluid(state: State, fluid: Fluid) -> None:
    """Take the bound of the fluid relaxation, and its prices for a proof at a glance."""
    generation = state.generation
    duals = generation.rows.priced(fluid.prices, fluid.limits)
    dollars = generation.worth(fluid.prices) - fluid.paid
    if state.simple is None or dollars >= generation.bound.dollars:
        state.simple = duals
    generation.offer_bound(dollars, duals)
    state.incumbent.raise_bound(generation.bound.dollars, "fluid")


def _sweep(state: State, duals: Duals, phase: str) -> None:
    """What these prove, and the columns they find."""
    generation = state.generation
    generation.sweep(duals, lift=True)
    state.incumbent.raise_bound(generation.bound.dollars, phase)
