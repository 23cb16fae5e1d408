"""The choice among known columns asks often enough whether to go on."""

from __future__ import annotations

import time

import numpy as np
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.choose import choose, most_worth_while
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.heuristics.greedy import Remainder, fluid_prices
from binwright_optimizer.instance import build_instance
from binwright_optimizer.stopping import Deadline, Halt
from binwright_optimizer.work import Work
from builders import instance_type, pod, problem
from solver_parts import greedy_of


class Watch:
    """A flag that is never raised, and notes how much this thread had done whenever it was looked at."""

    def __init__(self) -> None:
        self.looks = [time.thread_time()]

    def __getitem__(self, _: int) -> int:
        self.looks.append(time.thread_time())
        return 0


def test_a_choice_among_hundreds_of_columns_never_goes_long_without_asking_whether_to_go_on() -> None:
    """Columns of sixty covers of fifty classes: HiGHS's sub-programmes alone would take longer."""
    pods = [
        pod(f"w{k}", cpu=1 + (7 * k % 50) / 21, memory_gib=1 + (11 * k % 50) / 12, replicas=3 + k)
        for k in range(50)
    ]
    kinds = [
        instance_type(f"t{k}", cpu=7 + 3.3 * k, memory_gib=9 + 5.7 * k, price=1.000001 + 0.9 * k)
        for k in range(10)
    ]
    instance = build_instance(problem(pods, kinds))
    greedy, rng = greedy_of(instance), np.random.default_rng(7)
    prices = fluid_prices(instance)
    covers = [
        greedy.cover(prices * rng.uniform(0.8, 1.2, len(prices)), Remainder.whole(instance), 200)
        for _ in range(60)
    ]
    columns = np.concatenate([c[0] for c in covers]), np.concatenate([c[2] for c in covers])
    rows, halt, watch = Rows(instance), Halt(Deadline(60.0)), Watch()
    halt.flag = watch  # type: ignore[assignment]
    work = Work(deadline=Deadline(600.0))
    choose(rows, columns, Bound(0.0, rows.zero_duals()), 1e9, 0.3, halt, work)
    halt.close()
    assert len(watch.looks) > 50
    assert np.diff(watch.looks).max() < 0.25


def test_a_pattern_is_worth_while_as_often_as_its_reduced_cost_fits_the_gap() -> None:
    """A gap of 1 $: three nodes that cost 0.3 too much each, one of 0.6, any number at no cost."""
    most = most_worth_while(np.array([0.3, 0.6, 0.0, 1.0]), 1.0)
    assert most.tolist() == [3.0, 1.0, np.inf, 1.0]


def test_rounding_takes_no_node_away() -> None:
    """Three times 0.1 is a little more than 0.3 in floats, and a reduced cost may be a little below 0."""
    most = most_worth_while(np.array([0.1, 0.1 + 1e-12, -1e-12]), 0.3)
    assert most.tolist() == [3.0, 3.0, np.inf]


def test_no_pattern_is_worth_while_where_the_bound_is_the_incumbent() -> None:
    """Or a little above it in floats: only patterns at no extra cost can be part of another."""
    assert most_worth_while(np.array([0.1, 0.0]), -1e-12).tolist() == [0.0, np.inf]
    assert most_worth_while(np.array([0.1, 0.0]), -1e-6).tolist() == [0.0, np.inf]
