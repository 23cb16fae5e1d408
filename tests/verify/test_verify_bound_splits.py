"""Certificates that split the decisions: worked by hand, spoilt, and random ones against enumeration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from binwright_optimizer.model import Certificate, Problem, Split
from binwright_optimizer.verify import bound as proof
from binwright_optimizer.verify import prove_bound
from binwright_optimizer.verify.clock import Clock
from binwright_optimizer.verify.market import market
from binwright_optimizer.verify.scaled_prices import scaled_prices
from binwright_optimizer.verify.whole_choice import least_choice
from builders import existing_node, instance_type, microusd, node_pool, offering, pod, problem
from exhaustive import cheapest_cost
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from parts import cheapest_in_part, counted_problems, levels, prices, trees
from test_verify_bound import tiny_problems

BITS = 20
DOLLAR = microusd(1)
TEN, FIVE = instance_type("ten", cpu=10, price=1.00), instance_type("five", cpu=5, price=0.61)
TENS_AND_FIVES = problem([pod(cpu=5, replicas=3)], [TEN, FIVE])
"""Three pods of 5 cpu. One ten and one five hold them for 1.61; the relaxation buys 1.5 tens."""

SETTINGS = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def scaled(dollars: float) -> int:
    return round(dollars * 1e6 * 2**BITS)


def leaf(*pod_dollars: float, levels: tuple[tuple[int, float], ...] = ()) -> Certificate:
    """Prices in dollars, those of levels as pairs (micro-dollars per hour, dollars)."""
    return Certificate(
        BITS,
        tuple(scaled(p) for p in pod_dollars),
        level_prices=tuple((level, scaled(p)) for level, p in levels),
    )


def split(level: int, at_most: int, fewer: Certificate, more: Certificate) -> Certificate:
    return Certificate(BITS, (), split=Split(level, at_most, fewer, more))


FEWER = leaf(0.61, levels=((DOLLAR, -0.22),))
"""At most one ten. At 0.61 a pod a ten is worth 1.22, which is what it costs with 0.22 for being one
of the tens: 3 x 0.61 - 0.22 = 1.61."""
MORE = leaf(0.0, levels=((DOLLAR, 1.00),))
"""Two tens or more cost 2.00."""


def proven(certificate: Certificate, question: Problem = TENS_AND_FIVES, *, goal: int | None = None) -> int:
    """By prices alone: three pods are few enough to be looked at on whole nodes without any."""
    counts = [w.replicas for w in question.workloads]
    return prove_bound(question, certificate, counts, on_whole_nodes=False, goal=goal)


def test_without_a_split_the_relaxation_is_all_that_prices_prove() -> None:
    assert proven(leaf(0.50)) == microusd(1.50)


def test_a_split_closes_the_gap_of_the_relaxation() -> None:
    assert proven(split(DOLLAR, 1, FEWER, MORE)) == microusd(1.61) == cheapest_cost(TENS_AND_FIVES, [3])


def test_the_bound_is_that_of_the_weaker_part() -> None:
    assert proven(split(DOLLAR, 1, FEWER, leaf(0.50))) == microusd(1.50)
    assert proven(split(DOLLAR, 1, leaf(0.50), MORE)) == microusd(1.50)
    assert proven(split(DOLLAR, 1, leaf(), MORE)) == 0


@pytest.mark.parametrize("at_most", [-(2**70), -1, 0, 1, 2, 3, 100, 2**40, 2**63, 2**70])
def test_another_number_of_nodes_never_proves_more_than_the_optimum(at_most: int) -> None:
    for fewer, more in ((FEWER, MORE), (MORE, FEWER), (FEWER, FEWER), (MORE, MORE)):
        certificate = split(DOLLAR, at_most, fewer, more)
        assert 0 <= proven(certificate) <= proven(certificate, goal=microusd(9)) <= microusd(1.61)


@pytest.mark.parametrize("level", [-(2**70), -1, 0, 1, 609_999, 610_000, 999_999, 1_000_001, 2**62, 2**70])
def test_prices_of_a_level_that_no_split_speaks_of_count_for_nothing(level: int) -> None:
    """The prices speak of nodes from $1 on, the split of others. Fewer: 3 x 0.50 without the level."""
    assert proven(split(level, 1, FEWER, MORE)) <= microusd(1.50)


def test_swapped_cases_prove_less() -> None:
    """Each case's level price has the sign of the other bound and is dropped."""
    assert proven(split(DOLLAR, 1, MORE, FEWER)) == 0


def test_a_level_price_of_the_wrong_sign_is_dropped() -> None:
    """Fewer without its level price: 0.61 a pod is divided down to 0.50. More without: nothing."""
    assert proven(split(DOLLAR, 1, leaf(0.61, levels=((DOLLAR, 0.22),)), MORE)) == microusd(1.50)
    assert proven(split(DOLLAR, 1, FEWER, leaf(0.0, levels=((DOLLAR, -1.00),)))) == 0


