"""Whole pods on whole nodes of several sites, against all splits and all packings of small cases."""

from __future__ import annotations

import itertools

import numpy as np
from binwright_optimizer.verify.whole_nodes import NEVER, least_costs
from binwright_optimizer.verify.whole_split import WholeCosts, WholeItem, least_split
from builders import instance_type, pod, problem
from hypothesis import given, settings
from hypothesis import strategies as st


def test_pods_cost_what_whole_nodes_cost() -> None:
    """Beside daemons a node of 4 cores holds a pod of 3, one of 8 two: 0.10, 0.15, 0.25, 0.30 $/h."""
    types = (
        instance_type("c4", cpu=4, memory_gib=64, price=0.10),
        instance_type("c8", cpu=8, memory_gib=64, price=0.15),
    )
    assert least_costs(problem([pod(cpu=3)], types), [4]).tolist() == [0, 100_000, 150_000, 250_000, 300_000]


def test_pods_that_no_node_holds_cost_more_than_anything() -> None:
    types = (instance_type("c4", cpu=4, memory_gib=64, price=0.10),)
    assert least_costs(problem([pod(cpu=5)], types), [2]).tolist() == [0, NEVER, NEVER]


def test_too_many_combinations_are_not_looked_at() -> None:
    types = (instance_type("c4", cpu=4, memory_gib=64, price=0.10),)
    pods = [pod(f"w{at}", cpu=at + 1) for at in range(2)]
    assert least_costs(problem(pods, types), [999, 999]) is None


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    pods=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    kept=st.tuples(st.integers(0, 4), st.integers(0, 3)),
    prices=st.lists(st.integers(3, 9), min_size=3, max_size=3),
    egress=st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_no_split_costs_less_than_the_least(
    sizes: list[int], pods: tuple[int, int], kept: tuple[int, int], prices: list[int], egress: list[int]
) -> None:
    """Two items over three sites, each with one kind of node of four units."""
    own = frozenset(range(3))
    items = [
        WholeItem(w, pods[w], dict(enumerate(egress)), min(kept[w], pods[w]), own if kept[w] else frozenset())
        for w in range(2)
    ]
    tables = [packings(sizes, price) for price in prices]
    pooled = packings(sizes, min(prices), (9, 7))
    found = least_split(
        items,
        {at: WholeCosts((0, 1), table) for at, table in enumerate(tables)},
        WholeCosts((0, 1), pooled),
    )
    ways = [
        [split for split in itertools.product(range(item.pods + 1), repeat=3) if is_kept(item, split)]
        for item in items
    ]
    best = min(
        sum(int(table[a, b]) for table, a, b in zip(tables, one, other, strict=True))
        + data(pods[0], one, egress)
        + data(pods[1], other, egress)
        for one in ways[0]
        for other in ways[1]
    )
    assert found.bound == found.cost == best
    for i, item in enumerate(items):
        assert is_kept(item, tuple(found.pods.get((i, at), 0) for at in range(3)))


def is_kept(item: WholeItem, split: tuple[int, ...]) -> bool:
    return sum(split) >= item.pods and (not item.kept or sum(split) - max(split) >= item.kept)


def data(pods: int, split: tuple[int, ...], egress: list[int]) -> int:
    """What data costs when pods run where it is cheapest."""
    total = 0
    for at in sorted(range(3), key=lambda at: egress[at]):
        here = min(pods, split[at])
        total += here * egress[at]
        pods -= here
    return total


def packings(sizes: list[int], price: int, most: tuple[int, int] = (4, 3)) -> np.ndarray:
    """The least price of nodes of four units for all numbers of pods, by trying all first nodes."""
    found = np.zeros((most[0] + 1, most[1] + 1), dtype=np.int64)
    for a, b in itertools.product(range(most[0] + 1), range(most[1] + 1)):
        if a or b:
            found[a, b] = price + min(
                found[a - x, b - y]
                for x, y in itertools.product(range(a + 1), range(b + 1))
                if (x or y) and x * sizes[0] + y * sizes[1] <= 4
            )
    return found
