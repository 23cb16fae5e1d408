"""Gangs, spot policies and minValues: rules about a whole workload or a whole claim; worked on paper.

Kueue's and Volcano's pod groups are placed all or none; per-workload shares of spot are what
aws/karpenter-provider-aws#331 asks for, a bound per pool what #6668 lost a cluster by; minValues are of
https://karpenter.sh/docs/concepts/nodepools/#min-values.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import (
    Gang,
    GangTopology,
    InstanceType,
    LabelSelector,
    LossBound,
    MinValuesPolicy,
    NodePool,
    Operator,
    PodAffinity,
    PodAffinityTerm,
    Policies,
    Problem,
    Requirement,
    Share,
    SpotPolicy,
    Workload,
    labels,
)
from builders import instance_type, microusd, node_pool, offering, problem
from conformance import Unproven, answered, conforms, conforms_not
from rules import HOSTNAME, ZONE, node, ruled, running

BOX = instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(2, zone="b")])


def ganged(gang: Gang, *workloads: Workload, kinds: Any = (BOX,), **parts: Any) -> Problem:
    return dataclasses.replace(problem(workloads, kinds), gangs=(gang,), **parts)


RING = ruled("ring", 5, gang="g")
SCARCE = (instance_type("box", cpu=4, offerings=[offering(1, available=1)]),)

# --- gangs ------------------------------------------------------------------------------------------


def test_a_gang_that_fits_is_placed() -> None:
    conforms(ganged(Gang("g"), RING), 2)


def test_a_gang_that_does_not_fit_whole_is_left_out() -> None:
    """One box is on sale, which holds four of five: none is placed."""
    conforms_not(ganged(Gang("g"), RING, kinds=SCARCE), placed=0)


def test_a_gang_leaves_its_room_to_others() -> None:
    """The gang of five cannot be; the other pods get the box."""
    conforms_not(ganged(Gang("g"), RING, ruled("web", 2), kinds=SCARCE), placed=2)


def test_minimum_members_are_enough() -> None:
    """Four of five have room, three are needed."""
    conforms_not(ganged(Gang("g", min_members=3), RING, kinds=SCARCE), placed=4)


def test_a_gang_that_is_short_of_members_waits_and_leaves_no_trace_in_the_proof_of_others() -> None:
    """Five of six members: the two other pods get a box for a dollar, which is proven without any rows."""
    question = ganged(Gang("g", min_members=6), RING, ruled("web", 2))
    conforms_not(question, placed=2)
    assert build_instance(question).linking is None


def test_members_that_run_make_up_for_those_that_are_missing() -> None:
    """One runs and five wait, six are needed: all are placed, on two boxes."""
    old = node("old", running(ruled("ring", gang="g"), 1), cpu=0)
    conforms(ganged(Gang("g", min_members=6), RING, existing_nodes=(old,)), 2)


def test_others_must_do_without_a_gang_that_is_short() -> None:
    """web needs a pod of the gang in its zone, which is never placed; db keeps away and has a place."""
    near = PodAffinity((PodAffinityTerm(ZONE, LabelSelector.of_labels({"app": "ring"})),))
    web, db = ruled("web", pod_affinity=near), ruled("db", pod_anti_affinity=near)
    conforms_not(ganged(Gang("g", min_members=6), RING, web, db), placed=1)


def test_running_members_count() -> None:
    """Two run, three are needed: one more is placed on what room there is."""
    old = node("old", running(ruled("ring", gang="g"), 2), cpu=1)
    question = ganged(Gang("g", min_members=3), ruled("ring", 2, gang="g"), kinds=(), existing_nodes=(old,))
    conforms_not(question, placed=1)


def test_members_of_two_workloads_are_one_gang() -> None:
    """A head and four workers: five pods, room for four."""
    pair = (ruled("head", gang="g"), ruled("worker", 4, gang="g"))
    conforms_not(ganged(Gang("g"), *pair, kinds=SCARCE), placed=0)


def test_a_gang_in_one_zone_pays_for_it() -> None:
    """One box is left in a: five pods need two boxes of b, 4, rather than 1 + 2 across zones."""
    kinds = (
        instance_type("box", cpu=4, offerings=[offering(1, zone="a", available=1), offering(2, zone="b")]),
    )
    question = ganged(Gang("g", topology=(GangTopology(ZONE),)), RING, kinds=kinds)
    conforms(question, 4, lambda a: a.by(ZONE, "ring") == {"b": 5}, unproven=Unproven.ONE)


def test_a_gang_on_one_node() -> None:
    large = instance_type("large", cpu=8, price=3)
    question = ganged(Gang("g", topology=(GangTopology(HOSTNAME),)), RING, kinds=(BOX, large))
    conforms(question, 3, lambda a: a.together() == [{"ring": 5}])


def test_a_gang_in_one_node_pool() -> None:
    """Pool ``small`` may have one node: all five go to ``other`` and its two."""
    pools = (node_pool("other"), node_pool("small", max_nodes=1, weight=10))
    question = ganged(Gang("g", topology=(GangTopology(labels.NODE_POOL),)), RING, node_pools=pools)
    conforms(question, 2, lambda a: a.by(labels.NODE_POOL, "ring") == {"other": 5})


def test_a_gang_joins_its_running_members() -> None:
    """One runs in zone b."""
    old = node("old", running(ruled("ring", gang="g")), cpu=0, zone="b")
    question = ganged(
        Gang("g", topology=(GangTopology(ZONE),)), ruled("ring", 2, gang="g"), existing_nodes=(old,)
    )
    conforms(question, 2, lambda a: a.by(ZONE, "ring") == {"b": 2})


def test_running_members_that_are_apart_leave_a_choice() -> None:
    """One runs in a, one in b: the newcomer joins either, so a."""
    old = [node(f"old-{z}", running(ruled("ring", gang="g")), cpu=0, zone=z) for z in "ab"]
    question = ganged(
        Gang("g", topology=(GangTopology(ZONE),)), ruled("ring", gang="g"), existing_nodes=tuple(old)
    )
    conforms(question, 1)


# --- spot -------------------------------------------------------------------------------------------

MIXED = instance_type(
    "box",
    cpu=2,
    offerings=[
        offering(3, zone="a"),
        offering(1, zone="a", capacity_type="spot"),
        offering(2, zone="b", capacity_type="spot"),
    ],
)


def wary(replicas: int, policy: SpotPolicy, **parts: Any) -> Problem:
    return dataclasses.replace(problem([ruled("web", replicas, spot=policy)], [MIXED]), **parts)


def test_without_a_policy_all_are_on_the_cheapest_spot() -> None:
    conforms(problem([ruled("web", 4)], [MIXED]), 2)


def test_half_on_demand() -> None:
    """Two of four on demand (3), two on spot (1)."""
    question = wary(4, SpotPolicy(min_on_demand=Share(ppm=500_000)))
    conforms(question, 4, lambda a: a.by(labels.CAPACITY_TYPE, "web") == {"on-demand": 2, "spot": 2})


def test_a_share_is_rounded_up() -> None:
    """30 % of four is two pods."""
    conforms(wary(4, SpotPolicy(min_on_demand=Share(ppm=300_000))), 4)


def test_pods_that_are_left_out_do_not_count_as_on_demand() -> None:
    """Two of four have to be off spot, and nothing else is sold than one spot node for four: with none
    off it, none may be on it."""
    spot = instance_type("spot", cpu=4, offerings=[offering(1, capacity_type="spot", available=1)])
    web = ruled("web", 4, spot=SpotPolicy(min_on_demand=Share(count=2)))
    conforms_not(problem([web], [spot]), placed=0)


def test_a_bound_on_loss_spreads_over_pools() -> None:
    """Each pool is reclaimed within a month with probability 0.1; with probability 0.02 at most, more
    than two may be lost: four in one pool break that (0.1), two and two do not (0.01)."""
    risky = dataclasses.replace(
        MIXED,
        offerings=tuple(dataclasses.replace(o, interruption_ppm_per_month=100_000) for o in MIXED.offerings),
    )
    policy = SpotPolicy(loss=LossBound(Share(count=2), 20_000, 730 * 3_600))
    question = problem([ruled("web", 4, spot=policy)], [risky])
    conforms(question, 3, lambda a: a.by(ZONE, "web") == {"a": 2, "b": 2})
    assert answered(question).bound_microusd_per_hour == microusd(3)


def test_an_unknown_rate_counts_as_one_interruption_a_month() -> None:
    """A pool passes a month without one with probability 1/e = 0.368, so that all pods in one pool are lost
    with 0.632. Where that may be, all four are on the cheapest spot (2). Where it may not, at most one is in
    each pool, and one in each (1 + 2) with two on demand (3) cost what four on demand do."""
    month = 730 * 3_600
    for allowed, dollars in ((0.633, 2), (0.632, 6)):
        bound = LossBound(Share(count=1), round(allowed * 1_000_000), month)
        conforms(problem([ruled("web", 4, spot=SpotPolicy(loss=bound))], [MIXED]), dollars)


def test_within_an_hour_a_pool_of_unknown_rate_is_hardly_ever_lost() -> None:
    """An hour is 1/730 of a month, and 1 - e^(-1/730) = 0.001369."""
    for allowed, dollars in ((0.00137, 2), (0.001368, 6)):
        bound = LossBound(Share(count=1), round(allowed * 1_000_000), 3_600)
        conforms(problem([ruled("web", 4, spot=SpotPolicy(loss=bound))], [MIXED]), dollars)


def surely_lost() -> list[InstanceType]:
    """Spot capacity alone, in three zones: nodes for two pods at 1 $, and for eight at 2 $."""
    return [
        instance_type(
            name,
            cpu=cpu,
            offerings=[
                dataclasses.replace(
                    offering(price, zone=zone, capacity_type="spot"), interruption_ppm_per_month=1_000_000
                )
                for zone in "abc"
            ],
        )
        for name, cpu, price in (("small", 2, 1), ("large", 8, 2))
    ]


def test_the_few_pods_that_a_bound_on_loss_lets_in_are_on_the_node_that_is_cheapest_for_them() -> None:
    """All six pools are surely lost, and two of ten pods may be: two on a small node (1). A large one has
    the lower price for a pod if it is full, which it cannot be. No other constraint keeps the eight off."""
    policy = SpotPolicy(loss=LossBound(Share(ppm=200_000), 10_000))
    decision = answered(problem([ruled("web", 10, spot=policy)], surely_lost()))
    assert [sum(pods.count for pods in claim.pods) for claim in decision.node_claims] == [2]
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(1)
    [left_out] = decision.unschedulable
    assert left_out.conflict is not None
    [constraint] = left_out.conflict.constraints
    assert constraint.startswith("spot policy")
    assert left_out.conflict.relaxed_cost_microusd_per_hour == microusd(3)


def test_running_spot_nodes_without_a_type_are_pools_of_unknown_rate() -> None:
    """Of three pods one may be lost, within a month and but for 5 %. A free node on spot in zone a, of no
    known type, is lost with 0.632, and together with a pool of 0.2 with 0.126: with a pod on it the other two
    need on demand (5 + 7). One in spot a (1), one in spot b (3), together lost with 0.04, and one on demand
    (5) are cheaper: 9."""
    calm = [
        dataclasses.replace(
            offering(price, zone=zone, capacity_type="spot"), interruption_ppm_per_month=200_000
        )
        for price, zone in ((1, "a"), (3, "b"))
    ]
    scarce = [offering(price, zone=zone, available=1) for price, zone in ((5, "a"), (7, "b"))]
    old = node("old", cpu=2, zone="a", node_labels={labels.CAPACITY_TYPE: "spot"})
    policy = SpotPolicy(loss=LossBound(Share(count=1), 50_000, 730 * 3_600))
    small = instance_type("small", cpu=1, offerings=[*scarce, *calm])
    question = problem([ruled("web", 3, spot=policy)], [small], existing=[old])
    assert answered(question).cost_microusd_per_hour == microusd(9)


def test_a_bound_that_all_pools_keep_changes_nothing() -> None:
    """Nobody is ever reclaimed: four on the cheapest spot."""
    safe = dataclasses.replace(
        MIXED, offerings=tuple(dataclasses.replace(o, interruption_ppm_per_month=0) for o in MIXED.offerings)
    )
    conforms(problem([ruled("web", 4, spot=SpotPolicy(loss=LossBound(Share(), 1)))], [safe]), 2)


def test_at_most_two_in_a_pool() -> None:
    """Two in spot a (1), two in spot b (2)."""
    question = wary(4, SpotPolicy(max_per_pool=Share(count=2)))
    conforms(question, 3, lambda a: a.by(ZONE, "web") == {"a": 2, "b": 2})


def test_pools_that_are_full_push_the_rest_on_demand() -> None:
    """One in each pool (1 + 2), the other two on demand (3)."""
    conforms(wary(4, SpotPolicy(max_per_pool=Share(count=1))), 6)


def test_the_bound_is_the_cost_where_pools_are_capped() -> None:
    """Pools of nodes for four pods, at 1, 2, ... 24: twelve pods with at most four in a pool take the first
    three (1 + 2 + 3), three others a second node of the first (1). The many pools that nobody uses hold pods
    at a higher price, and must not lend it to the three that are used."""
    kinds = [
        instance_type(f"box-{n}", cpu=4, offerings=[offering(n, zone="a", capacity_type="spot")])
        for n in range(1, 25)
    ]
    web = ruled("web", 12, spot=SpotPolicy(max_per_pool=Share(count=4)))
    decision = answered(problem([web, ruled("api", 3)], kinds))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(7)


def test_small_pods_fill_what_large_ones_leave_in_pools_that_would_be_dear_for_them_alone() -> None:
    """One pod of a workload at most in a pool. Two large ones take the boxes, 11 and 12, and leave a CPU in
    either. A small one alone would be cheapest in any of twelve pools, at 1."""
    kinds = [
        *(
            instance_type(f"tiny-{n}", cpu=1, offerings=[offering(1, capacity_type="spot")])
            for n in range(12)
        ),
        *(instance_type(f"box-{n}", cpu=4, offerings=[offering(n, capacity_type="spot")]) for n in (11, 12)),
    ]
    one = SpotPolicy(max_per_pool=Share(count=1))
    decision = answered(problem([ruled("large", 2, cpu=3, spot=one), ruled("small", 2, spot=one)], kinds))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(23)


ALL_ON_DEMAND = Policies(spot=SpotPolicy(min_on_demand=Share(ppm=1_000_000)))


def test_the_problems_policy_holds_where_the_workload_has_none() -> None:
    conforms(dataclasses.replace(problem([ruled("web", 2)], [MIXED]), policies=ALL_ON_DEMAND), 3)


def test_a_workloads_own_policy_comes_before_the_problems() -> None:
    """It bears spot, two pods in a pool: both in spot a, for 1."""
    own = wary(2, SpotPolicy(max_per_pool=Share(count=2)), policies=ALL_ON_DEMAND)
    conforms(own, 1, lambda a: a.by(labels.CAPACITY_TYPE, "web") == {"spot": 2})


# --- minValues --------------------------------------------------------------------------------------


FAMILY = "karpenter.k8s.aws/instance-family"


def choosy(least: int) -> Problem:
    kinds = [instance_type(f"type-{n}", cpu=4, price=n) for n in (1, 2, 3)]
    pool = node_pool("default", Requirement(labels.INSTANCE_TYPE, Operator.EXISTS, (), least))
    return problem([ruled("web", 2)], kinds, [pool])


def test_a_claim_leaves_so_many_types_to_choose_from() -> None:
    """Three types hold both pods, at 1, 2 and 3: the claim is for the first and names all."""
    [claim] = answered(choosy(3)).node_claims
    assert claim.price_microusd_per_hour == microusd(1)
    assert [alternative.instance_type for alternative in claim.alternatives] == ["type-1", "type-2", "type-3"]


def test_more_types_than_there_are_cannot_be_left() -> None:
    """Strict is Karpenter's default: no claim for the pool, so nothing is placed."""
    assert answered(choosy(4)).node_claims == ()


