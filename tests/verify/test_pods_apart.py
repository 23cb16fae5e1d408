"""What pods cost at least that may not share nodes, on paper; `test_bounds_under_rules` draws random ones."""

from __future__ import annotations

from binwright_optimizer.model import HostPort, NodeCap, Problem
from binwright_optimizer.verify.apart import MOST_PODS, least_apart
from builders import instance_type, node_pool, offering, pod, problem, requires
from rules import HOSTNAME, ZONE, apps, away, node, ruled

DOLLAR = 1_000_000
BOX = instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(2, zone="b")])


def asked(*workloads: object, **other: object) -> Problem:
    """Boxes of four CPUs at a dollar."""
    return problem(workloads, [BOX], **other)


def test_few_pods_cost_whole_nodes() -> None:
    """Five pods of a CPU need two boxes of four."""
    assert least_apart(asked(ruled("web", 5)), [5]) == 2 * DOLLAR


def test_pods_of_two_that_keep_apart_have_nodes_of_their_own() -> None:
    """Two pods would fit one box twice over; the guard states the rule, and it holds both ways."""
    question = asked(ruled("web"), ruled("guard", pod_anti_affinity=away(HOSTNAME, "web")))
    assert least_apart(question, [1, 1]) == 2 * DOLLAR


def test_pods_of_different_zones_are_on_different_nodes() -> None:
    """Three replicas, one a zone: three nodes, whatever the zones cost."""
    assert least_apart(asked(ruled("web", 3, pod_anti_affinity=away(ZONE, "web"))), [3]) == 3 * DOLLAR


def test_the_same_host_port_keeps_them_apart_too() -> None:
    port = (HostPort(80),)
    question = asked(ruled("web", host_ports=port), ruled("shop", host_ports=port))
    assert least_apart(question, [1, 1]) == 2 * DOLLAR


def test_what_may_share_a_node_with_both_joins_them() -> None:
    """Guard and web are apart, a third may be with either: two boxes, not three."""
    question = asked(
        ruled("web"), ruled("guard", pod_anti_affinity=away(HOSTNAME, "web")), ruled("third", app="third")
    )
    assert least_apart(question, [1, 1, 1]) == 2 * DOLLAR


def test_a_cap_counts() -> None:
    """Beside a web pod one batch pod at most: of three of each, one box has three web and a batch pod."""
    small = [ruled("web", 3, cpu=0.5, node_caps=(NodeCap(apps("batch"), 1),)), ruled("batch", 3, cpu=0.5)]
    assert least_apart(asked(*small), [3, 3]) == 2 * DOLLAR


def test_only_pods_that_are_placed_count() -> None:
    question = asked(ruled("web", 8, cpu=4))
    assert least_apart(question, [2]) == 2 * DOLLAR
    assert least_apart(question, [0]) == 0


def test_many_pods_that_may_share_nodes_are_left_to_prices() -> None:
    assert least_apart(asked(pod("web", cpu=4, replicas=MOST_PODS + 1)), [MOST_PODS + 1]) == 0


def test_many_pods_that_keep_apart_are_not() -> None:
    """Each of 200 has a box, of which it takes a quarter."""
    question = asked(ruled("web", 200, pod_anti_affinity=away(HOSTNAME, "web")))
    assert least_apart(question, [200]) == 200 * DOLLAR


def test_running_nodes_may_hold_them_for_nothing() -> None:
    assert least_apart(asked(ruled("web", 5), existing=[node("old", zone="a", cpu=8)]), [5]) == 0


def test_a_pool_that_does_not_admit_them_does_not_count() -> None:
    """Only zone b is bought: five pods cost two boxes at two dollars."""
    pool = node_pool("dear", requires(ZONE, "In", "b"))
    assert least_apart(asked(ruled("web", 5), pools=[pool]), [5]) == 4 * DOLLAR