def test_a_level_price_counts_as_often_as_it_is_given() -> None:
    """Two halves are one whole; given twice, it is one of 0.44: 3 x 0.61 - 0.44 = 1.39."""
    halves = leaf(0.61, levels=((DOLLAR, -0.11), (DOLLAR, -0.11)))
    assert proven(split(DOLLAR, 1, halves, MORE)) == microusd(1.61)
    twice = leaf(0.61, levels=((DOLLAR, -0.22), (DOLLAR, -0.22)))
    assert proven(split(DOLLAR, 1, twice, MORE)) == microusd(1.39)


def test_no_level_price_takes_more_from_a_node_than_its_price() -> None:
    """Two tens at 9.00 each would be 18.00; each is worth its 1.00, once."""
    for greedy in (((DOLLAR, 9.00),), ((DOLLAR, 1.00),) * 300, ((DOLLAR, 0.75), (DOLLAR, 0.75))):
        assert proven(split(DOLLAR, 1, FEWER, leaf(0.0, levels=greedy))) == microusd(1.61)
        assert proven(split(DOLLAR, 0, leaf(0.61), leaf(0.0, levels=greedy))) == microusd(1.00)


@pytest.mark.parametrize("price", [2**48, 2**56, 2**59, 2**62, 2**63, 2**64, 2**200])
@pytest.mark.parametrize("bits", [0, BITS, 60])
def test_enormous_prices_of_levels_neither_overflow_nor_prove_too_much(price: int, bits: int) -> None:
    huge = (price << 30) - 1
    for sign in (1, -1):
        spoilt = Certificate(bits, (scaled(0.61),), level_prices=((DOLLAR, sign * huge),) * 2)
        for certificate in (split(DOLLAR, 1, spoilt, MORE), split(DOLLAR, 1, FEWER, spoilt)):
            assert 0 <= proven(certificate) <= microusd(1.61)


def test_what_a_level_must_hold_in_one_part_does_not_count_in_the_other() -> None:
    """No tens: three fives, 1.83. With one or more, the 1.00 of the first and nothing else."""
    one = leaf(0.0, levels=((DOLLAR, 1.00),))
    assert proven(split(DOLLAR, 0, leaf(0.61, levels=((DOLLAR, -0.22),)), one)) == microusd(1.00)
    assert proven(split(DOLLAR, 0, one, leaf(0.61))) == 0


def test_contradictory_parts_need_no_prices() -> None:
    """Three nodes at least from 1.00 on and two at most from 0.61 on: there is no such decision."""
    nothing = leaf()
    at_least_three = split(610_000, 2, nothing, leaf(0.0, levels=((DOLLAR, 1.00),)))
    question = split(DOLLAR, 1, FEWER, split(DOLLAR, 2, MORE, at_least_three))
    assert proven(question) == microusd(1.61)


def test_a_dearer_level_may_hold_fewer_than_a_cheaper_one() -> None:
    """At least two nodes, of which one ten at most: not contradictory, so its prices count."""
    inner = split(610_000, 1, leaf(0.50), leaf())  # two or more nodes, nothing proven
    assert proven(split(DOLLAR, 1, inner, MORE)) == 0


def test_sixty_splits_above_a_part_prove_what_one_would() -> None:
    """At most 59 tens, of these at most 58 ...: every "more" is two tens or more but the last."""
    chain = FEWER
    for at_most in range(1, 61):
        chain = split(DOLLAR, at_most, chain, MORE)
    assert chain.leaves() == 61
    assert proven(chain) == microusd(1.61)


def test_a_split_repeated_below_itself_changes_nothing() -> None:
    certificate = split(DOLLAR, 1, FEWER, MORE)
    for _ in range(60):
        certificate = split(DOLLAR, 1, certificate, leaf(0.0, levels=((DOLLAR, 1.00),)))
    assert proven(certificate) == microusd(1.61)


def test_a_looser_split_below_a_tighter_one_changes_nothing() -> None:
    """At most one ten, and of those decisions the ones with at most three: at most one still."""
    below = split(DOLLAR, 3, FEWER, leaf())
    assert proven(split(DOLLAR, 1, below, MORE)) == microusd(1.61)


def test_existing_nodes_are_not_counted() -> None:
    """A ten that runs already takes two pods for nothing; the third needs a five, and no ten.

    If it counted, "no tens" would have no decision and "one ten or more" would cost 1.00.
    """
    question = problem([pod(cpu=5, replicas=3)], [TEN, FIVE], existing=[existing_node(cpu=10)])
    assert cheapest_cost(question, [3]) == microusd(0.61)
    none = leaf(0.61, levels=((DOLLAR, -0.22),))
    one = leaf(0.0, levels=((DOLLAR, 1.00),))
    assert proven(split(DOLLAR, 0, none, one), question) == microusd(0.61)


def test_free_nodes_are_counted_from_level_zero() -> None:
    """One free five at most: two pods on others, 1.00 on a ten. Two free or more prove nothing."""
    free = instance_type("gift", cpu=5, price=0.0)
    question = problem([pod(cpu=5, replicas=3)], [TEN, free])
    only_one = leaf(0.50, levels=((0, -0.50),))
    assert proven(split(0, 1, only_one, leaf()), question) == 0
    prices_of_part = scaled_prices(market(question), only_one, np.array([3]), np.array([True]), {}, {0: 1})
    assert prices_of_part.levels == -scaled(0.50)


