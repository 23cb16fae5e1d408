"""Wishes between pods as priced penalties: preferred pod affinity and ScheduleAnyway, on paper.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
and https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/. What is sold is a
node of 4 CPUs for 1 $ an hour in each of three zones; a weight point is worth 0.001 $ an hour, so that a wish
of weight 100 may cost 0.1 $ an hour and pod, unless a case says otherwise. Running nodes are free.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from binwright_optimizer.model import (
    ExistingNode,
    PodAffinity,
    Policies,
    PreferencePolicy,
    PreferredPodTerm,
    Problem,
    Workload,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import check_placement, verify
from builders import instance_type, microusd, node_pool, offering, problem, requires
from conformance import Unproven, answered, conforms
from rules import HOSTNAME, ZONE, apps, node, ruled, running, spread, term

POINT = 0.001


def wish(weight: int, key: str, *names: str) -> PodAffinity:
    """A preferred term about pods of these apps."""
    return PodAffinity(preferred=(PreferredPodTerm(weight, term(key, apps(*names))),))


def asked(
    *workloads: Workload,
    prices: Sequence[float] = (1, 1, 1),
    point: float = POINT,
    policy: PreferencePolicy = PreferencePolicy.RESPECT,
    existing: Sequence[ExistingNode] = (),
    **more: object,
) -> Problem:
    """Nodes are sold in zones a, b and c at these prices."""
    sold = [offering(price, zone=zone) for zone, price in zip("abc", prices, strict=False)]
    made = problem(workloads, [instance_type("box", cpu=4, offerings=sold)], existing=existing, **more)  # type: ignore[arg-type]
    return dataclasses.replace(made, policies=Policies(policy, microusd_per_weight_hour=microusd(point)))


def even(name: str, key: str = ZONE, skew: int = 1, **more: object) -> Workload:
    """A workload whose pods would be spread."""
    return ruled(name, topology_spread=(spread(key, skew, apps(name), anyway=True),), **more)  # type: ignore[arg-type]


def test_zones_of_equal_price_are_chosen_evenly() -> None:
    """Twelve pods fill three nodes: one in each zone costs the same 3 $ and meets the wish."""
    question = asked(even("web", replicas=12))
    conforms(question, 3, lambda a: a.by(ZONE, "web") == {"a": 4, "b": 4, "c": 4})


def test_a_dearer_zone_is_worth_what_it_saves() -> None:
    """All eight in a: 7 pay 0.1 $ each. 4 and 4: 3 pay in each zone, 0.6 $, since c stays empty.

    So b saves 0.1 $, which is worth 0.05 $ more for a node, and not 0.2 $.
    """
    web = even("web", replicas=8)
    worth = asked(web, prices=(1, 1.05, 9))
    conforms(
        worth, 2.05, lambda a: a.by(ZONE, "web") == {"a": 4, "b": 4}, charged=0.6, unproven=Unproven.WISHES
    )
    conforms(
        asked(web, prices=(1, 1.2, 9)),
        2,
        lambda a: a.by(ZONE, "web") == {"a": 8},
        charged=0.7,
        unproven=Unproven.WISHES,
    )


def test_pods_on_one_node_pay_for_their_skew() -> None:
    """Three pods fit one node: in its zone there are 2 more than maxSkew allows beside empty zones."""
    conforms(asked(even("web", replicas=3)), 1, charged=0.2, unproven=Unproven.WISHES)


def test_a_larger_skew_pays_less() -> None:
    """maxSkew 2 leaves one of three pods beyond it."""
    conforms(asked(even("web", replicas=3, skew=2)), 1, charged=0.1, unproven=Unproven.WISHES)


def test_running_pods_count_but_pay_nothing() -> None:
    """Zone a has 3 that run, b and c none: in a the new pod would pay 0.1 $, in b it is within maxSkew."""
    web = even("web")
    nodes = [node("old", running(web, 3), zone="a"), node("free", zone="b")]
    conforms(asked(web, existing=nodes), 0, lambda a: a.on("web") == {"free": 1})


def test_pods_spread_over_nodes_that_are_bought_anyway() -> None:
    """Two nodes are needed for 4 large pods; each gets two of the four small ones, of which one each pays."""
    question = asked(even("web", HOSTNAME, replicas=4, cpu=0.5), ruled("big", cpu=1.5, replicas=4))
    conforms(
        question,
        2,
        lambda a: a.together() == [{"big": 2, "web": 2}] * 2,
        charged=0.2,
        unproven=Unproven.WISHES,
    )


def test_a_node_without_the_label_pays_for_each_pod() -> None:
    """The running node has no zone: two pods pay 0.1 $ each there rather than 1 $ for a node."""
    conforms(
        asked(even("web", replicas=2), existing=[node("bare")]), 0, charged=0.2, unproven=Unproven.WISHES
    )


def test_pods_prefer_the_zone_of_others() -> None:
    """Database and web need a node each: both in one zone, at 0.05 $ a pod otherwise."""
    web = ruled("web", replicas=4, pod_affinity=wish(50, ZONE, "db"))
    question = asked(web, ruled("db", cpu=4))
    conforms(question, 2, lambda a: set(a.by(ZONE, "web")) == set(a.by(ZONE, "db")))


def test_pods_go_where_those_they_prefer_run() -> None:
    """The database runs in c; a node costs 0.1 $ more there, and four pods would pay 0.2 $ elsewhere."""
    db = ruled("db", cpu=4)
    web = ruled("web", replicas=4, pod_affinity=wish(50, ZONE, "db"))
    full = node("full", running(db), cpu=0, zone="c")
    question = asked(web, prices=(1, 1, 1.1), existing=[full])
    conforms(question, 1.1, lambda a: a.by(ZONE, "web") == {"c": 4}, unproven=Unproven.WISHES)
    dearer = asked(web, prices=(1, 1, 1.3), existing=[full])
    conforms(dearer, 1, charged=0.2, unproven=Unproven.WISHES)


def test_a_pod_alone_goes_without_the_company_of_its_like() -> None:
    """One pod that prefers its own app has nobody: 0.05 $; two on a node have each other."""
    conforms(
        asked(ruled("web", pod_affinity=wish(50, HOSTNAME, "web"))), 1, charged=0.05, unproven=Unproven.WISHES
    )
    conforms(asked(ruled("web", replicas=2, pod_affinity=wish(50, HOSTNAME, "web"))), 1)


def test_pods_that_prefer_to_be_apart_share_what_they_must() -> None:
    """Two replicas with 100 points of anti-affinity fit one node, where both pay 0.1 $; another costs 1 $."""
    web = ruled("web", replicas=2, pod_anti_affinity=wish(100, HOSTNAME, "web"))
    conforms(asked(web), 1, charged=0.2, unproven=Unproven.WISHES)


def test_a_node_is_opened_where_being_apart_is_worth_it() -> None:
    """At 0.01 $ a point both would pay 1 $: the second node for 1 $ saves 2 $."""
    web = ruled("web", replicas=2, pod_anti_affinity=wish(100, HOSTNAME, "web"))
    conforms(asked(web, point=0.01), 2, lambda a: a.together() == [{"web": 1}] * 2, unproven=Unproven.WISHES)


def test_equal_pods_change_places() -> None:
    """Two kinds of pods of one size, two of each, on two nodes: one of each on either, as each prefers."""
    apart = [ruled(n, cpu=2, replicas=2, pod_anti_affinity=wish(10, HOSTNAME, n)) for n in ("web", "api")]
    conforms(asked(*apart), 2, lambda a: a.together() == [{"api": 1, "web": 1}] * 2)


def test_a_wish_yields_to_a_rule() -> None:
    """Web must be spread over the zones and would be near db, which is in one: two of three go without."""
    web = ruled(
        "web",
        replicas=3,
        topology_spread=(spread(ZONE, 1, apps("web")),),
        pod_affinity=wish(10, ZONE, "db"),
    )
    conforms(asked(web, ruled("db")), 3, charged=0.02, unproven=Unproven.WISHES)


def test_a_node_that_changes_zones_takes_no_pod_that_may_not_be_there() -> None:
    """Two pods run in b, near which all would be; spread keeps guard, who counts them, out of b.

    So the node with guard stays where it is, and its two pods pay 0.01 $ each; the other node goes to b.
    """
    near_y = {"pod_affinity": wish(10, ZONE, "y")}
    guard = ruled("guard", topology_spread=(spread(ZONE, 1, apps("y")),), **near_y)  # type: ignore[arg-type]
    front = ruled("front", cpu=3, replicas=2, **near_y)  # type: ignore[arg-type]
    full = node("full", running(ruled("y"), 2), cpu=0, zone="b")
    question = asked(front, ruled("extra"), guard, existing=[full])
    conforms(question, 2, lambda a: "b" not in a.by(ZONE, "guard"), charged=0.02, unproven=Unproven.WISHES)


def test_wishes_that_are_ignored_cost_nothing() -> None:
    """Three pods on one node, with a policy of Ignore and with a price of 0."""
    web = even("web", replicas=3)
    conforms(asked(web, policy=PreferencePolicy.IGNORE), 1)
    conforms(asked(web, point=0), 1)


def test_a_label_that_the_pool_leaves_open_is_chosen_for_the_wish() -> None:
    """The pool may label nodes rack r1 or r2: two full nodes, one in each."""
    rack = "example.com/rack"
    pools = [node_pool("racks", requires(rack, "In", "r1", "r2"))]
    question = asked(even("web", rack, replicas=8), pools=pools)
    conforms(question, 2, lambda a: a.by(rack, "web") == {"r1": 4, "r2": 4})


def test_pods_of_several_workloads_pay_for_one_constraint_together() -> None:
    """Three single pods of one app on one node: 2 are beyond maxSkew, whoever owns them."""
    shared = spread(ZONE, 1, apps("web"), anyway=True)
    pods = [ruled(name, app="web", topology_spread=(shared,)) for name in ("p0", "p1", "p2")]
    conforms(asked(*pods), 1, charged=0.2, unproven=Unproven.WISHES)
    told = [(p.workload, p.pods) for p in answered(asked(*pods)).penalties]
    assert told == [(0, 1), (1, 1)]


def test_what_is_charged_is_told_by_wish_and_checked() -> None:
    """One node for three pods: 2 beyond maxSkew and 3 that would be apart; no other account passes."""
    web = even("web", replicas=3, pod_anti_affinity=wish(10, HOSTNAME, "web"))
    question = asked(web)
    decision = answered(question)
    assert [(p.wish, p.pods, p.microusd_per_hour) for p in decision.penalties] == [
        (f"away from pods with app In [web] in {HOSTNAME} (weight 10)", 3, 30_000),
        (f"spread over {ZONE} with maxSkew 1 of pods with app In [web]", 2, 200_000),
    ]
    apart, skew = decision.penalties
    for penalties in (
        (),
        (apart,),
        (apart, dataclasses.replace(skew, microusd_per_hour=skew.microusd_per_hour - 1)),
        (apart, dataclasses.replace(skew, pods=1)),
        (dataclasses.replace(apart, workload=1), skew),
        (apart, skew, skew),
    ):
        assert check_placement(question, dataclasses.replace(decision, penalties=penalties)) != ()


def test_the_bound_is_that_of_the_dollars() -> None:
    """1 $ for the node is proven, of a total of 1.2 $: the bound does not count wishes between pods."""
    decision = answered(asked(even("web", replicas=3)))
    assert decision.bound_microusd_per_hour == microusd(1)
    assert verify(asked(even("web", replicas=3)), decision) == ()


@pytest.mark.parametrize("name", ["web", "other"])
def test_a_moved_pod_is_charged_where_it_is(name: str) -> None:
    """The verifier works the charge out from the placement: the same account for another placement fails."""
    web = ruled("web", replicas=2, pod_affinity=wish(50, HOSTNAME, name))
    nodes = [node("x", zone="a", cpu=1), node("y", zone="a", cpu=1)]
    decision = answered(asked(web, existing=nodes))
    assert [p.pods for p in decision.penalties] == [2]
    assert check_placement(asked(web, existing=nodes), dataclasses.replace(decision, penalties=())) != ()


def test_under_a_work_limit_the_same_question_has_the_same_answer() -> None:
    """Six workloads of four pods that would be on other nodes than their like, on six nodes of four."""
    many = [ruled(f"w{n}", replicas=4, pod_anti_affinity=wish(10, HOSTNAME, f"w{n}")) for n in range(6)]
    limit = SolveParams(deadline_s=60.0, work_limit=200_000)
    first, second = (solve(asked(*many), limit) for _ in range(2))
    assert first.node_claims == second.node_claims
    assert first.penalties == ()
