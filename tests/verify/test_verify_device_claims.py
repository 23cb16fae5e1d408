# ruff: noqa: E501 - one case a line reads as a table
"""Device claims: right decisions, and each way to break them, found by both readings of the rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from binwright_optimizer.model import (
    Decision,
    DeviceClaim,
    DeviceRequest,
    DeviceSelector,
    Problem,
    RunningPods,
    labels,
)
from builders import existing_node, instance_type, offering, resources
from claims_by_hand import MEANING
from decisions import bought, findings
from rule_world import A, B, Case, case, check_right, check_wrong, world
from rules import ruled

T4 = instance_type("t4", cpu=8, gpu=4, gpu_model="t4", offerings=[offering(2, zone=A), offering(3, zone=B)])
A100 = instance_type("a100", cpu=8, gpu=8, gpu_model="a100-40gb", offerings=[offering(20, zone=A)])
AMD = instance_type("amd", cpu=8, gpu_model="mi25", offerings=[offering(4, zone=A)], **{"amd.com/gpu": 4})
BOX = instance_type("box", cpu=8, offerings=[offering(1, zone=A)])
DEAR_T4 = dataclasses.replace(T4, name="t4-dear", labels=(), offerings=(offering(9, zone=A),))
KINDS = (T4, A100, AMD, BOX, DEAR_T4)
NVIDIA, NO_T4 = "device.driver == 'gpu.nvidia.com'", next(text for text in MEANING if text.startswith("has("))


def asks(count: int = 1, *selectors: str, name: str = "r", admin: bool = False) -> DeviceRequest:
    return DeviceRequest(name, "gpu", tuple(map(DeviceSelector, selectors)), count, admin)


def claim(*ways: Any, name: str = "", title: str = "gpus", **more: Any) -> DeviceClaim:
    return DeviceClaim(name, tuple(w if isinstance(w, tuple) else (w,) for w in ways), title=title, **more)


def claiming(
    name: str, *claims: DeviceClaim, replicas: int = 1, gpu: int = 0, namespace: str = "default"
) -> Any:
    return ruled(name, replicas, gpu=gpu, namespace=namespace, device_claims=claims)


def shop(*workloads: Any, **parts: Any) -> Problem:
    return world(*workloads, kinds=KINDS, **parts)


def node(kind: str, **pods: int) -> Any:
    return bought(kind, zone=A, **pods)


def old(name: str, *claims: DeviceClaim, free: int = 4) -> Any:
    plain = existing_node(
        name, cpu=8, gpu=free, node_labels={labels.INSTANCE_TYPE: "t4"}, capacity=T4.capacity
    )
    pods = (RunningPods(claiming("before", *claims).template, 1),) if claims else ()
    return dataclasses.replace(plain, pods=pods)


ONE, TWO, ALL = (claim(asks(count, NVIDIA)) for count in (1, 2, 0))
TEAM = claim(asks(3, NVIDIA), name="team", title="team")
EITHER = claim((asks(1, NO_T4, name="big"), asks(2, NVIDIA, name="small")))

RIGHT: list[Case] = [
    case("as many as there are", shop(claiming("p", TWO, replicas=2)), node("t4", p=2)),
    case("claims beside requests", shop(claiming("p", TWO), ruled("q", 2, gpu=1)), node("t4", p=1, q=2)),
    case("a pod that claims and requests", shop(claiming("p", TWO, gpu=2)), node("t4", p=1)),
    case("all of a node", shop(claiming("p", ALL, replicas=2)), node("t4", p=1), node("a100", p=1)),
    case("the first alternative", shop(claiming("p", EITHER, replicas=8)), node("a100", p=8)),
    case("the second alternative", shop(claiming("p", EITHER, replicas=2)), node("t4", p=2)),
    case("any maker", shop(claiming("p", claim(asks(4)))), node("amd", p=1)),
    case("a watcher", shop(claiming("w", claim(asks(0, admin=True))), claiming("p", ALL)), node("t4", w=1, p=1)),
    case("an attribute that matches", shop(claiming("p", claim(asks(2), match_attributes=("gpu.nvidia.com/type",)))), node("t4", p=1)),
    case("a shared claim counts once", shop(claiming("p", TEAM, replicas=3), claiming("q", ONE)), node("t4", p=3, q=1)),
    case("one name, two namespaces", shop(claiming("p", TEAM), claiming("q", TEAM, namespace="shop")), node("t4", p=1), node("t4", q=1)),
    case("a claim that running pods have", shop(claiming("p", TEAM), claiming("q", ONE), existing=[old("o", TEAM)]), existing={"o": {"p": 1, "q": 1}}),
    case("devices free on a running node", shop(claiming("p", TWO), existing=[old("o", free=2)]), existing={"o": {"p": 1}}),
]  # fmt: skip

WRONG: list[tuple[Case, str]] = [
    (case("a node without devices", shop(claiming("p", ONE)), node("box", p=1)), "device claim: claim gpus of pod p is not met by the devices of node claim n0"),
    (case("devices that a selector refuses", shop(claiming("p", claim(asks(1, NO_T4)))), node("t4", p=1)), "device claim: claim gpus of pod p is not met"),
    (case("more than a node has", shop(claiming("p", claim(asks(5)))), node("t4", p=1)), "device claim: claim gpus of pod p is not met"),
    (case("requests that do not fit together", shop(claiming("p", claim(asks(3), asks(2, name="s")))), node("t4", p=1)), "device claim: claim gpus of pod p is not met"),
    (case("an attribute that nobody knows", shop(claiming("p", claim(asks(1), match_attributes=("x/pcieRoot",)))), node("t4", p=1)), "device claim: claim gpus of pod p is not met"),
    (case("a watcher without devices", shop(claiming("p", claim(asks(0, admin=True)))), node("box", p=1)), "device claim: claim gpus of pod p is not met"),
    (case("a shared claim on two nodes", shop(claiming("p", TEAM, replicas=2)), node("t4", p=1), node("t4", p=1)),
     "device claim: claim default/team is of one node, its pods are on node claim n0, node claim n1"),
    (case("a shared claim away from running pods", shop(claiming("p", TEAM), existing=[old("o", TEAM)]), node("t4", p=1)),
     "device claim: claim default/team is of one node, its pods are on node claim n0, o"),
    (case("all of a running node of which some are taken", shop(claiming("p", ALL), existing=[old("o", ONE)]), existing={"o": {"p": 1}}),
     "device claim: claim gpus of pod p is not met by the devices of existing node o"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "decision"), [c[1:] for c in RIGHT], ids=[c[0] for c in RIGHT])
def test_right_decisions_are_accepted(question: Problem, decision: Decision) -> None:
    check_right(question, decision)


@pytest.mark.parametrize(
    ("question", "decision", "finding"), [(*c[1:], f) for c, f in WRONG], ids=[c[0] for c, _ in WRONG]
)
def test_wrong_decisions_are_found(question: Problem, decision: Decision, finding: str) -> None:
    check_wrong(question, decision, finding)


QUESTION, DECISION = RIGHT[9][1:]  # three pods of team, one with a device of its own
USES = DECISION.node_claims[0].devices


def changed(*uses: Any, **claim_parts: Any) -> Decision:
    node_claim = dataclasses.replace(DECISION.node_claims[0], devices=tuple(uses), **claim_parts)
    return dataclasses.replace(DECISION, node_claims=(node_claim,))


MUTANTS: list[tuple[str, Decision, str]] = [
    ("no device told", changed(), "pod p-0 uses 0 devices for claim team, asks for 3"),
    ("a device left out", changed(*USES[1:]), "pod p-0 uses 2 devices for claim team, asks for 3"),
    ("a device too many", changed(*USES, dataclasses.replace(USES[-1], device=0)), "pod q uses 2 devices for claim gpus, asks for 1"),
    ("a device of nobody's claim", changed(*USES[:-1], dataclasses.replace(USES[-1], claim="other")), "pod q uses 0 devices for claim gpus"),
    ("a device for no claim", changed(*USES[:-1], dataclasses.replace(USES[-1], claim="")), "pod q uses 1 devices, asks for 0"),
    ("one device for two claims", changed(*USES[:-1], dataclasses.replace(USES[-1], device=0)), "device 0 holds shares of 2000/1000"),
    ("a device beyond the node's", changed(*USES[:-1], dataclasses.replace(USES[-1], device=4)), "device 4 is used, the node has 4"),
    ("a device twice", changed(dataclasses.replace(USES[0], device=USES[1].device), *USES[1:]), "pod p-0 uses a device twice"),
    ("other devices of a shared claim", changed(dataclasses.replace(USES[0], device=3), *USES[1:]), "pods that share claim default/team have different devices"),
    ("fewer devices stated", changed(*USES, requests=resources(cpu=4, pods=4, gpu=1)), "requests are stated as"),
]  # fmt: skip


@pytest.mark.parametrize(("decision", "finding"), [m[1:] for m in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_devices_given_out_wrongly_are_found(decision: Decision, finding: str) -> None:
    found = findings(QUESTION, decision)
    assert any(finding in text for text in found), found


def test_an_alternative_must_have_the_same_devices() -> None:
    """t4-dear has the same four T4, an a100 has others: the first alternative would be another there."""
    question = shop(claiming("p", EITHER))
    decision = case("", question, bought("t4", zone=A, alternatives=["t4-dear", "a100"], p=1))[2]
    assert findings(question, decision) == (
        "node claim n0: alternative a100 does not hold these pods on its devices",
    )
