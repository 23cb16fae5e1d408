# ruff: noqa: E501 - one case a line reads as a table
"""Accelerated nodes and device claims: right decisions, and each way to break one."""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.model import (
    DeviceClaim,
    DeviceRequest,
    DeviceSelector,
    Problem,
    RunningPods,
    labels,
)
from binwright_optimizer.model.rules import Rule
from builders import existing_node, instance_type, offering
from claims_by_hand import MEANING
from decisions import bought
from rules import node as running_node
from rules import ruled

from rule_cases.world import BOX, GPU, NEVER, PLAIN_WEB, A, B, box, case, mutant, on, world

GPU_RIGHT = [
    case("pods that ask", world(ruled("train", gpu=1), kinds=[BOX, GPU], policies=NEVER), bought("gpu", zone=A, train=1)),
    case("others elsewhere", world(ruled("train", gpu=1), PLAIN_WEB, kinds=[BOX, GPU], policies=NEVER),
         bought("gpu", zone=A, train=1), box(A, web=2)),
    case("allowed by default", world(PLAIN_WEB, kinds=[BOX, GPU]), bought("gpu", zone=A, web=2)),
]  # fmt: skip

TRAIN = ruled("train", gpu=1)
T4_NODE = running_node("n", node_labels={labels.GPU_MODEL: "t4"})

GPU_MUTANTS = [
    mutant(Rule.GPU_NODES, "a pod that does not ask", world(PLAIN_WEB, kinds=[BOX, GPU], policies=NEVER),
           [box(A, web=2)], [bought("gpu", zone=A, web=2)], "pod web-0 asks for no accelerator and is on node claim n0, which has one"),
    mutant(Rule.GPU_NODES, "beside one that asks", world(TRAIN, PLAIN_WEB, kinds=[BOX, GPU], policies=NEVER),
           [bought("gpu", zone=A, train=1), box(A, web=2)], [bought("gpu", zone=A, train=1, web=2)], "pod web-0 asks for no accelerator"),
    mutant(Rule.GPU_NODES, "an existing one by its label", world(PLAIN_WEB, policies=NEVER, existing=[T4_NODE]),
           [box(A, web=2)], [on("n", web=2)], "is on existing node n, which has one"),
    mutant(Rule.GPU_NODES, "an existing one", world(PLAIN_WEB, policies=NEVER, existing=[running_node("n", gpu=1)]),
           [box(A, web=2)], [on("n", web=2)], "is on existing node n, which has one"),
]  # fmt: skip

T4 = instance_type("t4", cpu=8, gpu=4, gpu_model="t4", offerings=[offering(2, zone=A), offering(3, zone=B)])
A100 = instance_type("a100", cpu=8, gpu=8, gpu_model="a100-40gb", offerings=[offering(20, zone=A)])
AMD = instance_type("amd", cpu=8, gpu_model="mi25", offerings=[offering(4, zone=A)], **{"amd.com/gpu": 4})
PLAIN = instance_type("box", cpu=8, offerings=[offering(1, zone=A)])
DEAR_T4 = dataclasses.replace(T4, name="t4-dear", labels=(), offerings=(offering(9, zone=A),))
KINDS = (T4, A100, AMD, PLAIN, DEAR_T4)
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

CLAIMS_RIGHT = [
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
    case("a claim that running pods have", shop(claiming("p", TEAM), claiming("q", ONE), existing=[old("o", TEAM)]), on("o", p=1, q=1)),
    case("devices free on a running node", shop(claiming("p", TWO), existing=[old("o", free=2)]), on("o", p=1)),
]  # fmt: skip

NOT_MET = "claim gpus of pod p is not met by the devices of "
CLASSLESS = claim(asks(1, NVIDIA), missing="DeviceClass nope is not among the inputs")
UNKNOWN = claim(asks(1), match_attributes=("x/pcieRoot",))

CLAIMS_MUTANTS = [
    mutant(Rule.DEVICE_CLAIMS, "a node without devices", shop(claiming("p", ONE)), [node("t4", p=1)], [node("box", p=1)], f"{NOT_MET}node claim n0"),
    mutant(Rule.DEVICE_CLAIMS, "devices that a selector refuses", shop(claiming("p", claim(asks(1, NO_T4)))),
           [node("a100", p=1)], [node("t4", p=1)], NOT_MET),
    mutant(Rule.DEVICE_CLAIMS, "more than a node has", shop(claiming("p", claim(asks(5)))), [node("a100", p=1)], [node("t4", p=1)], NOT_MET),
    mutant(Rule.DEVICE_CLAIMS, "requests that do not fit together", shop(claiming("p", claim(asks(3), asks(2, name="s")))),
           [node("a100", p=1)], [node("t4", p=1)], NOT_MET),
    mutant(Rule.DEVICE_CLAIMS, "an attribute that nobody knows", shop(claiming("p", UNKNOWN)), [], [node("t4", p=1)], NOT_MET),
    mutant(Rule.DEVICE_CLAIMS, "a class that is not there", shop(claiming("p", CLASSLESS)), [], [node("t4", p=1)], NOT_MET),
    mutant(Rule.DEVICE_CLAIMS, "a template that is not there", shop(claiming("p", claim(missing="no t"))), [], [node("box", p=1)], NOT_MET),
    mutant(Rule.DEVICE_CLAIMS, "a watcher without devices", shop(claiming("p", claim(asks(0, admin=True)))),
           [node("t4", p=1)], [node("box", p=1)], NOT_MET),
    mutant(Rule.DEVICE_CLAIMS, "a shared claim on two nodes", shop(claiming("p", TEAM, replicas=2)),
           [node("t4", p=2)], [node("t4", p=1), node("t4", p=1)], "claim default/team is of one node, its pods are on node claim n0, node claim n1"),
    mutant(Rule.DEVICE_CLAIMS, "a shared claim away from running pods", shop(claiming("p", TEAM), existing=[old("o", TEAM)]),
           [on("o", p=1)], [node("t4", p=1)], "claim default/team is of one node, its pods are on node claim n0, o"),
    mutant(Rule.DEVICE_CLAIMS, "all of a running node of which some are taken", shop(claiming("p", ALL), existing=[old("o", ONE)]),
           [node("t4", p=1)], [on("o", p=1)], f"{NOT_MET}existing node o"),
]  # fmt: skip

RIGHT = [*GPU_RIGHT, *CLAIMS_RIGHT]
MUTANTS = [*GPU_MUTANTS, *CLAIMS_MUTANTS]
