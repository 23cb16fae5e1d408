"""Pod affinity and anti-affinity: the cases of the Kubernetes and Karpenter documentation, on paper.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
and https://karpenter.sh/docs/concepts/scheduling/#pod-affinityanti-affinity. What is sold is a box of 4
CPUs, at 1 in zone a, 2 in b and 4 in c.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.model import (
    LabelSelector,
    Namespace,
    Operator,
    PodAffinity,
    Problem,
    Requirement,
    Workload,
    labels,
)
from builders import instance_type, offering, problem, requires
from conformance import Unproven, conforms, conforms_not
from rules import HOSTNAME, ZONE, apps, away, near, node, ruled, running, spread, term

BOX = instance_type("box", cpu=4, offerings=[offering(p, zone=z) for z, p in (("a", 1), ("b", 2), ("c", 4))])


def sold(*workloads: Workload, **parts: Any) -> Problem:
    return dataclasses.replace(problem(workloads, [BOX]), **parts)


def labelled(key: str, value: str) -> LabelSelector:
    return LabelSelector.of_labels({key: value})


# Zone V has a node that runs a pod with security=S1, zone R one that runs security=S2.
V_AND_R = (
    node("v", running(ruled("s1", more_labels={"security": "S1"})), cpu=2, zone="V"),
    node("r", running(ruled("s2", more_labels={"security": "S2"})), cpu=2, zone="R"),
)


def test_zone_v_has_the_pod_that_it_needs() -> None:
    """``with-pod-affinity`` needs security=S1 in its zone: V."""
    pod = ruled("with-pod-affinity", pod_affinity=PodAffinity((term(ZONE, labelled("security", "S1")),)))
    conforms(sold(pod, existing_nodes=V_AND_R), 0, lambda a: a.on("with-pod-affinity") == {"v": 1})


def test_zone_r_has_the_pod_that_it_keeps_away_from() -> None:
    """With security=S2 kept away from as a requirement, V is left, or a box elsewhere: V is free."""
    pod = ruled("pod", pod_anti_affinity=PodAffinity((term(ZONE, labelled("security", "S2")),)))
    conforms(sold(pod, existing_nodes=V_AND_R), 0, lambda a: a.on("pod") == {"v": 1})


def test_needing_a_pod_and_keeping_away_from_another_of_its_zone_is_impossible() -> None:
    """S1 is needed in the zone and pods of app ``s1`` kept away from: they are the same pod."""
    pod = ruled(
        "pod",
        pod_affinity=PodAffinity((term(ZONE, labelled("security", "S1")),)),
        pod_anti_affinity=away(ZONE, "s1"),
    )
    conforms_not(sold(pod, existing_nodes=V_AND_R), placed=0)


def test_web_servers_sit_beside_their_caches_one_a_node() -> None:
    """The documentation's redis-cache and web-server: three nodes with one of each."""
    cache = ruled("redis-cache", 3, app="store", pod_anti_affinity=away(HOSTNAME, "store"))
    web = ruled(
        "web-server",
        3,
        app="web-store",
        pod_anti_affinity=away(HOSTNAME, "web-store"),
        pod_affinity=near(HOSTNAME, "store"),
    )
    question = sold(cache, web)
    conforms(question, 3, lambda a: a.together() == [{"redis-cache": 1, "web-server": 1}] * 3)


def test_never_two_on_a_node() -> None:
    """The ZooKeeper tutorial: three servers, three nodes, although one would hold them."""
    conforms(
        sold(ruled("zk", 3, pod_anti_affinity=away(HOSTNAME, "zk"))), 3, lambda a: len(a.together()) == 3
    )


def test_one_replica_a_zone_and_no_more() -> None:
    """Three replicas that keep away from each other by zone: 1 + 2 + 4."""
    question = sold(ruled("web", 3, pod_anti_affinity=away(ZONE, "web")))
    conforms(question, 7, lambda a: a.by(ZONE, "web") == {"a": 1, "b": 1, "c": 1})


