"""Thousands of classes: a few nodes at a time are packed again, as problems of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from binwright_optimizer.heuristics.parts import Parts
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.search.state import State
from binwright_optimizer.stopping import Reserved, Stop

MOST_CLASSES = 2_500
"""Classes beyond which a master with a row for each takes most of the time, and parts are packed instead."""
PART_S = 0.1
"""Seconds that a part of the nodes is packed again."""
PARTS_TURN_S = 3.0
"""Seconds between two incumbents of packing parts."""
MOST_FRUITLESS_TURNS = 20
"""Turns without a better incumbent after which packing parts ends."""


def has_thousands_of_classes(instance: Instance) -> bool:
    """Whether a master with a row for each class would take most of the time."""
    return instance.n_classes > MOST_CLASSES and instance.linking is None and instance.rules.has_parts


def pack_parts(state: State, pack: Callable[[Instance, Stop, float], Packing]) -> None:
    """Pack a few nodes at a time again until time is over.

    Parameters
    ----------
    pack
        A good packing of a small instance, in so many seconds and until a stop comes due.
    """

    def solve(part: Instance) -> Packing:
        return pack(part, Reserved.within(state.stop, PART_S), PART_S)

    instance, rows = state.instance, state.generation.rows
    pods, node_worth = state.generation.bound.duals.pods, np.empty(instance.n_candidates)
    state.pricing.price(pods, rows.price.astype(np.float64), node_worth, branches=0)
    parts = Parts(instance, solve, pods, node_worth, state.rng)
    assert state.incumbent.packing is not None
    began = state.stop.elapsed_s()
    packing = state.incumbent.packing.with_demand(instance)
    kept_s = 2.0 * (state.stop.elapsed_s() - began)  # to put the parts together at the end
    while not state.is_done and state.fruitless < MOST_FRUITLESS_TURNS:
        turn = Reserved(Reserved.within(state.stop, PARTS_TURN_S), kept_s)
        packing = parts.improve(packing, turn)
        is_better = state.incumbent.offer(packing, "parts")
        state.fruitless = 0 if is_better else state.fruitless + 1
