"""No certificate proves more than the cheapest placement costs, whatever rules pods state."""

from __future__ import annotations

import itertools

from binwright_optimizer.model import (
    Certificate,
    LocalPrices,
    NodeInclusionPolicy,
    Problem,
    SolutionStatus,
    TopologySpread,
    labels,
)
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import prove_bound, verify
from brute_force import charges, cheapest, paid
from builders import instance_type, node_pool, offering, problem, requires
from conformance import PARAMS
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from rule_strategies import APPS, RACK, SLOT, TAINT
from rules import node, ruled, running
from strategies import enforced_problems, ruled_problems

SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
BITS = 4
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
    """Of all pods, or of some of them."""
    counts = [data.draw(st.integers(0, w.replicas)) for w in question.workloads]
    placement = cheapest(question, counts)
    if placement is None:
        event("no placement")
        return
    total = paid(question, placement.nodes) + charges(question, placement.nodes, placement.pods)
    bounds = [prove_bound(question, data.draw(prices(question)), counts) for _ in range(6)]
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
