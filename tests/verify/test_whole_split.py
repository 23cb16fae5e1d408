"""Whole pods on whole nodes of several sites, against all splits and all packings of small cases."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from binwright_optimizer.model import CapacityType, Reservation
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


def test_of_nodes_held_there_are_only_so_many() -> None:
    """Two c4 are held, at 0.08 $/h each; others cost 0.10. Four pods take these and two more."""
    types = (instance_type("c4", cpu=4, memory_gib=64, price=0.10),)
    held = Reservation("held", "c4", "region-1", 2, "zone-a", CapacityType.ON_DEMAND, 80_000)
    asked = replace(problem([pod(cpu=3)], types), reservations=(held,))
    assert least_costs(asked, [4]).tolist() == [0, 80_000, 160_000, 260_000, 360_000]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=2),
    prices=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    held=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    surcharge=st.integers(0, 5),
)
def test_nodes_beside_those_held_cost_what_the_best_of_all_choices_costs(
    sizes: list[int], prices: tuple[int, int], held: tuple[int, int], surcharge: int
) -> None:
    """Nodes of four and eight cores, whatever number of each is tried."""
    types = tuple(
        instance_type(name, cpu=cpu, memory_gib=640, price=(price + surcharge) / 1e6)
        for name, cpu, price in zip(("c4", "c8"), (4, 8), prices, strict=True)
    )
    kept = tuple(
        Reservation(name, name, "region-1", count, "zone-a", CapacityType.ON_DEMAND, price)
        for name, count, price in zip(("c4", "c8"), held, prices, strict=True)
    )
    pods = [pod(f"w{at}", cpu=size) for at, size in enumerate(sizes)]
    found = least_costs(replace(problem(pods, types), reservations=kept), [2, 2])
    for a, b in itertools.product(range(3), repeat=2):
        costs = [
            sum(n * p + surcharge * max(0, n - h) for n, p, h in zip(nodes, prices, held, strict=True))
            for nodes in itertools.product(range(5), repeat=2)
            if is_room([4] * nodes[0] + [8] * nodes[1], a * [sizes[0]] + b * [sizes[1]])
        ]
        assert found[a, b] == min(costs)


def is_room(rooms: list[int], pods: list[int]) -> bool:
    """Whether pods fit, by trying every node for the first of them."""
    if not pods:
        return True
    first, *rest = pods
    return any(
        room >= first and is_room([*rooms[:at], room - first, *rooms[at + 1 :]], rest)
        for at, room in enumerate(rooms)
    )


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
    steps=st.integers(0, 30_000),
)
def test_no_split_costs_less_than_the_least(
    sizes: list[int],
    pods: tuple[int, int],
    kept: tuple[int, int],
    prices: list[int],
    egress: list[int],
    steps: int,
) -> None:
    """Two items over three sites, each with one kind of node of four units; also where steps run out."""
    own = frozenset(range(3))
    items = [
        WholeItem(w, pods[w], dict(enumerate(egress)), min(kept[w], pods[w]), own if kept[w] else frozenset())
        for w in range(2)
    ]
    tables = [packings(sizes, price) for price in prices]
    pooled = packings(sizes, min(prices), (9, 7))
    sites = {at: WholeCosts((0, 1), table) for at, table in enumerate(tables)}
    found = least_split(items, sites, WholeCosts((0, 1), pooled))
    cut_short = least_split(items, sites, WholeCosts((0, 1), pooled), steps)
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
    assert cut_short.bound <= best <= cut_short.cost
    for i, item in enumerate(items):
        assert is_kept(item, tuple(found.pods.get((i, at), 0) for at in range(3)))


def test_a_look_cut_short_claims_no_more_than_the_best_split_costs() -> None:
    """Six pods must fit in any two of three zones, a node holds two for 200: four, two and four, 1,000.

    Boxes that are looked at may prove 1,200 of themselves before steps run out: others hold the best split.
    """
    item = WholeItem(0, 6, dict.fromkeys(range(3), 0), 6, frozenset(range(3)))
    table = np.array([200 * -(-n // 2) for n in range(7)], dtype=np.int64)
    sites = {at: WholeCosts((0,), table) for at in range(3)}
    assert least_split([item], sites, None).bound == 1_000
    assert max(least_split([item], sites, None, steps).bound for steps in range(0, 3_000, 20)) == 1_000


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
