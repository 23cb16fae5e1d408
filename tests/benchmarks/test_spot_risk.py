"""The spot risk benchmark: what each reclaimed pool takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from binwright_benchmarks.spot_risk import (
    CAPS_PERCENT,
    BrokenPromiseError,
    Point,
    losses,
    point_of,
    question,
)
from binwright_benchmarks.spot_risk_plot import write_spot_risk
from binwright_optimizer.model import CapacityType, Decision, PodRange, Problem
from binwright_optimizer.solve import solve
from builders import instance_type, offering, pod, problem


def four_on_one_spot_node() -> tuple[Problem, Decision]:
    """Four pods on the one node sold, spot, for 2: its loss takes all of them."""
    kind = instance_type("box", cpu=4, offerings=[offering(2, zone="a", capacity_type="spot")])
    asked = problem([pod("web", cpu=1, replicas=4)], [kind])
    return asked, solve(asked)


def test_the_loss_of_the_only_pool_takes_every_pod() -> None:
    asked, decision = four_on_one_spot_node()
    assert losses(decision) == {("box", "a"): {0: 4}}
    point = point_of(1, "binwright", None, asked, decision)
    assert (point.usd, point.pools, point.worst_service_share, point.worst_total_share) == (2.0, 1, 1.0, 1.0)


def test_more_than_the_cap_promises_is_no_result() -> None:
    """Half of four pods is two; the pool holds four."""
    asked, decision = four_on_one_spot_node()
    with pytest.raises(BrokenPromiseError, match="box in a takes 4 of web, 2 are promised"):
        point_of(1, "binwright", 50, asked, decision)


def test_nodes_of_one_pool_are_lost_together() -> None:
    """Two nodes of two pods each, of one type in one zone: one pool."""
    _, decision = four_on_one_spot_node()
    [claim] = decision.node_claims
    halves = tuple(dataclasses.replace(claim, pods=(PodRange(0, first, 2),)) for first in (0, 2))
    assert losses(dataclasses.replace(decision, node_claims=halves)) == {("box", "a"): {0: 4}}


def test_nodes_on_demand_are_not_lost() -> None:
    _, decision = four_on_one_spot_node()
    [claim] = decision.node_claims
    kept = dataclasses.replace(claim, capacity_type=CapacityType.ON_DEMAND)
    assert losses(dataclasses.replace(decision, node_claims=(kept,))) == {}


def test_every_question_of_a_seed_asks_for_the_same_pods() -> None:
    asked = [question(7, cap) for cap in CAPS_PERCENT]
    assert all(other.workloads == asked[0].workloads for other in asked)
    assert [bool(other.policies.spot) for other in asked] == [cap is not None for cap in CAPS_PERCENT]


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    points = [
        Point(1, "binwright", cap, 10.0 - (cap or 0) / 20, 5.0, 2, (cap or 0) / 100, 0.1) for cap in (0, 50)
    ]
    rule = Point(1, "karpenter-like, spot", None, 6.0, 0.0, 1, 1.0, 1.0)
    path = write_spot_risk(tmp_path / "risk.png", [*points, rule])
    assert path.read_bytes().startswith(b"\x89PNG")
