"""Packings in canonical form, and which of two is better."""

from __future__ import annotations

import pytest
from binwright_optimizer.incumbent import Incumbent, Progress
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.stopping import Deadline
from builders import existing_node, instance_type, node_pool, pod, problem
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_parts import packing_of

NODE = instance_type("node", cpu=10, price=1)


def two_classes(large: int = 2, small: int = 4, **pool) -> Instance:
    """Class 0 has pods of 6 cpu, class 1 of 4 cpu; one node of 10 cpu for $1."""
    pods = [pod("large", cpu=6, replicas=large), pod("small", cpu=4, replicas=small)]
    return build_instance(problem(pods, [NODE], [node_pool("p", **pool)]))


def contents(packing) -> list[tuple[int, list[int]]]:
    """(nodes, pattern) of each column, sorted."""
    return sorted((int(n), p.tolist()) for n, p in zip(packing.counts, packing.patterns, strict=True))


def test_cost_and_pods_left_out_are_counted_exactly() -> None:
    packing = packing_of(two_classes(), (0, 1, [1, 1]), (0, 1, [0, 2]))
    assert packing.cost == 2_000_000
    assert packing.left_out.tolist() == [1, 1]
    assert (packing.nodes, packing.short) == (2, 0)


def test_columns_of_no_nodes_are_dropped() -> None:
    packing = packing_of(two_classes(), (0, 0, [1, 1]), (0, 1, [0, 2]))
    assert contents(packing) == [(1, [0, 2])]


def test_pods_beyond_the_demand_are_taken_off_nodes() -> None:
    """Three nodes of two for five small pods: one node has a single pod."""
    packing = packing_of(two_classes(large=0, small=5), (0, 3, [2]))
    assert contents(packing) == [(1, [1]), (2, [2])]
    assert packing.left_out.tolist() == [0]
    assert packing.cost == 3_000_000


def test_surplus_spread_over_columns_is_taken_off_once() -> None:
    """One large pod too many and one small pod too many."""
    packing = packing_of(two_classes(large=1, small=3), (0, 2, [1, 1]), (0, 1, [0, 2]))
    assert packing.left_out.tolist() == [0, 0]
    assert (packing.counts @ packing.patterns).tolist() == [1, 3]


def test_a_node_that_loses_all_its_pods_is_not_bought() -> None:
    """Four nodes of two for three pods: two nodes stay empty and go."""
    packing = packing_of(two_classes(large=0, small=3), (0, 4, [2]))
    assert contents(packing) == [(1, [1]), (1, [2])]
    assert packing.cost == 2_000_000


def test_empty_nodes_stay_only_as_far_as_a_minimum_needs_them() -> None:
    """Minimum 3: one node holds pods, two of five empty ones stay."""
    packing = packing_of(two_classes(large=0, small=2, min_nodes=3), (0, 1, [2]), (0, 5, [0]))
    assert contents(packing) == [(1, [2]), (2, [0])]
    assert (packing.cost, packing.short) == (3_000_000, 0)


def test_the_dearest_empty_nodes_go_first() -> None:
    """Two empty nodes are needed: of the cheap kind there is one, and one of the dear kind stays."""
    kinds = [
        instance_type("cheap", cpu=10, price=1, available=1),
        instance_type("dear", cpu=10, price=2),
    ]
    instance = build_instance(problem([pod(cpu=4)], kinds, [node_pool("p", min_nodes=2)]))
    cheap, dear = (int(j) for j in instance.price.argsort())
    packing = packing_of(instance, (dear, 3, [0]), (cheap, 1, [0]))
    assert packing.cost == 3_000_000


def test_unmet_minimums_are_counted() -> None:
    assert packing_of(two_classes(min_nodes=3), (0, 1, [1, 1])).short == 2


def test_existing_nodes_cost_nothing_and_do_not_count_for_minimums_again() -> None:
    old = existing_node("old", cpu=4, pool="p")
    instance = build_instance(problem([pod(cpu=4)], [NODE], [node_pool("p", min_nodes=2)], existing=[old]))
    free = int(instance.price.argmin())
    packing = packing_of(instance, (free, 1, [1]))
    assert (packing.cost, packing.short, packing.left_out.tolist()) == (0, 1, [0])


