"""Nodes whose EC2NodeClass leaves other room to pods than the catalogue states, worked out on paper."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping

from binwright_optimizer.model import InstanceType, NodePool, Problem, Resources
from binwright_optimizer.model.nodeclasses import GIB, MIB, AmiFamily, NodeClass
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import instance_type, node_pool, pod, problem


def aws_type(name: str = "box", price: float = 1.0, cpu: int = 4, memory_gib: int = 16) -> InstanceType:
    """A type with 10 pods by its interfaces; allocatable after what a silent EC2NodeClass keeps."""
    kind = instance_type(name, price=price)
    raw = {CPU: 1_000 * cpu, MEMORY: memory_gib * GIB, EPHEMERAL_STORAGE: 20 * GIB, PODS: 10}
    kept = {CPU: 80, MEMORY: (11 * 10 + 255 + 100) * MIB, EPHEMERAL_STORAGE: 3 * GIB, PODS: 0}
    return dataclasses.replace(
        kind,
        cloud="aws",
        capacity=Resources.of(raw),
        allocatable=Resources.of({name: raw[name] - kept[name] for name in raw}),
    )


def bought(question: Problem) -> dict[str, int]:
    """NodePools of a proven optimum, which the verifier passes, with their number of nodes."""
    decision = solve(question, SolveParams(deadline_s=20, gap=0.0))
    assert verify(question, decision) == ()
    assert decision.bound_microusd_per_hour == decision.cost_microusd_per_hour
    assert not decision.unschedulable
    return dict(Counter(claim.node_pool for claim in decision.node_claims))


def with_class(name: str, node_class: NodeClass | None, limits: Mapping[str, int] | None = None) -> NodePool:
    return dataclasses.replace(node_pool(name, limits=limits), node_class=node_class)


def ask(pods: int, *pools: NodePool, cpu: float = 0.1, memory_gib: float = 0.1, **more: int) -> Problem:
    wanted = pod("web", replicas=pods, cpu=cpu, memory_gib=memory_gib, **more)
    return problem([wanted], [aws_type()], pools)


def test_pods_go_to_the_pool_whose_nodes_hold_more_of_them() -> None:
    """30 small pods: three nodes of 10 pods, or one of a pool with maxPods 110; both types cost $1."""
    assert bought(ask(30, with_class("default", None))) == {"default": 3}
    dense = with_class("dense", NodeClass(max_pods=110))
    assert bought(ask(30, with_class("default", None), dense)) == {"dense": 1}


def test_pods_per_core_bounds_the_slots_of_every_type() -> None:
    """Two pods a core of four: 8 pods a node, so 30 pods need four."""
    assert bought(ask(30, with_class("default", NodeClass(max_pods=110, pods_per_core=2)))) == {"default": 4}


def test_what_is_reserved_is_not_sold_to_pods() -> None:
    """1.9 CPU twice fits 3,920 milli-CPU; with 200 reserved for the kubelet in place of 80, no longer."""
    assert bought(ask(2, with_class("default", None), cpu=1.9)) == {"default": 1}
    reserving = with_class("default", NodeClass(kube_reserved=((CPU, 300),)))
    assert bought(ask(2, reserving, cpu=1.9)) == {"default": 2}


def test_a_larger_root_disk_holds_pods_that_ask_for_it() -> None:
    """50 GiB fit no node of 17 GiB; of a disk of 100 GiB, 89 are left."""
    question = ask(1, with_class("default", None), **{EPHEMERAL_STORAGE: 50 * GIB})
    assert solve(question, SolveParams(deadline_s=5)).unschedulable
    roomy = with_class("default", NodeClass(root_disk_bytes=100 * GIB))
    assert bought(ask(1, roomy, **{EPHEMERAL_STORAGE: 50 * GIB})) == {"default": 1}


def test_bottlerocket_keeps_memory_for_every_slot() -> None:
    """110 slots keep 11 MiB each: 1,100 MiB more than 10 slots; 15 GiB and a half no longer fit."""
    half = 15.5
    assert bought(ask(1, with_class("default", None), memory_gib=half)) == {"default": 1}
    rocket = with_class("default", NodeClass(AmiFamily.BOTTLEROCKET, max_pods=110))
    assert solve(ask(1, rocket, memory_gib=half), SolveParams(deadline_s=5)).unschedulable


def test_limits_of_a_pool_count_the_capacity_that_its_nodes_report() -> None:
    """Pods limited to 100 in all: one node of 60 slots may be bought, not two."""
    limited = with_class("default", NodeClass(max_pods=60), limits={PODS: 100})
    decision = solve(ask(61, limited, cpu=0.01, memory_gib=0.01), SolveParams(deadline_s=5, gap=0.0))
    assert len(decision.node_claims) == 1
    assert len(decision.unschedulable) >= 1


def test_the_verifier_refuses_a_node_with_more_pods_than_its_class_allows() -> None:
    """A decision for 110 pods a node is none for the 10 of a silent class."""
    question = ask(30, with_class("default", NodeClass(max_pods=110)))
    decision = solve(question, SolveParams(deadline_s=20, gap=0.0))
    silent = dataclasses.replace(question, node_pools=(with_class("default", None),))
    findings = verify(silent, decision)
    assert any("pods" in str(finding) and "10 are allocatable" in str(finding) for finding in findings)
