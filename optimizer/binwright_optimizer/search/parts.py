"""Thousands of classes: groups of them are packed, and then a few nodes at a time again.

The rules about single nodes that keep classes apart are left out while groups are packed, and minded when
pods are handed their places. That all but decides what is bought; what it leaves to gain is between a few
nodes, which regrouping betters by small exact moves, and packing parts as problems of their own.
"""

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
TIMES_ASSEMBLED = 2.0
"""How often the time to assemble a packing is kept for the end of a turn."""
REGROUP_UNITS = 1e6
"""Units of work of a turn of regrouping between two of packing parts."""


def has_thousands_of_classes(instance: Instance) -> bool:
    """Whether a master with a row for each class would take most of the time."""
    return instance.n_classes > MOST_CLASSES and instance.linking is None and instance.rules.has_parts


def pack_parts(state: State, pack: Callable[[Instance, Stop, float], Packing]) -> None:
    """Pack a few nodes at a time again until time is over, and regroup pods in between.

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
    kept_s = TIMES_ASSEMBLED * _assembly_s(state.incumbent.packing, instance, state.stop)
    while not state.is_done and state.fruitless < MOST_FRUITLESS_TURNS:
        is_better = state.regrouping.go_on(REGROUP_UNITS)
        turn = Reserved(Reserved.within(state.stop, PARTS_TURN_S), kept_s)
        is_better |= state.incumbent.offer(parts.improve(state.incumbent.packing, turn), "parts")
        state.fruitless = 0 if is_better else state.fruitless + 1


def _assembly_s(packing: Packing, instance: Instance, stop: Stop) -> float:
    """Seconds that assembling a packing takes: done once to see, since a turn cannot be cut short there."""
    began = stop.elapsed_s()
    packing.with_demand(instance)
    return stop.elapsed_s() - began
