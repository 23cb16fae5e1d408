"""A fractional knapsack in whole numbers: what is broken in it may be what a node is worth its price for."""

from __future__ import annotations

import numpy as np
from binwright_optimizer.instance import build_instance
from binwright_optimizer.pricing.kernels.rounding import round_down
from builders import instance_type, pod, problem

ROOM = np.array([10, 10, 1])
"""Of a node: cpu, memory and GPUs."""


def rounded(requests: list[list[int]], values: list[float], primal: list[float]) -> tuple[list[int], float]:
    """What is chosen, two of each item at most, and its worth; all resources are priced alike."""
    n = len(values)
    rules = build_instance(problem([pod(cpu=1)], [instance_type(cpu=1, price=1)])).rules
    chosen = np.zeros(n, dtype=np.int64)
    worth = round_down(
        n, np.arange(n), np.full(n, 2), np.array(requests) / ROOM, np.array(values), np.array(requests), ROOM,
        np.ones(3), np.array(primal), chosen, rules, np.zeros(n, np.int64), np.zeros(0, np.int64),
        np.zeros(0, np.int64),
    )  # fmt: skip
    return chosen.tolist(), round(worth, 9)


def test_the_whole_part_stays_and_room_is_filled_by_efficiency() -> None:
    """One pod of 5 is whole; beside it one of 3, which is worth more for its room than one of 4."""
    assert rounded([[5, 5, 0], [3, 3, 0], [4, 4, 0]], [5, 4, 2], [1, 0, 0]) == ([1, 1, 0], 9)


def test_a_broken_pod_goes_before_small_ones_that_fill_up() -> None:
    """Halves of two pods with the GPU: the one that takes 4 fits beside 5, and one small pod beside both."""
    requests = [[4, 4, 1], [6, 6, 1], [5, 5, 0], [1, 1, 0]]
    assert rounded(requests, [6, 6, 1, 0.9], [0.5, 0.5, 1, 0]) == ([1, 0, 1, 1], 7.9)


def test_the_most_valuable_broken_pod_goes_before_the_whole_part_if_it_does_not_fit_otherwise() -> None:
    """One pod with the GPU takes 8 of the memory, one 8 of the cpu: beside 5 of both neither fits."""
    requests = [[2, 8, 1], [8, 2, 1], [5, 5, 0]]
    assert rounded(requests, [6, 6, 1], [0.5, 0.5, 1]) == ([1, 0, 0], 6)


def test_the_whole_part_is_kept_where_it_is_worth_more() -> None:
    requests = [[2, 8, 1], [8, 2, 1], [6, 6, 0]]
    assert rounded(requests, [6, 6, 7], [0.5, 0.5, 1]) == ([0, 0, 1], 7)
