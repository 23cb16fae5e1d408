"""Reserved nodes and commitments for some types: coverage, small plans on paper, the extensive form."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model.forecast import Band
from binwright_optimizer.model.offers import (
    CommitmentOffer,
    HeldReservation,
    ReservationOffer,
    Scope,
    Upfront,
)
from binwright_optimizer.planning.coverage import Instrument, covered, spend
from binwright_optimizer.planning.plan import Plan
from binwright_optimizer.planning.planner import PlanParams, make_plan
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import forecast, market

REGION = "region-1"
ZONE = "zone-a"


def reserved(name: str, discount: int, **more: object) -> ReservationOffer:
    """A reservation for a year without upfront payment."""
    return ReservationOffer(
        f"{name} reserved",
        name,
        REGION,
        1,
        Upfront.NONE,
        discount_ppm=discount,
        **more,  # type: ignore[arg-type]
    )


def planned(asked: object, **prices: float) -> Plan:
    return make_plan(asked, PlanParams(60.0), catalogs=market(**prices))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 1, 1), date(2027, 1, 1)),
        (date(2028, 1, 1), date(2029, 1, 1)),  # 366 days
        (date(2028, 2, 29), date(2029, 3, 1)),
    ],
)
def test_a_term_of_a_year_covers_the_quarters_of_a_year_also_of_a_leap_year(start: date, end: date) -> None:
    assert reserved("box", 100_000).end_of(start) == end


def test_what_is_narrow_pays_first() -> None:
    """A node of 0.10 $/h reserved in group 0; 0.02 $/h of spend at half price over what is left of both."""
    node, plan = Instrument({0: Fraction(100_000)}), spend(500_000, [0, 1], 10_000, rank=1)
    assert covered([plan, node], [2, 1], {0: 100_000, 1: 300_000}) == [40_000, 100_000]
    assert covered([node, plan], [3, 0], {0: 100_000, 1: 300_000}) == [100_000, 0]


@given(
    st.lists(st.integers(0, 5), min_size=3, max_size=3),
    st.dictionaries(st.integers(0, 2), st.integers(0, 500_000)),
)
def test_no_group_is_paid_for_more_than_it_costs(units: list[int], values: dict[int, int]) -> None:
    instruments = [
        Instrument({0: Fraction(100_000)}),
        spend(300_000, [0, 1], 10_000, rank=1),
        spend(200_000, [0, 1, 2], 10_000, rank=2),
    ]
    found = covered(instruments, units, values)
    assert sum(found) <= sum(values.values())
    for instrument, count, paid in zip(instruments, units, found, strict=True):
        assert 0 <= paid <= count * max(instrument.worth.values())


def test_reserved_nodes_for_the_base_by_hand() -> None:
    """Ten pods by day, four at night, one on each node of 0.10 $/h; 60 and 108 of 168 hours, 2,160 h.

    A node reserved at 40 % off costs 0.06 $/h always, on demand by day only 0.10 * 60 / 168 = 0.0357. So
    reserve the four of the night: 4 * 0.06 * 2160 + 6 * 0.10 * 2160 * 60 / 168 = 518.40 + 462.857... $.
    """
    asked = replace(forecast([Band.exactly(10)]), reservations=(reserved("c4", 400_000),))
    found = planned(asked, c4=0.10)
    assert [(c.nodes, c.microusd_per_hour) for c in found.commitments] == [(4, 240_000)]
    assert found.total == 981_257_143
    assert found.bound == 981_257_142
    assert [(c.name, c.used == c.worth) for c in found.accounts[0].coverage] == [("c4 reserved", True)]


def test_reservation_of_another_type_changes_the_mix() -> None:
    """Pods fill c4 at 0.10 or e4 at 0.11 $/h; e4 reserved at half price is 0.055, and all run on it."""
    asked = replace(forecast([Band.exactly(10)], profile="flat"), reservations=(reserved("e4", 500_000),))
    found = planned(asked, c4=0.10, e4=0.11)
    assert found.total == 10 * 55_000 * 2160
    assert found.bound >= found.total - 1
    assert [(p.instance_type, p.nodes) for p in found.mixes[0].on_demand.purchases] == [("e4", 10)]
    assert found.without_commitments == 10 * 100_000 * 2160


def test_held_reservation_is_used_though_its_type_is_dear() -> None:
    """Three e4 nodes are paid until they end within the second quarter; c4 is cheaper on demand."""
    held = HeldReservation("old", "e4", REGION, 3, date(2026, 1, 1), date(2027, 5, 1), ZONE)
    asked = replace(forecast([Band.exactly(10)] * 2, profile="flat"), held_reservations=(held,))
    found = planned(asked, c4=0.10, e4=0.50)
    assert found.by_period == (7 * 100_000 * 2160, 10 * 100_000 * 2184)
    assert found.gap < 0.005


def test_spend_on_one_type_pays_for_that_type_only() -> None:
    """Half price on e4 makes 0.06 $/h of 0.12: below c4 at 0.10."""
    offer = CommitmentOffer("e4 plan", 1, Upfront.ALL, 500_000, scope=Scope(("e4",)))
    found = planned(forecast([Band.exactly(10)], (offer,), profile="flat"), c4=0.10, e4=0.12)
    assert [c.microusd_per_hour for c in found.commitments] == [600_000]
    assert found.commitments[0].upfront_microusd == found.commitments[0].obligation_microusd
    assert found.total == 600_000 * 2160
    assert found.bound >= found.total - 1


def test_payment_at_once_that_the_total_leaves_out_is_told() -> None:
    """Ten e4 at 0.06 $/h paid upfront for a year: 5,256 $ at once, 1,296 $ of it in the quarter."""
    offer = CommitmentOffer("e4 plan", 1, Upfront.ALL, 500_000, scope=Scope(("e4",)), is_estimate=True)
    found = planned(forecast([Band.exactly(10)], (offer,), profile="flat"), c4=0.10, e4=0.12)
    assert found.upfront_microusd == 600_000 * 24 * 365
    said = (
        "commitments are to be paid upfront, $5,256 on 2027-01-01; the total counts $1,296 of their cost; "
        "their discounts are estimates"
    )
    assert said in found.warnings(date(2027, 1, 1))
    monthly = replace(found.commitments[0], offer=replace(offer, upfront=Upfront.NONE))
    later = replace(found, commitments=(monthly,)).warnings(date(2027, 1, 1))
    assert not any("upfront" in warning for warning in later)


def test_without_any_time_the_bound_is_that_of_the_largest_discount() -> None:
    """Ten e4 at 0.12 or c4 at 0.10 $/h: whatever is bought, half of c4's list price is paid at least."""
    offers = (
        CommitmentOffer("e4 plan", 1, Upfront.NONE, 500_000, scope=Scope(("e4",))),
        CommitmentOffer("any", 1, Upfront.NONE, 200_000),
    )
    asked = forecast([Band.exactly(10)], offers, profile="flat")
    found = make_plan(asked, PlanParams(0.0), catalogs=market(c4=0.10, e4=0.12))
    assert 10 * 50_000 * 2160 - 1 <= found.bound <= found.total
    said = "the gap exceeds 1%: the deadline stopped the search, and a longer one may narrow it"
    assert said in found.warnings(date(2027, 1, 1))
    assert said not in replace(found, bound=found.total).warnings(date(2027, 1, 1))


