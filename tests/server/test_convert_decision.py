"""Decisions to messages and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from binwright.v1 import decision_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.model import (
    Alternative,
    CapacityType,
    Certificate,
    Decision,
    ExistingPlacement,
    NodeClaim,
    Penalty,
    PhaseTiming,
    PodRange,
    Problem,
    Refusal,
    Resources,
    SolutionStatus,
    Split,
    StopReason,
    Unschedulable,
)
from binwright_server.convert import decision_from_message, decision_to_message, progress_to_message
from builders import instance_type, pod, problem
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parent / "golden" / "decision.json"


def question() -> Problem:
    """Five replicas of ``web``, one ``job`` elsewhere, three ``batch`` that have names of their own."""
    batch = pod("batch", cpu=1, replicas=3)
    return problem(
        [
            pod("web", cpu=1, memory_gib=2, replicas=5),
            pod("job", cpu=2, gpu=1, namespace="ml"),
            replace(batch, kind="Job", names=("a", "b", "c")),
        ],
        [instance_type("small", cpu=4, memory_gib=16, price=0.10)],
    )


def held() -> Decision:
    """A decision that uses every field; it need not be right."""
    claim = NodeClaim(
        name="default-0",
        node_pool="default",
        instance_type="small",
        region="r",
        zone="r-a",
        capacity_type=CapacityType.SPOT,
        price_microusd_per_hour=123_457,
        labels=(("kubernetes.io/arch", "amd64"), ("team", "x")),
        requests=Resources.of({"cpu": 3_500, "memory": 6 * 2**30, "pods": 4, "nvidia.com/gpu": 1}),
        allocatable=Resources.of({"cpu": 4_000, "memory": 16 * 2**30, "pods": 58, "nvidia.com/gpu": 1}),
        daemon_overhead=Resources.of({"cpu": 100, "memory": 1, "pods": 1}),
        pods=(PodRange(0, 0, 2), PodRange(0, 4, 1), PodRange(1, 0, 1)),
        alternatives=(Alternative("small", 123_457), Alternative("large", 200_000)),
    )
    reasons = (Refusal("cpu", 12, "needs 1 CPU"), Refusal("limit", 3, "pool default is full"))
    return Decision(
        status=SolutionStatus.PARTIAL,
        stop_reason=StopReason.DEADLINE,
        cost_microusd_per_hour=123_457,
        bound_microusd_per_hour=120_001,
        node_claims=(claim,),
        existing_placements=(ExistingPlacement("node-1", (PodRange(0, 2, 2),)),),
        unschedulable=(
            Unschedulable(PodRange(2, 0, 2), reasons, "small lacks 1 CPU"),
            Unschedulable(PodRange(2, 2, 1), reasons[:1], ""),
        ),
        certificate=Certificate(
            20, (7, 2**40, 0), (("default", "cpu", 5), ("default", "nodes", 1)), (("default", 9),)
        ),
        timings=(PhaseTiming("greedy", 0.25), PhaseTiming("columns", 1.5)),
        warnings=("spread is not enforced",),
        interruption_microusd_per_hour=4_000,
        penalties=(Penalty(0, "zone In [a] (weight 40)", 2, 800), Penalty(1, "no taint x", 1, 1_000)),
    )


def message() -> decision_pb2.Decision:
    return decision_to_message(question(), held())


def test_decision_survives_the_way_to_a_message_and_back() -> None:
    assert decision_from_message(question(), message()) == held()


def split_in_two() -> Decision:
    """The decision held, with a certificate that tells two cases apart."""
    fewer = Certificate(20, (5, 6, 7), level_prices=((1_000_000, -3),))
    more = Certificate(20, (8, 9, 10), level_prices=((1_000_000, 2**50),))
    return replace(held(), certificate=Certificate(20, (), split=Split(1_000_000, 4, fewer, more)))


def test_certificate_of_two_cases_survives_the_way_to_a_message_and_back() -> None:
    sent = decision_to_message(question(), split_in_two())
    assert decision_from_message(question(), sent) == split_in_two()


def test_mistakes_inside_a_case_are_named_with_their_place() -> None:
    sent = decision_to_message(question(), split_in_two())
    sent.certificate.split.at_most = -1
    sent.certificate.split.more.pod_prices.pop()
    with pytest.raises(InvalidProblemError) as caught:
        decision_from_message(question(), sent)
    assert [v.field for v in caught.value.violations] == [
        "certificate.split.at_most",
        "certificate.split.more.pod_prices",
    ]


def test_capacity_has_to_be_that_of_the_instance_type() -> None:
    sent = message()
    assert dict(sent.node_claims[0].capacity)["cpu"] == "4"
    sent.node_claims[0].capacity["cpu"] = "5"
    with pytest.raises(InvalidProblemError, match=r"node_claims\[0\]\.capacity.*disagrees"):
        decision_from_message(question(), sent)
    sent.node_claims[0].ClearField("capacity")
    assert decision_from_message(question(), sent) == held()


def test_penalties_have_to_name_their_workload_and_to_add_up() -> None:
    sent = message()
    sent.penalties[0].workload_name = "Pod default/other"
    sent.penalties[0].hourly_usd = 1.0
    sent.penalties[1].workload = 99
    sent.hourly_penalty_microusd = 1
    sent.hourly_interruption_usd = 2.0
    with pytest.raises(InvalidProblemError) as caught:
        decision_from_message(question(), sent)
    assert {v.field for v in caught.value.violations} == {
        "penalties[0].workload_name",
        "penalties[0].hourly_usd",
        "penalties[1].workload",
        "hourly_penalty_microusd",
        "hourly_penalty_usd",
        "hourly_interruption_usd",
        "gap",
    }


def test_decision_survives_json() -> None:
    text = json_format.MessageToJson(message(), preserving_proto_field_name=True)
    assert decision_from_message(question(), json_format.Parse(text, decision_pb2.Decision())) == held()


def test_json_of_a_decision_is_stable() -> None:
    """Field names and formats are an interface; whoever changes the file changes it for all users."""
    expected = GOLDEN.read_text(encoding="utf-8").replace("@VERSION@", version("binwright"))
    text = json_format.MessageToJson(message(), preserving_proto_field_name=True, sort_keys=True)
    assert text + "\n" == expected


def test_pods_are_named_as_kubernetes_names_them() -> None:
    claim = message().node_claims[0]
    assert list(claim.pods) == ["web-0", "web-1", "web-4", "ml/job"]
    assert [p.pod for p in message().unschedulable_pods] == ["a", "b", "c"]
    assert message().unschedulable_pods[0].workload == "Job default/batch"


def test_dollars_are_the_exact_amounts_rounded_once() -> None:
    shown = message()
    assert shown.hourly_cost_usd == 0.123457
    assert shown.lower_bound_usd == 0.120001
    assert shown.monthly_cost_usd == 90.12361
    assert shown.gap == pytest.approx((123_457 + 5_800 - 120_001) / (123_457 + 5_800))


WRONG: list[tuple[str, Callable[[decision_pb2.Decision], object]]] = [
    ("status", lambda m: m.ClearField("status")),
    ("stop_reason", lambda m: m.ClearField("stop_reason")),
    ("hourly_cost_usd", lambda m: setattr(m, "hourly_cost_usd", 0.1)),
    ("monthly_cost_usd", lambda m: setattr(m, "monthly_cost_usd", 1.0)),
    ("lower_bound_usd", lambda m: setattr(m, "lower_bound_usd", float("nan"))),
    ("gap", lambda m: setattr(m, "gap", 0.0)),
    ("node_claims[0].pods[1]", lambda m: m.node_claims[0].pods.__setitem__(1, "web-5")),
    ("node_claims[0].capacity_type", lambda m: setattr(m.node_claims[0], "capacity_type", "free")),
    ("node_claims[0].hourly_price_usd", lambda m: setattr(m.node_claims[0], "hourly_price_usd", 0.1)),
    ('node_claims[0].requests["cpu"]', lambda m: m.node_claims[0].requests.update(cpu="-1")),
    (
        "node_claims[0].instance_types[1].hourly_price_usd",
        lambda m: setattr(m.node_claims[0].instance_types[1], "hourly_price_usd", float("inf")),
    ),
    ("existing_placements[0].pods[0]", lambda m: m.existing_placements[0].pods.__setitem__(0, "?")),
    ("unschedulable_pods[2].pod", lambda m: setattr(m.unschedulable_pods[2], "pod", "job")),
    ("unschedulable_pods[0].workload", lambda m: setattr(m.unschedulable_pods[0], "workload", "x")),
    ("certificate.scale_bits", lambda m: setattr(m.certificate, "scale_bits", 2**31 - 1)),
    ("certificate.pod_prices", lambda m: m.certificate.pod_prices.append(1)),
]


@pytest.mark.parametrize(("field", "change"), WRONG, ids=[field for field, _ in WRONG])
def test_field_that_no_decision_on_the_problem_can_have_is_named(
    field: str, change: Callable[[decision_pb2.Decision], object]
) -> None:
    changed = message()
    change(changed)
    with pytest.raises(InvalidProblemError) as caught:
        decision_from_message(question(), changed)
    assert [v.field for v in caught.value.violations] == [field]


def test_pod_named_twice_stays_twice_for_the_verifier_to_find() -> None:
    changed = message()
    changed.node_claims[0].pods.append("web-0")
    ranges = decision_from_message(question(), changed).node_claims[0].pods
    assert sum(pods.count for pods in ranges) == 5
    assert ranges[:2] == (PodRange(0, 0, 1), PodRange(0, 0, 2))


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=5), max_size=4))
def test_any_placement_survives_the_way_to_a_message_and_back(nodes: list[list[tuple[int, bool]]]) -> None:
    """Each pod of ``web`` goes to at most one node; ranges come back maximal and sorted."""
    seen: set[int] = set()
    placements = []
    for node, picks in enumerate(nodes):
        mine = sorted({pod for pod, _ in picks} - seen)
        seen.update(mine)
        ranges: list[PodRange] = []
        for ordinal in mine:
            if ranges and ranges[-1].first + ranges[-1].count == ordinal:
                ranges[-1] = PodRange(0, ranges[-1].first, ranges[-1].count + 1)
            else:
                ranges.append(PodRange(0, ordinal, 1))
        placements.append(ExistingPlacement(f"n{node}", tuple(ranges)))
    decision = replace(held(), existing_placements=tuple(placements))
    assert decision_from_message(question(), decision_to_message(question(), decision)) == decision


def test_progress_before_the_first_incumbent_has_no_cost() -> None:
    early = progress_to_message(Progress("bound", 0.5, None, 2_000_000, 0))
    assert not early.HasField("hourly_cost_usd")
    assert not early.HasField("gap")
    assert early.lower_bound_usd == 2
    later = progress_to_message(Progress("columns", 1.0, 4_000_000, 3_000_000, 7))
    assert (later.hourly_cost_usd, later.gap, later.nodes) == (4, 0.25, 7)
