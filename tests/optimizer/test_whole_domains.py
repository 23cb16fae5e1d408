"""Few pods that are spread over zones need whole nodes in each, and the search knows."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.columns.whole_domains import least_on_whole_nodes
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import LabelSelector, Problem, TopologySpread, Workload, labels
from builders import existing_node, instance_type, microusd, offering, pod, problem


def sold(*workloads: Workload, **more: object) -> Problem:
    """Boxes of 4 CPUs for 1 $ in zone a and 2 $ in zone b, and large ones of 8 for 3 $ in b."""
    box = instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(2, zone="b")])
    return problem(workloads, [box, instance_type("large", cpu=8, offerings=[offering(3, zone="b")])], **more)  # type: ignore[arg-type]


def web(replicas: int, skew: int = 1) -> Workload:
    """Pods of 1 CPU, spread over zones."""
    constraint = TopologySpread(labels.ZONE, skew, selector=LabelSelector.of_labels({"app": "web"}))
    plain = pod("web", cpu=1, replicas=replicas)
    template = dataclasses.replace(plain.template, labels=(("app", "web"),), topology_spread=(constraint,))
    return dataclasses.replace(plain, template=template)


def bound(question: Problem) -> int:
    return least_on_whole_nodes(build_instance(question))


def test_each_zone_needs_a_node() -> None:
    """Two pods in each: 1 + 2."""
    assert bound(sold(web(4))) == microusd(3)


def test_the_cheapest_nodes_of_a_zone_hold_its_pods() -> None:
    """Ten pods, five in each zone: two boxes of a, one large node of b, 2 + 3."""
    assert bound(sold(web(10))) == microusd(5)


def test_a_skew_lets_the_cheap_zone_take_more() -> None:
    """Three pods, a skew of 3: all in a."""
    assert bound(sold(web(3, skew=3))) == microusd(1)


def test_nothing_is_known_where_nodes_run_already() -> None:
    assert bound(sold(web(4), existing=[existing_node("old", cpu=1)])) == 0


def test_nothing_is_known_of_pods_that_are_not_spread() -> None:
    assert bound(sold(pod("web", cpu=1, replicas=9))) == 0