def test_without_any_time_what_is_held_lowers_the_bound_by_no_more_than_it_pays_for() -> None:
    """Ten c4 at 0.10 $/h, three of them held: seven are paid for, at half price at least."""
    held = HeldReservation("old", "c4", REGION, 3, date(2026, 1, 1), date(2029, 1, 1), ZONE)
    offer = CommitmentOffer("e4 plan", 1, Upfront.NONE, 500_000, scope=Scope(("e4",)))
    asked = replace(forecast([Band.exactly(10)], (offer,), profile="flat"), held_reservations=(held,))
    found = make_plan(asked, PlanParams(0.0), catalogs=market(c4=0.10, e4=0.12))
    assert 7 * 50_000 * 2160 - 1 <= found.bound <= found.total


def test_quoted_price_is_spread_over_the_term() -> None:
    quote = ReservationOffer(
        "quote", "c4", REGION, 1, Upfront.PARTIAL, microusd_per_hour=20_000, upfront_microusd=262_800_000
    )
    assert quote.hourly_microusd(100_000) == 50_000
    asked = replace(forecast([Band.exactly(10)], profile="flat"), reservations=(quote,))
    found = planned(asked, c4=0.10)
    assert found.total == 10 * 50_000 * 2160
    assert found.commitments[0].upfront_microusd == 10 * 262_800_000


def test_reservation_of_what_is_not_sold_is_an_error() -> None:
    asked = replace(forecast([Band.exactly(1)]), reservations=(reserved("m5.large", 400_000),))
    with pytest.raises(PlanningError, match=r"m5.large reserved: m5.large is not sold in region-1"):
        planned(asked, c4=0.10)
    elsewhere = replace(forecast([Band.exactly(1)]), reservations=(reserved("c4", 400_000, zone="zone-z"),))
    with pytest.raises(PlanningError, match="is not sold in zone-z"):
        planned(elsewhere, c4=0.10)


@pytest.mark.parametrize(("c8", "e4"), [(190_000, 130_000), (200_000, 120_000), (210_000, 160_000)])
def test_extensive_form_confirms_plans_with_reservations(c8: int, e4: int) -> None:
    """Every mix by day and by night with every number of reserved nodes, one by one.

    Pods of 3 vCPU: one fits c4 and e4, two fit c8. 60 of 168 hours want five, the others two.
    """
    offers = (reserved("c8", 300_000), reserved("e4", 550_000))
    asked = replace(forecast([Band.exactly(5)]), reservations=offers)
    prices = {"c4": 100_000, "c8": c8, "e4": e4}
    found = planned(asked, **{name: price / 1e6 for name, price in prices.items()})
    assert found.total == best_of_all(prices, {"c8": 700_000, "e4": 450_000})
    assert found.gap < 0.01


