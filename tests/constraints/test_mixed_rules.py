"""The engine against brute force on tiny problems in which all rules that it enforces may meet."""

from __future__ import annotations

from binwright_optimizer.model import Problem, SolutionStatus
from binwright_optimizer.solve import solve
from binwright_optimizer.unenforced import WAIVED
from binwright_optimizer.verify import verify
from binwright_optimizer.verify.rulebook import stated_rules
from brute_force import charges, cheapest, paid
from conformance import PARAMS
from decisions import placement_of
from hypothesis import HealthCheck, event, given, settings
from strategies import enforced_problems, wishing_problems

SETTINGS = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@given(enforced_problems())
@SETTINGS
def test_cost_and_feasibility_are_those_of_brute_force(question: Problem) -> None:
    assert not stated_rules(question) & WAIVED
    placement = cheapest(question)
    decision = solve(question, PARAMS)
    assert verify(question, decision) == ()
    event("no placement of all pods" if placement is None else "placed")
    assert (decision.status is SolutionStatus.COMPLETE) == (placement is not None)
    if placement is not None:
        total = paid(question, placement.nodes) + charges(question, placement.nodes, placement.pods)
        assert decision.total_microusd_per_hour == total


@given(wishing_problems())
@SETTINGS
def test_wishes_between_pods_are_told_as_they_are_and_bounded(question: Problem) -> None:
    """Who goes without is read alike by all; no answer is better than the best, no bound higher."""
    placement = cheapest(question)
    decision = solve(question, PARAMS)
    assert verify(question, decision) == ()
    assert (decision.status is SolutionStatus.COMPLETE) == (placement is not None)
    if placement is not None:
        mine = placement_of(question, decision)
        assert charges(question, mine.nodes, mine.pods) == (
            decision.total_microusd_per_hour - decision.cost_microusd_per_hour
        )
        best = paid(question, placement.nodes) + charges(question, placement.nodes, placement.pods)
        assert decision.bound_microusd_per_hour <= best <= decision.total_microusd_per_hour
        event("best" if best == decision.total_microusd_per_hour else "not best")
