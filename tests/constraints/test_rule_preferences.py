"""Preferences as priced penalties: preferred node affinity and PreferNoSchedule taints, on paper.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#node-affinity-weight and
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/. What is sold is a node of
4 CPUs; a weight point is worth 0.01 $ an hour unless a case says otherwise, so that a wish of weight 100
may cost 1 $ an hour and pod.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from binwright_optimizer.model import (
    ExistingNode,
    NodePool,
    Policies,
    PreferencePolicy,
    PreferredTerm,
    Problem,
    Requirement,
    Workload,
    labels,
)
from binwright_optimizer.verify import check_placement, verify
from builders import instance_type, microusd, node_pool, offering, problem, requires
from conformance import Unproven, answered, conforms
from rules import HOSTNAME, ZONE, apps, node, ruled, spread

POINT = 0.01


def prefers(weight: int, *term: Requirement) -> PreferredTerm:
    """A wish of one term."""
    return PreferredTerm(weight, term)


IN_A = requires(ZONE, "In", "a")
IN_B = requires(ZONE, "In", "b")


def asked(
    *workloads: Workload,
    prices: Sequence[float] = (1, 2),
    point: float = POINT,
    policy: PreferencePolicy = PreferencePolicy.RESPECT,
    pools: Sequence[NodePool] | None = None,
    existing: Sequence[ExistingNode] = (),
) -> Problem:
    """Nodes are sold in zones a and b at these prices."""
    sold = [offering(price, zone=zone) for zone, price in zip("ab", prices, strict=False)]
    made = problem(workloads, [instance_type("box", cpu=4, offerings=sold)], pools, existing=existing)
    policies = Policies(policy, microusd_per_weight_hour=microusd(point))
    return dataclasses.replace(made, policies=policies)


def wishing(name: str, *terms: PreferredTerm, **more: object) -> Workload:
    """A workload whose pods prefer nodes."""
    return ruled(name, preferred_affinity=terms, **more)  # type: ignore[arg-type]


def test_a_wish_worth_more_than_it_costs_is_met() -> None:
    """Zone b costs 1 $ more; two pods would pay 1 $ each for going without it."""
    question = asked(wishing("web", prefers(100, IN_B), replicas=2))
    conforms(question, 2, lambda a: a.by(ZONE, "web") == {"b": 2})


def test_a_wish_worth_less_than_it_costs_is_charged() -> None:
    """Two pods pay 40 points each, 0.8 $, rather than 1 $ more for a node."""
    question = asked(wishing("web", prefers(40, IN_B), replicas=2))
    conforms(question, 1, lambda a: a.by(ZONE, "web") == {"a": 2}, charged=0.8)


def test_pods_without_the_wish_fill_the_node() -> None:
    """One node of 4 CPUs: three pods that do not care follow the one that would pay 1.5 $ for zone b."""
    one = wishing("one", prefers(100, IN_B), prefers(50, IN_B))
    question = asked(one, ruled("rest", replicas=3))
    conforms(question, 2, lambda a: a.by(ZONE, "rest") == {"b": 3})


def test_the_weights_of_several_wishes_add_up() -> None:
    """In a the pod goes without 30 points, in b without 80 + 60: a costs 1.30 $ with them, b 2.40 $."""
    question = asked(
        wishing("web", prefers(80, IN_A), prefers(60, requires(ZONE, "NotIn", "b")), prefers(30, IN_B))
    )
    conforms(question, 1, charged=0.3)


def test_all_requirements_of_a_wish_must_hold() -> None:
    """No node of zone b has a rack: the wish goes unmet anywhere, and the cheaper node wins."""
    rack = requires("example.com/rack", "Exists")
    conforms(asked(wishing("web", prefers(100, IN_B, rack))), 1, charged=1)


def test_a_wish_does_not_keep_a_pod_from_its_only_place() -> None:
    """A node of zone a costs 100 $: three of zone b, and 1 $ for each of nine pods."""
    only = asked(wishing("web", prefers(100, IN_A), replicas=9), prices=(100, 2))
    conforms(only, 6, lambda a: a.by(ZONE, "web") == {"b": 9}, charged=9)


def test_wishes_that_are_ignored_cost_nothing() -> None:
    """With a policy of Ignore, and with a price of 0, the cheapest node is bought."""
    web = wishing("web", prefers(100, IN_B))
    conforms(asked(web, policy=PreferencePolicy.IGNORE), 1)
    conforms(asked(web, point=0), 1)


def test_a_dear_existing_place_is_weighed_against_a_new_node() -> None:
    """The running node is free and not in zone b: 0.9 $ for the wish beats 2 $ for a node."""
    old = node("old", zone="a")
    conforms(
        asked(wishing("web", prefers(90, IN_B)), existing=[old]),
        0,
        lambda a: a.on("web") == {"old": 1},
        charged=0.9,
    )


def test_a_new_node_is_bought_for_a_wish_worth_it() -> None:
    """At 0.05 $ a point the same wish is worth 4.5 $: the node of zone b for 2 $ is bought."""
    old = node("old", zone="a")
    question = asked(wishing("web", prefers(90, IN_B)), existing=[old], point=0.05)
    conforms(question, 2, lambda a: a.by(ZONE, "web") == {"b": 1})


def test_a_host_name_can_be_preferred() -> None:
    """Of two free nodes the one that is named; a node to be bought has no name that anybody knows."""
    web = wishing("web", prefers(10, requires(HOSTNAME, "In", "second")))
    question = asked(web, existing=[node("first", zone="a"), node("second", zone="a")])
    conforms(question, 0, lambda a: a.on("web") == {"second": 1})
    conforms(asked(web), 1, charged=0.1)


def test_a_soft_taint_weighs_a_hundred_points() -> None:
    """The cheap pool is tainted, for which a pod pays 1 $: the other is worth 0.5 $ more, and not 2 $."""
    pools = [
        node_pool("soft", IN_A, taints=["batch:PreferNoSchedule"]),
        node_pool("plain", IN_B),
    ]
    conforms(asked(ruled("web"), pools=pools, prices=(1, 1.5)), 1.5, lambda a: a.by(ZONE, "web") == {"b": 1})
    conforms(asked(ruled("web"), pools=pools, prices=(1, 3)), 1, charged=1)


def test_a_tolerated_soft_taint_costs_nothing() -> None:
    """The toleration of one pod spares it the 1 $ that the other pays."""
    pools = [node_pool("soft", taints=["batch:PreferNoSchedule"])]
    workloads = ruled("web"), ruled("job", tolerations=["batch:PreferNoSchedule"])
    conforms(asked(*workloads, pools=pools), 1, charged=1)


def test_values_of_a_pools_own_labels_are_chosen_by_wish() -> None:
    """The pool may label its nodes team s1 or s2: each pod has the node it prefers, if that is worth 1 $."""
    slot = "example.com/slot"
    pools = [node_pool("slots", requires(slot, "In", "s1", "s2"))]
    apart = [wishing(n, prefers(w, requires(slot, "In", n))) for n, w in (("s1", 100), ("s2", 90))]
    conforms(
        asked(*apart, pools=pools),
        1,
        lambda a: a.by(slot, "s1") == {"s1": 1},
        charged=0.9,
        unproven=Unproven.CHOSEN,
    )


def test_a_wish_yields_to_a_rule() -> None:
    """Both pods prefer zone a; spread over zones puts one into each, and that one pays 0.5 $."""
    web = wishing("web", prefers(50, IN_A), replicas=2, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms(asked(web), 3, lambda a: a.by(ZONE, "web") == {"a": 1, "b": 1}, charged=0.5)


def test_zones_under_a_rule_are_chosen_by_wish() -> None:
    """Three pods, a skew of 1: two in the zone they prefer, and one without its wish."""
    web = wishing("web", prefers(50, IN_B), replicas=3, topology_spread=(spread(ZONE, 1, apps("web")),))
    conforms(
        asked(web, prices=(1, 1)),
        2,
        lambda a: a.by(ZONE, "web") == {"a": 1, "b": 2},
        charged=0.5,
        unproven=Unproven.NODES,
    )


def test_what_is_charged_is_told_by_wish_and_checked() -> None:
    """Two pods without a wish of 40 points and under a taint: 0.8 $ and 2 $; no other account passes."""
    pools = [node_pool("soft", taints=["batch:PreferNoSchedule"])]
    question = asked(wishing("web", prefers(40, IN_B), replicas=2), pools=pools)
    decision = answered(question)
    told = [(p.wish, p.pods, p.microusd_per_hour) for p in decision.penalties]
    assert told == [
        ("no taint batch:PreferNoSchedule", 2, 2_000_000),
        (f"{ZONE} In [b] (weight 40)", 2, 800_000),
    ]
    wish, other = decision.penalties
    cheaper = dataclasses.replace(wish, microusd_per_hour=wish.microusd_per_hour - 1)
    fewer = dataclasses.replace(wish, pods=1)
    elsewhere = dataclasses.replace(wish, workload=1)
    for penalties in (
        (),
        (wish,),
        (cheaper, other),
        (fewer, other),
        (elsewhere, other),
        (wish, other, other),
    ):
        assert check_placement(question, dataclasses.replace(decision, penalties=penalties)) != ()


def test_a_bound_counts_penalties_and_no_more() -> None:
    """1 $ for the node and 0.8 $ for wishes are proven; a micro-dollar more is not."""
    question = asked(wishing("web", prefers(40, IN_B), replicas=2))
    decision = answered(question)
    assert decision.bound_microusd_per_hour == microusd(1.8)
    too_much = dataclasses.replace(decision, bound_microusd_per_hour=microusd(1.8) + 1)
    assert verify(question, too_much) != ()


def test_a_bound_counts_penalties_of_pods_that_differ_in_what_no_node_sees() -> None:
    """Two namespaces, two labels: 1 $ for one node and 0.4 $ for each of two pods."""
    wish = prefers(40, IN_B)
    apart = wishing("web", wish), wishing("api", wish, namespace="shop")
    assert answered(asked(*apart)).bound_microusd_per_hour == microusd(1.8)


@pytest.mark.parametrize("key", [labels.INSTANCE_TYPE, "example.com/none"])
def test_alternatives_of_a_node_are_charged_as_it_is(key: str) -> None:
    """Whatever type is launched of those that a NodeClaim names, the penalty is the one told."""
    kinds = [
        instance_type(name, cpu=4, price=price) for name, price in (("one", 1), ("two", 1.2), ("three", 2))
    ]
    web = wishing("web", prefers(100, requires(key, "In", "two", "three")))
    question = problem([web], kinds)
    question = dataclasses.replace(question, policies=Policies(microusd_per_weight_hour=microusd(POINT)))
    [claim] = answered(question).node_claims
    names = [alternative.instance_type for alternative in claim.alternatives]
    assert names == (["two", "three"] if key == labels.INSTANCE_TYPE else ["one", "two", "three"])
