"""No certificate proves more than the cheapest placement costs, whatever rules pods state."""

from __future__ import annotations

import itertools

from binwright_optimizer.model import (
    Certificate,
    LabelSelector,
    LocalPrices,
    NodeInclusionPolicy,
    Problem,
    SolutionStatus,
    TopologySpread,
    Volume,
    labels,
)
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import check_placement, prove_bound, verify
from brute_force import charges, cheapest, paid
from builders import instance_type, node_pool, offering, problem, requires
from conformance import PARAMS
from decisions import bought, decided
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from rule_strategies import APPS, RACK, SLOT, TAINT
from rules import node, ruled, running
from strategies import enforced_problems, ruled_problems

SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
BITS = 4
WEB = LabelSelector.of_labels({"app": "web"})
ABOUT_DOMAINS = ("spread", "affinity", "anti-affinity", "gang", "volumes", "caps", "ports")
DOLLARS = st.sampled_from([0, 1, 2, 3, 5, 9, 30]) | st.integers(0, 12_000_000).map(lambda micro: micro / 1e6)
VALUES = {
    labels.ZONE: ("a", "b", "c", None),
    labels.CAPACITY_TYPE: ("on-demand", "spot"),
    labels.INSTANCE_TYPE: ("type-0", "type-1"),
    RACK: ("r0", "r1", None),
}


@st.composite
def scopes(draw: st.DrawFn) -> list[tuple[tuple[str, str | None], ...]]:
    """Domains by one or two labels: all of them, or some."""
    keys = sorted(
        draw(st.lists(st.sampled_from([labels.ZONE, *VALUES]), min_size=1, max_size=2, unique=True))
    )
    every = [
        tuple(zip(keys, values, strict=True)) for values in itertools.product(*(VALUES[key] for key in keys))
    ]
    if draw(st.integers(0, 2)):
        return list(draw(st.permutations(every)))
    return draw(st.lists(st.sampled_from([*every, ()]), min_size=1, max_size=6, unique=True))


def _micro(dollars: float) -> int:
    return round(dollars * 1e6 * 2**BITS)


@st.composite
def prices(draw: st.DrawFn, question: Problem) -> Certificate:
    """Prices of pods, of some of them by domain: often far too high, never sensible."""
    n = len(question.workloads)
    local = []
    for w in range(n):
        if draw(st.booleans()):
            priced = tuple((scope, _micro(draw(DOLLARS))) for scope in draw(scopes()))
            local.append(LocalPrices((w,), priced))
    return Certificate(BITS, tuple(_micro(draw(DOLLARS)) for _ in range(n)), local_prices=tuple(local))


