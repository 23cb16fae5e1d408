"""Prices of pods on sites, whatever they are, prove no more than the best of all splits costs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from binwright_optimizer.planning.boxes import BoxSearch
from binwright_optimizer.planning.whole import WholeCell
from binwright_optimizer.verify.pod_prices import (
    BITS,
    Halves,
    PodPrices,
    Quota,
    SplitItem,
    least_by_prices,
)
from binwright_optimizer.verify.whole_split import WholeCosts
from hypothesis import given, settings
from hypothesis import strategies as st

ONE = 1 << BITS
ZONES = frozenset(range(3))
ANY_ZONE = tuple((frozenset({zone}), 10) for zone in range(3))


def nodes_for(size: int, price: int, most: int) -> WholeCosts:
    """What pods cost on nodes for so many each."""
    return WholeCosts((0,), np.array([price * -(-n // size) for n in range(most + 1)], dtype=np.int64))


def test_prices_of_single_pods_prove_what_nodes_cost_where_they_are_full() -> None:
    """Ten pods must fit in any two of three zones: 15 in all. A node for four costs 400, a pod 100: 1,500."""
    item = SplitItem(0, 10, 1000, dict.fromkeys(ZONES, 0), ANY_ZONE)
    sites = {zone: nodes_for(4, 400, 10) for zone in ZONES}
    prices = PodPrices((0,), (0,), ((50 * ONE,) * 3,), ())
    assert least_by_prices([item], sites, (), prices) == 1_500


def test_halves_of_what_a_zone_holds_at_most_prove_more() -> None:
    """No split costs less than five nodes for four, 2,000: six, four and six pods. 15 pods would fill 3.75.

    Where each zone holds five, all need two nodes, 2,400. If one holds six, the others lack ten: 16 in all,
    none with more than six, so that a zone takes a node and a third of a second at least: 2,000. If one holds
    seven, 17: 1,866; eight, 18: 1,800; nine, 19: 1,900; ten, 20: 2,000.
    """
    item = SplitItem(0, 10, 1000, dict.fromkeys(ZONES, 0), ANY_ZONE)
    sites = {zone: nodes_for(4, 400, 10) for zone in ZONES}
    _, alone = BoxSearch(WholeCell([item], sites, ())).run(2_000, 1)
    tree, halved = BoxSearch(WholeCell([item], sites, ())).run(2_000, 64)
    assert alone in (1_499, 1_500)
    assert halved in (1_799, 1_800)
    assert least_by_prices([item], sites, (), tree) == halved


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_prices_prove_more_than_the_best_split_costs(data: st.DataObject) -> None:
    """Two items of one workload and one of another over three zones of two regions, with data and a quota."""
    draw = data.draw
    pods = [draw(st.integers(1, 3)) for _ in range(3)]
    region = frozenset({0, 1})
    items = []
    for i, workload in enumerate((0, 0, 1)):
        kept = draw(st.integers(0, pods[i]))
        losses = tuple((frozenset({zone}), kept) for zone in range(3)) if kept else ()
        if draw(st.booleans()):
            losses += ((region, draw(st.integers(0, pods[i]))),)
        items.append(
            SplitItem(workload, pods[i], 1000, {z: draw(st.integers(0, 4)) for z in range(3)}, losses)
        )
    sites = {zone: _table(draw(st.integers(1, 9)), pods) for zone in range(3)}
    quotas = (Quota(region, 1000 * draw(st.integers(0, 6))),)
    best = min((_cost(items, sites, split) for split in _splits(items, quotas[0])), default=None)
    if best is None:
        return

    def prices() -> PodPrices:
        some = st.integers(0, 12 * ONE)
        return PodPrices(
            tuple(draw(some) for _ in items),
            tuple(draw(some) for _ in items),
            tuple(tuple(draw(some) for _ in item.losses) for item in items),
            (draw(st.integers(0, ONE // 50)),),
        )

    tree = Halves(draw(st.integers(0, 2)), draw(st.integers(-1, 3)), prices(), prices())
    assert least_by_prices(items, sites, quotas, tree) <= best
    found, proven = BoxSearch(WholeCell(items, sites, quotas)).run(best, 12)
    assert least_by_prices(items, sites, quotas, found) == proven <= best


def _table(price: int, pods: list[int]) -> WholeCosts:
    """A node holds two pods of the first workload, or one of each."""
    shape = pods[0] + pods[1] + 1, pods[2] + 1
    costs = [[price * max(b, -(-(a + b) // 2)) for b in range(shape[1])] for a in range(shape[0])]
    return WholeCosts((0, 1), np.array(costs, dtype=np.int64))


def _splits(items: list[SplitItem], quota: Quota) -> list[tuple[tuple[int, ...], ...]]:
    """All that keep every promise, pods by item and zone."""
    each = [
        [
            held
            for held in itertools.product(range(item.pods + 1), repeat=3)
            if sum(held) >= item.pods
            and all(sum(n for z, n in enumerate(held) if z not in lost) >= kept for lost, kept in item.losses)
        ]
        for item in items
    ]
    return [
        split
        for split in itertools.product(*each)
        if sum(1000 * held[zone] for held in split for zone in quota.sites) <= quota.cpu_milli
    ]


def _cost(items: list[SplitItem], sites: dict[int, WholeCosts], split: tuple[tuple[int, ...], ...]) -> int:
    total = 0
    for zone, table in sites.items():
        total += int(table.costs[split[0][zone] + split[1][zone], split[2][zone]])
    for item, held in zip(items, split, strict=True):
        left = item.pods
        for zone in sorted(range(3), key=lambda z: item.egress[z]):
            total += item.egress[zone] * min(left, held[zone])
            left -= min(left, held[zone])
    return total


@pytest.mark.parametrize(
    "prices",
    [
        PodPrices((0,), (0,), ((0, 0),), ()),
        PodPrices((0, 0), (0,), ((0, 0, 0),), ()),
        PodPrices((-1,), (0,), ((0, 0, 0),), ()),
        PodPrices((0,), (0,), ((0, 0, 0),), (1,)),
        Halves(1, 5, PodPrices((0,), (0,), ((0, 0, 0),), ()), PodPrices((0,), (0,), ((0, 0, 0),), ())),
    ],
)
def test_prices_of_something_else_prove_nothing(prices: PodPrices | Halves) -> None:
    item = SplitItem(0, 10, 1000, dict.fromkeys(ZONES, 0), ANY_ZONE)
    sites = {zone: nodes_for(4, 400, 10) for zone in ZONES}
    with pytest.raises(ValueError, match=r"price|not there"):
        least_by_prices([item], sites, (), prices)
