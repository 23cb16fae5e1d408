"""A linear programme that HiGHS fails to solve: the incumbent stands, and the decision says so."""

from __future__ import annotations

from itertools import count

import highspy
import pytest
from binwright_optimizer.columns import master
from binwright_optimizer.model import Decision, SolutionStatus
from binwright_optimizer.params import SolveParams
from binwright_optimizer.search.run import LP_FAILED
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import instance_type, pod, problem

QUESTION = problem(
    [pod(f"p{n}", cpu=1 + n % 7 / 2, memory_gib=1 + n % 5, replicas=3 + n) for n in range(12)],
    [instance_type(f"t{k}", cpu=4 * k, memory_gib=14 * k, price=0.2 * k**0.9) for k in (1, 2, 4)],
)


def decided(monkeypatch: pytest.MonkeyPatch, failing: range) -> Decision:
    """The decision where HiGHS fails in these runs of the master, the first being 0."""
    real, runs = master.run, count()

    def run(solver: highspy.Highs, *limits: object, **options: object) -> highspy.HighsStatus:
        if next(runs) in failing:
            solver.clearSolver()
            return highspy.HighsStatus.kError
        return real(solver, *limits, **options)

    monkeypatch.setattr(master, "run", run)
    decision = solve(QUESTION, SolveParams(work_limit=300_000, gap=0.0))
    assert next(runs) > failing.start, "no run was to fail"
    assert not verify(QUESTION, decision)
    assert decision.status is SolutionStatus.COMPLETE
    return decision


@pytest.mark.parametrize("first", [0, 2])
def test_the_incumbent_and_the_bound_stand_where_the_master_fails_for_good(
    monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    decision = decided(monkeypatch, range(first, 1_000_000))
    assert LP_FAILED in decision.warnings
    assert 0 < decision.bound_microusd_per_hour <= decision.cost_microusd_per_hour


def test_a_run_that_fails_once_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = decided(monkeypatch, range(2, 3))
    assert not decision.warnings
