"""Solving and verifying in process, with the optimizer itself."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.warmup import warm_up
from binwright_server.answer import answer
from binwright_server.errors import AbandonedError, TooLateError
from binwright_server.limits import RequestLimits
from binwright_server.local import solve_locally, verify_locally
from harness import SlowSolver, as_stream, one_pod_per_node, solve_request


@pytest.fixture(scope="module")
def _compiled() -> None:
    """Kernels are compiled before the clock of a solve runs, as the server does it."""
    warm_up()


@pytest.mark.usefixtures("_compiled")
def test_optimizer_packs_pods_and_its_decision_verifies() -> None:
    """``small`` has 4 CPU and costs 0.10 $/h: eight pods of one CPU need two, whatever is tried."""
    request = solve_request(pods=8, deadline_s=60)
    decision = solve_locally(request)
    assert decision.hourly_cost_usd == 0.2
    assert decision.gap == 0
    assert decision.stop_reason == decision_pb2.STOP_REASON_OPTIMAL
    assert verify_locally(request, decision) == []
    assert verify_locally(request.problem, decision) == []


@pytest.mark.usefixtures("_compiled")
def test_tampered_decision_is_a_finding() -> None:
    request = solve_request(pods=8, deadline_s=60)
    decision = solve_locally(request)
    crowded = decision_pb2.Decision()
    crowded.CopyFrom(decision)
    crowded.node_claims[0].pods.append(crowded.node_claims[1].pods.pop())
    assert verify_locally(request, crowded)
    unknown = decision_pb2.Decision()
    unknown.CopyFrom(decision)
    unknown.node_claims[0].pods[0] = "api-0"
    assert any("is no pod of the problem" in finding for finding in verify_locally(request, unknown))


@pytest.mark.usefixtures("_compiled")
def test_a_gang_that_is_short_and_an_unknown_mig_profile_are_reasons_and_the_rest_is_solved() -> None:
    """Four pods of one CPU fill a ``small``; two of a gang of three, and one of a profile of nobody, wait."""
    request = solve_request(pods=4, deadline_s=60)
    request.problem.gangs.add(name="ring", min_members=3)
    ring = request.problem.workloads.add(name="ring", replicas=2, gang="ring")
    ring.template.containers.add(requests={"cpu": "1"})
    odd = request.problem.workloads.add(name="odd")
    odd.template.containers.add(limits={"nvidia.com/mig-9g.99gb": "1"})
    decision = solve_locally(request)
    assert decision.hourly_cost_usd == 0.1
    reasons = {
        pod.pod: [(r.constraint, r.message) for r in pod.reasons] for pod in decision.unschedulable_pods
    }
    short = [("gang", "gang ring needs at least 3 members and has only 2")]
    assert (reasons["ring-0"], reasons["ring-1"]) == (short, short)
    [(constraint, message)] = reasons["odd"]
    assert constraint == "nvidia.com/mig-9g.99gb"
    assert "no GPU offers this MIG profile" in message
    conflicts = {pod.pod: list(pod.conflict.constraints) for pod in decision.unschedulable_pods}
    assert conflicts["ring-0"] == ["minimum of 3 members of gang ring"]
    assert conflicts["odd"] == ["request nvidia.com/mig-9g.99gb 1"]
    assert verify_locally(request, decision) == []


@pytest.mark.usefixtures("_compiled")
def test_a_pod_that_contradicts_itself_has_no_place_and_the_rest_is_solved() -> None:
    """Selector and affinity ask for other zones each; of r1-a only there is anything."""
    request = solve_request(pods=4, deadline_s=60)
    torn = request.problem.workloads.add(name="torn")
    torn.template.containers.add(requests={"cpu": "1"})
    torn.template.node_selector["topology.kubernetes.io/zone"] = "r1-a"
    term = torn.template.node_affinity.required.add()
    term.match_expressions.add(key="topology.kubernetes.io/zone", operator="In", values=["r1-b"])
    decision = solve_locally(request)
    assert decision.hourly_cost_usd == 0.1
    [left] = decision.unschedulable_pods
    assert list(left.conflict.constraints) == ["node affinity topology.kubernetes.io/zone In [r1-b]"]
    term.match_expressions[0].values[:] = ["r1-a"]
    term.match_expressions.add(key="topology.kubernetes.io/zone", operator="NotIn", values=["r1-a"])
    [left] = solve_locally(request).unschedulable_pods
    assert "node affinity topology.kubernetes.io/zone In [r1-a] and" in left.conflict.constraints[0]


def test_progress_arrives_as_messages() -> None:
    steps: list[decision_pb2.Progress] = []
    solve_locally(as_stream(solve_request()), steps.append, solver=one_pod_per_node)
    assert [step.phase for step in steps] == ["start", "greedy"]


def test_cancelled_solve_returns_what_it_has() -> None:
    solver, cancel = SlowSolver(), threading.Event()
    threading.Timer(0.05, cancel.set).start()
    decision = solve_locally(solve_request(deadline_s=60), cancel=cancel, solver=solver)
    assert decision.node_claims
    assert solver.was_cancelled == [True]


def test_wrong_request_is_refused_before_the_solver_is_asked() -> None:
    solver = SlowSolver()
    with pytest.raises(InvalidProblemError):
        solve_locally(provisioning_service_pb2.SolveRequest(), solver=solver)
    assert solver.deadlines_s == []


def test_wrong_problem_is_refused_by_the_verifier() -> None:
    with pytest.raises(InvalidProblemError):
        verify_locally(provisioning_service_pb2.SolveRequest(), decision_pb2.Decision())


def test_solver_gets_what_the_caller_has_left() -> None:
    """The caller stops waiting at 10 on a clock that stands at 9: less than one second is left."""
    solver = SlowSolver()
    ticks = iter([9.0, 9.0, 9.0, 9.0])
    answer(
        solve_request(deadline_s=60),
        solver,
        RequestLimits(),
        threading.Event(),
        ends_at=10.0,
        clock=lambda: next(ticks, 11.0),
    )
    assert 0.9 < solver.deadlines_s[0] < 0.95  # a twentieth is kept, since a solve may be late by that


@pytest.mark.parametrize(("are_shapes_wanted", "seconds"), [(True, 0.89), (False, 0.84)])
def test_the_way_home_takes_longer_where_every_node_is_spelt_out(
    are_shapes_wanted: bool, seconds: float
) -> None:
    """Of a second for 5,000 pods 0.03 are kept for any answer, 6 or 16 microseconds for each, and 0.05."""
    solver, request = SlowSolver(), solve_request(deadline_s=60)
    request.problem.workloads[0].replicas = 5_000
    request.params.wants_node_shapes = are_shapes_wanted
    ticks = iter([9.0, 9.0, 9.0, 9.0])
    answer(
        request,
        solver,
        RequestLimits(),
        threading.Event(),
        ends_at=10.0,
        clock=lambda: next(ticks, 11.0),
    )
    pods = sum(workload.replicas for workload in request.problem.workloads)
    assert pods >= 5_000
    assert solver.deadlines_s[0] == pytest.approx(seconds, abs=0.01)


def test_abandoned_search_ends_by_an_exception_at_its_next_look_at_the_clock() -> None:
    """What would follow the search, extracting and verifying, is not done for nobody."""
    solver, cancel = SlowSolver(), threading.Event()
    threading.Timer(0.05, cancel.set).start()
    with pytest.raises(AbandonedError, match="during the search"):
        answer(solve_request(deadline_s=60), solver, RequestLimits(), cancel)
    assert solver.was_cancelled == [True]


def test_nothing_is_solved_once_the_caller_is_gone_or_late() -> None:
    solver, gone = SlowSolver(), threading.Event()
    gone.set()
    with pytest.raises(AbandonedError):
        answer(solve_request(), solver, RequestLimits(), gone)
    with pytest.raises(TooLateError):
        answer(solve_request(), solver, RequestLimits(), threading.Event(), ends_at=10.0, clock=lambda: 9.99)
    assert solver.deadlines_s == []


def test_reading_and_checking_a_problem_loads_neither_grpc_nor_the_solver() -> None:
    program = (
        "import sys; import binwright_server.local, binwright_server.convert;"
        "sys.exit(bool({'grpc', 'numba', 'ortools', 'highspy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
