"""The bound keeps pods apart that share no node; `test_bounds_under_rules` draws whole problems."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from binwright_optimizer.model import (
    Gang,
    GangTopology,
    HostPort,
    LabelSelector,
    NodeCap,
    Operator,
    PodAffinity,
    Problem,
    Requirement,
)
from binwright_optimizer.model.labels import HOSTNAME, ZONE
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import node_conflicts as module
from binwright_optimizer.verify.conflict_branches import branch_apart
from binwright_optimizer.verify.conflict_search import best_apart
from binwright_optimizer.verify.knapsack import bound_apart
from binwright_optimizer.verify.node_conflicts import node_conflicts
from builders import instance_type, problem
from hypothesis import given, settings
from hypothesis import strategies as st
from knapsack_optima import assert_bounds, best_value
from rules import apps, away, ruled, term

DOLLAR = 1_000_000
BOX = instance_type("box", cpu=4, price=1)


def pairs(question: Problem) -> set[tuple[str, str]]:
    """Workloads in conflict, by name."""
    found = node_conflicts(question)
    names = [workload.name for workload in question.workloads]
    return {
        (names[v], names[w])
        for v, w in combinations(range(len(names)), 2)
        if found.are_apart[found.group_of[v], found.group_of[w]]
    }


def test_one_side_of_an_anti_affinity_is_enough() -> None:
    question = problem(
        [ruled("web"), ruled("guard", pod_anti_affinity=away(HOSTNAME, "web")), ruled("third", app="third")],
        [BOX],
    )
    assert pairs(question) == {("web", "guard")}


def test_ports_and_caps_of_none_keep_pods_apart_too() -> None:
    """A cap of one leaves room for one; an address clashes with every address."""
    question = problem(
        [
            ruled("web", host_ports=(HostPort(80),)),
            ruled("shop", host_ports=(HostPort(80, host_ip="10.0.0.1"),)),
            ruled("db", node_caps=(NodeCap(apps("batch"), 0), NodeCap(apps("web"), 1))),
            ruled("batch"),
        ],
        [BOX],
    )
    assert pairs(question) == {("web", "shop"), ("db", "batch")}


@pytest.mark.parametrize(("key", "are_apart"), [(HOSTNAME, True), (ZONE, True), ("rack", False)])
def test_a_domain_that_some_nodes_are_in_none_of_keeps_nobody_apart(key: str, are_apart: bool) -> None:
    guard = ruled("guard", pod_anti_affinity=PodAffinity((term(key, apps("web")),)))
    assert (pairs(problem([ruled("web"), guard], [BOX])) == {("web", "guard")}) is are_apart


def test_workloads_in_conflict_with_the_same_others_are_one_group() -> None:
    question = problem(
        [
            ruled("web", app="x"),
            ruled("api", app="x", more_labels={"tier": "1"}),
            ruled("guard", pod_anti_affinity=away(HOSTNAME, "x")),
        ],
        [BOX],
    )
    assert node_conflicts(question).group_of.tolist() == [1, 1, 2]


def test_too_many_kinds_in_conflict_are_not_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KINDS", 1)
    question = problem([ruled("web"), ruled("guard", pod_anti_affinity=away(HOSTNAME, "web"))], [BOX])
    assert pairs(question) == set()


def test_small_pods_beside_large_ones_that_they_avoid() -> None:
    """Boxes of 4 CPUs. Thirty pods of 3 take thirty; thirty of 1 that avoid them eight more."""
    pods = [ruled("large", 30, cpu=3), ruled("small", 30, pod_anti_affinity=away(HOSTNAME, "large"))]
    decision = solve(problem(pods, [BOX]))
    assert decision.cost_microusd_per_hour == 38 * DOLLAR
    assert decision.bound_microusd_per_hour == 38 * DOLLAR


@pytest.mark.parametrize("rule", ["anti-affinity", "cap of none"])
@pytest.mark.parametrize("operator", [Operator.NOT_IN, Operator.DOES_NOT_EXIST])
@pytest.mark.parametrize("tie", ["gang", "affinity"])
def test_pods_tied_to_one_node_keep_their_labels(rule: str, operator: Operator, tie: str) -> None:
    """Two pods of one node, and a guard that avoids all but such as these: one box holds the three."""
    values = ("x", "guard") if operator is Operator.NOT_IN else ()
    others = LabelSelector((Requirement("app", operator, values),))
    states: dict[str, object] = {"node_caps": (NodeCap(others, 0),)}
    if rule == "anti-affinity":
        states = {"pod_anti_affinity": PodAffinity((term(HOSTNAME, others),))}
    together = PodAffinity((term(HOSTNAME, apps("x")),)) if tie == "affinity" else PodAffinity()
    pair = ruled("pair", 2, app="x", gang="ring" if tie == "gang" else "", pod_affinity=together)
    question = problem([pair, ruled("guard", **states)], [BOX])
    if tie == "gang":
        question = replace(question, gangs=(Gang("ring", "default", topology=(GangTopology(HOSTNAME),)),))
    decision = solve(question)
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == DOLLAR


def test_whoever_keeps_off_one_of_them_keeps_off_both() -> None:
    pair = ruled("pair", 2, pod_affinity=PodAffinity((term(HOSTNAME, apps("pair")),)))
    decision = solve(problem([pair, ruled("guard", pod_anti_affinity=away(HOSTNAME, "pair"))], [BOX]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == 2 * DOLLAR


def test_a_cap_that_several_state_holds_where_somebody_avoids_one_of_them() -> None:
    """Eighty and eighty pods, two to a box: 80 boxes, whether or not a third workload avoids the second."""
    cap = (NodeCap(apps("x"), 2),)
    pods = [ruled(n, 80, cpu=0.1, app="x", more_labels={"n": n}, node_caps=cap) for n in ("a", "b")]
    selector = LabelSelector.of_labels({"n": "b"})
    third = ruled("third", cpu=0.1, pod_anti_affinity=PodAffinity((term(HOSTNAME, selector),)))
    decision = solve(problem([*pods, third], [BOX]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == 80 * DOLLAR


# --- the knapsack of one node ---------------------------------------------------------------------


def bound(prices, demand, requests, room, conflicts, threshold=0, node_limit=10**6) -> tuple[int, bool]:
    apart = np.zeros((len(prices), len(prices)), dtype=bool)
    for a, b in conflicts:
        apart[a, b] = apart[b, a] = True
    value, is_final, _ = bound_apart(
        np.array(prices, dtype=np.int64),
        np.array(demand, dtype=np.int64),
        np.array(requests, dtype=np.int64).reshape(len(prices), len(room)),
        np.ones(len(prices), dtype=bool),
        np.array(room, dtype=np.int64),
        apart,
        threshold,
        int(np.dot(prices, demand)),
        node_limit,
    )
    return value, is_final


def test_the_better_of_two_in_conflict_is_taken() -> None:
    """Room 10 for 4 (worth 5) or 3 (worth 4): two of the first are 10, three of the second 12; not 13."""
    assert bound([5, 4], [9, 9], [[4], [3]], [10], [(0, 1)]) == (12, True)
    assert bound([5, 4], [9, 9], [[4], [3]], [10], []) == (13, True)


def test_where_everything_fits_conflicts_alone_decide() -> None:
    """A path a - b - c - d worth 3, 4, 3, 3: a and c, or a and d, or b and d, which is 7."""
    assert bound([3, 4, 3, 3], [1] * 4, [[1]] * 4, [9], [(0, 1), (1, 2), (2, 3)]) == (7, True)


def test_a_pod_worth_far_more_than_its_node_does_not_overflow() -> None:
    """What remains to be found beside it is negative; shifted by 24 bits it would be positive."""
    assert bound([2**41], [1], [[1]], [1], [], threshold=2**40 + 1000) == (2**41, True)


def test_a_search_that_may_not_begin_tells_a_bound() -> None:
    """Two pairs in conflict, of which the best are worth 4 and 3; all four are worth 13."""
    value, is_final = bound([3, 4, 3, 3], [1] * 4, [[1]] * 4, [9], [(0, 1), (2, 3)], node_limit=0)
    assert not is_final
    assert 7 <= value <= 13


@pytest.mark.parametrize("limit", [1_000, 100_000])
def test_a_search_cut_short_takes_little_longer_than_it_may(limit: int) -> None:
    """Two hundred classes of up to fifty pods each: 10,000 pairs of a class and a count to begin with."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(50, 100, (200, 2))
    prices = (sizes.sum(axis=1) * 100 + rng.integers(0, 50, 200)).astype(np.int64)
    apart = np.zeros((200, 200), dtype=bool)
    apart[0, 1] = apart[1, 0] = True
    items = prices, np.full(200, 50), sizes, sizes / 5_000.0, np.array([5_000, 5_000]), apart
    best, is_final, nodes = best_apart(*items, 900_000, limit)
    other, _, more = branch_apart(*items, 900_000, best, limit)
    assert not is_final
    assert best >= other >= 900_000
    assert max(nodes, more) <= limit + 20_000