@st.composite
def spread_workloads(draw: st.DrawFn) -> Problem:
    """Pods of an app under a constraint or two; others of it may state the same, or nothing, or run."""
    own = {"app": "x"}
    keys = st.sampled_from([labels.ZONE, labels.ZONE, labels.CAPACITY_TYPE, RACK, SLOT])
    constraints = [
        TopologySpread(
            draw(keys),
            max_skew=draw(st.integers(1, 2)),
            selector=APPS[0],
            min_domains=draw(st.sampled_from([1, 1, 2, 3])),
            node_affinity_policy=draw(st.sampled_from(NodeInclusionPolicy)),
            node_taints_policy=draw(st.sampled_from(NodeInclusionPolicy)),
        )
        for _ in range(draw(st.integers(1, 2)))
    ]
    rules = {
        "affinity": draw(st.sampled_from([(), (), ((requires(labels.ZONE, "In", "a", "b"),),)])),
        "tolerations": draw(st.sampled_from([(), (TAINT,)])),
        "topology_spread": tuple(constraints),
    }
    pods = ruled("x", draw(st.integers(1, 3)), **rules)
    others = draw(
        st.sampled_from(
            [
                [],
                [ruled("y")],
                [ruled("same", app="x", cpu=2, **rules)],
                [ruled("light", 2, app="x", cpu=0.5, **rules)],
                [ruled("free", app="x")],
            ]
        )
    )
    sold = [
        offering(draw(st.integers(1, 4)), zone=zone, capacity_type=bought)
        for zone in draw(st.sampled_from(["ab", "abc"]))
        for bought in draw(st.sampled_from([["on-demand"], ["on-demand"], ["on-demand", "spot"]]))
    ]
    kinds = [instance_type("type-0", cpu=draw(st.integers(1, 3)), offerings=sold, extra_labels={RACK: "r0"})]
    pools = [node_pool("plain")]
    if draw(st.booleans()):
        pools = [node_pool("slotted", requires(SLOT, "In", "s1", "s2"))]
    existing = [
        node(
            f"old-{n}",
            *[running(ruled("x", more_labels=own), draw(st.integers(1, 2)))] * draw(st.integers(0, 1)),
            cpu=draw(st.integers(0, 2)),
            zone=draw(st.sampled_from(["a", "b", "d", ""])),
            node_labels=draw(st.sampled_from([{}, {labels.CAPACITY_TYPE: "spot"}, {SLOT: "s1"}])),
            taints=draw(st.sampled_from([(), (), (TAINT,)])),
        )
        for n in range(draw(st.integers(0, 2)))
    ]
    return problem([pods, *others], kinds, pools, existing=existing)


@given(enforced_problems() | ruled_problems(ABOUT_DOMAINS) | spread_workloads(), st.data())
@SETTINGS
def test_no_bound_exceeds_what_the_cheapest_placement_costs(question: Problem, data: st.DataObject) -> None:
    """Of all pods, or of some of them; by prices alone, or with a choice of whole nodes up to a goal."""
    counts = [data.draw(st.integers(0, w.replicas)) for w in question.workloads]
    placement = cheapest(question, counts)
    if placement is None:
        event("no placement")
        return
    total = paid(question, placement.nodes) + charges(question, placement.nodes, placement.pods)
    bounds = [prove_bound(question, data.draw(prices(question)), counts) for _ in range(6)]
    for goal in (total + 1, data.draw(st.integers(0, 2 * total + 1))):
        drawn = data.draw(prices(question))
        bounds.append(prove_bound(question, drawn, counts, on_whole_nodes=False, goal=goal))
    event("tight" if max(bounds) == total > 0 else "free" if not total else "below")
    assert max(bounds) <= total


@given(spread_workloads())
@SETTINGS
def test_whole_nodes_of_domains_bound_what_spread_pods_cost(question: Problem) -> None:
    """Under the solver's prices, which name every domain."""
    decision = solve(question, PARAMS)
    assert verify(question, decision) == ()
    placement = cheapest(question)
    assert (placement is None) == (decision.status is not SolutionStatus.COMPLETE)
    if placement is not None:
        total = paid(question, placement.nodes)
        event("tight" if decision.bound_microusd_per_hour == total else "below")
        assert decision.bound_microusd_per_hour <= total == decision.cost_microusd_per_hour


def _by_zone(**dollars: float) -> Certificate:
    """The price of a pod of the first workload by zone."""
    priced = tuple((((labels.ZONE, zone),), _micro(price)) for zone, price in dollars.items())
    return Certificate(BITS, (0,), local_prices=(LocalPrices((0,), priced),))


def test_prices_of_one_zone_prove_nothing_of_pods_that_may_go_to_another() -> None:
    """A dollar in b holds four; only pods in a are priced."""
    kind = instance_type("box", cpu=4, offerings=[offering(5, zone="a"), offering(1, zone="b")])
    question = problem([ruled("web", 200)], [kind])
    assert prove_bound(question, _by_zone(a=5), [200]) == 0
    assert prove_bound(question, _by_zone(a=5, b=0.25), [200]) == 50_000_000


