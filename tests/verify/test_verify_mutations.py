# ruff: noqa: E501 - one mutant a line reads as a table
"""One valid decision, and every way to break it: each mutant is refused for the right reason.

The cluster: pool ``web`` (tainted, labelled, at least one node, at most 24 CPUs and 3 nodes, one
GiB of pool overhead, a free label ``team``) and pool ``any``; types ``small`` (4 CPU, 0.10, two
zones), ``large`` (8 CPU, 0.18, 3 left) and ``arm`` (8 CPU, 0.05, arm64); one existing node; a
daemon of half a CPU on amd64 nodes of any taint.

The decision places three ``web`` pods (2 CPU) on a ``large`` node of pool ``web``, the fourth on a
``small`` one, the ``batch`` pod on the existing node, and leaves a pod of 100 GPUs unscheduled:
0.18 + 0.10 = 0.28.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from binwright_optimizer.model import (
    Alternative,
    CapacityType,
    Certificate,
    Decision,
    ExistingPlacement,
    NodeClaim,
    PodRange,
    Problem,
    Refusal,
    Resources,
    SolutionStatus,
    StopReason,
    Toleration,
    Unschedulable,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import check_placement, placed_pods, prove_bound, verify
from builders import (
    daemon_set,
    existing_node,
    instance_type,
    microusd,
    node_pool,
    offering,
    pod,
    problem,
    requires,
    resources,
)

WEB, BATCH, HUGE = 0, 1, 2


def question() -> Problem:
    return problem(
        [
            pod("web", cpu=2, memory_gib=1, replicas=4, tolerations=["pool=web:NoSchedule"],
                needs=[requires(labels.ARCH, "In", "amd64"), requires("team", "In", "red", "blue")]),
            pod("batch", cpu=1, selector={"disk": "ssd"}),
            pod("huge", gpu=100),
        ],
        [
            instance_type("small", cpu=4, memory_gib=8, pods=10, capacity=resources(cpu=4, memory_gib=8, pods=10),
                          offerings=[offering(0.10), offering(0.11, zone="zone-b")]),
            instance_type("large", cpu=8, memory_gib=16, pods=10, price=0.18, available=3),
            instance_type("arm", cpu=8, memory_gib=16, pods=10, price=0.05, arch="arm64"),
        ],
        [
            node_pool("web", requires("team", "In", "red", "blue", "green"), requires(labels.ZONE, "In", "zone-a"),
                      requires(labels.ARCH, "In", "amd64"), node_labels={"tier": "front"},
                      taints=["pool=web:NoSchedule"], startup_taints=["starting:NoSchedule"],
                      limits={"cpu": 24_000}, min_nodes=1, max_nodes=3, overhead=resources(memory_gib=1)),
            node_pool("any"),
        ],
        existing=[existing_node("old", cpu=1, pods=4, node_labels={"disk": "ssd"})],
        daemons=[daemon_set("agent", cpu=0.5, selector={labels.ARCH: "amd64"}, tolerations=[Toleration(exists=True)])],
    )  # fmt: skip


def claim(name: str, instance: str, price: float, cpu: float, pods: tuple[PodRange, ...]) -> NodeClaim:
    count = sum(p.count for p in pods)
    node_labels = {
        labels.INSTANCE_TYPE: instance,
        labels.ARCH: "amd64",
        labels.OS: "linux",
        labels.REGION: "region-1",
        labels.ZONE: "zone-a",
        labels.CAPACITY_TYPE: "on-demand",
        labels.NODE_POOL: "web",
        "tier": "front",
        "team": "blue",
    }
    alternatives = [Alternative(instance, microusd(price))]
    if instance == "small":
        alternatives.append(Alternative("large", microusd(0.18)))
    return NodeClaim(
        name=name,
        node_pool="web",
        instance_type=instance,
        region="region-1",
        zone="zone-a",
        capacity_type=CapacityType.ON_DEMAND,
        price_microusd_per_hour=microusd(price),
        labels=tuple(sorted(node_labels.items())),
        requests=resources(cpu=2 * count, memory_gib=count, pods=count),
        allocatable=resources(cpu=cpu, memory_gib=2 * cpu, pods=10),
        daemon_overhead=resources(cpu=0.5, memory_gib=1, pods=1),
        pods=pods,
        alternatives=tuple(alternatives),
    )


def answer() -> Decision:
    """Four pods of 2 CPU: a large node holds three, a small one (3.5 CPU left) one.

    Bound: pods priced 0.06 fill both nodes to at most their price (3 x 0.06 on large; one on
    small is 0.06 <= 0.10), so 4 x 0.06 = 0.24; sums of 0.10, 0.11, 0.18 and 0.05 are multiples
    of 0.01.
    """
    return Decision(
        status=SolutionStatus.PARTIAL,
        stop_reason=StopReason.EXHAUSTED,
        cost_microusd_per_hour=microusd(0.28),
        bound_microusd_per_hour=microusd(0.24),
        node_claims=(
            claim("a", "large", 0.18, 8, (PodRange(WEB, 0, 3),)),
            claim("b", "small", 0.10, 4, (PodRange(WEB, 3, 1),)),
        ),
        existing_placements=(ExistingPlacement("old", (PodRange(BATCH, 0, 1),)),),
        unschedulable=(Unschedulable(PodRange(HUGE, 0, 1), (Refusal("nvidia.com/gpu", 4, "too few GPUs"),)),),
        certificate=Certificate(20, (microusd(0.06) << 20, 0, 0)),
    )


def test_the_valid_decision_is_accepted():
    assert verify(question(), answer()) == ()


Mutator = Callable[[Decision], Decision]


def on_claim(index: int, change: Callable[[NodeClaim], NodeClaim]) -> Mutator:
    def mutate(decision: Decision) -> Decision:
        claims = list(decision.node_claims)
        claims[index] = change(claims[index])
        return replace(decision, node_claims=tuple(claims))

    return mutate


def changing(index: int, **fields: object) -> Mutator:
    return on_claim(index, lambda c: replace(c, **fields))


def stating(**fields: object) -> Mutator:
    return lambda d: replace(d, **fields)


def relabelled(index: int, **changes: str | None) -> Mutator:
    def change(c: NodeClaim) -> NodeClaim:
        pairs = {**dict(c.labels), **changes}
        return replace(c, labels=tuple(sorted((k, v) for k, v in pairs.items() if v is not None)))

    return on_claim(index, change)


def bought_again(times: int, index: int = 0, **fields: object) -> Mutator:
    """More empty nodes like the one at ``index``, the cost corrected."""

    def mutate(d: Decision) -> Decision:
        model = replace(d.node_claims[index], pods=(), requests=Resources(), **fields)
        more = tuple(replace(model, name=f"more-{k}") for k in range(times))
        cost = d.cost_microusd_per_hour + sum(c.price_microusd_per_hour for c in more)
        return replace(d, node_claims=d.node_claims + more, cost_microusd_per_hour=cost)

    return mutate


def moved(d: Decision) -> Decision:
    """All four pods on the large node, stated honestly: 8 + 0.5 CPUs of 8."""
    a = d.node_claims[0]
    full = replace(a, pods=(PodRange(WEB, 0, 4),), requests=resources(cpu=8, memory_gib=4, pods=4))
    return replace(d, node_claims=(full,), cost_microusd_per_hour=microusd(0.18), bound_microusd_per_hour=0)


MUTANTS: list[tuple[str, Mutator, str]] = [
    ("pod moved to a full node", moved, "pods and daemons request 8500 of cpu"),
    ("pod dropped", changing(1, pods=(), requests=Resources()), "pod web-3 is neither placed"),
    ("pod dropped at the front", changing(0, pods=(PodRange(WEB, 1, 2),)), "pod web-0 is neither placed"),
    ("pod placed twice", changing(1, pods=(PodRange(WEB, 2, 2),)), "pod web-2 is placed or listed more than once"),
    ("pod placed and unschedulable",
     lambda d: replace(d, unschedulable=(*d.unschedulable, replace(d.unschedulable[0], pods=PodRange(BATCH, 0, 1)))),
     "pod batch is placed or listed more than once"),
    ("unschedulable pod forgotten", stating(unschedulable=(), status=SolutionStatus.COMPLETE), "pod huge is neither placed"),
    ("replica out of range", changing(1, pods=(PodRange(WEB, 3, 2),)), "reach beyond the 4 replicas of web"),
    ("negative replica", changing(1, pods=(PodRange(WEB, -1, 1),)), "are no range of pods"),
    ("empty range", changing(1, pods=(PodRange(WEB, 3, 0),)), "are no range of pods"),
    ("unknown workload", changing(1, pods=(PodRange(7, 0, 1),)), "name workload 7, which does not exist"),
    ("negative workload", changing(1, pods=(PodRange(-1, 0, 1),)), "name workload -1, which does not exist"),
    ("duplicate node name", changing(1, name="a"), "node claim name a is used 2 times"),
    ("unknown pool", changing(0, node_pool="nobody"), "NodePool nobody does not exist"),
    ("unknown type", changing(0, instance_type="huge"), "instance type huge does not exist"),
    ("zone not sold", changing(0, zone="zone-z"), "large is not offered in region-1/zone-z/on-demand"),
    ("region not sold", changing(0, region="region-9"), "large is not offered in region-9/zone-a/on-demand"),
    ("capacity type not sold", changing(0, capacity_type=CapacityType.SPOT), "large is not offered in region-1/zone-a/spot"),
    ("price changed", changing(0, price_microusd_per_hour=1), "costs 180000, not 1"),
    ("zone outside the pool", changing(1, zone="zone-b", price_microusd_per_hour=microusd(0.11)),
     f"pool requirement {labels.ZONE} In [zone-a] is not satisfied"),
    ("architecture outside pool", changing(0, instance_type="arm", price_microusd_per_hour=microusd(0.05)),
     f"pool requirement {labels.ARCH} In [amd64] is not satisfied"),
    ("custom label outside the pool", relabelled(0, team="yellow"), "pool requirement team In [blue, green, red] is not satisfied"),
    ("custom label missing", relabelled(0, team=None), "pool requirement team In [blue, green, red] is not satisfied"),
    ("custom label not the pods'", relabelled(0, team="green"), "node selector team In [blue, red] is not satisfied"),
    ("pool label missing", relabelled(0, tier=None), "label tier is None, should be front"),
    ("type label wrong", relabelled(0, **{labels.OS: "plan9"}), f"label {labels.OS} is plan9, should be linux"),
    ("invented label", relabelled(0, mood="good"), "label mood is good, should be None"),
    ("labels unsorted", on_claim(0, lambda c: replace(c, labels=c.labels[::-1])), "labels are not sorted"),
    ("taint ignored",
     lambda d: replace(changing(0, pods=(PodRange(WEB, 0, 3), PodRange(BATCH, 0, 1)))(d), existing_placements=()),
     "batch may not run there"),
    ("requests understated", changing(0, requests=resources(cpu=1)), "requests are stated as"),
    ("allocatable overstated", changing(0, allocatable=resources(cpu=64)), "allocatable are stated as"),
    ("daemons forgotten", changing(0, daemon_overhead=resources(memory_gib=1)), "daemon overhead are stated as"),
    ("first alternative not chosen", changing(1, alternatives=(Alternative("large", microusd(0.18)),)),
     "the first alternative is large, not the chosen small"),
    ("alternatives unsorted",
     on_claim(1, lambda c: replace(c, alternatives=(*c.alternatives, Alternative("small", microusd(0.10))))),
     "alternatives are not sorted by price"),
    ("alternative twice", on_claim(1, lambda c: replace(c, alternatives=(*c.alternatives, c.alternatives[-1]))),
     "alternatives repeat an instance type"),
    ("alternative unknown", on_claim(1, lambda c: replace(c, alternatives=(*c.alternatives, Alternative("x", 10**9)))),
     "alternative x does not exist"),
    ("alternative at another price",
     on_claim(1, lambda c: replace(c, alternatives=(c.alternatives[0], Alternative("large", microusd(0.17))))),
     "alternative large is not offered there at 170000"),
    ("alternative too small",
     on_claim(0, lambda c: replace(c, instance_type="large", alternatives=(Alternative("small", microusd(0.10)), *c.alternatives))),
     "alternative small does not hold these pods: too little cpu"),
    ("alternative outside the pool",
     on_claim(0, lambda c: replace(c, alternatives=(Alternative("arm", microusd(0.05)), *c.alternatives))),
     "alternative arm may not hold these pods: pool requirement"),
    ("existing node unknown", stating(existing_placements=(ExistingPlacement("new", (PodRange(BATCH, 0, 1),)),)),
     "existing node new: does not exist"),
    ("existing node listed twice",
     lambda d: replace(d, existing_placements=(*d.existing_placements, ExistingPlacement("old", ()))),
     "existing node old is listed 2 times"),
    ("existing node overfilled",
     lambda d: replace(changing(1, pods=(), requests=Resources())(d),
                       existing_placements=(ExistingPlacement("old", (PodRange(BATCH, 0, 1), PodRange(WEB, 3, 1))),)),
     "pods request 3000 of cpu, 1000 are free"),
    ("existing node's labels ignored",
     lambda d: replace(changing(1, pods=(), requests=Resources())(d),
                       existing_placements=(ExistingPlacement("old", (PodRange(BATCH, 0, 1), PodRange(WEB, 3, 1))),)),
     "existing node old: web may not run there: node selector"),
    ("supply exceeded", bought_again(3), "4 nodes of large in region-1/zone-a/on-demand are bought, 3 are available"),
    ("CPU limit exceeded", bought_again(2), "NodePool web: 28000 of cpu are bought, its limit leaves 24000"),
    ("node limit exceeded", bought_again(2, 1), "NodePool web: 4 of nodes are bought, its limit leaves 3"),
    ("cost understated", stating(cost_microusd_per_hour=microusd(0.27)), "the cost is stated as 270000, the nodes cost 280000"),
    ("bound above the optimum", stating(cost_microusd_per_hour=microusd(0.32), bound_microusd_per_hour=microusd(0.28) + 1), "proves a bound of 280000, 280001 is stated"),
    ("bound above the cost", stating(bound_microusd_per_hour=microusd(0.29)), "is not between 0 and the cost"),
    ("negative bound", stating(bound_microusd_per_hour=-1), "is not between 0 and the cost"),
    ("certificate emptied", stating(certificate=Certificate(20, (0, 0, 0))), "240000 is stated"),
    ("called complete", stating(status=SolutionStatus.COMPLETE), "status complete contradicts 1 entries"),
    ("called empty", stating(status=SolutionStatus.NONE), "status none contradicts 1 entries"),
    ("called optimal", stating(stop_reason=StopReason.OPTIMAL), "stop reason optimal contradicts cost 280000"),
    ("not called optimal", stating(bound_microusd_per_hour=microusd(0.28)), "stop reason exhausted contradicts cost 280000"),
    ("no reason given", lambda d: replace(d, unschedulable=(replace(d.unschedulable[0], refusals=()),)), "come without a reason"),
]  # fmt: skip


@pytest.mark.parametrize(("mutate", "finding"), [m[1:] for m in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_every_mutant_is_refused_for_the_right_reason(mutate: Mutator, finding: str):
    findings = verify(question(), mutate(answer()))
    assert any(finding in f for f in findings), findings


def test_a_proven_cost_is_not_called_optimal_where_pods_are_left_out_for_want_of_time():
    """Two pods of 3 CPU for a node with 4; a pod alone is placed, and nothing is left to be known."""
    waiting = problem([pod("a", cpu=3), pod("b", cpu=3)], existing=[existing_node("n", cpu=4)])
    left_out = solve(waiting, SolveParams(deadline_s=60.0))
    in_time = replace(left_out, stop_reason=StopReason.DEADLINE)
    assert verify(waiting, left_out) == verify(waiting, in_time) == ()
    alone = problem([pod("a", cpu=3)], existing=[existing_node("n", cpu=4)])
    [finding] = verify(
        alone, replace(solve(alone, SolveParams(deadline_s=60.0)), stop_reason=StopReason.DEADLINE)
    )
    assert "stop reason deadline contradicts cost 0" in finding


def test_an_unmet_minimum_is_found():
    nothing = Decision(
        SolutionStatus.COMPLETE, StopReason.OPTIMAL, 0, 0, (), (), (), Certificate(20, ()),
    )  # fmt: skip
    small = instance_type("small", cpu=4, price=0.10)
    needs_two = problem([], [small], [node_pool(min_nodes=2)], existing=[existing_node(pool="default")])
    assert any("minimum needs 1 more" in f for f in verify(needs_two, nothing))
    needs_one = problem([], [small], [node_pool(min_nodes=1)], existing=[existing_node(pool="default")])
    assert verify(needs_one, nothing) == ()


def test_an_existing_nodes_taints_and_slots_are_respected():
    q = problem([pod("p", replicas=2)], existing=[existing_node("e", pods=1, taints=["t=1:NoSchedule"])])
    decision = Decision(
        SolutionStatus.COMPLETE, StopReason.OPTIMAL, 0, 0, (),
        (ExistingPlacement("e", (PodRange(0, 0, 2),)),), (), Certificate(20, (0,)),
    )  # fmt: skip
    findings = check_placement(q, decision)
    assert any("taint t=1:NoSchedule is not tolerated" in f for f in findings)
    assert any("pods request 2 of pods, 1 are free" in f for f in findings)


def test_startup_taints_repel_no_pod_and_pool_taints_do():
    assert not any("starting" in f for f in verify(question(), answer()))


def test_a_pod_bound_to_a_host_name_only_goes_to_that_existing_node():
    q = problem(
        [pod("p", selector={labels.HOSTNAME: "e"})], existing=[existing_node("e"), existing_node("f")]
    )

    def on(node: str) -> Decision:
        return Decision(
            SolutionStatus.COMPLETE, StopReason.OPTIMAL, 0, 0, (),
            (ExistingPlacement(node, (PodRange(0, 0, 1),)),), (), Certificate(20, (0,)),
        )  # fmt: skip

    assert check_placement(q, on("e")) == ()
    assert any("node selector" in f for f in check_placement(q, on("f")))


def test_a_range_beyond_64_bits_is_refused_like_any_that_does_not_exist():
    """No array holds such a number, so that the ranges are gone through one by one."""
    far = replace(answer(), node_claims=(claim("a", "large", 0.18, 8, (PodRange(WEB, 2**70, 3),)),))
    assert any("reach beyond the 4 replicas" in finding for finding in check_placement(question(), far))


def test_equal_claims_share_what_is_wrong_with_them_under_their_own_names():
    first = replace(answer().node_claims[1], region="nowhere", pods=(PodRange(WEB, 0, 1),))
    second = replace(first, name="c", pods=(PodRange(WEB, 1, 1),))
    findings = check_placement(question(), replace(answer(), node_claims=(first, second)))
    wrong = [finding for finding in findings if "nowhere" in finding]
    assert [finding.split(":")[0] for finding in wrong] == ["node claim b", "node claim c"]


def test_placed_pods_counts_bought_and_existing_nodes():
    assert placed_pods(question(), answer()) == [4, 1, 0]
    assert prove_bound(question(), answer().certificate, [4, 1, 0]) == microusd(0.24)
