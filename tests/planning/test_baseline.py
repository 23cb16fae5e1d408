"""The sizing rule beside a plan: on equal terms, or left out with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from binwright_clients.cli.plan_forecast import plan_document
from binwright_clients.cli.plan_forecast_view import sizing_text
from binwright_optimizer.model import PodTemplate, Requirement, Resources, labels
from binwright_optimizer.model.forecast import (
    Band,
    Demand,
    Forecast,
    ForecastWorkload,
)
from binwright_optimizer.model.offers import HeldCommitment
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.planning.baseline import Baseline, baseline
from binwright_optimizer.planning.planner import PlanParams, make_plan, price_lists
from binwright_optimizer.planning.scenarios import scenarios
from binwright_optimizer.planning.scopes import scopes_of
from plan_cases import forecast

R5 = 504_000
"""Micro-dollars an hour of an r5.2xlarge in us-east-1, on demand."""
HOURS = 90 * 24
"""Of the first quarter of 2027."""
HELD = HeldCommitment("old", 100_800, 600_000, date(2026, 1, 1), date(2028, 1, 1))
"""Pays for 0.252 $/h on demand: half a node."""


def asked(band: Band, region: str = "us-east-1", **changes: Any) -> Forecast:
    """One quarter of pods of 1 vCPU in a region of AWS."""
    plain = forecast([band], cpu=(1000,))
    return replace(plain, regions=(region,), demands=(Demand(0, region, 0, band),), **changes)


def rule(found: Forecast) -> Baseline:
    return baseline(found, scenarios(found), scopes_of(found, price_lists(found), charges_whole_term=False))


def test_rule_is_expected_over_the_scenarios() -> None:
    """10, 20 and 30 pods are 12, 24 and 36 vCPU with the headroom: 2, 3 and 5 nodes at 70, 24.5 and 5.5 %."""
    nodes = 2 * 700 + 3 * 245 + 5 * 55
    assert rule(asked(Band(10, 20, 30))) == Baseline(-(-R5 * HOURS * nodes // 1000))


def test_held_commitments_pay_for_the_rules_nodes_too() -> None:
    """10 pods are 2 nodes, of which the commitment held pays for a half."""
    assert rule(asked(Band.exactly(10), held=(HELD,))) == Baseline(R5 * HOURS * 3 // 2)


def test_rule_is_left_out_where_its_nodes_are_not_sold_and_the_plan_stands() -> None:
    plan = make_plan(asked(Band.exactly(2), "ap-southeast-5"), PlanParams(20.0))
    assert plan.total > 0
    assert plan.sizing_rule is None
    assert "does not sell instance type 'r5.2xlarge' in ap-southeast-5" in plan.sizing_note
    assert plan_document(plan)["sizing_rule_note"] == plan.sizing_note
    assert sizing_text(plan).startswith("no sizing rule to compare with: aws does not sell")


def test_rule_is_left_out_where_its_nodes_cannot_serve_the_demand() -> None:
    """No T4 serves a pod that needs an H100, and no node of 8 vCPU a pod of 8: daemons run on it."""
    h100 = PodTemplate(
        Resources.of({"cpu": 1000, "nvidia.com/gpu": 1}),
        node_selector=(Requirement(labels.GPU_MODEL, Operator.IN, ("h100",)),),
    )
    large = PodTemplate(Resources.of({"cpu": 8000}))
    for template, said in (
        (h100, "g4dn.2xlarge is none that w may run on"),
        (large, "r5.2xlarge is too"),
    ):
        found = rule(asked(Band.exactly(1), workloads=(ForecastWorkload("w", template, "office"),)))
        assert found.microusd is None
        assert said in found.why_not


def test_rule_is_left_out_where_the_forecast_allows_no_node_as_large_as_its_own() -> None:
    found = rule(asked(Band.exactly(2), max_node_cpu_milli=4_000))
    assert found.microusd is None
    assert (
        found.why_not
        == "its node r5.2xlarge is larger than the 4 CPU that nodes of this forecast have at most"
    )


def test_text_says_how_the_rule_counts() -> None:
    plan = make_plan(asked(Band.exactly(10)), PlanParams(20.0))
    assert "nodes for the peak, all hours" in sizing_text(plan)
