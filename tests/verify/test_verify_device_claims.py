# ruff: noqa: E501 - one mutant a line reads as a table
"""Devices that a decision gives out for claims: one right statement, and every way to break it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from binwright_optimizer.model import Decision
from builders import resources
from decisions import bought, findings
from rule_cases.devices import EITHER, ONE, TEAM, claiming, node, shop
from rule_cases.world import A, decide

QUESTION = shop(claiming("p", TEAM, replicas=3), claiming("q", ONE))
DECISION = decide(QUESTION, node("t4", p=3, q=1))
"""Three pods of team, one with a device of its own."""
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
    decision = decide(question, bought("t4", zone=A, alternatives=["t4-dear", "a100"], p=1))
    assert findings(question, decision) == (
        "node claim n0: alternative a100 does not hold these pods on its devices",
    )
