"""The master with price levels, without columns that were pruned, and with exchanges."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.exchange import Exchanges, exchanges
from binwright_optimizer.columns.master import Master, Solution
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.instance import Instance, build_instance
from builders import instance_type, microusd, pod, problem
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from solver_parts import candidate, columns, converged_generation
from tiny_problems import tiny_problems

DOLLAR = microusd(1)
INF = np.inf


def tens_and_fives() -> Instance:
    """Three pods of 5 cpu; a ten for 1.00 holds two, a five for 0.61 one."""
    kinds = [instance_type("ten", cpu=10, price=1.00), instance_type("five", cpu=5, price=0.61)]
    return build_instance(problem([pod(cpu=5, replicas=3)], kinds))


def stock() -> Instance:
    """Nodes of 10 cpu for 1.00; two pods of 6 cpu and two of 4 cpu."""
    pods = [pod("large", cpu=6, replicas=2), pod("small", cpu=4, replicas=2)]
    return build_instance(problem(pods, [instance_type("stock", cpu=10, price=1.00)]))


def master_over(
    instance: Instance, *nodes: tuple[int, list[int]], swaps: Exchanges | None = None
) -> tuple[Master, Rows]:
    rows = Rows(instance)
    master = Master(rows, instance.demand, penalties(instance), swaps)
    add(master, instance, *nodes)
    return master, rows


def add(master: Master, instance: Instance, *nodes: tuple[int, list[int]]) -> None:
    candidates, _, patterns = columns(instance, *((j, 1, pattern) for j, pattern in nodes))
    master.add(candidates, patterns)


def counted_master() -> tuple[Master, Rows, int, int]:
    """The master of tens and fives that counts the nodes from 1.00 on, with both candidates."""
    instance = tens_and_fives()
    ten, five = candidate(instance, "ten"), candidate(instance, "five")
    master, rows = master_over(instance, (ten, [2]), (five, [1]))
    rows.add_level(DOLLAR)
    master.add_level()
    return master, rows, ten, five


def limited(master: Master, rows: Rows, least: float, most: float) -> Solution:
    rows.least[:], rows.most[:] = least, most
    master.set_levels(rows.least, rows.most)
    solution = master.solve(10.0)
    assert solution is not None
    return solution


def test_a_level_without_bounds_changes_nothing() -> None:
    """One and a half tens: a pod is worth half of one."""
    master, rows, _, _ = counted_master()
    solution = limited(master, rows, 0.0, INF)
    assert solution.objective == pytest.approx(1.50)
    assert solution.nodes.tolist() == pytest.approx([1.5, 0.0])
    assert solution.duals.pods.tolist() == pytest.approx([0.50])
    assert solution.duals.levels.tolist() == pytest.approx([0.0])


def test_an_upper_bound_on_a_level_has_a_negative_price() -> None:
    """One ten at most: the third pod needs a five. Ten costs 1.22 so, what two pods of 0.61 are worth."""
    master, rows, ten, five = counted_master()
    solution = limited(master, rows, 0.0, 1.0)
    assert solution.objective == pytest.approx(1.61)
    assert solution.nodes.tolist() == pytest.approx([1.0, 1.0])
    assert solution.duals.pods.tolist() == pytest.approx([0.61])
    assert solution.duals.levels.tolist() == pytest.approx([-0.22])
    assert rows.costs(solution.duals)[[ten, five]].tolist() == pytest.approx([1.22, 0.61])
    assert rows.constant(solution.duals) == pytest.approx(-0.22)


def test_a_lower_bound_on_a_level_has_a_positive_price() -> None:
    """Two tens at least hold all pods, whose price is nothing; each ten is paid for by the bound."""
    master, rows, ten, _ = counted_master()
    solution = limited(master, rows, 2.0, INF)
    assert solution.objective == pytest.approx(2.00)
    assert solution.duals.pods.tolist() == pytest.approx([0.0])
    assert solution.duals.levels.tolist() == pytest.approx([1.00])
    assert rows.costs(solution.duals)[ten] == pytest.approx(0.0)
    assert rows.constant(solution.duals) == pytest.approx(2.00)


def test_bounds_that_contradict_the_columns_leave_no_solution() -> None:
    """Two nodes from 1.00 on are asked for, and only fives are known."""
    instance = tens_and_fives()
    master, rows = master_over(instance, (candidate(instance, "five"), [1]))
    rows.add_level(DOLLAR)
    master.add_level()
    master.set_levels(np.array([2.0]), np.array([INF]))
    assert master.solve(10.0) is None
    assert master.is_infeasible
    add(master, instance, (candidate(instance, "ten"), [0]))
    solution = master.solve(10.0)
    assert solution is not None
    assert solution.objective == pytest.approx(3 * 0.61 + 2.00)


def test_columns_added_after_a_level_count_in_it() -> None:
    instance = tens_and_fives()
    ten, five = candidate(instance, "ten"), candidate(instance, "five")
    rows = Rows(instance)
    master = Master(rows, instance.demand, penalties(instance))
    rows.add_level(DOLLAR)
    master.add_level()
    add(master, instance, (ten, [2]), (five, [1]))
    assert limited(master, rows, 0.0, 1.0).objective == pytest.approx(1.61)


def test_a_level_from_the_cheapest_price_on_counts_every_node() -> None:
    """Two nodes at most hold the pods only as a ten and a five or as two tens."""
    instance = tens_and_fives()
    ten, five = candidate(instance, "ten"), candidate(instance, "five")
    master, rows = master_over(instance, (ten, [2]), (five, [1]))
    rows.add_level(microusd(0.61))
    master.add_level()
    assert limited(master, rows, 0.0, 2.0).objective == pytest.approx(1.50)
    assert limited(master, rows, 2.0, INF).objective == pytest.approx(1.61)


def test_blended_duals_fill_up_levels_that_one_side_lacks() -> None:
    master, rows, _, _ = counted_master()
    priced = limited(master, rows, 0.0, 1.0).duals
    assert priced.blended(rows.zero_duals(), 0.5).levels.tolist() == pytest.approx([-0.11])
    assert rows.zero_duals().blended(priced, 0.5).levels.tolist() == pytest.approx([-0.11])


@given(tiny_problems(), st.data())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_duals_with_levels_are_worth_the_objective_and_price_out_every_column(tiny, data) -> None:
    """Strong duality, with the signs by which `Rows` reads the duals."""
    instance = build_instance(tiny)
    assume(instance.n_classes)
    generation = converged_generation(instance)
    levels = sorted({int(p) for p in instance.price if p > 0})
    assume(levels)
    for level in data.draw(st.lists(st.sampled_from(levels), min_size=1, max_size=2, unique=True)):
        generation.add_level(level)
    rows, master = generation.rows, generation.master
    n = len(rows.levels)
    rows.least[:] = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    rows.most[:] = [least + data.draw(st.sampled_from([0.0, 1.0, INF])) for least in rows.least]
    master.set_levels(rows.least, rows.most)
    solution = master.solve_whole(10.0)
    assume(solution is not None)
    duals = solution.duals
    value = instance.demand @ duals.pods + rows.constant(duals) - rows.supply @ duals.supply
    assert value == pytest.approx(solution.objective, abs=1e-6)
    candidates, patterns = generation.pool.arrays()
    assert (patterns @ duals.pods <= rows.costs(duals)[candidates] + 1e-6).all()
    counted = rows.is_counted[candidates].T @ solution.nodes
    assert (counted >= rows.least - 1e-6).all()
    assert (counted <= rows.most + 1e-6).all()


def test_pruned_columns_keep_their_numbers() -> None:
    """Of six columns four are too dear and go; those left, and later ones, stay where they were."""
    instance = tens_and_fives()
    ten, five = candidate(instance, "ten"), candidate(instance, "five")
    master, rows = master_over(
        instance, (ten, [0]), (five, [0]), (ten, [2]), (ten, [1]), (five, [1]), (five, [0])
    )
    before = master.solve(10.0)
    assert before is not None
    master.prune(0.2)
    after = master.solve(10.0)
    assert after is not None
    assert after.objective == pytest.approx(before.objective) == pytest.approx(1.50)
    assert after.nodes.tolist() == pytest.approx(before.nodes.tolist())
    rows.add_level(DOLLAR)
    master.add_level()
    add(master, instance, (five, [1]))
    counted = limited(master, rows, 0.0, 1.0)
    assert counted.objective == pytest.approx(1.61)
    assert len(counted.nodes) == 7
    assert counted.nodes[[0, 1, 3, 5]].tolist() == [0.0] * 4
    assert counted.nodes[2] == pytest.approx(1.0)
    assert counted.nodes[4] + counted.nodes[6] == pytest.approx(1.0)


def test_columns_that_nearly_pay_are_not_pruned() -> None:
    """At 0.50 a pod a five is 0.11 short of its price of 0.61, less than a fifth of it."""
    instance = tens_and_fives()
    ten, five = candidate(instance, "ten"), candidate(instance, "five")
    master, rows = master_over(instance, (ten, [2]), (five, [1]), (ten, [0]))
    assert master.solve(10.0) is not None
    master.prune(0.2)
    rows.add_level(DOLLAR)
    master.add_level()
    assert limited(master, rows, 0.0, 1.0).objective == pytest.approx(1.61)


def large_for_small(instance: Instance) -> Exchanges:
    """One small pod in the place of a large one."""
    large, small = instance.class_of
    return Exchanges(np.array([0], np.int32), np.array([large, small], np.int32), np.array([-1.0, 1.0]))


def alone(instance: Instance) -> tuple[int, list[int]]:
    """One large pod on a node."""
    large, _ = instance.class_of
    return 0, [int(i == large) for i in range(2)]


def test_an_exchange_places_pods_that_no_column_holds() -> None:
    """Four nodes of one large pod each, of which two give way to small ones: 4.00.

    Without it both small pods are left out, at 20 times the price of a node each.
    """
    instance = stock()
    master, _ = master_over(instance, alone(instance), swaps=large_for_small(instance))
    solution = master.solve(10.0)
    assert solution is not None
    assert (solution.objective, solution.traded) == (pytest.approx(4.0), pytest.approx(2.0))
    assert solution.nodes.tolist() == pytest.approx([4.0])
    bare, _ = master_over(instance, alone(instance))
    left = bare.solve(10.0)
    assert left is not None
    assert (left.objective, left.traded) == (pytest.approx(42.0), 0.0)


def test_a_solution_without_exchanges_leaves_them_allowed_afterwards() -> None:
    instance = stock()
    master, _ = master_over(instance, alone(instance), swaps=large_for_small(instance))
    plain = master.solve_whole(10.0)
    assert plain is not None
    assert (plain.objective, plain.traded) == (pytest.approx(42.0), 0.0)
    again = master.solve(10.0)
    assert again is not None
    assert again.objective == pytest.approx(4.0)


def test_dropped_exchanges_stay_forbidden() -> None:
    instance = stock()
    master, _ = master_over(instance, alone(instance), swaps=large_for_small(instance))
    assert master.drop_exchanges()
    assert not master.drop_exchanges()
    for solution in (master.solve(10.0), master.solve_whole(10.0), master.solve(10.0)):
        assert solution is not None
        assert (solution.objective, solution.traded) == (pytest.approx(42.0), 0.0)


def test_columns_beside_exchanges_keep_their_numbers_when_pruned() -> None:
    instance = stock()
    large, small = instance.class_of
    pair = [1, 1]
    master, rows = master_over(
        instance, (0, [0, 0]), alone(instance), (0, pair), (0, [0, 0]), swaps=large_for_small(instance)
    )
    assert master.solve(10.0) is not None
    master.prune(0.2)
    rows.add_level(DOLLAR)
    master.add_level()
    two_small = [2 * int(i == small) for i in range(2)]
    add(master, instance, (0, two_small))
    solution = limited(master, rows, 0.0, INF)
    assert solution.objective == pytest.approx(2.0)
    assert solution.nodes.tolist() == pytest.approx([0.0, 0.0, 2.0, 0.0, 0.0])
    assert large != small


@given(tiny_problems())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_exchanges_only_relax_the_master(tiny) -> None:
    instance = build_instance(tiny)
    assume(instance.n_classes)
    swaps = exchanges(instance, instance.requests.sum(axis=1).astype(np.float64))
    assume(len(swaps))
    generation = converged_generation(instance)
    candidates, patterns = generation.pool.arrays()
    half = slice(0, None, 2)
    traded = Master(generation.rows, instance.demand, penalties(instance), swaps)
    plain = Master(generation.rows, instance.demand, penalties(instance))
    for master in (traded, plain):
        master.add(candidates[half], patterns[half])
    low, high = traded.solve(10.0), plain.solve(10.0)
    assume(low is not None and high is not None)
    assert low.objective <= high.objective + 1e-6
    same = traded.solve_whole(10.0)
    assert same is not None
    assert same.objective == pytest.approx(high.objective)