def test_best_effort_leaves_what_there_is() -> None:
    question = dataclasses.replace(choosy(4), policies=Policies(min_values=MinValuesPolicy.BEST_EFFORT))
    assert len(answered(question).node_claims) == 1


def test_types_too_small_for_the_pods_are_no_choice() -> None:
    """Two pods of 3 CPUs, two types wanted. One node of 6 CPUs holds both for 2, but only it does; a node
    for each, at 1.5, leaves both types to choose from: 3."""
    kinds = [instance_type("s", cpu=3, price=1.5), instance_type("m", cpu=6, price=2)]
    pool = node_pool("default", Requirement(labels.INSTANCE_TYPE, Operator.EXISTS, (), 2))
    decision = answered(problem([ruled("web", 2, cpu=3)], kinds, [pool]))
    assert decision.cost_microusd_per_hour == microusd(3)


def of_family(name: str, family: str, cpu: int, price: float, **more: Any) -> InstanceType:
    return instance_type(name, cpu=cpu, price=price, extra_labels={FAMILY: family}, **more)


def wanting(key: str, least: int) -> NodePool:
    return node_pool("default", Requirement(key, Operator.EXISTS, (), least))


def test_a_family_counts_once_however_many_types_it_has() -> None:
    """Two families wanted. Both pods fit on c-1 or c-2, at 1, but m-1, at 3, holds only one of them: a node
    for each pod, which c-1, c-2 and m-1 hold: 2."""
    kinds = [of_family("c-1", "c", 2, 1), of_family("c-2", "c", 2, 1), of_family("m-1", "m", 1, 3)]
    decision = answered(problem([ruled("web", 2)], kinds, [wanting(FAMILY, 2)]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(2)


def test_a_claim_names_as_many_types_as_are_wanted_however_many() -> None:
    """25 types are wanted where 20 are named otherwise."""
    kinds = [instance_type(f"type-{n:02}", cpu=4, price=n) for n in range(1, 31)]
    [claim] = answered(problem([ruled("web", 2)], kinds, [wanting(labels.INSTANCE_TYPE, 25)])).node_claims
    assert len(claim.alternatives) == 25


def test_a_dear_type_is_named_for_its_family() -> None:
    """25 types of family c are cheaper than the one of m, which is wanted for the second value."""
    kinds = [of_family(f"c-{n:02}", "c", 4, n) for n in range(1, 26)]
    kinds.append(of_family("m-1", "m", 4, 99))
    for policy in MinValuesPolicy:
        question = problem([ruled("web", 2)], kinds, [wanting(FAMILY, 2)])
        question = dataclasses.replace(question, policies=Policies(min_values=policy))
        [claim] = answered(question).node_claims
        assert len(claim.alternatives) == 20
        assert claim.alternatives[-1].instance_type == "m-1"


def test_no_other_type_is_a_choice_where_spot_pools_are_counted() -> None:
    """Another type on spot is another pool. Two types wanted and two pods at most in a pool: on demand, 3."""
    kinds = [
        instance_type(name, cpu=2, offerings=[offering(3), offering(1, capacity_type="spot")])
        for name in ("s", "m")
    ]
    web = ruled("web", 2, spot=SpotPolicy(max_per_pool=Share(count=2)))
    decision = answered(problem([web], kinds, [wanting(labels.INSTANCE_TYPE, 2)]))
    assert decision.cost_microusd_per_hour == microusd(3)


def test_the_reason_names_the_choice_that_there_is_not() -> None:
    """Four types wanted, three sold."""
    [entry] = answered(choosy(4)).unschedulable
    told = {refusal.constraint: refusal.message for refusal in entry.refusals}
    wanted = "NodePool default wants 4 values of node.kubernetes.io/instance-type to choose from"
    assert told["min-values"] == wanted
