"""Spot at its price plus what interruptions are expected to cost, on paper.

The expected cost of a pod is its restart cost times the interruptions of its offering a month, over the 730
hours of a month. A restart of 7.30 $ at a rate of 10 % a month is 0.001 $ an hour.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from binwright_optimizer.model import ExistingNode, InstanceType, Policies, Problem, Workload, labels
from binwright_optimizer.verify import check_placement
from builders import existing_node, instance_type, microusd, offering, problem
from conformance import answered, conforms
from rules import ZONE, ruled

CAPACITY = labels.CAPACITY_TYPE


def kind(name: str, on_demand: float, spot: float, percent: float | None, zone: str = "a") -> InstanceType:
    """A node of 4 CPUs, and how often it is taken back in a month as spot."""
    taken = dataclasses.replace(
        offering(spot, zone=zone, capacity_type="spot"),
        interruption_ppm_per_month=None if percent is None else round(percent * 10_000),
    )
    return instance_type(name, cpu=4, offerings=[offering(on_demand, zone=zone), taken])


def asked(
    *workloads: Workload,
    kinds: Sequence[InstanceType] = (),
    default: float = 0,
    existing: Sequence[ExistingNode] = (),
) -> Problem:
    """``default`` is what a restart costs of pods that do not say."""
    sold = kinds or [kind("box", 1.0, 0.3, 10)]
    policies = Policies(restart_cost_microusd=microusd(default))
    return dataclasses.replace(problem(workloads, sold, existing=existing), policies=policies)


def restarting(name: str, dollars: float, replicas: int = 1) -> Workload:
    """Pods whose interruption costs so much."""
    return ruled(name, replicas=replicas, restart_cost_microusd=microusd(dollars))


def test_cheap_restarts_leave_spot_the_cheaper_choice() -> None:
    """Four pods at 0.001 $ each beside a node of 0.3 $; on demand it is 1 $."""
    question = asked(restarting("web", 7.30, replicas=4))
    conforms(question, 0.3, lambda a: a.by(CAPACITY, "web") == {"spot": 4}, charged=0.004)


def test_dear_restarts_are_worth_on_demand() -> None:
    """A restart of 7,300 $ is 1 $ an hour at 10 % a month: more than the 0.7 $ that spot saves."""
    question = asked(restarting("training", 7_300))
    conforms(question, 1, lambda a: a.by(CAPACITY, "training") == {"on-demand": 1})


def test_a_dearer_offering_that_is_taken_back_less_often_is_bought() -> None:
    """Restarts of 730 $: 0.3 + 0.25 $ at 25 %, 0.4 + 0.05 $ at 5 %."""
    kinds = [kind("restless", 1, 0.3, 25), kind("steady", 1, 0.4, 5)]
    question = asked(restarting("web", 730), kinds=kinds)
    conforms(question, 0.4, lambda a: a.by(labels.INSTANCE_TYPE, "web") == {"steady": 1}, charged=0.05)


def test_rates_are_told_apart_by_zone() -> None:
    """The same type at the same price: zone b is taken back half as often."""
    zones = [
        dataclasses.replace(offering(0.3, zone=zone, capacity_type="spot"), interruption_ppm_per_month=rate)
        for zone, rate in (("a", 100_000), ("b", 50_000))
    ]
    question = asked(restarting("web", 73), kinds=[instance_type("box", cpu=4, offerings=zones)])
    conforms(question, 0.3, lambda a: a.by(ZONE, "web") == {"b": 1}, charged=0.005)


def test_an_unknown_rate_counts_as_an_interruption_a_month() -> None:
    """A restart of 365 $ once in 730 hours is 0.5 $ an hour: spot costs 0.8 $, one of 584 $ is too dear."""
    kinds = [kind("box", 1, 0.3, None)]
    conforms(asked(restarting("web", 365), kinds=kinds), 0.3, charged=0.5)
    conforms(asked(restarting("web", 584), kinds=kinds), 1)


def test_only_those_whose_restarts_are_dear_leave_spot() -> None:
    """Four cheap pods on spot for 0.3 $, four dear ones on demand for 1 $."""
    question = asked(restarting("cheap", 7.30, replicas=4), restarting("dear", 7_300, replicas=4))
    conforms(
        question,
        1.3,
        lambda a: a.by(CAPACITY, "cheap") == {"spot": 4} and a.by(CAPACITY, "dear") == {"on-demand": 4},
        charged=0.004,
    )


def test_a_default_holds_for_pods_that_do_not_say() -> None:
    """The default of 7,300 $ drives one workload off spot; the other says 7.30 $ itself."""
    question = asked(ruled("plain", replicas=4), restarting("own", 7.30, replicas=4), default=7_300)
    conforms(question, 1.3, lambda a: a.by(CAPACITY, "plain") == {"on-demand": 4}, charged=0.004)


def test_running_spot_nodes_are_weighed_too() -> None:
    """A free spot node costs 1 $ an hour in interruptions: a node on demand for 0.99 $ is cheaper."""
    where = {labels.INSTANCE_TYPE: "box", ZONE: "a", CAPACITY: "spot"}
    old = existing_node("old", cpu=4, node_labels=where)
    question = asked(restarting("web", 7_300), kinds=[kind("box", 1.01, 0.3, 10)], existing=[old])
    conforms(question, 0, lambda a: a.on("web") == {"old": 1}, charged=1)
    kinds = [kind("box", 0.99, 0.3, 10)]
    conforms(asked(restarting("web", 7_300), kinds=kinds, existing=[old]), 0.99)


def test_a_cost_that_is_not_zero_is_never_rounded_away() -> None:
    """A restart of a micro-dollar costs a micro-dollar an hour, which decides between equal prices."""
    kinds = [kind("box", 0.3, 0.3, 10)]
    conforms(
        asked(restarting("web", 0.000_001), kinds=kinds),
        0.3,
        lambda a: a.by(CAPACITY, "web") == {"on-demand": 1},
    )


@pytest.mark.parametrize(
    ("cloud", "grace_s", "is_cut"),
    [("aws", 121, True), ("aws", 120, False), ("gcp", 31, True), ("", 999, False)],
)
def test_pods_that_end_after_the_notice_are_named(cloud: str, grace_s: int, is_cut: bool) -> None:
    """AWS gives two minutes, Google half a minute; of other clouds nothing is known."""
    sold = dataclasses.replace(kind("box", 1.0, 0.3, 10), cloud=cloud)
    decision = answered(asked(ruled("slow", grace_s=grace_s), kinds=[sold]))
    assert [warning.endswith("an interruption: slow") for warning in decision.warnings] == [True] * is_cut


def test_a_falsified_interruption_cost_is_refused() -> None:
    """0.004 $ are told; neither nothing nor a micro-dollar less passes."""
    question = asked(restarting("web", 7.30, replicas=4))
    decision = answered(question)
    assert decision.interruption_microusd_per_hour == 4_000
    for told in (0, 3_999, 4_001):
        wrong = dataclasses.replace(decision, interruption_microusd_per_hour=told)
        assert check_placement(question, wrong) != ()
