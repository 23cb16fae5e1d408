# ruff: noqa: E501 - one case a line reads as a table
"""What NodeClaims leave the cloud to choose from: minValues, and alternatives under the rules."""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.model import (
    HostPort,
    LossBound,
    MinValuesPolicy,
    Operator,
    Policies,
    Requirement,
    Share,
    Volume,
    labels,
)
from binwright_optimizer.model.rules import Rule
from builders import instance_type, node_pool, offering, requires
from decisions import Bought, bought
from rules import ZONE, near, ruled

from rule_cases.pod_affinity import ALONE
from rule_cases.world import (
    AGENT,
    BOX,
    DRIVER,
    GPU,
    NEVER,
    OWN,
    PLAIN_WEB,
    A,
    case,
    mounts,
    mutant,
    ported,
    wary,
    world,
)

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


RIGHT = [
    case("two types", world(PLAIN_WEB, kinds=KINDS, pools=wanting(labels.INSTANCE_TYPE, 2)), choice("large", web=2)),
    case("a label that types define", world(PLAIN_WEB, kinds=KINDS, pools=wanting(FAMILY, 2)), choice("fast", kind="slow", web=2)),
    case("best effort", world(PLAIN_WEB, kinds=KINDS, pools=wanting(labels.INSTANCE_TYPE, 9),
                              policies=Policies(min_values=MinValuesPolicy.BEST_EFFORT)), choice(web=2)),
    case("rules that types do not decide", world(ALONE, kinds=KINDS), choice("large", "gpu", web=1), choice(web=1), choice(web=1)),
    case("accelerated alternatives for pods that ask",
         world(ruled("train", gpu=1), kinds=[GPU, dataclasses.replace(GPU, name="gpu2", labels=(), offerings=(offering(6, zone=A),))], policies=NEVER),
         choice("gpu2", kind="gpu", train=1)),
    case("an alternative that attaches as many as needed", world(mounts("web", OWN, replicas=2), kinds=(BOX, CHEAP_SLOW)),
         choice("box", kind="slow", web=2)),
    case("spot without a bound on pools", world(wary(2, min_on_demand=Share(count=1)), kinds=KINDS),
         choice("large", capacity_type="spot", web=1), choice(web=1)),
]  # fmt: skip

SPOT_PAIR = choice(capacity_type="spot", web=2)
OTHER_POOL = choice("large", capacity_type="spot", web=2)
SLOW_VOLUME = Volume(topology=((requires(FAMILY, "In", "s"),),))

MUTANTS = [
    mutant(Rule.MIN_VALUES, "one type of two", world(PLAIN_WEB, kinds=KINDS, pools=wanting(labels.INSTANCE_TYPE, 2)),
           [choice("large", web=2)], [choice(web=2)],
           "node claim n0: its alternatives have 1 values of node.kubernetes.io/instance-type, NodePool default wants 2"),
    mutant(Rule.MIN_VALUES, "one family of two", world(PLAIN_WEB, kinds=KINDS, pools=wanting(FAMILY, 2)),
           [choice("fast", kind="slow", web=2)], [choice(kind="slow", web=2)], "have 1 values of"),
    mutant(Rule.MIN_VALUES, "one zone of two", world(PLAIN_WEB, kinds=KINDS, pools=wanting(ZONE, 2)), [], [choice("large", web=2)],
           "have 1 values of topology.kubernetes.io/zone"),
    mutant(Rule.POD_AFFINITY, "an alternative in another domain", world(ruled("web", 2, pod_affinity=near(FAMILY, "web")), kinds=KINDS),
           [choice(kind="slow", web=2)], [choice("fast", kind="slow", web=2)],
           f"node claim n0: alternative fast would be in {FAMILY}=f, not in s"),
    mutant(Rule.GPU_NODES, "an alternative with an accelerator", world(PLAIN_WEB, kinds=KINDS, policies=NEVER),
           [choice("large", web=2)], [choice("gpu", web=2)],
           "node claim n0: alternative gpu has an accelerator, pod web-0 asks for none"),
    mutant(Rule.SPOT, "an alternative in another spot pool", world(wary(2, max_per_pool=TWO), kinds=KINDS), [SPOT_PAIR], [OTHER_POOL],
           "node claim n0: alternative large is another spot pool"),
    mutant(Rule.SPOT_LOSS, "an alternative in a pool whose loss is not counted",
           world(wary(2, loss=LossBound(TWO, 1_000)), kinds=KINDS), [SPOT_PAIR], [OTHER_POOL],
           "node claim n0: alternative large is another spot pool"),
    mutant(Rule.VOLUMES, "an alternative that attaches fewer", world(mounts("web", OWN, replicas=3), kinds=(BOX, CHEAP_SLOW)),
           [choice(kind="slow", web=3)], [choice("box", kind="slow", web=3)],
           f"node claim n0: alternative box attaches 2 volumes of {DRIVER}, 3 are needed"),
    mutant(Rule.VOLUMES, "an alternative where the volume is not", world(mounts("web", SLOW_VOLUME), kinds=KINDS),
           [choice(kind="slow", web=1)], [choice("fast", kind="slow", web=1)],
           "alternative fast is not where a volume of pod web can be attached"),
    mutant(Rule.DAEMON_PORTS, "an alternative on which a daemon has the port",
           world(ported("web", HostPort(80)), kinds=KINDS, daemons=[PICKY]),
           [choice(kind="slow", web=1)], [choice("fast", kind="slow", web=1)],
           "node claim n0: alternative fast gives port 80 of pod web to daemon picky"),
]  # fmt: skip
