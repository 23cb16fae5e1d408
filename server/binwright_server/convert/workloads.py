"""Workloads: their templates, counts and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from binwright.v1 import problem_pb2
from binwright_optimizer.model.pods import Workload
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.model.spot import SpotPolicy

from binwright_server.convert.policies import spot_policy_from_message
from binwright_server.convert.templates import TemplateReader
from binwright_server.convert.violations import Violations

MAX_TOTAL_DEMAND = 2**62
"""Sums over all pods stay below this, so that no int64 sum in the solver can overflow."""

DEFAULT_NAMESPACE = "default"


def workloads_from_messages(
    messages: Sequence[problem_pb2.Workload], templates: TemplateReader, max_pods: int, out: Violations
) -> tuple[Workload, ...]:
    """The workloads; wrong ones are recorded and left out."""
    workloads = []
    first_index: dict[tuple[str, str, str], int] = {}
    for index, message in enumerate(messages):
        template, violations = templates.read(message.template)
        for violation in violations:
            path = f"workloads[{index}].template{violation.field}"
            out.add(path, violation.value, violation.description)
        kind, namespace, name = message.kind or "Pod", message.namespace or DEFAULT_NAMESPACE, message.name
        replicas = message.replicas if message.HasField("replicas") else 1
        names = tuple(message.pod_names)
        first = first_index.setdefault((kind, namespace, name), index)
        if first != index:
            shown = f"{kind} {namespace}/{name}"
            out.add(f"workloads[{index}].name", shown, f"is already the name of workloads[{first}]")
        elif _are_names_sound(name, replicas, names, f"workloads[{index}]", out):
            spot = SpotPolicy()
            if message.HasField("spot"):
                spot = spot_policy_from_message(message.spot, f"workloads[{index}].spot", out)
            workloads.append(
                (index, Workload(name, template, replicas, namespace, kind, names, message.gang, spot))
            )
    _refuse_shared_pod_names(workloads, out)
    kept = tuple(workload for _, workload in workloads)
    _refuse_too_many(kept, max_pods, out)
    return kept


def _are_names_sound(name: str, replicas: int, names: tuple[str, ...], path: str, out: Violations) -> bool:
    """Whether the workload has a name and a count, and names for as many pods if for any."""
    if name and replicas >= 0 and (not names or (len(names) == replicas and all(names))):
        return True
    if not name:
        out.add(f"{path}.name", "", "must not be empty")
    if replicas < 0:
        out.add(f"{path}.replicas", replicas, "must not be negative")
    elif names and len(names) != replicas:
        out.add(f"{path}.pod_names", len(names), f"must name each of the {replicas} replica(s)")
    for k, pod_name in enumerate(names):
        if not pod_name:
            out.add(f"{path}.pod_names[{k}]", "", "must not be empty")
    return False


def _refuse_shared_pod_names(workloads: list[tuple[int, Workload]], out: Violations) -> None:
    """Record pods that would have the same name in the decision.

    Generated names ``<base>-0`` ... are kept as ranges: a million replicas cost nothing. Two
    ranges share a name only if they share their base; any other name is looked up in the range
    its last ``-`` points to.
    """
    ranges: dict[str, tuple[int, int]] = {}  # base -> (workload index, replicas)
    singles: dict[str, int] = {}
    for index, workload in workloads:
        prefix = "" if workload.namespace == DEFAULT_NAMESPACE else f"{workload.namespace}/"
        if workload.names or workload.replicas == 1:
            for k, name in enumerate(workload.names or (workload.name,)):
                first = singles.get(prefix + name)
                if first is None:
                    singles[prefix + name] = index
                else:
                    field = f"pod_names[{k}]" if workload.names else "name"
                    _record_shared(f"workloads[{index}].{field}", prefix + name, first, out)
        elif workload.replicas > 1:
            base = prefix + workload.name
            first, _ = ranges.setdefault(base, (index, workload.replicas))
            if first != index:
                _record_shared(f"workloads[{index}].name", f"{base}-0", first, out)
    if not ranges:
        return
    for name, index in singles.items():
        base, dash, ordinal = name.rpartition("-")
        if dash and base in ranges and _is_ordinal_below(ordinal, ranges[base][1]):
            _record_shared(f"workloads[{index}].name", name, ranges[base][0], out)


def _is_ordinal_below(text: str, count: int) -> bool:
    """Whether ``text`` is the canonical spelling of an integer in [0, count)."""
    return text.isascii() and text.isdigit() and str(int(text[:20])) == text and int(text) < count


def _record_shared(path: str, name: str, first: int, out: Violations) -> None:
    out.add(path, name, f"gives a pod the name of a pod of workloads[{first}]")


def _refuse_too_many(workloads: tuple[Workload, ...], max_pods: int, out: Violations) -> None:
    """Record more pods than allowed, or more demand than exact arithmetic holds."""
    total = sum(workload.replicas for workload in workloads)
    if total > max_pods:
        out.add("workloads", total, f"too many pods: at most {max_pods} are planned at once")
        return
    pods_of_template: Counter[int] = Counter()
    templates = {}
    for workload in workloads:
        pods_of_template[id(workload.template)] += workload.replicas
        templates[id(workload.template)] = workload.template
    demand: Counter[str] = Counter({PODS: total})
    for key, template in templates.items():
        for name, amount in template.requests:
            demand[name] += amount * pods_of_template[key]
    for name, amount in sorted(demand.items()):
        if amount >= MAX_TOTAL_DEMAND:
            out.add("workloads", amount, f"the total demand for {name} is too large")
