"""Alternatives of NodeClaims under the rules: whichever the cloud takes, every rule still holds.

An alternative differs from the chosen instance type in its labels, accelerators and limits. So it must
be in the same domain of every key that a rule names, take the claim's volumes, and leave the ports of
its pods free. On spot capacity it would be another spot pool: where a workload's pods per pool are
bounded, or what may be lost of them, the chosen type stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from binwright_optimizer.model import GpuNodePolicy, InstanceType, NodeClaim, PodRange, Problem, labels
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.final_state import FinalState, Finding, Node
from binwright_optimizer.verify.gpu_nodes import asks_for_accelerator, has_accelerator
from binwright_optimizer.verify.host_ports import clash
from binwright_optimizer.verify.shapes import pod_refusal
from binwright_optimizer.verify.volumes import admits_volume, attach_limits, needed_attachments

_OF_THE_CLAIM = frozenset(
    {labels.HOSTNAME, labels.ZONE, labels.REGION, labels.CAPACITY_TYPE, labels.NODE_POOL}
)
"""Labels that all alternatives of a claim share."""


def check_alternatives(state: FinalState) -> Iterator[Finding]:
    """Alternatives that would break a rule that the chosen type keeps."""
    problem = state.problem
    ranges: dict[int, list[PodRange]] = {}
    for n, pods in state.ranges:
        ranges.setdefault(n, []).append(pods)
    keys = _domain_keys(problem)
    types = {kind.name: kind for kind in problem.catalog.instance_types}
    needed = needed_attachments(state)
    known: dict[tuple[object, ...], tuple[Finding, ...]] = {}
    for n, node in enumerate(state.nodes):
        claim = node.claim
        if claim is None or node.kind is None or len(claim.alternatives) < 2:
            continue
        mine = ranges.get(n, [])
        attached = {driver: count for driver, (count, _) in needed.get(n, {}).items()}
        shown = (
            claim.node_pool,
            id(claim.labels),
            id(claim.alternatives),
            tuple(sorted({pods.workload for pods in mine})),
            tuple(sorted(attached.items())),
        )
        if shown not in known:
            known[shown] = tuple(_Alternatives(state, node, node.kind, mine, attached).findings(types, keys))
        for rule, text in known[shown]:
            yield Finding(rule, f"{node.name}: {text}")


def _domain_keys(problem: Problem) -> dict[str, Rule]:
    """Topology keys that instance types decide, each with a rule that names it."""
    keys: dict[str, Rule] = {}
    for template in templates_of(problem):
        for constraint in template.topology_spread:
            if constraint.is_required:
                keys[constraint.topology_key] = Rule.TOPOLOGY_SPREAD
        for term in template.pod_affinity.required:
            is_of_nodes = term.topology_key == labels.HOSTNAME
            keys[term.topology_key] = Rule.AFFINITY_ON_NODES if is_of_nodes else Rule.POD_AFFINITY
        for term in template.pod_anti_affinity.required:
            keys[term.topology_key] = Rule.POD_ANTI_AFFINITY
    for node in problem.existing_nodes:
        for pods in node.pods:
            for term in pods.template.pod_anti_affinity.required:
                keys.setdefault(term.topology_key, Rule.RUNNING_PODS)
    if any(workload.gang for workload in problem.workloads):
        for gang in problem.gangs:
            for topology in gang.topology:
                if topology.is_required:
                    keys.setdefault(topology.topology_key, Rule.GANGS)
    of_types = {key for kind in problem.catalog.instance_types for key, _ in kind.labels}
    return {key: rule for key, rule in keys.items() if key in of_types - _OF_THE_CLAIM}


@dataclass(slots=True)
class _Alternatives:
    """One claim with its pods; ``attached`` counts their volumes by driver."""

    state: FinalState
    node: Node
    chosen: InstanceType
    pods: list[PodRange]
    attached: dict[str, int]

    def findings(self, types: dict[str, InstanceType], keys: dict[str, Rule]) -> Iterator[Finding]:
        """What is wrong with its alternatives."""
        assert self.node.claim is not None
        for alternative in self.node.claim.alternatives:
            kind = types.get(alternative.instance_type)
            if kind is None or kind is self.chosen:
                continue
            for rule, text in self._reasons(kind, keys, self.node.claim):
                yield Finding(rule, f"alternative {kind.name} {text}")

    def _reasons(self, kind: InstanceType, keys: dict[str, Rule], claim: NodeClaim) -> Iterator[Finding]:
        problem = self.state.problem
        other = self._as(kind)
        for key, rule in keys.items():
            here, there = self.node.labels.get(key), other.labels.get(key)
            if here != there:
                yield Finding(rule, f"would be in {key}={there}, not in {here}")
        of_pool = [pool.attach_limits for pool in problem.node_pools if pool.name == claim.node_pool]
        limits = attach_limits(kind.attach_limits, *of_pool)
        for driver, count in self.attached.items():
            if count > limits.get(driver, count):
                yield Finding(
                    Rule.VOLUMES, f"attaches {limits[driver]} volumes of {driver}, {count} are needed"
                )
        for pods in self.pods:
            workload = problem.workloads[pods.workload]
            template, name = workload.template, workload.pod_name(pods.first)
            if not all(admits_volume(volume, other) for volume in template.volumes):
                yield Finding(Rule.VOLUMES, f"is not where a volume of pod {name} can be attached")
            for daemon in problem.daemon_sets:
                port = clash(template.host_ports, daemon.template.host_ports)
                if port is not None and not pod_refusal(
                    daemon.template, other.labels, other.taints, is_new=True
                ):
                    yield Finding(
                        Rule.DAEMON_PORTS,
                        f"gives port {port.port} of pod {name} to daemon {daemon.name}",
                    )
            never = problem.policies.gpu_nodes is GpuNodePolicy.NEVER
            if never and has_accelerator(kind) and not asks_for_accelerator(template):
                yield Finding(Rule.GPU_NODES, f"has an accelerator, pod {name} asks for none")
            policy = workload.spot or problem.policies.spot
            if self.node.is_spot and policy.counts_pools:
                of_cap = Rule.SPOT if workload.spot else Rule.PROBLEM_SPOT
                rule = of_cap if policy.max_per_pool is not None else Rule.SPOT_LOSS
                yield Finding(
                    rule, f"is another spot pool, in which the pods of {workload.name} are not counted"
                )

    def _as(self, kind: InstanceType) -> Node:
        """The node if it were of another type."""
        of_chosen = dict(self.chosen.labels)
        kept = {key: value for key, value in self.node.labels.items() if key not in of_chosen}
        return Node(
            self.node.name, {**kept, **dict(kind.labels)}, self.node.taints, None, self.node.claim, kind
        )
