"""Hypothesis strategies: small problems that use every feature of the model, or every kind of limit."""

from __future__ import annotations

from binwright_optimizer.model import CapacityType, Problem, labels
from builders import (
    GIB,
    daemon_set,
    existing_node,
    instance_type,
    node_pool,
    offering,
    pod,
    problem,
    requires,
    resources,
)
from hypothesis import strategies as st

ZONES = ("a", "b")
TEAMS = ("red", "blue")
TAINT = "team=x:NoSchedule"


@st.composite
def mixed_problems(draw: st.DrawFn) -> Problem:
    """Zones, spot, custom labels, affinity, taints, daemons, priorities, limits, supplies, old nodes."""
    kinds = [
        instance_type(
            f"type-{t}",
            cpu=draw(st.integers(1, 16)),
            memory_gib=draw(st.integers(1, 32)),
            gpu=draw(st.sampled_from([0, 0, 1, 4])),
            pods=draw(st.sampled_from([0, 3, 20])),
            arch=draw(st.sampled_from(["amd64", "arm64"])),
            offerings=[
                offering(
                    draw(st.integers(0, 400)) / 100,
                    zone=zone,
                    capacity_type=draw(st.sampled_from([c.value for c in CapacityType])),
                    available=draw(st.sampled_from([None, None, 0, 2])),
                )
                for zone in draw(st.sets(st.sampled_from(ZONES), min_size=1).map(sorted))
            ],
        )
        for t in range(draw(st.integers(0, 5)))
    ]
    needs = st.sampled_from(
        [
            [],
            [],
            [requires("team", "In", "red")],
            [requires("team", "NotIn", "red")],
            [requires("team", "DoesNotExist")],
            [requires(labels.ZONE, "In", "b")],
            [requires(labels.CAPACITY_TYPE, "NotIn", "spot")],
        ]
    )
    affinity = st.sampled_from(
        [
            (),
            (),
            ((requires(labels.ARCH, "In", "arm64"),), (requires("team", "In", *TEAMS),)),
            ((requires(labels.HOSTNAME, "In", "old-1"),), (requires(labels.ZONE, "In", "a"),)),
        ]
    )
    workloads = [
        pod(
            f"w-{w}",
            cpu=draw(st.integers(0, 60)) / 10,
            memory_gib=draw(st.integers(0, 12)),
            gpu=draw(st.sampled_from([0, 0, 0, 1])),
            replicas=draw(st.integers(0, 12)),
            needs=draw(needs),
            affinity=draw(affinity),
            tolerations=draw(st.sampled_from([(), (TAINT,)])),
            priority=draw(st.sampled_from([0, 0, 0, 7, -3])),
        )
        for w in range(draw(st.integers(0, 6)))
    ]
    pools = [
        node_pool(
            f"pool-{p}",
            *draw(st.sampled_from([(), (requires("team", "In", *TEAMS),), (requires("team", "Exists"),)])),
            taints=draw(st.sampled_from([(), (TAINT,)])),
            limits=draw(st.sampled_from([{}, {}, {"cpu": 20_000}, {"memory": 40 * GIB, "nodes": 3}])),
            min_nodes=draw(st.sampled_from([0, 0, 0, 1])),
            weight=p,
            overhead=draw(st.sampled_from([resources(), resources(cpu=0.3)])),
        )
        for p in range(draw(st.integers(0, 3)))
    ]
    existing = [
        existing_node(
            f"old-{n}",
            cpu=draw(st.integers(0, 4)),
            memory_gib=draw(st.integers(0, 8)),
            pods=draw(st.integers(0, 5)),
            node_labels={"team": "red"},
            taints=draw(st.sampled_from([(), (TAINT,)])),
            pool="pool-0",
        )
        for n in range(draw(st.integers(0, 3)))
    ]
    daemons = [daemon_set(cpu=0.2, memory_gib=0.5)] if draw(st.booleans()) else []
    return problem(workloads, kinds, pools, existing=existing, daemons=daemons)


@st.composite
def floored_problems(draw: st.DrawFn) -> Problem:
    """Two pools with minimums and limits that compete for scarce offerings; few or no pods."""
    kinds = [
        instance_type(
            f"type-{t}",
            cpu=draw(st.integers(1, 8)),
            memory_gib=draw(st.integers(1, 8)),
            offerings=[
                offering(draw(st.integers(1, 9)), available=draw(st.sampled_from([None, None, 1, 2])))
            ],
        )
        for t in range(draw(st.integers(1, 3)))
    ]
    limits = st.fixed_dictionaries(
        {},
        optional={
            "cpu": st.integers(2, 14).map(lambda n: 1000 * n),
            "memory": st.integers(2, 14).map(lambda n: GIB * n),
        },
    )
    pools = [node_pool(f"pool-{p}", min_nodes=draw(st.integers(0, 2)), limits=draw(limits)) for p in range(2)]
    workloads = [
        pod(
            f"w-{w}",
            cpu=draw(st.integers(0, 3)),
            memory_gib=draw(st.integers(0, 3)),
            replicas=draw(st.integers(0, 3)),
        )
        for w in range(draw(st.integers(0, 2)))
    ]
    return problem(workloads, kinds, pools)