def test_a_dear_offering_of_the_same_type_does_not_fool_a_level() -> None:
    """The ten is sold for 1.00 and, elsewhere, for 1.30. Nobody needs the dear one.

    Two from 1.30 on cost 2.60, one at most leaves 1.61: the optimum.
    """
    zones = instance_type("ten", cpu=10, offerings=[offering(1.00), offering(1.30, zone="zone-b")])
    question = problem([pod(cpu=5, replicas=3)], [zones, FIVE])
    dear = microusd(1.30)
    for at_most in range(3):
        for more in (leaf(0.61, levels=((dear, 1.00),)), leaf(0.0, levels=((dear, 1.30),)), leaf(5.0)):
            certificate = split(dear, at_most, leaf(0.50), more)
            assert proven(certificate, question) <= microusd(1.61)


def test_a_minimum_and_a_level_do_not_charge_a_node_twice() -> None:
    """Two nodes at least and no pods: 1.22. The minimum takes the whole 0.61 of a five and as much of
    a ten; the level has 0.39 of a ten left."""
    question = problem([], [TEN, FIVE], [node_pool(min_nodes=2)])
    nobody = Certificate(BITS, (0,), minimum_prices=(("default", scaled(5)),))
    tens = replace(nobody, level_prices=((DOLLAR, scaled(5)),))
    assert prove_bound(question, split(DOLLAR, 0, nobody, tens), []) == microusd(1.22)
    assert prove_bound(question, split(DOLLAR, 1, nobody, tens), []) == microusd(1.22)


def test_out_of_time_every_part_is_still_bounded() -> None:
    certificate = split(DOLLAR, 1, FEWER, MORE)
    assert 0 < prove_bound(TENS_AND_FIVES, certificate, [3], time_limit_s=0.0) <= microusd(1.61)


def bound_of_part(
    question: Problem, part: Certificate, least: dict[int, int], most: dict[int, int], goal: int
) -> int:
    """What one part's prices, and whole nodes up to the goal, prove for it alone: micro-dollars."""
    shop = market(question)
    demand = np.zeros(len(shop.classes.requests), dtype=np.int64)
    placed = np.array([w.replicas for w in question.workloads])
    np.add.at(demand, shop.classes.class_of, placed)
    prices_here = scaled_prices(shop, part, demand, placed > 0, least, most)
    total = proof._TotalWorth(shop, demand, placed.tolist(), [], None)
    priced = proof._priced(shop, prices_here, demand, total, least, most, np.inf)
    return least_choice(shop, demand, priced, goal, Clock(np.inf))


@SETTINGS
@given(st.data())
def test_no_prices_prove_more_of_a_part_than_its_own_optimum(data: st.DataObject) -> None:
    """A tree's bound hides behind its weakest part; here each part is held against enumeration."""
    question = data.draw(counted_problems())
    assume(len(market(question).price))
    bounds = st.dictionaries(levels(question), st.integers(0, 3), max_size=2)
    least, most = data.draw(bounds), data.draw(bounds)
    optimum = cheapest_in_part(question, least, most)
    assume(optimum is not None)
    goal = data.draw(st.integers(0, 2 * optimum + 1))
    assert bound_of_part(question, data.draw(prices(question)), least, most, goal) <= optimum


@settings(SETTINGS, max_examples=50)
@given(st.data())
def test_whatever_the_tree_the_bound_never_exceeds_the_optimum(data: st.DataObject) -> None:
    question = data.draw(tiny_problems())
    demand = [w.replicas for w in question.workloads]
    choices = len(question.node_pools) * sum(len(kind.offerings) for kind in question.catalog.instance_types)
    assume(choices * sum(demand) <= 18)  # beyond this, enumeration takes seconds
    optimum = cheapest_cost(question, demand)
    assume(optimum is not None)
    tree, goal = data.draw(trees(question, prices(question))), data.draw(st.integers(0, 2 * optimum + 1))
    assert 0 <= prove_bound(question, tree, demand) <= optimum
    assert 0 <= prove_bound(question, tree, demand, goal=goal, on_whole_nodes=False) <= optimum


@SETTINGS
@given(st.data())
def test_every_decision_is_in_exactly_one_part(data: st.DataObject) -> None:
    """Given the nodes from each level on, one leaf admits them; contradictory ones admit nothing."""
    question = data.draw(counted_problems())
    tree = data.draw(trees(question, st.just(leaf())))
    assume(tree.split is not None)
    bought = data.draw(st.lists(st.sampled_from(question.catalog.instance_types), max_size=5))
    node_prices = [kind.offerings[0].price_microusd_per_hour for kind in bought]

    def admits(least: dict[int, int], most: dict[int, int]) -> bool:
        count = {level: sum(p >= level for p in node_prices) for level in {*least, *most}}
        return all(count[x] >= n for x, n in least.items()) and all(count[x] <= n for x, n in most.items())

    assert sum(admits(least, most) for _, least, most in proof._parts(tree, {}, {})) == 1
