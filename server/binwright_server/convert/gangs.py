"""Gangs, and that whoever names one finds it.

One that is short of members is none of these mistakes: its pods wait, and decisions say for how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from binwright.v1 import problem_pb2
from binwright_optimizer.model.cluster import ExistingNode
from binwright_optimizer.model.gangs import Gang, GangTopology

from binwright_server.convert.violations import Violations
from binwright_server.convert.workloads import DEFAULT_NAMESPACE


def gangs_from_messages(messages: Sequence[problem_pb2.Gang], out: Violations) -> tuple[Gang, ...]:
    """The gangs; wrong ones are recorded and left out."""
    names = ((message.namespace or DEFAULT_NAMESPACE, message.name) for message in messages)
    out.refuse_repeated("gangs", "name", names)
    gangs = (_gang(message, f"gangs[{k}]", out) for k, message in enumerate(messages))
    return tuple(gang for gang in gangs if gang is not None)


def _gang(message: problem_pb2.Gang, path: str, out: Violations) -> Gang | None:
    rules = [_topology(rule, f"{path}.topology[{k}]", out) for k, rule in enumerate(message.topology)]
    topology = tuple(rule for rule in rules if rule is not None)
    if len(topology) < len(rules):
        return None
    return out.build(
        path,
        lambda: Gang(
            name=message.name,
            namespace=message.namespace or DEFAULT_NAMESPACE,
            min_members=message.min_members if message.HasField("min_members") else None,
            topology=topology,
        ),
    )


def _topology(message: problem_pb2.GangTopology, path: str, out: Violations) -> GangTopology | None:
    return out.build(path, lambda: GangTopology(message.topology_key, not message.preferred))


def check_members(
    messages: Sequence[problem_pb2.Gang],
    workloads: Iterable[problem_pb2.Workload],
    nodes: Iterable[ExistingNode],
    out: Violations,
) -> None:
    """Record gangs that are named and not given."""
    given = {(message.namespace or DEFAULT_NAMESPACE, message.name) for message in messages}
    for index, workload in enumerate(workloads):
        namespace = workload.namespace or DEFAULT_NAMESPACE
        if workload.gang and (namespace, workload.gang) not in given:
            out.add(f"workloads[{index}].gang", workload.gang, f"is no gang of namespace {namespace}")
    for index, node in enumerate(nodes):
        for k, pods in enumerate(node.pods):
            if pods.gang and (pods.namespace, pods.gang) not in given:
                path = f"existing_nodes[{index}].pods[{k}].gang"
                out.add(path, pods.gang, f"is no gang of namespace {pods.namespace}")
