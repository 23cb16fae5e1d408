"""The verifier and brute force read every rule by themselves; on tiny problems they agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from binwright_optimizer.model import Alternative, CapacityType, PodRange, Problem
from brute_force import broken_rules, charges, cheapest
from decisions import findings, stated
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from kube_scheduler import can_bind
from strategies import placements, ruled_problems, wishing_problems

SETTINGS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@given(ruled_problems(), st.data())
@SETTINGS
def test_a_random_placement_is_refused_by_both_or_by_neither(question: Problem, data: st.DataObject) -> None:
    placement = data.draw(placements(question))
    broken = broken_rules(question, placement.nodes, placement.pods)
    found = findings(question, stated(question, placement))
    event("right" if not broken else f"{len(broken)} rules broken")
    assert bool(broken) == bool(found), (broken, found)


@given(wishing_problems(), st.data())
@settings(SETTINGS, max_examples=200)
def test_wishes_between_pods_are_charged_alike_anywhere(question: Problem, data: st.DataObject) -> None:
    """Whatever else is wrong with a placement: solver, verifier and brute force charge it the same."""
    placement = data.draw(placements(question))
    told = stated(question, placement)
    due = charges(question, placement.nodes, placement.pods)
    event("nothing" if not due else "something")
    assert told.total_microusd_per_hour - told.cost_microusd_per_hour == due
    assert not [finding for finding in findings(question, told) if "is stated to pay" in finding]


@given(ruled_problems())
@settings(SETTINGS, max_examples=100)
def test_the_cheapest_placement_is_accepted(question: Problem) -> None:
    placement = cheapest(question)
    event("none" if placement is None else "found")
    if placement is not None:
        assert findings(question, stated(question, placement)) == ()


@given(ruled_problems(("spread", "affinity", "anti-affinity")))
@settings(SETTINGS, max_examples=100)
def test_kube_scheduler_can_bind_the_cheapest_placement(question: Problem) -> None:
    """The rules judge the final state; the scheduler judges each pod as it comes."""
    placement = cheapest(question)
    event("none" if placement is None else "found")
    assert placement is None or can_bind(question, placement)


@given(ruled_problems(), st.data())
@SETTINGS
def test_a_garbled_decision_is_refused_without_a_crash(question: Problem, data: st.DataObject) -> None:
    decision = stated(question, data.draw(placements(question)))
    assume(decision.node_claims)
    claims = list(decision.node_claims)
    n = data.draw(st.integers(0, len(claims) - 1))
    garbled: dict[str, Any] = {
        "node_pool": "nobody",
        "instance_type": "nothing",
        "zone": "nowhere",
        "region": "nowhere",
        "labels": (),
        "alternatives": (*claims[n].alternatives, Alternative("nothing", 0)),
        "price_microusd_per_hour": -1,
        "capacity_type": CapacityType.RESERVED,
        "pods": (*claims[n].pods, PodRange(0, 0, 1)),
    }
    field = data.draw(st.sampled_from(sorted(garbled)))
    claims[n] = replace(claims[n], **{field: garbled[field]})
    assert findings(question, replace(decision, node_claims=tuple(claims)))
