"""The engine against brute force where EC2NodeClasses change what the nodes of each NodePool hold."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import InstanceType, Problem, Resources, SolutionStatus
from binwright_optimizer.model.nodeclasses import AmiFamily, NodeClass
from binwright_optimizer.model.resources import CPU, PODS
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from brute_force import charges, cheapest, paid
from conformance import PARAMS
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from strategies import enforced_problems

SLOTS = 3
NODE_CLASSES = st.builds(
    NodeClass,
    ami_family=st.sampled_from([AmiFamily.AL2023, AmiFamily.BOTTLEROCKET]),
    max_pods=st.none() | st.integers(0, 4),
    pods_per_core=st.integers(0, 2),
    kube_reserved=st.sampled_from([(), ((CPU, 0),), ((CPU, 1_000),)]),
    system_reserved=st.sampled_from([(), ((CPU, 500),)]),
)


def of_aws(kind: InstanceType) -> InstanceType:
    """The type as one of AWS, with slots that its network interfaces allow."""
    slots = Resources.of({PODS: SLOTS})
    raw = Resources.of({name: amount for name, amount in kind.capacity if name != PODS})
    left = Resources.of({name: amount for name, amount in kind.allocatable if name != PODS})
    return dataclasses.replace(kind, cloud="aws", capacity=raw + slots, allocatable=left + slots)


@st.composite
def classed_problems(draw: st.DrawFn) -> Problem:
    """Tiny problems of every rule, each NodePool with or without a node class."""
    question = draw(enforced_problems())
    pools = tuple(
        dataclasses.replace(pool, node_class=draw(st.none() | NODE_CLASSES)) for pool in question.node_pools
    )
    kinds = tuple(map(of_aws, question.catalog.instance_types))
    return dataclasses.replace(
        question, node_pools=pools, catalog=dataclasses.replace(question.catalog, instance_types=kinds)
    )


@given(classed_problems())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_cost_and_feasibility_are_those_of_brute_force_under_node_classes(question: Problem) -> None:
    placement = cheapest(question)
    decision = solve(question, PARAMS)
    assert verify(question, decision) == ()
    event("no placement of all pods" if placement is None else "placed")
    assert (decision.status is SolutionStatus.COMPLETE) == (placement is not None)
    if placement is not None:
        total = paid(question, placement.nodes) + charges(question, placement.nodes, placement.pods)
        assert decision.total_microusd_per_hour == total