def test_zones_of_running_nodes_count_towards_min_domains() -> None:
    """One zone is sold, two run: three domains, so that 1, 3 and 2 pods are within a skew of 2. The pod in a
    costs a dollar; were there fewer domains than three, two would have to be there."""
    web = ruled("web", 6, topology_spread=(TopologySpread(labels.ZONE, 2, selector=WEB, min_domains=3),))
    kind = instance_type("box", cpu=1, offerings=[offering(1, zone="a")])
    old = [node("b", cpu=3, zone="b"), node("c", cpu=2, zone="c")]
    question = problem([web], [kind], existing=old)
    placement = cheapest(question)
    assert placement is not None
    assert paid(question, placement.nodes) == 1_000_000
    assert prove_bound(question, _by_zone(a=1, b=0, c=0), [6]) == 1_000_000


def test_pods_tied_to_one_node_count_in_the_zone_that_they_are_in() -> None:
    """Two share a volume for one node, and b has one for them: three others, too large for it, may be in a.

    Were the two forgotten, one of the three would have to be in b, for ten dollars.
    """
    even = (TopologySpread(labels.ZONE, 1, selector=WEB),)
    volume = Volume("shared", is_single_node=True)
    tied = ruled("tied", 2, app="web", volumes=(volume,), topology_spread=even)
    large = ruled("large", 3, app="web", cpu=3, topology_spread=even)
    kind = instance_type("box", cpu=3, offerings=[offering(1, zone="a"), offering(10, zone="b")])
    question = problem([tied, large], [kind], existing=[node("old", cpu=2, zone="b")])
    placement = cheapest(question)
    assert placement is not None
    assert paid(question, placement.nodes) == 3_000_000
    free, priced = (
        LocalPrices((w,), tuple((((labels.ZONE, z),), _micro(p)) for z, p in (("a", a), ("b", b))))
        for w, a, b in ((0, 0, 0), (1, 1, 10))
    )
    assert prove_bound(question, Certificate(BITS, (0, 0), local_prices=(free, priced)), [2, 3]) == 3_000_000
    decision = solve(question, PARAMS)
    assert verify(question, decision) == ()
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == 3_000_000


def test_values_that_one_workload_alone_can_have_are_priced_for_it() -> None:
    """Five small pods go to five of seventy slots, one of them a node that runs: four dollars.

    Large ones of the same app are sold in two slots only, and certificates price no others. Were small pods
    elsewhere taken for some in s1, two of five would have to be in s3, on a node for 50 dollars.
    """
    even = (TopologySpread(SLOT, 1, selector=WEB),)
    pods = [
        ruled(name, 5, app="web", cpu=cpu, topology_spread=even) for name, cpu in (("web", 1), ("big", 4))
    ]
    kinds = [instance_type("small", cpu=1, price=1), instance_type("large", cpu=4, price=50)]
    slots = [f"t{n}" for n in range(68)]
    pools = [
        node_pool(
            "any", requires(SLOT, "In", "s1", "s2", *slots), requires(labels.INSTANCE_TYPE, "In", "small")
        ),
        *(
            node_pool(slot, requires(labels.INSTANCE_TYPE, "In", "large"), node_labels={SLOT: slot})
            for slot in ("s1", "s3")
        ),
    ]
    question = problem(pods, kinds, pools, existing=[node("old", cpu=1, node_labels={SLOT: "s3"})])
    spots = [*(bought("small", pool="any", custom={SLOT: s}, web=1) for s in ("s1", "s2", "t0", "t1"))]
    stated = decided(question, spots, {"old": {"web": 1}})
    assert check_placement(question, stated) == ()
    assert stated.cost_microusd_per_hour == 4_000_000
    priced = tuple(
        LocalPrices((w,), tuple((((SLOT, slot),), _micro(1)) for slot in ("s1", "s3"))) for w in range(2)
    )
    assert prove_bound(question, Certificate(BITS, (0, 0), local_prices=priced), [5, 0]) <= 4_000_000
