"""Whatever the problem: every baseline obeys its rules, and our optimum is never dearer."""

from __future__ import annotations

from binwright_benchmarks.baselines import BaselineResult, open_market, open_rules
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import InstanceType, Problem
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import check_placement
from builders import daemon_set, existing_node, instance_type, node_pool, offering, pod, problem
from hypothesis import given, reject, settings
from hypothesis import strategies as st

sizes = st.integers(1, 8)


@st.composite
def kinds(draw: st.DrawFn, name: str) -> InstanceType:
    sold = [
        offering(
            draw(st.integers(1, 30)) / 10,
            zone=zone,
            capacity_type=draw(st.sampled_from(["on-demand", "spot"])),
            available=draw(st.sampled_from([None, None, 1, 3])),
        )
        for zone in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
    ]
    return instance_type(
        name,
        cpu=draw(st.integers(2, 12)),
        memory_gib=draw(st.integers(2, 24)),
        gpu=draw(st.sampled_from([0, 0, 1, 4])),
        pods=draw(st.sampled_from([0, 3, 8])),
        offerings=sold,
    )


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    pods = [
        pod(
            f"w{k}",
            cpu=draw(sizes),
            memory_gib=draw(sizes),
            gpu=draw(st.sampled_from([0, 0, 0, 1])),
            replicas=draw(st.integers(0, 6)),
            tolerations=draw(st.sampled_from([(), ("team=a:NoSchedule",)])),
            selector=draw(st.sampled_from([{}, {}, {"topology.kubernetes.io/zone": "a"}])),
        )
        for k in range(draw(st.integers(1, 4)))
    ]
    pools = [
        node_pool("open", max_nodes=draw(st.sampled_from([None, 2, 6]))),
        node_pool(
            "tainted",
            taints=["team=a:NoSchedule"],
            min_nodes=draw(st.integers(0, 2)),
            limits=draw(st.sampled_from([{}, {"cpu": 20_000}])),
            weight=draw(st.sampled_from([0, 10])),
        ),
    ]
    nodes = [existing_node(f"n{k}", cpu=draw(sizes), memory_gib=8) for k in range(draw(st.integers(0, 2)))]
    daemons = [daemon_set(cpu=0.5)] if draw(st.booleans()) else []
    types = [draw(kinds(f"t{k}")) for k in range(draw(st.integers(1, 4)))]
    return problem(pods, types, pools, existing=nodes, daemons=daemons)


def answers(question: Problem) -> list[BaselineResult]:
    try:
        market = open_market(question)
    except InvalidProblemError:
        reject()  # a minimum that limits or supply cannot meet
    return [run(seed) for run in open_rules(market).values() for seed in range(2)]


@settings(max_examples=120, deadline=None)
@given(problems())
def test_the_independent_checker_finds_nothing_but_unmet_minimums(question: Problem) -> None:
    """A minimum that nothing on sale can meet leaves the problem without any valid answer."""
    for result in answers(question):
        findings = check_placement(question, result.decision())
        assert all("minimum needs" in finding for finding in findings), result.name
        assert result.pods_placed + result.pods_unplaced == sum(w.replicas for w in question.workloads)


@settings(max_examples=25, deadline=None)
@given(problems())
def test_a_proven_optimum_is_never_dearer_than_a_baseline(question: Problem) -> None:
    results = answers(question)
    decision = solve(question, SolveParams(deadline_s=1.0))
    unplaced = sum(entry.pods.count for entry in decision.unschedulable)
    for result in results:
        assert unplaced <= result.pods_unplaced, result.name
        if unplaced == result.pods_unplaced == 0:
            assert decision.bound_microusd_per_hour <= result.cost_microusd_per_hour, result.name


def test_a_rule_knows_no_priorities() -> None:
    """Two pods alike but for their priority, and room for one: whoever gets the place, a node is bought."""
    pods = [pod("low", cpu=4), pod("high", cpu=4, priority=9)]
    question = problem(pods, [instance_type("a", cpu=4, price=1)], [node_pool(max_nodes=1)])
    assert {result.checked().pods_unplaced for result in answers(question)} == {1}
