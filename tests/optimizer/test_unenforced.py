"""A decision says, by name, which rules it does not hold; and says nothing where nothing is asked."""

from __future__ import annotations

import dataclasses

import pytest
from binwright_optimizer.model import (
    DaemonSet,
    GpuNodePolicy,
    HostPort,
    LabelSelector,
    NodeCap,
    PodAffinity,
    PodAffinityTerm,
    PodTemplate,
    Policies,
    PreferredPodTerm,
    Problem,
    RunningPods,
    labels,
)
from binwright_optimizer.model.nodeclasses import NodeClass
from binwright_optimizer.solve import solve
from binwright_optimizer.unenforced import unenforced
from builders import existing_node, instance_type, node_pool, pod, problem, resources

TERM = PodAffinityTerm("zone", LabelSelector())
SMALL = instance_type("small", cpu=4, price=1)


WISH = PodAffinity(preferred=(PreferredPodTerm(1, TERM),))


def asking(**rules: object) -> Problem:
    ruled = dataclasses.replace(PodTemplate(requests=resources(cpu=1)), **rules)  # type: ignore[arg-type]
    made = problem([dataclasses.replace(pod("w", cpu=1), template=ruled)], [SMALL])
    return dataclasses.replace(made, policies=Policies(microusd_per_weight_hour=10))


@pytest.mark.parametrize(
    ("warning", "parts"),
    [
        (
            "EC2NodeClasses (kubelet, disks) change nothing here",
            {"node_pools": (dataclasses.replace(node_pool(), node_class=NodeClass(max_pods=9)),)},
        ),
    ],
)
def test_rule_of_a_problem_is_said(warning: str, parts: dict[str, object]) -> None:
    [said] = unenforced(dataclasses.replace(asking(), **parts))  # type: ignore[arg-type]
    assert said.startswith(warning)


def test_what_is_held_is_not_mentioned() -> None:
    daemon = DaemonSet("d", PodTemplate(host_ports=(HostPort(9100),)))
    held = asking(
        host_ports=(HostPort(80),),
        node_caps=(NodeCap(LabelSelector(), 1),),
        pod_affinity=PodAffinity((PodAffinityTerm(labels.HOSTNAME, LabelSelector()),)),
        pod_anti_affinity=PodAffinity((TERM,)),
    )
    running = RunningPods(held.workloads[0].template)
    nodes = (dataclasses.replace(existing_node(cpu=1), pods=(running,)),)
    policies = Policies(gpu_nodes=GpuNodePolicy.NEVER, restart_cost_microusd=1)
    question = dataclasses.replace(held, daemon_sets=(daemon,), policies=policies, existing_nodes=nodes)
    assert unenforced(question) == ()


def test_what_is_not_taken_into_account_is_said_in_decisions() -> None:
    """Wishes between pods are weighed, and bring no warning; a node class that nothing is sold for does."""
    wishing = asking(pod_affinity=WISH)
    assert solve(wishing).warnings == ()
    pools = (dataclasses.replace(node_pool(), node_class=NodeClass(max_pods=9)),)
    [said] = solve(dataclasses.replace(wishing, node_pools=pools)).warnings
    assert said.startswith("EC2NodeClasses (kubelet, disks) change nothing here")