def test_a_fourth_replica_has_no_zone_left() -> None:
    conforms_not(sold(ruled("web", 4, pod_anti_affinity=away(ZONE, "web"))), placed=3)


def test_a_pod_follows_its_backend_into_the_dear_zone() -> None:
    """Karpenter's example: only zones where ``system=backend`` runs, here c; not on a node with inflate."""
    backend = node("old", running(ruled("backend", more_labels={"system": "backend"})), cpu=0, zone="c")
    inflate = ruled(
        "inflate",
        2,
        pod_affinity=PodAffinity((term(ZONE, labelled("system", "backend")),)),
        pod_anti_affinity=away(HOSTNAME, "inflate"),
    )
    conforms(sold(inflate, existing_nodes=(backend,)), 8, lambda a: a.by(ZONE, "inflate") == {"c": 2})


def test_a_pod_waits_for_one_that_is_nowhere() -> None:
    """Nobody is selected, and it does not select itself."""
    conforms_not(sold(ruled("web", pod_affinity=near(ZONE, "db"))), placed=0)


def test_what_is_needed_may_come_with_it() -> None:
    """The database is pinned to zone b; the web pods go there too and share its box."""
    question = sold(ruled("db", selector={ZONE: "b"}), ruled("web", 3, pod_affinity=near(ZONE, "db")))
    conforms(question, 2, lambda a: a.by(ZONE, "web") == {"b": 3})


def test_the_first_of_a_self_selecting_group_starts_a_zone() -> None:
    """Five pods of a group, a box holds four: two boxes of the cheapest zone."""
    question = sold(ruled("web", 5, pod_affinity=near(ZONE, "web")))
    conforms(question, 2, lambda a: a.by(ZONE, "web") == {"a": 5})


def test_a_group_stays_together_although_two_zones_would_be_cheaper() -> None:
    """One box is left in a: five pods need two boxes of b, 4, rather than 1 + 2 across zones."""
    offerings = [offering(1, zone="a", available=1), offering(2, zone="b")]
    question = problem(
        [ruled("web", 5, pod_affinity=near(ZONE, "web"))], [instance_type("box", cpu=4, offerings=offerings)]
    )
    conforms(question, 4, lambda a: a.by(ZONE, "web") == {"b": 5}, unproven=Unproven.ONE)


def test_a_group_on_one_node() -> None:
    """Self-affinity by host name: five pods need a node that holds five, or stay apart from the rest."""
    large = instance_type("large", cpu=8, price=3)
    question = problem([ruled("web", 5, pod_affinity=near(HOSTNAME, "web"))], [BOX, large])
    conforms(question, 3, lambda a: a.together() == [{"web": 5}])


def test_running_members_of_the_group_decide_the_zone() -> None:
    """One of the group runs in c: the others follow, at 4."""
    old = node("old", running(ruled("web")), cpu=0, zone="c")
    question = sold(ruled("web", 3, pod_affinity=near(ZONE, "web")), existing_nodes=(old,))
    conforms(question, 4, lambda a: a.by(ZONE, "web") == {"c": 3})


def test_a_node_without_the_key_cannot_meet_affinity() -> None:
    """The free node has no zone; the box in a has."""
    question = sold(ruled("web", pod_affinity=near(ZONE, "web")), existing_nodes=(node("bare"),))
    conforms(question, 1, lambda a: a.on("web") == {"new": 1})


def test_a_node_without_the_key_cannot_break_anti_affinity() -> None:
    """The free node has no zone: all three replicas go there."""
    question = sold(ruled("web", 3, pod_anti_affinity=away(ZONE, "web")), existing_nodes=(node("bare"),))
    conforms(question, 0, lambda a: a.on("web") == {"bare": 3})


