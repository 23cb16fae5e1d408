"""Thousands of classes: the fluid relaxation, and packing parts again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from binwright_optimizer.columns.fluid import solve_fluid
from binwright_optimizer.heuristics.parts import Parts, wary_prices
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model.caps import NodeCap
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.search import parts as packing_parts
from binwright_optimizer.search import run as packing_run
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.verify import verify
from builders import existing_node, instance_type, node_pool, pod, problem
from hypothesis import assume, given, settings
from solver_parts import broken_rules, packing_of, pricing_of
from tiny_problems import tiny_problems

SETTINGS = settings(max_examples=60, deadline=None)


class Turns:
    """A stop that comes due after so many looks at it."""

    def __init__(self, looks: int) -> None:
        self._left = looks

    def is_cancelled(self) -> bool:
        return False

    def remaining_s(self) -> float:
        self._left -= 1
        return float(self._left >= 0)

    def elapsed_s(self) -> float:
        return 0.0


def fluid(instance: Instance) -> tuple[np.ndarray, float]:
    """Prices, and the bound that they give."""
    told = solve_fluid(instance, pricing_of(instance), Deadline(60.0), np.zeros(0, dtype=np.intp))
    return told.prices, float(instance.demand @ told.prices) - told.paid


def test_fluid_prices_balance_two_resources() -> None:
    """Ten pods of one CPU and four GiB, ten of two CPUs and one GiB; a node has 4 CPUs and 8 GiB for 2.

    By memory alone 50 GiB need 6.25 nodes, by CPU 30 need 7.5: fluid nodes are short of CPU, so 15.
    """
    pods = [pod("lean", cpu=1, memory_gib=4, replicas=10), pod("fat", cpu=2, memory_gib=1, replicas=10)]
    instance = build_instance(problem(pods, [instance_type("n", cpu=4, memory_gib=8, price=2)]))
    prices, bound = fluid(instance)
    assert bound == pytest.approx(15.0, rel=1e-6)
    assert instance.demand @ prices == pytest.approx(15.0, rel=1e-6)


@given(tiny_problems())
@SETTINGS
def test_fluid_prices_bound_what_is_found(tiny) -> None:
    instance = build_instance(tiny)
    assume(instance.n_classes)
    decision = solve(tiny, SolveParams(deadline_s=20.0, gap=0.0))
    assume(not decision.unschedulable)
    _, bound = fluid(instance)
    assert bound <= decision.cost_microusd_per_hour * 1e-6 * (1 + 1e-9)


def test_the_wasteful_nodes_are_packed_again() -> None:
    """Four pods, one on each node, fit two nodes."""
    instance = build_instance(problem([pod("p", cpu=2, replicas=4)], [instance_type("n", cpu=4, price=1)]))
    spread_out = packing_of(instance, (0, 4, [1]))

    def solve_part(part: Instance) -> Packing:
        return packing_of(part, (0, int(part.demand[0]) // 2, [2]), (0, int(part.demand[0]) % 2, [1]))

    parts = Parts(instance, solve_part, np.array([0.5]), np.array([1.0]), np.random.default_rng(1))
    packed = parts.improve(spread_out, Turns(10))
    assert packed.cost == 2_000_000
    assert broken_rules(instance, packed) == []


def test_a_part_may_use_no_more_than_limits_and_running_nodes_leave() -> None:
    """Of a limit of four nodes three are kept: the part may buy one, and use a node that nobody does."""
    pods = [pod("p", cpu=3, replicas=4)]
    pools = [node_pool("plain", max_nodes=4)]
    instance = build_instance(
        problem(
            pods, [instance_type("n", cpu=4, price=1)], pools, existing=[existing_node("old", cpu=3, pods=9)]
        )
    )
    bought = int(np.flatnonzero(instance.price)[0])
    seen = []

    def look(part: Instance) -> Packing:
        seen.append(part)
        return packing_of(part)

    parts = Parts(instance, look, np.array([0.0]), instance.price * 1e-6, np.random.default_rng(1))
    parts.improve(packing_of(instance, (bought, 4, [1])), Turns(1))
    [part] = seen
    assert [row.room for row in part.limits] == [int(part.demand[0])]
    assert part.supply[part.price == 0].tolist() == [1]


def test_pods_that_keep_others_away_are_worth_more() -> None:
    instance = build_instance(problem([pod("p", cpu=1)], [instance_type("n", cpu=4, price=1)]))
    assert wary_prices(instance, np.ones(1)).tolist() == [1.0]


@pytest.mark.parametrize("most_groups", [1, 4])
def test_many_classes_are_packed_in_parts_and_proven(
    monkeypatch: pytest.MonkeyPatch, most_groups: int
) -> None:
    """Ten classes count as thousands here; the answer passes the verifier, with a bound.

    Not all fit the small node, so that one group cannot hold them: then there are none.
    """
    monkeypatch.setattr(packing_run, "MOST_GROUPS", most_groups)
    monkeypatch.setattr(packing_parts, "MOST_CLASSES", 5)
    monkeypatch.setattr(packing_parts, "PARTS_TURN_S", 0.05)
    monkeypatch.setattr(packing_parts, "MOST_FRUITLESS_TURNS", 2)
    plain = [pod(f"p{n}", cpu=0.3 + 0.17 * n, memory_gib=1 + n % 3, replicas=3) for n in range(10)]
    alone = NodeCap(LabelSelector.of_labels({"app": "p1"}), 0)
    pods = [
        replace(
            p, template=replace(p.template, labels=(("app", p.name),), node_caps=(alone,) if n < 1 else ())
        )
        for n, p in enumerate(plain)
    ]
    question = problem(
        pods,
        [
            instance_type("s", cpu=1.5, memory_gib=16, price=0.5),
            instance_type("l", cpu=16, memory_gib=64, price=4.0),
        ],
    )
    decision = solve(question, SolveParams(deadline_s=60.0, gap=0.0))
    assert verify(question, decision) == ()
    assert not decision.unschedulable
    assert 0 < decision.bound_microusd_per_hour <= decision.cost_microusd_per_hour
