"""Every answer to random problems with all features passes the checker and improves on the way."""

from __future__ import annotations

from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import Problem, SolutionStatus
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import placed_pods, verify
from exhaustive import cheapest_cost
from hypothesis import HealthCheck, assume, given, settings
from mixed_problems import floored_problems, mixed_problems

SETTINGS = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
THOROUGH = SolveParams(deadline_s=30.0)


def is_solvable(problem: Problem) -> bool:
    """Whether every minimum number of nodes can be met."""
    try:
        build_instance(problem)
    except InvalidProblemError:
        return False
    return True


@given(mixed_problems())
@settings(SETTINGS, max_examples=120)
def test_every_answer_passes_the_checker_and_is_the_last_step_of_its_progress(problem: Problem) -> None:
    assume(is_solvable(problem))
    steps: list[Progress] = []
    decision = solve(problem, SolveParams(deadline_s=2.0), on_progress=steps.append)
    assert verify(problem, decision) == ()
    assert [s.elapsed_s for s in steps] == sorted(s.elapsed_s for s in steps)
    if decision.status is SolutionStatus.COMPLETE:
        assert steps[-1].cost_microusd_per_hour == decision.cost_microusd_per_hour


@given(floored_problems())
@settings(SETTINGS, max_examples=100)
def test_minimums_are_met_at_least_cost_or_refused_where_they_cannot_be(problem: Problem) -> None:
    can_be_met = cheapest_cost(problem, [0] * len(problem.workloads)) is not None
    assert is_solvable(problem) == can_be_met
    assume(can_be_met)
    decision = solve(problem, THOROUGH)
    assert verify(problem, decision) == ()
    assert decision.cost_microusd_per_hour == cheapest_cost(problem, placed_pods(problem, decision))


@given(mixed_problems())
@settings(SETTINGS, max_examples=40)
def test_a_deadline_already_gone_changes_the_price_and_never_the_rules(problem: Problem) -> None:
    assume(is_solvable(problem))
    assert verify(problem, solve(problem, SolveParams(deadline_s=1e-6))) == ()