def test_a_group_starts_a_zone_although_one_of_it_runs_in_none() -> None:
    """On a node without a zone: kube-scheduler counts no such pod, and the first newcomer starts one."""
    bare = node("bare", running(ruled("web", pod_affinity=near(ZONE, "web"))), cpu=0)
    question = sold(ruled("web", 2, pod_affinity=near(ZONE, "web")), existing_nodes=(bare,))
    conforms(question, 1, lambda a: a.by(ZONE, "web") == {"a": 2})


def test_a_group_starts_a_zone_while_others_that_it_selects_are_in_none() -> None:
    """The other pod fills a node without a zone for nothing; in zone a it would need a second box."""
    web, other = ruled("web", 2, cpu=2, pod_affinity=near(ZONE, "web")), ruled("other", app="web")
    question = sold(web, other, existing_nodes=(node("bare", cpu=1),))
    conforms(question, 1, lambda a: (a.by(ZONE, "web"), a.on("other")) == ({"a": 2}, {"bare": 1}))


def test_a_group_does_not_start_a_zone_while_a_mate_is_in_another() -> None:
    """The mate, which the group selects, has somebody else to be near in zone b: one of the two stays out."""
    web = ruled("web", 2, selector={ZONE: "a"}, pod_affinity=near(ZONE, "web"))
    mate = ruled("mate", app="web", selector={ZONE: "b"}, pod_affinity=near(ZONE, "web", "db"))
    conforms_not(sold(web, mate, ruled("db", selector={ZONE: "b"})), placed=3)


def test_pods_that_wait_for_each_other_stay_pending() -> None:
    """Neither can be first."""
    pair = (ruled("a", pod_affinity=near(ZONE, "b")), ruled("b", pod_affinity=near(ZONE, "a")))
    conforms_not(sold(*pair), placed=0)


def test_a_running_pod_keeps_newcomers_away() -> None:
    """The guard's anti-affinity names ``web``: its node is free, but web pays 1 for another zone."""
    guard = node("guarded", running(ruled("guard", pod_anti_affinity=away(ZONE, "web"))), zone="b")
    conforms(sold(ruled("web", 2), existing_nodes=(guard,)), 1, lambda a: a.by(ZONE, "web") == {"a": 2})


def test_anti_affinity_of_one_keeps_both_apart() -> None:
    """Only the guard states it: two boxes of a."""
    question = sold(ruled("guard", pod_anti_affinity=away(HOSTNAME, "web")), ruled("web", 2))
    conforms(question, 2, lambda a: a.together() == [{"guard": 1}, {"web": 2}])


def test_other_namespaces_are_meant_only_if_named() -> None:
    """The database runs in namespace shop; without a namespace the term means its own."""
    old = node("old", running(ruled("db", namespace="shop")), zone="b")
    conforms_not(sold(ruled("web", pod_affinity=near(ZONE, "db")), existing_nodes=(old,)), placed=0)


def test_a_namespace_that_is_named_is_meant() -> None:
    old = node("old", running(ruled("db", namespace="shop")), zone="b")
    named = ruled("web", pod_affinity=near(ZONE, "db", namespaces=("shop",)))
    conforms(sold(named, existing_nodes=(old,)), 0, lambda a: a.on("web") == {"old": 1})


def test_namespaces_are_selected_by_label() -> None:
    """Namespace shop carries team=a: away from all databases of the team, so not in b."""
    old = node("old", running(ruled("db", namespace="shop")), zone="b")
    team = LabelSelector.of_labels({"team": "a"})
    web = ruled("web", pod_anti_affinity=away(ZONE, "db", namespace_selector=team))
    question = sold(web, existing_nodes=(old,), namespaces=(Namespace("shop", (("team", "a"),)),))
    conforms(question, 1, lambda a: a.by(ZONE, "web") == {"a": 1})


