"""Topology spread constraints: the cases of the Kubernetes and Karpenter documentation, on paper.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/ and
https://karpenter.sh/docs/concepts/scheduling/#topology-spread. Existing nodes are free and take what they
are sent; where something is sold it is a node of 4 CPUs, dearer from zone to zone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from binwright_optimizer.model import (
    ExistingNode,
    Operator,
    Problem,
    Requirement,
    Volume,
    Workload,
    labels,
)
from builders import instance_type, node_pool, offering, problem, requires
from conformance import Unproven, conforms, conforms_not
from rules import HOSTNAME, ZONE, apps, node, ruled, running, spread

NODE = "node"
"""The private label of the documentation's examples, by which every node is a domain."""
FOO = ruled("foo")
BY_ZONE = spread(ZONE, 1, apps("foo"))
BY_NODE = spread(NODE, 1, apps("foo"))


def cluster(*counts: tuple[str, int]) -> list[ExistingNode]:
    """Nodes ``node1``, ``node2`` ... in these zones with so many running pods of app ``foo``."""
    return [
        node(
            f"node{n}",
            *([running(FOO, count)] if count else []),
            zone=zone,
            node_labels={NODE: f"node{n}"},
        )
        for n, (zone, count) in enumerate(counts, start=1)
    ]


FOUR = (("A", 1), ("A", 1), ("B", 1), ("B", 0))


def incoming(*constraints: object, existing: Sequence[ExistingNode], **pod: object) -> Problem:
    """One pod ``mypod`` of app ``foo`` comes to a cluster that can buy nothing."""
    return problem([ruled("mypod", app="foo", topology_spread=constraints, **pod)], existing=existing)


def sold(*workloads: Workload, prices: Sequence[float] = (1, 2, 4), cpu: float = 4) -> Problem:
    """Nodes are sold in zones a, b, c at these prices."""
    offerings = [offering(price, zone=zone) for zone, price in zip("abc", prices, strict=False)]
    return problem(workloads, [instance_type("box", cpu=cpu, offerings=offerings)])


def test_one_constraint_sends_the_pod_to_the_emptier_zone() -> None:
    """Zones hold [2, 1]: in A it would be [3, 1], a skew of 2; so it goes to B, to either node."""
    conforms(incoming(BY_ZONE, existing=cluster(*FOUR)), 0, lambda a: a.by(ZONE, "mypod") == {"B": 1})


def test_a_larger_skew_lets_it_into_either_zone() -> None:
    """maxSkew 2 admits [3, 1]; a selector for zone A leaves only that."""
    wide = spread(ZONE, 2, apps("foo"), ignores_affinity=True)
    question = incoming(wide, existing=cluster(*FOUR), selector={ZONE: "A"})
    conforms(question, 0, lambda a: a.by(ZONE, "mypod") == {"A": 1})


def test_by_node_only_the_empty_node_is_left() -> None:
    """Nodes hold [1, 1, 1, 0]: anywhere but on node4 the skew would be 2."""
    conforms(incoming(BY_NODE, existing=cluster(*FOUR)), 0, lambda a: a.on("mypod") == {"node4": 1})


def test_zones_get_whole_pods_in_the_bound_too() -> None:
    """Four pods over three zones: the dear one must have one at $4, and one more goes to the cheapest.

    In fractions of pods it could have two thirds of one.
    """
    conforms(sold(ruled("foo", 4, cpu=4, topology_spread=(BY_ZONE,)), prices=(1, 2, 4)), 1 + 1 + 2 + 4)


def test_two_running_pods_in_one_zone_leave_the_next_to_the_others() -> None:
    """Two run in a: with a skew of 1, of three new pods b and c get one each before a may have a third."""
    here = node("here", running(FOO, 2), zone="a", cpu=2)
    question = sold(ruled("foo", 3, cpu=4, topology_spread=(BY_ZONE,)))
    conforms(dataclasses.replace(question, existing_nodes=(here,)), 2 + 4 + 2)


def test_schedule_anyway_always_schedules() -> None:
    """Only zone A has room: [3, 1] is allowed."""
    nodes = [n for n in cluster(*FOUR) if dict(n.labels)[ZONE] == "A"]
    conforms(incoming(spread(ZONE, 1, apps("foo"), anyway=True), existing=nodes), 0)


def test_two_constraints_meet_on_one_node() -> None:
    """By zone B, by node node4."""
    conforms(incoming(BY_ZONE, BY_NODE, existing=cluster(*FOUR)), 0, lambda a: a.on("mypod") == {"node4": 1})