@st.composite
def knapsacks(draw):
    n, n_resources = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    size = st.lists(st.integers(0, 9), min_size=n_resources, max_size=n_resources)
    conflicts = draw(st.sets(st.sampled_from(list(combinations(range(n), 2)) or [(0, 0)])))
    return (
        draw(st.lists(st.integers(0, 30), min_size=n, max_size=n)),
        draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)),
        draw(st.lists(size, min_size=n, max_size=n)),
        draw(st.lists(st.integers(0, 20), min_size=n_resources, max_size=n_resources)),
        {(a, b) for a, b in conflicts if a != b},
    )


@settings(max_examples=600, deadline=None)
@given(knapsacks(), st.integers(0, 60), st.sampled_from([0, 5, 30, 10**6]), st.sampled_from([0, 20, 45]))
def test_the_bound_is_never_below_the_best_pattern_and_exact_when_final(case, threshold, node_limit, bits):
    prices, demand, requests, room, conflicts = case
    scale = 1 << bits
    expected = best_value(*case) * scale
    value, is_final = bound(
        [p * scale for p in prices], demand, requests, room, conflicts, threshold * scale, node_limit
    )
    assert_bounds(value, expected, threshold * scale, is_final=is_final)


@settings(max_examples=60, deadline=None)
@given(knapsacks())
def test_a_search_of_enough_steps_ends(case) -> None:
    assert bound(*case) == (best_value(*case), True)


