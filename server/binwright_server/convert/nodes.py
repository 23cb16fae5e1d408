"""Nodes already running, with the pods on them."""

from __future__ import annotations

from collections.abc import Sequence

from binwright.v1 import problem_pb2
from binwright_optimizer.model import labels as label_keys
from binwright_optimizer.model.cluster import ExistingNode, RunningPods
from binwright_optimizer.model.resources import MAX_AMOUNT, PODS, Resources

from binwright_server.convert.amounts import amounts_from_map
from binwright_server.convert.selection import labels_from_map, taints_from_messages
from binwright_server.convert.templates import TemplateReader
from binwright_server.convert.violations import Violations, entry
from binwright_server.convert.volumes import attach_limits_from_messages
from binwright_server.convert.workloads import DEFAULT_NAMESPACE


def refuse_repeated_names(names: Sequence[str], path: str, out: Violations) -> None:
    """Record empty names, and names that an earlier element of the list at ``path`` has."""
    first_index: dict[str, int] = {}
    for k, name in enumerate(names):
        first = first_index.setdefault(name, k)
        if not name:
            out.add(f"{path}[{k}].name", "", "must not be empty")
        elif first != k:
            out.add(f"{path}[{k}].name", name, f"is already the name of {path}[{first}]")


def existing_nodes_from_messages(
    messages: Sequence[problem_pb2.ExistingNode], out: Violations
) -> tuple[ExistingNode, ...]:
    """The nodes; what is wrong with them is recorded."""
    refuse_repeated_names([message.name for message in messages], "existing_nodes", out)
    templates = TemplateReader()  # without defaults: these pods run where they run
    return tuple(
        _existing_node(message, templates, f"existing_nodes[{k}]", out) for k, message in enumerate(messages)
    )


def _existing_node(
    message: problem_pb2.ExistingNode, templates: TemplateReader, path: str, out: Violations
) -> ExistingNode:
    labels = labels_from_map(message.labels, f"{path}.labels", out)
    free = amounts_from_map(message.free, f"{path}.free", out)
    capacity = amounts_from_map(message.capacity, f"{path}.capacity", out)
    for name, amount in free.items():
        if amount > capacity.get(name, amount):
            at = entry(f"{path}.free", name)
            out.add(at, message.free[name], f"is above the capacity, {message.capacity[name]}")
    # `Resources` stores no zeros. A node without free slots is told from one without a limit by
    # slots in its capacity; see to it that the two agree with the message.
    if free.get(PODS) == 0 and not capacity.get(PODS):
        capacity[PODS] = 1
    elif PODS not in free and capacity.get(PODS):
        free[PODS] = MAX_AMOUNT
    return ExistingNode(
        name=message.name,
        free=Resources.of(free),
        labels=labels,
        taints=taints_from_messages(message.taints, f"{path}.taints", out),
        capacity=Resources.of(capacity),
        node_pool=message.node_pool or message.labels.get(label_keys.NODE_POOL, ""),
        pods=_running_pods(message.pods, templates, f"{path}.pods", out),
        attach_limits=attach_limits_from_messages(message.attach_limits, f"{path}.attach_limits", out),
    )


def _running_pods(
    messages: Sequence[problem_pb2.RunningPods], templates: TemplateReader, path: str, out: Violations
) -> tuple[RunningPods, ...]:
    pods = []
    for k, message in enumerate(messages):
        template, violations = templates.read(message.template)
        for violation in violations:
            out.add(f"{path}[{k}].template{violation.field}", violation.value, violation.description)
        count = message.count if message.HasField("count") else 1
        if not count >= 1:
            out.add(f"{path}[{k}].count", count, "must be at least 1")
            continue
        namespace, names = message.namespace or DEFAULT_NAMESPACE, tuple(message.names)
        pods.append(RunningPods(template, count, namespace, message.gang, names))
    return tuple(pods)