def test_conflicting_constraints_leave_the_pod_pending() -> None:
    """Zones hold [3, 2] and nodes [2, 1, 2]: by zone only B is left, by node only node2, in A."""
    conforms_not(incoming(BY_ZONE, BY_NODE, existing=cluster(("A", 2), ("A", 1), ("B", 2))), placed=0)


def test_excluded_zones_do_not_count() -> None:
    """Zone C is empty, but node affinity excludes it: of A [2] and B [1] the pod goes to B."""
    not_c = ((requires(ZONE, "NotIn", "C"),),)
    question = incoming(BY_ZONE, existing=cluster(*FOUR, ("C", 0)), affinity=not_c)
    conforms(question, 0, lambda a: a.by(ZONE, "mypod") == {"B": 1})


def test_with_affinity_ignored_an_excluded_zone_counts() -> None:
    """Zone C stays at 0 and may not be used: A and B hold at most 1, and both are full."""
    not_c = ((requires(ZONE, "NotIn", "C"),),)
    constraint = spread(ZONE, 1, apps("foo"), ignores_affinity=True)
    conforms_not(incoming(constraint, existing=cluster(*FOUR, ("C", 0)), affinity=not_c), placed=0)


def test_tainted_zones_count_unless_taints_are_honoured() -> None:
    """Zone C is empty and tainted: ignored taints leave nothing, honoured ones leave B."""
    tainted = dataclasses.replace(
        cluster(*FOUR, ("C", 0))[-1], taints=node("t", taints=["t:NoSchedule"]).taints
    )
    nodes = [*cluster(*FOUR), tainted]
    conforms_not(incoming(BY_ZONE, existing=nodes), placed=0)


def test_with_taints_honoured_a_tainted_zone_is_no_domain() -> None:
    """Of A [2] and B [1] the pod goes to B."""
    tainted = dataclasses.replace(
        cluster(*FOUR, ("C", 0))[-1], taints=node("t", taints=["t:NoSchedule"]).taints
    )
    constraint = spread(ZONE, 1, apps("foo"), honors_taints=True)
    question = incoming(constraint, existing=[*cluster(*FOUR), tainted])
    conforms(question, 0, lambda a: a.by(ZONE, "mypod") == {"B": 1})


def test_only_pods_of_the_namespace_count() -> None:
    """The three pods run in another namespace: zone A is as good as B."""
    question = incoming(BY_ZONE, existing=cluster(*FOUR), selector={ZONE: "A"}, namespace="other")
    conforms(question, 0, lambda a: a.by(ZONE, "mypod") == {"A": 1})


def test_nodes_without_a_key_are_bypassed() -> None:
    """Without node1 (no zone label) zones hold [1, 2]: the pod goes to A, to node2."""
    first, *others = cluster(("A", 2), ("A", 1), ("B", 2))
    bypassed = dataclasses.replace(first, labels=((NODE, "node1"),))
    conforms(incoming(BY_ZONE, existing=[bypassed, *others]), 0, lambda a: a.on("mypod") == {"node2": 1})


def test_a_mistyped_key_takes_no_pods() -> None:
    """The only node says ``zone-typo``."""
    conforms_not(incoming(BY_ZONE, existing=[node("node5", node_labels={"zone-typo": "C"})]), placed=0)


def test_a_pod_that_its_own_selector_misses_follows_the_counts_of_others() -> None:
    """Its app is ``bar``: zone A holds 2, B 1 pods of ``foo``; A is within the skew of 1, as is B."""
    question = problem(
        [ruled("mypod", app="bar", selector={ZONE: "A"}, topology_spread=(BY_ZONE,))],
        existing=cluster(*FOUR),
    )
    conforms(question, 0, lambda a: a.by(ZONE, "mypod") == {"A": 1})


def test_min_domains_above_what_there_is_caps_each_domain() -> None:
    """Two zones of five wanted: the least count is 0, so that a zone takes at most maxSkew 2: 2 + 2."""
    web = ruled("web", 4, topology_spread=(spread(ZONE, 2, apps("web"), min_domains=5),))
    conforms(sold(web, prices=(1, 2)), 3, lambda a: a.by(ZONE, "web") == {"a": 2, "b": 2})


def test_min_domains_leave_the_rest_pending() -> None:
    """KEP-3022: zones a, b hold maxSkew 2 each of five pods; one stays."""
    web = ruled("web", 5, topology_spread=(spread(ZONE, 2, apps("web"), min_domains=5),))
    conforms_not(sold(web, prices=(1, 2)), placed=4)


