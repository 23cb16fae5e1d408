"""Which domains a topology spread constraint balances: cases where what is bought for others decides it.

For the pods of a constraint these are domains of eligible nodes that run or are bought, and those of nodes
that could be bought for such a pod. ``large`` pods need the large nodes, which only zone a sells.
"""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import Problem, Workload
from builders import instance_type, node_pool, offering, problem, requires
from conformance import Unproven, conforms, conforms_not
from rules import ZONE, apps, node, ruled, running, spread

BOXES = (
    instance_type("large-box", cpu=4, offerings=[offering(4, zone="a")]),
    instance_type("small-box", cpu=1, offerings=[offering(2, zone="a"), offering(1, zone="b")]),
)
APART = (spread(ZONE, 1, apps("large")),)


def large(replicas: int, **rules: object) -> Workload:
    """Pods that fill a large node."""
    return ruled("large", replicas, cpu=4, **rules)


def test_a_zone_whose_node_pool_has_reached_its_limit_is_no_domain() -> None:
    """Pool ``wide`` sells b too but has its one node; so both pods go to a, though b holds none."""
    box = instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(1, zone="b")])
    wide = node_pool("wide", max_nodes=1)
    narrow = node_pool("narrow", requires(ZONE, "In", "a"))
    old = dataclasses.replace(node("old", cpu=0, zone="a"), node_pool="wide")
    web = ruled("web", 2, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms(
        problem([web], [box], [wide, narrow], existing=[old]), 1, lambda a: a.by(ZONE, "web") == {"a": 2}
    )


def test_a_node_for_others_may_open_a_zone_that_stays_within_the_skew() -> None:
    """With one large pod in a and none in b the skew is 1: the small pod has its node in b, at 1 not 2."""
    question = problem([large(1, topology_spread=APART), ruled("small")], BOXES)
    conforms(question, 5, lambda a: a.by(ZONE, "small") == {"b": 1})


def test_a_node_for_others_opens_no_zone_that_would_be_beyond_the_skew() -> None:
    """Two large pods are alone in a while no node stands in b: the small pod pays 2 to leave it so."""
    question = problem([large(2, topology_spread=APART), ruled("small")], BOXES)
    conforms(question, 10, lambda a: a.by(ZONE, "small") == {"a": 1}, unproven=Unproven.MIXED)


def test_pods_that_must_open_a_zone_hold_the_others_back() -> None:
    """The small pod may run in b only: the second large one would be two ahead of b."""
    question = problem([large(2, topology_spread=APART), ruled("small", selector={ZONE: "b"})], BOXES)
    conforms_not(question, placed=2)


def test_what_others_have_opened_counts_towards_min_domains() -> None:
    """Two domains are asked for and large and small pods count: two and one, where b costs a small node at
    3; with nothing in b no zone may hold more than one."""
    both = (spread(ZONE, 1, apps("large", "small"), min_domains=2),)
    boxes = (
        BOXES[0],
        instance_type("small-box", cpu=1, offerings=[offering(2, zone="a"), offering(3, zone="b")]),
    )
    question = problem([large(2, topology_spread=both), ruled("small")], boxes)
    conforms(question, 11, lambda a: a.by(ZONE, "small") == {"b": 1}, unproven=Unproven.MIXED)


def test_a_zone_that_others_cannot_reach_is_balanced_by_those_who_can() -> None:
    """web goes to a and b; db may not run in b, whose node, with affinity ignored, leaves it within 1."""
    box = instance_type("box", cpu=1, offerings=[offering(1, zone="a"), offering(1, zone="b")])
    web = ruled("web", 2, topology_spread=(spread(ZONE, 1, apps("web")),))
    by_zone = spread(ZONE, 1, apps("db"), ignores_affinity=True)
    db = ruled("db", selector={ZONE: "a"}, topology_spread=(by_zone,))
    conforms(problem([web, db], [box]), 3, lambda a: a.by(ZONE, "web") == {"a": 1, "b": 1})


def test_a_full_node_settles_its_zone_whatever_is_bought_there() -> None:
    """A full node in b has one of large: so with two in a, b is a domain anyway, and small has the
    cheaper node there."""
    old = node("old", running(large(1), 1), cpu=0, zone="b")
    question: Problem = problem([large(2, topology_spread=APART), ruled("small")], BOXES, existing=[old])
    conforms(question, 9, lambda a: a.by(ZONE, "small") == {"b": 1})