def test_rank_puts_minimums_before_pods_before_cost() -> None:
    instance = two_classes(min_nodes=2)
    short = packing_of(instance, (0, 1, [0, 2]))
    few = packing_of(instance, (0, 2, [0, 2]))
    dear = packing_of(instance, (0, 2, [1, 1]), (0, 2, [0, 1]))
    best = packing_of(instance, (0, 2, [1, 1]), (0, 1, [0, 2]))
    ranks = [p.rank(instance) for p in (best, dear, few, short)]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 4


def test_rank_puts_one_urgent_pod_before_many_others() -> None:
    pods = [pod("urgent", cpu=6, priority=9), pod("plain", cpu=4, replicas=40)]
    instance = build_instance(problem(pods, [NODE]))
    with_urgent = packing_of(instance, (0, 1, [1, 0]))
    without = packing_of(instance, (0, 20, [0, 2]))
    assert with_urgent.rank(instance) < without.rank(instance)
    assert with_urgent.rank(instance) == (0, (0, 40), 1_000_000)
    assert without.rank(instance) == (0, (1, 0), 20_000_000)


@given(
    st.integers(0, 5),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([(0, 0), (1, 0), (1, 1), (0, 2)])), max_size=5),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_packing_places_more_pods_than_there_are(large: int, small: int, nodes) -> None:
    """Whatever columns come in: surplus goes, nothing else is lost, and no node is empty."""
    instance = two_classes(large=large, small=small)
    first = instance.n_classes - 1  # without large pods, class 0 is the small ones
    given_columns = [(0, n, list(p) if first else [p[1]]) for n, p in nodes]
    packing = packing_of(instance, *given_columns)
    offered = sum((n * p[-1] for _, n, p in given_columns), 0)
    assert (packing.left_out >= 0).all()
    assert packing.left_out[-1] == max(0, small - offered)
    assert packing.patterns.any(axis=1).all()
    assert packing.cost == 1_000_000 * packing.nodes
    assert packing.nodes <= sum(n for _, n, _ in given_columns)


def recorded_incumbent(instance: Instance, step: int = 1) -> tuple[Incumbent, list[Progress]]:
    steps: list[Progress] = []
    return Incumbent(instance, Deadline(60.0, clock=lambda: 0.0), step, steps.append), steps


def test_only_better_packings_and_higher_bounds_are_kept_and_reported() -> None:
    instance = two_classes(large=0, small=4)
    incumbent, steps = recorded_incumbent(instance)
    dear, cheap = packing_of(instance, (0, 4, [1])), packing_of(instance, (0, 2, [2]))
    assert incumbent.gap == 1.0
    assert incumbent.offer(dear, "greedy")
    incumbent.raise_bound(1.0, "columns")
    incumbent.raise_bound(0.5, "columns")
    assert incumbent.offer(cheap, "dive")
    assert not incumbent.offer(dear, "dive")
    assert not incumbent.offer(cheap, "dive")
    seen = [(s.phase, s.cost_microusd_per_hour, s.bound_microusd_per_hour, s.nodes) for s in steps]
    assert seen == [
        ("greedy", 4_000_000, 0, 4),
        ("columns", 4_000_000, 1_000_000, 4),
        ("dive", 2_000_000, 1_000_000, 2),
    ]
    assert incumbent.gap == pytest.approx(0.5)


def test_a_bound_is_rounded_up_to_what_prices_can_add_up_to() -> None:
    """Every price is a multiple of 0.25 $: a bound of 1.01 proves 1.25, one of 1 + 1e-12 proves 1."""
    incumbent, _ = recorded_incumbent(two_classes(), step=250_000)
    incumbent.raise_bound(1.0 + 1e-12, "columns")
    assert incumbent.bound == 1_000_000
    incumbent.raise_bound(1.01, "columns")
    assert incumbent.bound == 1_250_000


def test_the_gap_is_open_while_pods_are_left_out_or_minimums_unmet() -> None:
    instance = two_classes(large=0, small=2, min_nodes=2)
    incumbent, _ = recorded_incumbent(instance)
    incumbent.raise_bound(5.0, "columns")
    incumbent.offer(packing_of(instance, (0, 1, [2])), "greedy")  # one node short
    assert incumbent.gap == 1.0
    incumbent.offer(packing_of(instance, (0, 1, [2]), (0, 1, [0])), "greedy")
    assert incumbent.gap == 0.0
