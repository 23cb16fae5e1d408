# ruff: noqa: E501 - one mutant a line reads as a table
"""What a decision says of the accelerators it buys: one right statement, and every way to break it.

A node of four GPUs costs 3 $/h more than a plain one of as much CPU and memory. Two pods of a GPU each fill
its CPU: two GPUs, 1.50 $/h of them, are stranded. A second such node has one pod, with a quarter of a GPU:
3.75 GPUs, 2.8125 $/h of them, are unused, and none is stranded, since another pod has room beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from binwright_optimizer.model import AcceleratorUse, Decision, DeviceUse, GpuShare, PodRange, Problem
from binwright_optimizer.verify import check_placement
from builders import instance_type, microusd, pod, problem, resources
from decisions import bought, decided

GPU = "nvidia.com/gpu"
FOUR = instance_type("four", cpu=16, memory_gib=64, gpu=4, price=4.0)
PLAIN = instance_type("plain", cpu=16, memory_gib=64, price=1.0)
SMALL = instance_type("small", cpu=8, memory_gib=64, price=0.5)
QUARTER = dataclasses.replace(
    pod("quarter", cpu=8, memory_gib=8, gpu=1),
    template=dataclasses.replace(pod(cpu=8, memory_gib=8, gpu=1).template, gpu_share=GpuShare(250)),
)
QUESTION = problem([pod("p", cpu=8, memory_gib=8, gpu=1, replicas=2), QUARTER], [FOUR, PLAIN, SMALL])
RIGHT = AcceleratorUse(GPU, 8, 2_250, 2_000, microusd(4.3125), microusd(1.5))


def stating(*uses: AcceleratorUse, question: Problem = QUESTION) -> Decision:
    """Both nodes, with this said about their accelerators."""
    decision = decided(question, [bought("four", p=2), bought("four", quarter=1)])
    whole, shared = decision.node_claims
    on = (DeviceUse(0, PodRange(1, 0, 1)),)
    shared = dataclasses.replace(shared, devices=on, requests=resources(cpu=8, memory_gib=8, gpu=1, pods=1))
    return dataclasses.replace(decision, node_claims=(whole, shared), accelerators=uses)


def changed(**amounts: int) -> Decision:
    return stating(dataclasses.replace(RIGHT, **amounts))


MUTANTS: list[tuple[str, Decision, str]] = [
    ("fewer bought", changed(bought=4), f"bought of {GPU} is stated as 4, 8 is right"),
    ("more in use", changed(used_milli=3_000), f"used_milli of {GPU} is stated as 3000, 2250 is right"),
    ("none stranded", changed(stranded_milli=0), f"stranded_milli of {GPU} is stated as 0, 2000 is right"),
    ("unused ones cheaper", changed(unused_microusd=1), f"unused_microusd of {GPU} is stated as 1, 4312500 is right"),
    ("stranded ones cheaper", changed(stranded_microusd=0), f"stranded_microusd of {GPU} is stated as 0, 1500000 is right"),
    ("nothing told", stating(), f"bought of {GPU} is stated as 0, 8 is right"),
    ("told twice", stating(RIGHT, RIGHT), "accelerators of one resource are stated twice"),
    ("others invented", stating(RIGHT, AcceleratorUse("amd.com/gpu", 1)), "bought of amd.com/gpu is stated as 1, 0 is right"),
]  # fmt: skip


def test_the_right_statement_is_accepted() -> None:
    assert check_placement(QUESTION, stating(RIGHT)) == ()


@pytest.mark.parametrize(("decision", "finding"), [m[1:] for m in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_wrong_statements_are_refused_for_the_right_reason(decision: Decision, finding: str) -> None:
    found = check_placement(QUESTION, decision)
    assert any(finding in text for text in found), found


@pytest.mark.parametrize(
    ("amounts", "stranded"),
    [
        ({}, 3_000),
        ({"cpu": 8, "gpu": 1}, 0),
        ({"cpu": 8, "nvidia.com/mig-1g.5gb": 1}, 0),
        ({"cpu": 9, "gpu": 1}, 3_000),
    ],
    ids=["nobody else asks", "a whole GPU", "a part cut by MIG", "too much CPU beside it"],
)
def test_idle_devices_are_stranded_unless_some_pod_could_use_them(
    amounts: dict[str, int], stranded: int
) -> None:
    """One pod with nine of a node's sixteen cores but for a first, who had nine as well if he came: seven left."""
    check: Callable[[AcceleratorUse], tuple[str, ...]]
    first = pod("first", cpu=8 if amounts.get("cpu") == 8 else 9, memory_gib=8, gpu=1)
    question = problem([first, pod("other", replicas=1, **amounts)] if amounts else [first], [FOUR, PLAIN])
    decision = decided(question, [bought("four", first=1)])

    def check(use: AcceleratorUse) -> tuple[str, ...]:
        return check_placement(question, dataclasses.replace(decision, accelerators=(use,)))

    cost = microusd(2.25)
    right = AcceleratorUse(GPU, 4, 1_000, stranded, cost, cost if stranded else 0)
    assert check(right) == ()
