"""Branching and neighbourhood search in turns, once the relaxation is solved well enough."""

from __future__ import annotations

from collections.abc import Callable

from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.tree import Tree
from binwright_optimizer.pricing import MICRO
from binwright_optimizer.search.state import LEAST_TURN_S, State
from binwright_optimizer.search.turns import Turns
from binwright_optimizer.stopping import Reserved, Stop

TURN_GROWTH = 1.5
"""How much longer every turn is than the one before."""


def split(state: State, turns: Turns, most_parts: Callable[[Bound], int]) -> Tree | None:
    """Branch and improve in turns until both run out of ideas; the tree, if anything was to be split."""
    packing = state.incumbent.packing
    if state.is_done or packing is None or packing.is_partial(state.instance):
        return None
    root = state.generation.bound
    if state.instance.problem.savings_plans:  # a node in part on a plan is on both sides of a split by prices
        while not state.is_done and turns.improve(root, state.stop):
            pass
        return None
    tree = Tree(state.generation, root)
    room = most_parts(root)
    turn = LEAST_TURN_S
    while not state.is_done:
        has_parts = _branch(state, turns, tree, room, Reserved.within(state.stop, turn))
        if state.is_done:
            break
        has_ideas = turns.improve(root, Reserved.within(state.stop, turn))
        if not (has_parts or has_ideas):
            break
        turn *= TURN_GROWTH
    return tree


def _branch(state: State, turns: Turns, tree: Tree, room: int, turn: Stop) -> bool:
    """Branching for a turn; False once it cannot raise the bound any more."""
    while not state.is_done and turn.remaining_s() > 0:
        assert state.incumbent.packing is not None
        cutoff = (state.incumbent.packing.cost - state.price_step) * MICRO + 1e-9
        part = tree.next_part(cutoff)
        if part is None:
            return False
        tree.enter(part)
        is_last = tree.n_leaves >= room
        solution = tree.solve(part, cutoff, turn, is_last=is_last)
        state.incumbent.raise_bound(tree.dollars, "branch")
        state.regrouping.go_on(0.0)
        if state.is_done or part.bound.dollars >= cutoff:
            continue
        if turn.remaining_s() <= 0 and not state.generation.is_converged:
            turns.dive("branch")
            return True  # the part is taken up again where its columns are
        if solution is None:
            part.is_closed = True  # nothing feasible that the relaxation could tell
            continue
        turns.dive("branch")
        if is_last or not tree.split(part, solution):
            part.is_closed = True
    return True