@settings(max_examples=300, deadline=None)
@given(
    knapsacks(), st.integers(0, 60), st.sampled_from([0, 40, 10**6]), st.sampled_from(["search", "branches"])
)
def test_either_way_by_itself_bounds_the_best_pattern(case, threshold, node_limit, way) -> None:
    """Items as `knapsack` makes them: each fits, alone and as often as it may be there."""
    prices, demand, requests, room, conflicts = case
    sizes = np.array(requests, dtype=np.int64) + 1
    space = np.array(room, dtype=np.int64) + 1
    most = np.minimum(np.array(demand, dtype=np.int64), (space // sizes).min(axis=1))
    some = np.flatnonzero((most > 0) & (np.array(prices) > 0))
    apart = np.zeros((len(prices), len(prices)), dtype=bool)
    for a, b in conflicts:
        apart[a, b] = apart[b, a] = True
    expected = best_value(prices, most, sizes, space, conflicts)
    items = (
        np.array(prices, dtype=np.int64)[some],
        most[some],
        sizes[some],
        sizes[some] / space,
        space,
        np.ascontiguousarray(apart[some][:, some]),
        threshold,
    )
    if way == "search":
        value, is_final, _ = best_apart(*items, node_limit)
    else:
        value, is_final, _ = branch_apart(*items, int(most @ prices), node_limit)
    assert value >= expected or (is_final and expected <= threshold)
    assert value == max(expected, threshold) or not is_final