def test_remainder_beside_reserved_nodes_gets_the_node_that_fits_it() -> None:
    """Ten pods of 3 vCPU, then four: one fits e4, five c16, ten c31.

    An e4 node reserved costs 0.072 $/h, a c16 0.60 and a c31 1.16. Four or five e4 in both quarters and one
    c16 in the first cost 5 * 0.072 * 4344 + 0.60 * 2160 = 2,859.84 $; four need another e4 at 0.15, which is
    4 * 0.072 * 4344 + 0.75 * 2160 = 2,871.07 $; ten e4 cost 10 * 0.072 * 4344 = 3,127.68 $.
    """
    offer = reserved("e4", 520_000)
    asked = replace(forecast([Band.exactly(10), Band.exactly(4)], profile="flat"), reservations=(offer,))
    found = planned(asked, e4=0.15, c16=0.60, c31=1.16)
    assert [(c.nodes, c.period) for c in found.commitments] == [(5, 0)]
    assert found.total == 2_859_840_000


@pytest.mark.parametrize("seed", range(4))
def test_no_number_of_reserved_nodes_with_any_mixes_beats_a_small_plan(seed: int) -> None:
    """Two sizes of pods on three types, one of which may be reserved: every number with every mix."""
    sizes, prices = (1500, 2600), {"c4": 100_000 + 7_000 * seed, "c8": 190_000, "c16": 370_000 + 9_000 * seed}
    bands = [Band.exactly(3 + seed % 2), Band.exactly(2)]
    asked = forecast(bands, profile="flat", cpu=sizes)
    asked = replace(asked, reservations=(reserved("c4", 350_000),))
    found = planned(asked, **{name: price / 1e6 for name, price in prices.items()})
    assert found.total == best_with_reserved_c4([3 + seed % 2, 2], sizes, prices)
    assert found.bound <= found.total


def best_with_reserved_c4(pods: list[int], sizes: tuple[int, int], prices: dict[str, int]) -> int:
    """Micro-dollars over both quarters of the best plan: nodes reserved in the first, more in the second."""
    each = -(-prices["c4"] * 650_000 // 10**6)
    holding = {
        wanted: [
            (c4, c8, c16)
            for c4, c8, c16 in itertools.product(range(9), range(5), range(3))
            if is_room([3800] * c4 + [7800] * c8 + [15800] * c16, wanted, wanted, sizes)
        ]
        for wanted in pods
    }
    best = []
    for first, second in itertools.product(range(9), range(5)):
        total = each * (first * (2160 + 2184) + second * 2184)
        for hours, wanted, kept in zip((2160, 2184), pods, (first, first + second), strict=True):
            total += hours * min(
                max(0, c4 - kept) * prices["c4"] + c8 * prices["c8"] + c16 * prices["c16"]
                for c4, c8, c16 in holding[wanted]
            )
        best.append(total)
    return min(best)


def is_room(nodes: list[int], small: int, large: int, sizes: tuple[int, int]) -> bool:
    """Whether nodes of so many milli-CPU hold the pods: each takes some large ones, then small."""
    if small <= 0 and large <= 0:
        return True
    if not nodes or sum(nodes) < small * sizes[0] + large * sizes[1]:
        return False
    return any(
        is_room(nodes[1:], small - (nodes[0] - n * sizes[1]) // sizes[0], large - n, sizes)
        for n in range(min(large, nodes[0] // sizes[1]) + 1)
    )


def best_of_all(prices: dict[str, int], share: dict[str, int]) -> int:
    """Micro-dollars over 2,160 h of the best of all plans."""
    holds = {"c4": 1, "c8": 2, "e4": 1}
    mixes = [
        dict(zip(prices, counts, strict=True)) for counts in itertools.product(range(6), range(4), range(6))
    ]
    best = None
    for reserved_c8, reserved_e4 in itertools.product(range(4), range(6)):
        kept = {"c4": 0, "c8": reserved_c8, "e4": reserved_e4}
        fixed = sum(-(-prices[n] * share[n] // 10**6) * kept[n] for n in share)
        total = Fraction(fixed)
        for hours, pods in ((60, 5), (108, 2)):
            total += Fraction(hours, 168) * min(
                sum(max(0, n - kept[name]) * prices[name] for name, n in mix.items())
                for mix in mixes
                if sum(n * holds[name] for name, n in mix.items()) >= pods
            )
        if best is None or total < best:
            best = total
    assert best is not None
    return -(-best * 2160 // 1)