def test_match_label_keys_tell_revisions_apart() -> None:
    """The old revision fills zone a; the new one counts only itself, and starts there for a dollar."""
    old = ruled("web", more_labels={"pod-template-hash": "1"})
    new = ruled(
        "web",
        2,
        more_labels={"pod-template-hash": "2"},
        topology_spread=(spread(ZONE, 1, apps("web"), match=["pod-template-hash"]),),
    )
    question = dataclasses.replace(
        sold(new, prices=(1, 2)), existing_nodes=(node("old", running(old, 9), cpu=0, zone="a"),)
    )
    conforms(question, 3, lambda a: a.by(ZONE, "web") == {"a": 1, "b": 1})


def test_zones_where_nothing_stands_yet_are_domains() -> None:
    """Four pods would fit one box at 1; over three zones they need one in each: 1 + 2 + 4."""
    web = ruled("web", 4, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms(sold(web), 7, lambda a: sorted(a.by(ZONE, "web").values()) == [1, 1, 2])


def test_a_skew_of_two_saves_the_dearest_zone() -> None:
    """Four pods as 2 + 2 + 0: boxes in a and b, 3 dollars."""
    web = ruled("web", 4, topology_spread=(spread(ZONE, 2, apps("web")),))
    conforms(sold(web), 3, lambda a: a.by(ZONE, "web") == {"a": 2, "b": 2})


def test_spread_over_hosts_buys_as_many_as_it_takes() -> None:
    """At most two of five on a host: three boxes in the cheapest zone."""
    web = ruled("web", 5, topology_spread=(spread(HOSTNAME, 2, apps("web")),))
    conforms(sold(web), 3, lambda a: sorted(n["web"] for n in a.together()) == [1, 2, 2])


def test_zones_and_hosts_together() -> None:
    """Karpenter's example with DoNotSchedule: five pods, one a host: two in a, two in b, one in c."""
    both = (spread(ZONE, 1, apps("web")), spread(HOSTNAME, 1, apps("web")))
    conforms(sold(ruled("web", 5, topology_spread=both)), 10, lambda a: len(a.together()) == 5)


def test_spread_over_capacity_types() -> None:
    """Karpenter's third key: spot costs 1, on demand 3; of three pods one or two are on each."""
    box = instance_type("box", cpu=4, offerings=[offering(3), offering(1, capacity_type="spot")])
    web = ruled("web", 3, topology_spread=(spread(labels.CAPACITY_TYPE, 1, apps("web")),))
    conforms(problem([web], [box]), 4, lambda a: sorted(a.by(labels.CAPACITY_TYPE, "web").values()) == [1, 2])


def test_each_of_two_zones_needs_a_node_although_one_would_hold_all_pods() -> None:
    """Four pods, a skew of 1: two in each zone, half a node there; a node in each is 1 + 2."""
    web = ruled("web", 4, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms(sold(web, prices=(1, 2)), 3, lambda a: a.by(ZONE, "web") == {"a": 2, "b": 2})


def test_zones_need_as_many_nodes_as_their_share_of_the_pods() -> None:
    """Ten pods over three zones: 3, 3 and 4, on nodes of 4 CPUs that hold three of these: 4 of them, 1 + 1 in
    the cheapest zone, 2 and 4 in the others."""
    web = ruled("web", 10, cpu=1.3, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms(sold(web), 8, lambda a: a.by(ZONE, "web") == {"a": 4, "b": 3, "c": 3})


def test_members_of_a_set_that_differ_need_a_node_in_each_zone_as_well() -> None:
    """Each mounts a claim of its own name, and one is larger: a node in each zone, 1 + 2."""
    by_zone = (spread(ZONE, 1, apps("db")),)
    members = [
        ruled(f"db-{n}", app="db", cpu=1 + n % 2, volumes=(Volume(f"data-{n}"),), topology_spread=by_zone)
        for n in range(3)
    ]
    conforms(sold(*members, prices=(1, 2)), 3)


def test_zones_with_fewer_running_pods_need_the_nodes() -> None:
    """Two run in a, none in b: of three newcomers a gets at most one, so that b needs a node."""
    web = ruled("web", 3, topology_spread=(spread(ZONE, 1, apps("web")),))
    old = node("old", running(ruled("web"), 2), cpu=8, zone="a")
    question = dataclasses.replace(sold(web, prices=(1, 2)), existing_nodes=(old,))
    conforms(question, 2, lambda a: a.by(ZONE, "web") == {"a": 1, "b": 2})


def test_spread_over_a_label_of_two_pools() -> None:
    """Pools carry rack r1 and r2: two pods need a node of each."""
    pools = [node_pool(rack, node_labels={"rack": rack}) for rack in ("r1", "r2")]
    web = ruled("web", 2, topology_spread=(spread("rack", 1, apps("web")),))
    question = problem([web], [instance_type("box", cpu=4, price=1)], pools)
    conforms(question, 2, lambda a: a.by("rack", "web") == {"r1": 1, "r2": 1})


def test_spread_over_a_label_whose_value_the_pool_leaves_open() -> None:
    """Karpenter's ratio trick: a pool whose nodes have ``capacity-spread`` 1 to 3, one pod on each."""
    pool = node_pool("any", Requirement("capacity-spread", Operator.IN, ("1", "2", "3")))
    web = ruled("web", 3, topology_spread=(spread("capacity-spread", 1, apps("web")),))
    question = problem([web], [instance_type("box", cpu=4, price=1)], [pool])
    conforms(question, 3, lambda a: a.by("capacity-spread", "web") == {"1": 1, "2": 1, "3": 1})


def test_running_pods_are_evened_out() -> None:
    """Three run in a and none in b: the two that come go to b, although a is cheaper."""
    web = ruled("web", 2, topology_spread=(spread(ZONE, 1, apps("web")),))
    old = node("old", running(ruled("web"), 3), cpu=0, zone="a")
    question = dataclasses.replace(sold(web, prices=(1, 2)), existing_nodes=(old,))
    conforms(question, 2, lambda a: a.by(ZONE, "web") == {"b": 2})


def test_a_zone_where_the_pod_does_not_fit_is_no_domain() -> None:
    """Zone b sells only 2 CPUs: three pods of 3 CPUs stay in a, one on each box."""
    kinds = [
        instance_type("box", cpu=4, offerings=[offering(1, zone="a")]),
        instance_type("tiny", cpu=2, offerings=[offering(1, zone="b")]),
    ]
    web = ruled("web", 3, cpu=3, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms(problem([web], kinds), 3, lambda a: a.by(ZONE, "web") == {"a": 3})


def test_a_zone_that_is_sold_out_is_no_domain() -> None:
    kinds = [
        instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(1, zone="b", available=0)])
    ]
    web = ruled("web", 3, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms(problem([web], kinds), 1)


def test_a_zone_with_too_little_supply_holds_the_others_back() -> None:
    """One box of 2 CPUs is left in b, at 3: of six pods two go there and at most three to a."""
    kinds = [
        instance_type("box", cpu=2, offerings=[offering(1, zone="a"), offering(3, zone="b", available=1)])
    ]
    web = ruled("web", 6, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms_not(problem([web], kinds), placed=5)


AFFINITY_IGNORED = ruled(
    "web",
    2,
    selector={ZONE: "a"},
    topology_spread=(spread(ZONE, 1, apps("web"), ignores_affinity=True),),
)
TWO_ZONES = instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(1, zone="b")])


def test_zones_where_a_pod_may_not_run_are_no_domains_while_nothing_stands_there() -> None:
    """The pods of ``web`` may not run in b: both go to a."""
    conforms(problem([AFFINITY_IGNORED], [TWO_ZONES]), 1, lambda a: a.by(ZONE, "web") == {"a": 2})


def test_nodes_bought_for_others_are_domains_where_affinity_is_ignored() -> None:
    """Once ``db`` has a node in b, with none of web on it, zone a takes one of them only."""
    question = problem([AFFINITY_IGNORED, ruled("db", selector={ZONE: "b"})], [TWO_ZONES])
    conforms_not(question, placed=2)


def test_running_pods_on_nodes_that_do_not_count_are_not_counted() -> None:
    """The node with three of them in a is tainted, and taints are honoured: a and b start at 0."""
    constraint = spread(ZONE, 1, apps("web"), honors_taints=True)
    web = ruled("web", 2, topology_spread=(constraint,))
    old = node("old", running(web, 3), zone="a", taints=["t:NoSchedule"])
    question = dataclasses.replace(sold(web, prices=(1, 2)), existing_nodes=(old,))
    conforms(question, 3, lambda a: a.by(ZONE, "web") == {"a": 1, "b": 1})


def test_other_workloads_that_a_constraint_counts() -> None:
    """web is spread over web and db together, and db is pinned to a: with two of db there, one of web
    goes to b and the other to c, at 1 + 2 + 4."""
    web = ruled("web", 2, topology_spread=(spread(ZONE, 1, apps("web", "db")),))
    question = sold(web, ruled("db", 2, selector={ZONE: "a"}))
    conforms(question, 7, lambda a: a.by(ZONE, "web") == {"b": 1, "c": 1}, unproven=Unproven.MIXED)
