"""The master problem, its duals, the bound they give, and column generation to the end."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.bounds import feasible_prices
from binwright_optimizer.certify import certificate
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.choose import choose, place_most
from binwright_optimizer.columns.enumerate import maximal_patterns
from binwright_optimizer.columns.master import Master, Solution
from binwright_optimizer.columns.pool import ColumnPool
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.columns.start import single_class_columns
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.stopping import Deadline, Halt
from builders import existing_node, instance_type, node_pool, pod, problem, requires
from exhaustive import cheapest_cost
from hypothesis import assume, given, settings
from solver_parts import candidate, columns, converged_generation
from tiny_problems import tiny_problems

GO_ON = np.zeros(1, dtype=np.uint8)
"""The flag of what may take its time."""


def cutting_stock() -> Instance:
    """Stock of 10 cpu for $1; two pods of 6 cpu and four of 4 cpu.

    Patterns: one large, one of each, two small. Two nodes of one of each and one of two small
    hold everything for $3; at prices of 1/2 per pod every pattern is worth at most $1, and the
    pods together 6/2 = 3, so that no fractional purchase is cheaper either.
    """
    pods = [pod("large", cpu=6, replicas=2), pod("small", cpu=4, replicas=4)]
    return build_instance(problem(pods, [instance_type("stock", cpu=10, price=1)]))


def solved_master(instance: Instance, *nodes: tuple[int, int, list[int]]) -> Solution:
    """Optimum of the master over columns given as (candidate, count, pattern); counts are ignored."""
    master = Master(Rows(instance), instance.demand, penalties(instance))
    candidates, _, patterns = columns(instance, *nodes)
    master.add(candidates, patterns)
    solution = master.solve(10.0)
    assert solution is not None
    return solution


def test_master_duals_of_the_cutting_stock_example() -> None:
    """Over the columns (1,1) and (0,2): x = 2 and 1, cost 3, and both pods are worth 1/2."""
    solution = solved_master(cutting_stock(), (0, 1, [1, 1]), (0, 1, [0, 2]))
    assert solution.objective == pytest.approx(3.0)
    assert solution.nodes.tolist() == pytest.approx([2.0, 1.0])
    assert solution.left_out.tolist() == pytest.approx([0.0, 0.0])
    assert solution.duals.pods.tolist() == pytest.approx([0.5, 0.5])


def test_pods_without_a_column_are_left_out_at_their_penalty() -> None:
    """Only large pods have a column: four small ones are left out at 20 times the dearest price."""
    solution = solved_master(cutting_stock(), (0, 1, [1, 0]))
    assert solution.left_out.tolist() == pytest.approx([0.0, 4.0])
    assert solution.objective == pytest.approx(2 + 4 * 20)
    assert solution.duals.pods.tolist() == pytest.approx([1.0, 20.0])


def test_a_higher_priority_multiplies_the_penalty_by_ten() -> None:
    pods = [pod(f"p{n}", cpu=1, priority=n) for n in range(6)]
    instance = build_instance(problem(pods, [instance_type("node", cpu=8, price=2)]))
    assert instance.priority.tolist() == [5, 4, 3, 2, 1, 0]
    assert penalties(instance).tolist() == pytest.approx([40_000, 40_000, 40_000, 4_000, 400, 40])


def test_a_binding_limit_has_a_price() -> None:
    """Six pods of 5 cpu, two per node: three nodes, of which the cheap pool ($1) sells only two.

    The third comes from the dear pool ($3): 5 in all. A pod is worth 3/2, and a cheap node's place
    2 x 3/2 - 1 = 2: 6 x 3/2 - 2 x 2 = 5.
    """
    kinds = [instance_type("cheap", cpu=10, price=1), instance_type("dear", cpu=10, price=3)]
    key = "node.kubernetes.io/instance-type"
    pools = [
        node_pool("few", requires(key, "In", "cheap"), max_nodes=2),
        node_pool("many", requires(key, "In", "dear")),
    ]
    instance = build_instance(problem([pod(cpu=5, replicas=6)], kinds, pools))
    cheap, dear = candidate(instance, "cheap"), candidate(instance, "dear")
    solution = solved_master(instance, (cheap, 1, [2]), (dear, 1, [2]))
    assert solution.objective == pytest.approx(5.0)
    assert solution.duals.pods.tolist() == pytest.approx([1.5])
    assert solution.duals.limits.tolist() == pytest.approx([2.0])
    costs = Rows(instance).costs(solution.duals)
    assert costs[[cheap, dear]].tolist() == pytest.approx([3.0, 3.0])
    assert converged_generation(instance).bound.dollars == pytest.approx(5.0, rel=1e-6)


def test_a_binding_minimum_has_a_price() -> None:
    """Two pods fit one node, the pool must have three at $1: the third node is worth its price."""
    instance = build_instance(
        problem(
            [pod(cpu=5, replicas=2)],
            [instance_type("node", cpu=10, price=1)],
            [node_pool("p", min_nodes=3)],
        )
    )
    solution = solved_master(instance, (0, 1, [2]), (0, 1, [0]))
    assert solution.objective == pytest.approx(3.0)
    assert solution.duals.minimums.tolist() == pytest.approx([1.0])
    assert solution.duals.pods.tolist() == pytest.approx([0.0])
    assert converged_generation(instance).bound.dollars == pytest.approx(3.0, rel=1e-6)


def test_existing_nodes_are_used_up_to_their_number() -> None:
    """Two free nodes take one pod each; of the third pod half a node of $1: 0.5."""
    nodes = [existing_node("n1", cpu=5), existing_node("n2", cpu=5)]
    kinds = [instance_type("node", cpu=10, price=1)]
    instance = build_instance(problem([pod(cpu=5, replicas=3)], kinds, existing=nodes))
    free = int(np.flatnonzero(instance.row_of < 0)[0])
    solution = solved_master(instance, (candidate(instance, "node"), 1, [2]), (free, 1, [1]))
    assert solution.objective == pytest.approx(0.5)
    assert solution.duals.pods.tolist() == pytest.approx([0.5])
    assert solution.duals.supply.tolist() == pytest.approx([0.5])
    assert converged_generation(instance).bound.dollars == pytest.approx(0.5, rel=1e-6)


def test_the_master_solves_again_with_other_right_hand_sides() -> None:
    instance = cutting_stock()
    master = Master(Rows(instance), instance.demand, penalties(instance))
    candidates, _, patterns = columns(instance, (0, 1, [1, 1]), (0, 1, [0, 2]))
    master.add(candidates, patterns)
    none = np.zeros(0)
    master.set_demand(np.array([0, 3]), none, none, none)
    solution = master.solve(10.0)
    assert solution is not None
    assert solution.objective == pytest.approx(1.5)


def test_farley_divides_prices_by_how_far_a_pattern_exceeds_its_price() -> None:
    """Prices of 1 and 1/2, as from columns of single classes: a node with one of each is worth 3/2.

    Divided by 3/2 they are 2/3 and 1/3, and bound the cost by 2 x 2/3 + 4 x 1/3 = 8/3.
    """
    instance = cutting_stock()
    prices = feasible_prices(
        instance, np.array([1.0, 0.5]), np.array([1.0]), np.array([1.5]), np.array([False])
    )
    assert prices.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert instance.demand @ prices == pytest.approx(8 / 3)


def test_prices_that_no_pattern_exceeds_are_kept() -> None:
    instance = cutting_stock()
    pods = np.array([0.5, 0.5])
    prices = feasible_prices(instance, pods, np.array([1.0]), np.array([1.0]), np.array([False]))
    assert prices.tolist() == [0.5, 0.5]
    assert prices is not pods


def test_each_class_is_divided_only_by_candidates_that_hold_it() -> None:
    """The pods bound to ``b`` do not suffer from patterns on ``a`` that are worth twice their price."""
    kinds = [
        instance_type("a", cpu=10, price=1, extra_labels={"kind": "a"}),
        instance_type("b", cpu=10, price=1, extra_labels={"kind": "b"}),
    ]
    pods = [pod("a", cpu=6, selector={"kind": "a"}), pod("b", cpu=5, selector={"kind": "b"})]
    instance = build_instance(problem(pods, kinds))
    a, b = candidate(instance, "a"), candidate(instance, "b")
    worth = np.empty(2)
    worth[[a, b]] = [2.0, 0.8]
    prices = feasible_prices(instance, np.array([0.8, 0.4]), np.ones(2), worth, np.zeros(2, dtype=bool))
    assert prices.tolist() == pytest.approx([0.4, 0.4])
    spared = np.zeros(2, dtype=bool)
    spared[a] = True  # its excess is paid for by its supply
    assert feasible_prices(instance, np.array([0.8, 0.4]), np.ones(2), worth, spared).tolist() == [0.8, 0.4]


def test_what_a_free_candidate_without_limit_holds_is_worth_nothing() -> None:
    instance = cutting_stock()
    prices = feasible_prices(
        instance, np.array([1.0, 0.5]), np.array([0.0]), np.array([1.5]), np.array([False])
    )
    assert prices.tolist() == [0.0, 0.0]


def test_column_generation_reaches_the_optimum_of_the_relaxation() -> None:
    """Three pods of 6 cpu and five of 4 on nodes of 10 cpu for $1.

    Three nodes of one of each leave two small pods for a fourth: LP and optimum are 4. With
    six small ones half a node more is needed: 4.5.
    """
    for small, expected in ((5, 4.0), (6, 4.5)):
        pods = [pod("large", cpu=6, replicas=3), pod("small", cpu=4, replicas=small)]
        generation = converged_generation(
            build_instance(problem(pods, [instance_type("node", cpu=10, price=1)]))
        )
        assert generation.solution is not None
        assert generation.solution.objective == pytest.approx(expected, rel=1e-6)
        assert generation.bound.dollars == pytest.approx(expected, rel=1e-6)


def test_starting_columns_fill_the_two_best_candidates_with_each_class() -> None:
    """Pods of 3 cpu: 3 on the node of 10 ($1, 0.33 each), 2 on that of 6 ($0.8), 1 on that of 4 ($0.7)."""
    kinds = [
        instance_type("ten", cpu=10, price=1),
        instance_type("six", cpu=6, price=0.8),
        instance_type("four", cpu=4, price=0.7),
    ]
    instance = build_instance(problem([pod(cpu=3, replicas=9)], kinds))
    candidates, patterns = single_class_columns(instance)
    assert candidates.tolist() == [candidate(instance, "ten"), candidate(instance, "six")]
    assert patterns.tolist() == [[3], [2]]


def test_starting_columns_have_empty_nodes_for_minimums_by_price_and_by_use_of_limits() -> None:
    kinds = [instance_type("cheap", cpu=8, price=1), instance_type("dear", cpu=4, price=2)]
    pools = [node_pool("p", min_nodes=2, limits={"cpu": 10_000})]
    instance = build_instance(problem([pod(cpu=1)], kinds, pools))
    candidates, patterns = single_class_columns(instance)
    empty = candidates[~patterns.any(axis=1)].tolist()
    assert empty == [candidate(instance, "cheap"), candidate(instance, "dear")]


def test_a_column_is_remembered_once_per_candidate() -> None:
    instance = cutting_stock()
    pool = ColumnPool(instance)
    candidates, _, patterns = columns(instance, (0, 1, [1, 1]), (0, 1, [1, 1]), (0, 1, [0, 2]))
    fresh, _ = pool.add(candidates, patterns)
    assert len(fresh) == 2
    assert len(pool) == 2
    assert pool.add(candidates, patterns)[0].tolist() == []
    assert pool.arrays()[1].tolist() == [[1, 1], [0, 2]]


def test_every_maximal_pattern_is_enumerated() -> None:
    """On 10 cpu: (1,1) and (0,2); (1,0) and (0,1) leave room for a small pod."""
    found = maximal_patterns(cutting_stock(), GO_ON)
    assert found is not None
    assert sorted(found[1].tolist()) == [[0, 2], [1, 1]]


def test_enumeration_is_given_up_when_time_is_up() -> None:
    assert maximal_patterns(cutting_stock(), np.ones(1, dtype=np.uint8)) is None


def test_enumeration_gives_up_where_patterns_are_many() -> None:
    pods = [pod(f"p{n}", cpu=1 + n / 7, replicas=9) for n in range(8)]
    instance = build_instance(problem(pods, [instance_type("node", cpu=64, price=1)]))
    assert maximal_patterns(instance, GO_ON) is None


def test_the_best_whole_choice_among_columns_is_found() -> None:
    instance = cutting_stock()
    every = maximal_patterns(instance, GO_ON)
    assert every is not None
    nothing = Bound(0.0, Rows(instance).zero_duals())
    halt = Halt(Deadline(60.0))
    try:
        chosen = choose(Rows(instance), every, nothing, 3.5, 5.0, halt)
        assert chosen is not None
        candidates, counts, patterns = chosen.columns
        assert instance.price[candidates] @ counts == 3_000_000
        assert (counts @ patterns >= instance.demand).all()
        assert choose(Rows(instance), every, nothing, 3.0, 5.0, halt) is None  # none is below 3
    finally:
        halt.close()


def test_the_fewest_pods_of_the_highest_priority_stay_out() -> None:
    """Two nodes of 10 cpu for one urgent pod of 6 cpu and four others of 4 cpu: one other stays out."""
    pods = [pod("urgent", cpu=6, priority=5), pod("other", cpu=4, replicas=4)]
    pools = [node_pool("p", max_nodes=2)]
    instance = build_instance(problem(pods, [instance_type("node", cpu=10, price=1)], pools))
    every = maximal_patterns(instance, GO_ON)
    assert every is not None
    halt = Halt(Deadline(60.0))
    try:
        chosen = place_most(Rows(instance), every, 5.0, halt)
    finally:
        halt.close()
    assert chosen is not None
    _, counts, patterns = chosen.columns
    assert (counts @ patterns).tolist() == [1, 3]
    assert counts.sum() == 2


def test_the_certificate_rounds_prices_of_pods_down_and_of_limits_up() -> None:
    """Scaled by 2**20 per micro-dollar; a workload that fits nowhere has price 0."""
    pods = [pod("fits", cpu=5, replicas=6), pod("never", cpu=99)]
    pools = [node_pool("p", max_nodes=2)]
    instance = build_instance(problem(pods, [instance_type("node", cpu=10, price=1)], pools))
    duals = Rows(instance).zero_duals()
    duals.pods[:] = 1.5e-6 + 1e-13
    duals.limits[:] = 2e-6 + 1e-13
    proof = certificate(instance, Bound(0.0, duals))
    assert proof.scale_bits == 20
    assert proof.pod_prices == (3 * 2**19, 0)
    assert proof.limit_prices == (("p", "nodes", 2 * 2**20 + 1),)


@given(tiny_problems())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_bound_of_column_generation_is_the_relaxation_and_below_the_optimum(tiny) -> None:
    optimum = cheapest_cost(tiny, [w.replicas for w in tiny.workloads])
    assume(optimum is not None)
    instance = build_instance(tiny)
    assume(instance.n_classes)
    generation = converged_generation(instance)
    assert generation.solution is not None
    assert generation.bound.dollars <= optimum * 1e-6 * (1 + 1e-9) + 1e-9
    assert generation.bound.dollars == pytest.approx(generation.solution.objective, rel=1e-6, abs=1e-6)
