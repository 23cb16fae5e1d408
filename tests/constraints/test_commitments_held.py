"""Reservations and savings plans held: what is sunk is used where that is cheapest over the whole mix."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import (
    CapacityType,
    CommitmentUse,
    Cover,
    Decision,
    InstanceType,
    NodePool,
    Problem,
    Reservation,
    SavingsPlan,
    StopReason,
    Workload,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import check_placement
from builders import (
    REGION,
    existing_node,
    instance_type,
    microusd,
    node_pool,
    offering,
    pod,
    problem,
    requires,
)
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL = instance_type("small", cpu=4, offerings=[offering(1.0, zone="a"), offering(1.0, zone="b")])
LARGE = instance_type("large", cpu=16, offerings=[offering(4.5, zone="a"), offering(4.5, zone="b")])
ON_DEMAND = CapacityType.ON_DEMAND


def asked(
    pods: Sequence[Workload],
    kinds: Sequence[InstanceType] = (SMALL, LARGE),
    reservations: Sequence[Reservation] = (),
    plans: Sequence[SavingsPlan] = (),
    pools: Sequence[NodePool] = (node_pool("p"),),
    **others: object,
) -> Problem:
    """A problem with commitments."""
    plain = problem(pods, kinds, pools, **others)  # type: ignore[arg-type]
    return replace(plain, reservations=tuple(reservations), savings_plans=tuple(plans))


def answer(wanted: Problem) -> Decision:
    return solve(wanted, SolveParams(deadline_s=10.0))


def plan(
    commitment: float, discount: float = 0.0, *needs: tuple[str, str], name: str = "plan"
) -> SavingsPlan:
    requirements = tuple(requires(key, "In", value) for key, value in needs)
    return SavingsPlan(name, microusd(commitment), round(discount * 1e6), requirements)


def test_a_reservation_for_any_zone_is_shared_by_its_zones() -> None:
    """Three nodes must be bought, two in zone a and one in b; two of them are reserved: one costs $1."""
    pods = [
        pod("a", cpu=4, replicas=2, selector={labels.ZONE: "a"}),
        pod("b", cpu=4, selector={labels.ZONE: "b"}),
    ]
    held = Reservation("ri", "small", REGION, 2, capacity_type=ON_DEMAND)
    decision = answer(asked(pods, [SMALL], [held]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(1.0)
    assert decision.commitments == (CommitmentUse("ri", True, 2, 0, 2),)
    assert sum(claim.covers == (Cover("ri"),) for claim in decision.node_claims) == 2


def test_a_catalogue_without_regions_has_reservations_without_one() -> None:
    """Sixteen cores in zone b: the large node kept there holds them for nothing, not one of $4.50."""
    offerings = tuple(replace(o, region="") for o in LARGE.offerings)
    held = Reservation("block", "large", "", 1, zone="b")
    wanted = asked([pod(cpu=1, replicas=16)], [replace(LARGE, offerings=offerings)], [held])
    decision = answer(wanted)
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == 0
    assert decision.commitments == (CommitmentUse("block", True, 1, 0, 1),)
    assert not check_placement(wanted, decision)


def test_reserved_capacity_of_a_zone_carries_its_capacity_type() -> None:
    """One large node is kept in zone b: twelve pods of one core go there for nothing."""
    held = Reservation("block", "large", REGION, 1, zone="b")
    decision = answer(asked([pod(cpu=1, replicas=12)], reservations=[held]))
    (claim,) = decision.node_claims
    assert (claim.zone, claim.capacity_type, claim.price_microusd_per_hour) == ("b", CapacityType.RESERVED, 0)
    assert decision.stop_reason is StopReason.OPTIMAL


def test_pools_that_sell_on_demand_only_do_not_use_reserved_capacity() -> None:
    """The block is there, but the pool asks for on-demand nodes: three small ones at $1."""
    held = Reservation("block", "large", REGION, 1)
    pools = [node_pool("p", requires(labels.CAPACITY_TYPE, "In", "on-demand"))]
    decision = answer(asked([pod(cpu=1, replicas=12)], reservations=[held], pools=pools))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(3.0)


def test_what_a_reservation_leaves_is_packed_with_it() -> None:
    """Seventeen cores: one reserved large node and one small one, not five small ones."""
    held = Reservation("ri", "large", REGION, 1, capacity_type=ON_DEMAND)
    decision = answer(asked([pod(cpu=1, replicas=17)], reservations=[held]))
    assert decision.cost_microusd_per_hour == microusd(1.0)


def test_a_reservation_with_a_price_is_used_where_it_is_cheaper() -> None:
    """A reserved small node still costs $0.40, which is less than $1: two of them, and one more."""
    held = Reservation("ri", "small", REGION, 2, "", ON_DEMAND, microusd(0.4))
    decision = answer(asked([pod(cpu=4, replicas=3)], [SMALL], [held]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(1.8)


def test_a_savings_plan_pays_for_whole_nodes_and_a_share_of_one() -> None:
    """At 25 % off a node takes $0.75: $1.875 pay for two and a half of three nodes, $0.50 remain."""
    decision = answer(asked([pod(cpu=4, replicas=3)], [SMALL], plans=[plan(1.875, 0.25)]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(0.5)
    assert decision.commitments == (CommitmentUse("plan", False, microusd(1.875), 0, microusd(1.875)),)
    assert sorted(claim.price_microusd_per_hour for claim in decision.node_claims) == [0, 0, microusd(0.5)]


def test_a_savings_plan_smaller_than_any_node_pays_its_share() -> None:
    """$0.30 without a discount leave $0.70 of the one node."""
    decision = answer(asked([pod(cpu=4)], [SMALL], plans=[plan(0.3)]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(0.7)


def test_a_savings_plan_for_one_type_draws_pods_there() -> None:
    """Eight pods of one core: two small nodes at $2, or a large one that the plan pays for but $0.50."""
    held = plan(4.0, 0.0, (labels.INSTANCE_TYPE, "large"))
    decision = answer(asked([pod(cpu=1, replicas=8)], plans=[held]))
    (claim,) = decision.node_claims
    assert (claim.instance_type, claim.price_microusd_per_hour) == ("large", microusd(0.5))


def test_reservations_and_savings_plans_pay_for_different_nodes() -> None:
    """Four nodes: one reserved, two on the plan at $0.80, one in full."""
    held = Reservation("ri", "small", REGION, 1, capacity_type=ON_DEMAND)
    decision = answer(asked([pod(cpu=4, replicas=4)], [SMALL], [held], [plan(1.6, 0.2)]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(1.0)
    covers = Counter(claim.covers for claim in decision.node_claims)
    assert covers == {(): 1, (Cover("plan", microusd(0.8)),): 2, (Cover("ri"),): 1}


def test_spend_that_nobody_uses_is_reported() -> None:
    """One node at $0.50 of a commitment of $3: nothing to pay, $2.50 unused."""
    decision = answer(asked([pod(cpu=4)], [SMALL], plans=[plan(3.0, 0.5)]))
    assert decision.cost_microusd_per_hour == 0
    (use,) = decision.commitments
    assert (use.used, use.unused) == (microusd(0.5), microusd(2.5))


def test_running_nodes_use_commitments_first() -> None:
    """A running small node has the only reserved one, and another $0.75 of the plan: $0.25 are left."""
    carried = {
        labels.INSTANCE_TYPE: "small",
        labels.REGION: REGION,
        labels.ZONE: "a",
        labels.CAPACITY_TYPE: "on-demand",
    }
    running = [existing_node(name, cpu=0, node_labels=carried) for name in ("n1", "n2")]
    held = Reservation("ri", "small", REGION, 1, capacity_type=ON_DEMAND)
    decision = answer(asked([pod(cpu=4)], [SMALL], [held], [plan(1.0, 0.25)], existing=running))
    assert decision.commitments == (
        CommitmentUse("ri", True, 1, 1, 0),
        CommitmentUse("plan", False, microusd(1.0), microusd(0.75), microusd(0.25)),
    )
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == 666_667


def test_plans_do_not_make_scarce_offerings_less_scarce() -> None:
    """Two small nodes are left, on the plan or not: the third pod needs the large one, and all fit there."""
    scarce = instance_type("small", cpu=4, offerings=[offering(1.0, available=2)])
    decision = answer(asked([pod(cpu=4, replicas=3)], [scarce, LARGE], plans=[plan(1.0)]))
    names = sorted(claim.instance_type for claim in decision.node_claims)
    assert names == ["large"]
    assert decision.cost_microusd_per_hour == microusd(3.5)


@pytest.mark.parametrize("is_reserved", [True, False])
def test_pools_that_must_leave_a_choice_use_no_commitments(is_reserved: bool) -> None:
    """A pool with minValues names two types for each node; what is paid for has one: three nodes at $1."""
    medium = instance_type("medium", cpu=4, offerings=[offering(1.2, zone="a"), offering(1.2, zone="b")])
    choice = replace(requires(labels.INSTANCE_TYPE, "Exists"), min_values=2)
    held = [Reservation("ri", "small", REGION, 1, capacity_type=ON_DEMAND)] if is_reserved else []
    plans = [] if is_reserved else [plan(1.5, 0.25)]
    pools = [node_pool("p", choice)]
    decision = answer(asked([pod(cpu=4, replicas=3)], [SMALL, medium], held, plans, pools))
    assert decision.cost_microusd_per_hour == microusd(3.0)
    assert decision.commitments[0].used == 0


def test_two_commitments_of_one_name_are_refused() -> None:
    held = Reservation("plan", "small", REGION, 1)
    with pytest.raises(InvalidProblemError, match="already the name of another commitment"):
        answer(asked([pod(cpu=4)], [SMALL], [held], [plan(1.0)]))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"price_microusd_per_hour": 0}, "costs 500000 after savings plans"),
        ({"covers": (Cover("plan", microusd(0.8)),)}, "does not cover 800000 of it"),
        ({"covers": (Cover("nobody", 1),)}, "commitment nobody does not exist"),
        ({"covers": (Cover("ri"),), "price_microusd_per_hour": 0}, "2 nodes of commitment ri are used"),
        ({"covers": ()}, "costs 1000000, not 500000"),
    ],
)
def test_the_verifier_refuses_wrong_covers(change: dict[str, object], finding: str) -> None:
    """Three nodes: one reserved, one on the plan, half of one on it."""
    held = Reservation("ri", "small", REGION, 1, capacity_type=ON_DEMAND)
    wanted = asked([pod(cpu=4, replicas=3)], [SMALL], [held], [plan(1.125, 0.25)])
    decision = answer(wanted)
    assert check_placement(wanted, decision) == ()
    claims = sorted(decision.node_claims, key=lambda claim: claim.price_microusd_per_hour)
    claims[-1] = replace(claims[-1], alternatives=(), **change)  # type: ignore[arg-type]
    found = check_placement(wanted, replace(decision, node_claims=tuple(claims)))
    assert any(finding in text for text in found), found


def test_the_verifier_refuses_a_wrong_statement_of_use() -> None:
    wanted = asked([pod(cpu=4)], [SMALL], plans=[plan(3.0, 0.5)])
    decision = answer(wanted)
    wrong = replace(decision, commitments=(replace(decision.commitments[0], used=0),))
    assert any("use of commitments" in text for text in check_placement(wanted, wrong))


@st.composite
def mixes(draw: st.DrawFn) -> Problem:
    """Pods of one core, two types in two zones, up to two reservations and a savings plan."""
    small = instance_type(
        "small", cpu=draw(st.integers(1, 2)), offerings=[offering(0.1), offering(0.12, zone="b")]
    )
    price = draw(st.sampled_from([0.24, 0.3, 0.4]))
    large = instance_type("large", cpu=draw(st.integers(3, 4)), offerings=[offering(price)])
    pods = [pod("any", cpu=1, replicas=draw(st.integers(0, 2)))]
    pods.append(pod("b", cpu=1, replicas=draw(st.integers(0, 1)), selector={labels.ZONE: "b"}))
    reservations = [
        Reservation(
            f"r{k}",
            draw(st.sampled_from(["small", "large"])),
            REGION,
            draw(st.integers(0, 2)),
            draw(st.sampled_from(["", "zone-a"])),
            draw(st.sampled_from([ON_DEMAND, CapacityType.RESERVED])),
            draw(st.sampled_from([0, microusd(0.02)])),
        )
        for k in range(draw(st.integers(0, 2)))
    ]
    needs = draw(st.sampled_from([(), ((labels.INSTANCE_TYPE, "large"),), ((labels.ZONE, "b"),)]))
    plans = [plan(draw(st.sampled_from([0.05, 0.2, 0.5])), draw(st.sampled_from([0.0, 0.25, 0.5])), *needs)]
    return asked(pods, [small, large], reservations, plans[: draw(st.integers(0, 1))])


def cheapest(wanted: Problem) -> int:
    """Least cost by trying all numbers of nodes, and for each all ways to reserve some of them.

    With one plan of one discount its spend saves the same wherever it goes, and prices here leave nothing
    to round. Pods of one core fit wherever there are cores enough in their zone.
    """
    sold = [(kind, o) for kind in wanted.catalog.instance_types for o in kind.offerings]
    cores = [kind.allocatable["cpu"] // 1000 for kind, _ in sold]
    anywhere, in_b = (workload.replicas for workload in wanted.workloads)
    best = 10**12
    ways = [[None, *(r for r in wanted.reservations if _may_use(r, kind, o))] for kind, o in sold]
    nodes = [(k, way) for k in range(len(sold)) for way in ways[k]]
    choices = [itertools.combinations_with_replacement(range(len(nodes)), n) for n in range(4)]
    for chosen in itertools.chain(*choices):
        counts = [chosen.count(index) for index in range(len(nodes))]
        used = {r.name: 0 for r in wanted.reservations}
        total = total_b = 0
        for (k, way), n in zip(nodes, counts, strict=True):
            total += n * cores[k]
            total_b += n * cores[k] * (sold[k][1].zone == "b")
            if way is not None:
                used[way.name] += n
        if (
            total < anywhere + in_b
            or total_b < in_b
            or any(used[r.name] > r.count for r in wanted.reservations)
        ):
            continue
        cost, covered = 0, 0
        for (k, way), n in zip(nodes, counts, strict=True):
            kind, o = sold[k]
            if way is not None:
                cost += n * way.price_microusd_per_hour
                continue
            cost += n * o.price_microusd_per_hour
            if wanted.savings_plans and _is_covered(wanted.savings_plans[0], kind.name, o.zone):
                covered += n * o.price_microusd_per_hour
        for held in wanted.savings_plans:
            cost -= min(covered, held.microusd_per_hour * 10**6 // (10**6 - held.discount_ppm))
        best = min(best, cost)
    return best


def _may_use(held: Reservation, kind: InstanceType, o: object) -> bool:
    zone = o.zone  # type: ignore[attr-defined]
    return held.instance_type == kind.name and held.zone in ("", zone)


def _is_covered(held: SavingsPlan, name: str, zone: str) -> bool:
    wanted = {labels.INSTANCE_TYPE: name, labels.ZONE: zone}
    return all(wanted[r.key] in r.values for r in held.requirements)


@settings(max_examples=25, deadline=None)
@given(mixes())
def test_the_mix_is_the_cheapest_of_all_and_the_bound_is_below_it(wanted: Problem) -> None:
    """Brute force over numbers of nodes and who is reserved agrees, up to whole micro-dollars."""
    decision = answer(wanted)
    best = cheapest(wanted)
    assert decision.bound_microusd_per_hour <= best + len(decision.node_claims)
    assert abs(decision.cost_microusd_per_hour - best) <= len(decision.node_claims)