def test_tenants_share_a_node_with_their_own_only() -> None:
    """mismatchLabelKeys: keep away from every pod whose tenant is another; two tenants, two boxes."""
    tenants = LabelSelector((Requirement("tenant", Operator.EXISTS),))
    keep_out = PodAffinity((term(HOSTNAME, tenants, mismatch_label_keys=("tenant",)),))
    question = sold(
        *(ruled(n, 2, more_labels={"tenant": n}, pod_anti_affinity=keep_out) for n in ("red", "blue"))
    )
    conforms(question, 2, lambda a: a.together() == [{"blue": 2}, {"red": 2}])


def test_any_label_is_a_domain() -> None:
    """Away from each other by architecture: one amd64 node at 1, one arm64 node at 3."""
    kinds = [instance_type("amd", cpu=4, price=1), instance_type("arm", cpu=4, price=3, arch="arm64")]
    question = problem([ruled("web", 2, pod_anti_affinity=away(labels.ARCH, "web"))], kinds)
    conforms(question, 4, lambda a: a.by(labels.ARCH, "web") == {"amd64": 1, "arm64": 1})


def test_all_terms_select_the_same_pods() -> None:
    """kube-scheduler counts pods that match every term: one of each app does not satisfy two terms."""
    both = PodAffinity((term(ZONE, apps("db")), term(ZONE, apps("log"))))
    old = node("old", running(ruled("db")), running(ruled("log")), zone="a")
    conforms_not(sold(ruled("web", pod_affinity=both), existing_nodes=(old,)), placed=0)


def test_affinity_and_spread_pull_together() -> None:
    """Web needs the database's zone, and at most two on a host: b, two boxes for three pods."""
    db = ruled("db", affinity=((requires(ZONE, "In", "b"),),))
    web = ruled("web", 3, pod_affinity=near(ZONE, "db"), topology_spread=(spread(HOSTNAME, 2, apps("web")),))
    conforms(sold(db, web), 4, lambda a: a.by(ZONE, "web") == {"b": 3})


def test_a_chain_of_affinities() -> None:
    """log follows web, which follows db, which is pinned to b."""
    question = sold(
        ruled("db", selector={ZONE: "b"}),
        ruled("web", pod_affinity=near(ZONE, "db")),
        ruled("log", pod_affinity=near(ZONE, "web")),
    )
    conforms(question, 2, lambda a: a.by(ZONE, "log") == {"b": 1})


def test_two_groups_that_select_each_other_share_a_domain() -> None:
    """x and y each select both apps: the first of either starts the zone for all of them."""
    both = PodAffinity((term(ZONE, apps("x", "y")),))
    question = sold(ruled("x", 3, pod_affinity=both), ruled("y", 3, pod_affinity=both))
    conforms(question, 2, lambda a: (a.by(ZONE, "x"), a.by(ZONE, "y")) == ({"a": 3}, {"a": 3}))


def test_a_group_cannot_start_beside_one_that_needs_nobody() -> None:
    """``web`` selects itself and ``db``; db needs nobody and is pinned to c. If db comes first, web may
    not start elsewhere: so all are in c."""
    question = sold(ruled("db", selector={ZONE: "c"}), ruled("web", 2, pod_affinity=near(ZONE, "web", "db")))
    conforms(question, 4, lambda a: a.by(ZONE, "web") == {"c": 2})


def test_two_terms_in_two_kinds_of_domain() -> None:
    """In the zone and of the capacity type of one and the same database: spot in b, for 0.5."""
    offerings = [
        offering(1, zone="a"),
        offering(0.5, zone="b", capacity_type="spot"),
        offering(0.25, zone="b"),
    ]
    box = instance_type("box", cpu=4, offerings=offerings)
    db = ruled("db")
    old = node("old", running(db), cpu=0, zone="b", node_labels={labels.CAPACITY_TYPE: "spot"})
    terms = PodAffinity((term(ZONE, apps("db")), term(labels.CAPACITY_TYPE, apps("db"))))
    question = dataclasses.replace(problem([ruled("web", pod_affinity=terms)], [box]), existing_nodes=(old,))
    conforms(question, 0.5, lambda a: a.by(labels.CAPACITY_TYPE, "web") == {"spot": 1})
