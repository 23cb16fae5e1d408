# ruff: noqa: E501 - one case a line reads as a table
"""What NodeClaims leave the cloud to choose from: minValues, and alternatives under the rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import test_verify_device_claims as device_claims
import test_verify_groups as groups
import test_verify_node_rules as node_rules
import test_verify_pod_affinity as pod_affinity
import test_verify_spread as spread
from binwright_optimizer.model import (
    Decision,
    HostPort,
    LossBound,
    MinValuesPolicy,
    Operator,
    Policies,
    Problem,
    Requirement,
    Share,
    Volume,
    labels,
)
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.unenforced import WAIVED
from binwright_optimizer.verify import check_placement
from builders import instance_type, node_pool, offering, requires
from decisions import Bought, bought, findings
from rule_world import AGENT, BOX, DRIVER, GPU, NEVER, OWN, PLAIN_WEB, A, case, mounts, ported, wary, world
from rules import ZONE, near, ruled

PICKY = dataclasses.replace(
    AGENT,
    name="picky",
    template=dataclasses.replace(AGENT.template, node_selector=(requires("example.com/family", "In", "f"),)),
)
TWO = Share(count=2)

LARGE = instance_type(
    "large", cpu=16, offerings=[offering(2, zone=A), offering(1, zone=A, capacity_type="spot")]
)
FAMILY = "example.com/family"
FAST = instance_type("fast", cpu=8, offerings=[offering(1.5, zone=A)], extra_labels={FAMILY: "f"})
SLOW = instance_type("slow", cpu=8, offerings=[offering(1.2, zone=A)], extra_labels={FAMILY: "s"})
CHEAP_SLOW = dataclasses.replace(SLOW, offerings=(offering(0.9, zone=A),))
KINDS = (BOX, LARGE, GPU, FAST, SLOW)


def choice(*alternatives: str, capacity_type: str = "on-demand", kind: str = "box", **pods: int) -> Bought:
    return bought(kind, zone=A, capacity_type=capacity_type, alternatives=alternatives, **pods)


def wanting(key: str, least: int) -> Any:
    return [node_pool("default", Requirement(key, Operator.EXISTS, (), least))]


CHOICES_RIGHT = [
    case("two types", world(PLAIN_WEB, kinds=KINDS, pools=wanting(labels.INSTANCE_TYPE, 2)), choice("large", web=2)),
    case("a label that types define", world(PLAIN_WEB, kinds=KINDS, pools=wanting(FAMILY, 2)), choice("fast", kind="slow", web=2)),
    case("best effort", world(PLAIN_WEB, kinds=KINDS, pools=wanting(labels.INSTANCE_TYPE, 9),
                              policies=Policies(min_values=MinValuesPolicy.BEST_EFFORT)), choice(web=2)),
    case("rules that types do not decide", world(pod_affinity.ALONE, kinds=KINDS), choice("large", "gpu", web=1), choice(web=1), choice(web=1)),
    case("accelerated alternatives for pods that ask",
         world(ruled("train", gpu=1), kinds=[GPU, dataclasses.replace(GPU, name="gpu2", labels=(), offerings=(offering(6, zone=A),))], policies=NEVER),
         choice("gpu2", kind="gpu", train=1)),
    case("an alternative that attaches as many as needed", world(mounts("web", OWN, replicas=2), kinds=(BOX, CHEAP_SLOW)),
         choice("box", kind="slow", web=2)),
    case("spot without a bound on pools", world(wary(2, min_on_demand=Share(count=1)), kinds=KINDS),
         choice("large", capacity_type="spot", web=1), choice(web=1)),
]  # fmt: skip

CHOICES_WRONG = [
    (case("one type of two", world(PLAIN_WEB, kinds=KINDS, pools=wanting(labels.INSTANCE_TYPE, 2)), choice(web=2)),
     "minValues: node claim n0: its alternatives have 1 values of node.kubernetes.io/instance-type, NodePool default wants 2"),
    (case("one family of two", world(PLAIN_WEB, kinds=KINDS, pools=wanting(FAMILY, 2)), choice(kind="slow", web=2)), "have 1 values of"),
    (case("one zone of two", world(PLAIN_WEB, kinds=KINDS, pools=wanting(ZONE, 2)), choice("large", web=2)),
     "have 1 values of topology.kubernetes.io/zone"),
    (case("an alternative in another domain",
          world(ruled("web", 2, pod_affinity=near(FAMILY, "web")), kinds=KINDS), choice("fast", kind="slow", web=2)),
     f"pod affinity: node claim n0: alternative fast would be in {FAMILY}=f, not in s"),
    (case("an alternative with an accelerator", world(PLAIN_WEB, kinds=KINDS, policies=NEVER), choice("gpu", web=2)),
     "accelerated nodes: node claim n0: alternative gpu has an accelerator, pod web-0 asks for none"),
    (case("an alternative in another spot pool", world(wary(2, max_per_pool=TWO), kinds=KINDS), choice("large", capacity_type="spot", web=2)),
     "spot policy: node claim n0: alternative large is another spot pool"),
    (case("an alternative in a pool whose loss is not counted", world(wary(2, loss=LossBound(TWO, 1_000)), kinds=KINDS),
          choice("large", capacity_type="spot", web=2)),
     "spot loss: node claim n0: alternative large is another spot pool"),
    (case("an alternative that attaches fewer",
          world(mounts("web", OWN, replicas=3), kinds=(BOX, CHEAP_SLOW)),
          choice("box", kind="slow", web=3)),
     f"volume: node claim n0: alternative box attaches 2 volumes of {DRIVER}, 3 are needed"),
    (case("an alternative where the volume is not",
          world(mounts("web", Volume(topology=((requires(FAMILY, "In", "s"),),))), kinds=KINDS), choice("fast", kind="slow", web=1)),
     "alternative fast is not where a volume of pod web can be attached"),
    (case("an alternative on which a daemon has the port",
          world(ported("web", HostPort(80)), kinds=KINDS, daemons=[PICKY]), choice("fast", kind="slow", web=1)),
     "host port of a daemon: node claim n0: alternative fast gives port 80 of pod web to daemon picky"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "decision"), [c[1:] for c in CHOICES_RIGHT], ids=[c[0] for c in CHOICES_RIGHT])  # fmt: skip
def test_right_choices_are_accepted(question: Problem, decision: Decision) -> None:
    assert findings(question, decision) == ()


@pytest.mark.parametrize(
    ("question", "decision", "finding"),
    [(*c[1:], finding) for c, finding in CHOICES_WRONG],
    ids=[c[0] for c, _ in CHOICES_WRONG],
)
def test_wrong_choices_are_found(question: Problem, decision: Decision, finding: str) -> None:
    [found] = findings(question, decision)
    assert finding in found


EVERY_WRONG = [
    *spread.WRONG,
    *pod_affinity.WRONG,
    *node_rules.WRONG,
    *groups.WRONG,
    *device_claims.WRONG,
    *CHOICES_WRONG,
]


def test_by_default_only_rules_without_a_line_in_unenforced_are_looked_at() -> None:
    _, question, decision = pod_affinity.ANTI_WRONG[0][0]
    found = findings(question, decision)
    assert check_placement(question, decision) == (() if Rule.POD_ANTI_AFFINITY in WAIVED else found)


def test_every_rule_is_broken_by_some_case() -> None:
    broken = {finding for c, _ in EVERY_WRONG for finding in findings(*c[1:])}
    assert {text.partition(":")[0] for text in broken} == {rule.value for rule in Rule}
