# ruff: noqa: E501 - one mutant a line reads as a table
"""One right decision for shares of GPUs, and one for commitments held, and every way to break each.

Shares: on a node of two GPUs of 16 GiB a pod of 600/1000 and one of half with 6 GiB, on another one pod of a
whole GPU. Commitments: three nodes at 1 $/h, one reserved, one on a savings plan, one half on it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from binwright_optimizer.model import (
    Alternative,
    CapacityType,
    CommitmentUse,
    Cover,
    Decision,
    DeviceUse,
    GpuShare,
    GpuSharing,
    PodRange,
    Problem,
    Reservation,
    RunningPods,
    SavingsPlan,
    SharingStrategy,
    Workload,
)
from binwright_optimizer.verify import check_placement
from builders import (
    GIB,
    REGION,
    existing_node,
    instance_type,
    microusd,
    node_pool,
    offering,
    pod,
    problem,
    resources,
)
from decisions import bought, charged, decided


def sharing(name: str, milli: int, memory_gib: int = 0, replicas: int = 1) -> Workload:
    plain = pod(name, cpu=1, gpu=1, replicas=replicas)
    share = GpuShare(milli, memory_gib * GIB)
    return dataclasses.replace(plain, template=dataclasses.replace(plain.template, gpu_share=share))


TWO = dataclasses.replace(
    instance_type("two", cpu=8, gpu=2, price=2, gpu_model="t4"), gpu_memory_bytes=16 * GIB
)
ONE = dataclasses.replace(
    TWO, name="one", capacity=resources(cpu=8, gpu=1), allocatable=resources(cpu=8, gpu=1)
)
ONE = dataclasses.replace(ONE, labels=instance_type("one").labels, offerings=(offering(2),), gpu_model="")


def shares_question(**parts: Any) -> Problem:
    pods = [sharing("a", 600, replicas=2), sharing("b", 400, 6), pod("whole", cpu=1, gpu=1)]
    return problem(pods, [TWO, ONE], **parts)


QUESTION = shares_question()
USES = (DeviceUse(0, PodRange(0, 0, 1)), DeviceUse(0, PodRange(1, 0, 1)), DeviceUse(1, PodRange(0, 1, 1)))


def shares(*uses: DeviceUse, question: Problem = QUESTION, **claim: Any) -> Decision:
    """The first two kinds on one node with these devices, the pod of a whole GPU on another."""
    decision = decided(question, [bought("two", a=2, b=1), bought("two", whole=1)])
    devices = len({use.device for use in uses})
    requests = resources(cpu=3, gpu=devices, pods=3)
    first = dataclasses.replace(decision.node_claims[0], **{"devices": uses, "requests": requests, **claim})
    return charged(question, dataclasses.replace(decision, node_claims=(first, *decision.node_claims[1:])))


def moved(k: int, device: int) -> tuple[DeviceUse, ...]:
    return tuple(dataclasses.replace(use, device=device) if k == n else use for n, use in enumerate(USES))


BIG = problem([sharing("a", 600, replicas=2), sharing("b", 400, 12), pod("whole", cpu=1, gpu=1)], [TWO, ONE])
MPS = shares_question(
    pools=[dataclasses.replace(node_pool(), gpu_sharing=GpuSharing(SharingStrategy.MPS, 2))]
)
EXCLUSIVE = shares_question(
    pools=[dataclasses.replace(node_pool(), gpu_sharing=GpuSharing(SharingStrategy.EXCLUSIVE))]
)

SHARE_MUTANTS: list[tuple[str, Problem, Decision, str]] = [
    ("thousandths of a GPU", QUESTION, shares(*moved(2, 0)), "device 0 holds shares of 1600/1000, 1000 are there"),
    ("memory of a GPU", BIG, shares(*USES, question=BIG), f"device 0 holds {12 * GIB + -(-600 * 16 * GIB // 1000)} bytes, {16 * GIB} are there"),
    ("a GPU that is not there", QUESTION, shares(*moved(2, 2)), "device 2 is used, the node has 2 for new pods"),
    ("no GPU told", QUESTION, shares(), "pod a-0 uses 0 devices, asks for 1"),
    ("a pod in two places", QUESTION, shares(*USES, DeviceUse(1, PodRange(1, 0, 1))), "pod b uses 2 devices, asks for 1"),
    ("a pod of another node", QUESTION, shares(*USES, DeviceUse(1, PodRange(2, 0, 1))), "use device 1 of a node they are not on"),
    ("a cut that nobody asks for", QUESTION, shares(*USES[:2], dataclasses.replace(USES[2], profile="1g.5gb")), "pod a-1 has MIG instances {'1g.5gb': 1}, asks for {}"),
    ("GPUs in use understated", QUESTION, shares(*USES, requests=resources(cpu=3, gpu=1, pods=3)), "requests are stated as"),
    ("a client of MPS beyond its part", MPS, shares(question=MPS, requests=resources(cpu=3, gpu=3, pods=3), allocatable=resources(cpu=8, gpu=4)), "one of 2 MPS clients of a GPU"),
    ("exclusive GPUs shared", EXCLUSIVE, shares(*USES, question=EXCLUSIVE), "device 0 holds shares of 2000/1000"),
    ("an alternative with fewer GPUs", QUESTION, shares(*USES, alternatives=(Alternative("two", microusd(2)), Alternative("one", microusd(2)))), "alternative one does not hold these pods: too little nvidia.com/gpu"),
]  # fmt: skip


def test_the_right_shares_are_accepted() -> None:
    assert check_placement(QUESTION, shares(*USES)) == ()


@pytest.mark.parametrize(
    ("question", "decision", "finding"), [m[1:] for m in SHARE_MUTANTS], ids=[m[0] for m in SHARE_MUTANTS]
)
def test_wrong_shares_are_refused_for_the_right_reason(
    question: Problem, decision: Decision, finding: str
) -> None:
    found = check_placement(question, decision)
    assert any(finding in text for text in found), found


def test_a_running_gpu_that_is_half_taken_gives_half() -> None:
    """On a node with one GPU, of which a running pod has 600/1000, 400 are left."""
    plain = existing_node("n", cpu=8, capacity=resources(cpu=8, gpu=1))
    node = dataclasses.replace(plain, pods=(RunningPods(sharing("old", 600).template, 1),))
    for milli, finding in ((400, ""), (401, "device 0 holds shares of 401/1000, 400 are there")):
        question = problem([sharing("p", milli)], existing=[node])
        decision = decided(question, existing={"n": {"p": 1}})
        [placement] = decision.existing_placements
        placement = dataclasses.replace(placement, devices=(DeviceUse(0, PodRange(0, 0, 1)),))
        found = check_placement(question, dataclasses.replace(decision, existing_placements=(placement,)))
        assert [text.partition(": ")[2] for text in found] == ([finding] if finding else [])


# --- commitments held -------------------------------------------------------------------------------

ON_DEMAND, SPOT = CapacityType.ON_DEMAND, CapacityType.SPOT
SMALL = instance_type("small", cpu=4, offerings=[offering(1), offering(0.4, capacity_type="spot")])
LARGE = instance_type("large", cpu=8, offerings=[offering(3)])
HELD = (Reservation("ri", "small", REGION, 1, capacity_type=ON_DEMAND),)
PLANS = (SavingsPlan("plan", microusd(1.125), 250_000), SavingsPlan("other", microusd(0.75), 250_000))
"""A whole node takes 0.75 $/h of a plan, half of one 0.375: of `plan` 1.125 is held."""


def commitments_question() -> Problem:
    plain = problem([pod("p", cpu=4, replicas=3)], [SMALL, LARGE])
    return dataclasses.replace(plain, reservations=HELD, savings_plans=PLANS)


HELD_QUESTION = commitments_question()
WHOLE, HALF = Cover("plan", microusd(0.75)), Cover("plan", microusd(0.375))


def committed(*covers: tuple[Any, ...], used: Any = None, kind: str = "small", **claim: Any) -> Decision:
    """Three nodes, each with what it costs and what covers it; ``claim`` changes the last of them."""
    decision = decided(HELD_QUESTION, [bought("small", p=1), bought("small", p=1), bought(kind, p=1)])
    claims = [
        dataclasses.replace(
            node, price_microusd_per_hour=microusd(price), covers=tuple(mine), alternatives=()
        )
        for node, (price, *mine) in zip(decision.node_claims, covers, strict=True)
    ]
    claims[-1] = dataclasses.replace(claims[-1], **claim)
    told = {"ri": 0, "plan": 0, "other": 0}
    for cover in (cover for node in claims for cover in node.covers if cover.commitment in told):
        told[cover.commitment] += cover.microusd_per_hour or 1
    uses = []
    for name, n, held in (
        ("ri", True, 1),
        ("plan", False, microusd(1.125)),
        ("other", False, microusd(0.75)),
    ):
        uses.append(CommitmentUse(name, n, held, 0, (used or told)[name]))
    return dataclasses.replace(decision, node_claims=tuple(claims), commitments=tuple(uses))


RIGHT = committed((0, Cover("ri")), (0, WHOLE), (0.5, HALF))

COMMITMENT_MUTANTS: list[tuple[str, Decision, str]] = [
    ("more nodes than are reserved", committed((0, Cover("ri")), (0, Cover("ri")), (0.5, HALF)), "2 nodes of commitment ri are used, 1 are left"),
    ("more than is committed", committed((0, WHOLE), (0, WHOLE), (0.5, HALF)), "1875000 micro-dollars per hour of commitment plan are used, 1125000 are left"),
    ("a price that the plan does not pay", committed((0, Cover("ri")), (0, WHOLE), (0.4, HALF)), "costs 500000 after savings plans, not 400000"),
    ("a reserved node that costs something", committed((0.1, Cover("ri")), (0, WHOLE), (0.5, HALF)), "a node of reservation ri costs 0, not 100000"),
    ("more than the whole of a node", committed((0, Cover("ri")), (0, WHOLE), (0, WHOLE, Cover("other", microusd(0.375)))), "savings plans cover more than the whole node"),
    ("a commitment twice", committed((0, Cover("ri")), (0, WHOLE), (0, HALF, HALF)), "a commitment covers it twice: plan, plan"),
    ("a reservation beside a plan", committed((0, Cover("ri"), HALF), (0, WHOLE), (1,)), "a reservation pays for whole nodes only, not beside others: ri, plan"),
    ("a part of a reservation", committed((0, Cover("ri", 5)), (0, WHOLE), (0.5, HALF)), "a reservation pays for whole nodes only"),
    ("a reservation of another type", committed((1,), (0, WHOLE), (0, Cover("ri")), kind="large"), "reservation ri does not cover it"),
    ("a plan for spot capacity", committed((0, Cover("ri")), (0, WHOLE), (0.2, Cover("plan", microusd(0.15))), capacity_type=SPOT), "savings plans pay for on-demand nodes"),
    ("more than the plan's price", committed((0, Cover("ri")), (0, HALF), (0, Cover("plan", microusd(0.76)))), "savings plan plan does not cover 760000 of it"),
    ("nobody's commitment", committed((0, Cover("ri")), (0, WHOLE), (0.5, Cover("x", 1))), "commitment x does not exist"),
    ("an alternative to a node that is paid", committed((0, Cover("ri")), (0, WHOLE), (0.5, HALF), alternatives=(Alternative("small", microusd(0.5)), Alternative("large", microusd(3)))), "there are no alternatives to what a commitment pays for"),
    ("use understated", committed((0, Cover("ri")), (0, WHOLE), (0.5, HALF), used={"ri": 0, "plan": 0, "other": 0}), "the use of commitments is stated as"),
]  # fmt: skip


def test_the_right_use_of_commitments_is_accepted() -> None:
    assert check_placement(HELD_QUESTION, RIGHT) == ()


@pytest.mark.parametrize(
    ("decision", "finding"), [m[1:] for m in COMMITMENT_MUTANTS], ids=[m[0] for m in COMMITMENT_MUTANTS]
)
def test_wrong_use_of_commitments_is_refused_for_the_right_reason(decision: Decision, finding: str) -> None:
    found = check_placement(HELD_QUESTION, decision)
    assert any(finding in text for text in found), found
