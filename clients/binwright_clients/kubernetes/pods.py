"""Pod specs: everything about a pod that matters to scheduling, as a PodTemplate message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from binwright.v1 import problem_pb2
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.resources import CPU, MEMORY, Container, Resources, effective_request

from binwright_clients.kubernetes.annotations import Annotations, read_template_annotations
from binwright_clients.kubernetes.claims import Claims
from binwright_clients.kubernetes.constraints import read_pod_rules
from binwright_clients.kubernetes.gpu_shares import read_gpu_shares
from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.quantities import read_container_quantities, read_quantities
from binwright_clients.kubernetes.requirements import read_node_affinity, read_tolerations
from binwright_clients.kubernetes.schema import Report
from binwright_clients.kubernetes.storage import Storage
from binwright_clients.spelling import suggestion

DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"

_PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
_SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


class Priorities:
    """Values of the PriorityClasses that are known."""

    def __init__(self) -> None:
        self._values = dict(_SYSTEM_PRIORITIES)
        self._policies: dict[str, str] = {}
        self._default = 0
        self._default_name = ""

    def add(self, priority_class: ManifestObject) -> None:
        """Take a PriorityClass of the input."""
        value = priority_class.body.get("value") or 0
        if abs(value) >= 2**31:
            priority_class.problem("value", str(value), "must fit into 32 bits")
            value = 0
        self._values[priority_class.name] = value
        policy = priority_class.body.get("preemptionPolicy") or ""
        if policy and policy not in _PREEMPTION_POLICIES:
            hint = suggestion(policy, _PREEMPTION_POLICIES)
            priority_class.problem(
                "preemptionPolicy", policy, f"must be one of {', '.join(_PREEMPTION_POLICIES)}{hint}"
            )
        self._policies[priority_class.name] = policy
        if priority_class.body.get("globalDefault"):
            self._default, self._default_name = value, priority_class.name

    def set_on(
        self, message: problem_pb2.PodTemplate, spec: Mapping[str, Any], pod: ManifestObject, path: str
    ) -> None:
        """Set the priority of a pod: its own number, its class's, or the global default."""
        name = spec.get("priorityClassName") or ""
        message.priority_class_name = name
        message.priority = self._value(spec, name, pod, path)
        policy = spec.get("preemptionPolicy") or self._policies.get(name or self._default_name, "")
        if policy and policy not in _PREEMPTION_POLICIES:
            known = ", ".join(_PREEMPTION_POLICIES)
            hint = suggestion(policy, _PREEMPTION_POLICIES)
            pod.problem(f"{path}.preemptionPolicy", policy, f"must be one of {known}{hint}")
        elif policy == "Never":
            message.preemption_policy = policy

    def _value(self, spec: Mapping[str, Any], name: str, pod: ManifestObject, path: str) -> int:
        priority = spec.get("priority")
        if priority is not None:
            if abs(priority) >= 2**31:
                pod.problem(f"{path}.priority", str(priority), "must fit into 32 bits")
                return 0
            return int(priority)
        if not name:
            return self._default
        if name not in self._values:
            pod.note(f"priorityClassName {name!r} is not among the inputs: priority 0 is taken")
        return self._values.get(name, 0)


@dataclass(frozen=True, slots=True)
class Known:
    """Objects of the input that pods refer to."""

    priorities: Priorities
    storage: Storage
    claims: Claims


def read_pod_template(
    template: Mapping[str, Any], pod: ManifestObject, path: str, known: Known
) -> problem_pb2.PodTemplate:
    """The scheduling side of a pod.

    Parameters
    ----------
    template
        A Pod, or the pod template of a workload: ``metadata`` and ``spec``.
    pod
        The object it stands in; mistakes and remarks go there.
    path
        Field path of the template in the object: ``spec.template``, empty for a Pod.
    """
    at = f"{path}.spec" if path else "spec"
    metadata = template.get("metadata") or {}
    spec = template.get("spec") or {}
    report = pod.problem
    message = read_requests(spec, at, report)
    selector = read_labels(spec.get("nodeSelector"), f"{at}.nodeSelector", report)
    for key, value in selector.items():
        message.node_selector[key] = value
    affinity = (spec.get("affinity") or {}).get("nodeAffinity")
    if affinity:
        read_node_affinity(affinity, message, f"{at}.affinity.nodeAffinity", report)
    read_tolerations(spec.get("tolerations") or [], message, f"{at}.tolerations", report)
    prefix = f"{path}." if path else ""
    for key, value in read_labels(metadata.get("labels"), f"{prefix}metadata.labels", report).items():
        message.labels[key] = value
    known.priorities.set_on(message, spec, pod, at)
    message.do_not_disrupt = (metadata.get("annotations") or {}).get(DO_NOT_DISRUPT) == "true"
    read_pod_rules(spec, message, at, report, is_of_pod=pod.kind == "Pod")
    known.storage.add_volumes(pod, spec, message)
    known.claims.add_claims(pod, spec, at, message)
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None:
        if not 0 <= grace < 2**31:
            report(f"{at}.terminationGracePeriodSeconds", str(grace), "must not be negative")
        else:
            message.termination_grace_period_seconds = grace
    annotations = Annotations(pod, template, path)
    read_template_annotations(annotations, message)
    read_gpu_shares(annotations, message)
    for remark in _not_read(spec):
        pod.note(remark)
    return message


def read_requests(spec: Mapping[str, Any], at: str, report: Report) -> problem_pb2.PodTemplate:
    """A template with the resource side of a pod spec only, as far as its node cares.

    Parameters
    ----------
    at
        Field path of the spec.
    """
    message = problem_pb2.PodTemplate()
    containers = spec.get("containers") or []
    if not containers:
        report(f"{at}.containers", "", "needs at least one container")
    _read_containers(containers, message.containers, f"{at}.containers", report)
    init_containers = spec.get("initContainers") or []
    _read_containers(init_containers, message.init_containers, f"{at}.initContainers", report)
    for index, container in enumerate(init_containers):
        policy = container.get("restartPolicy")
        if policy == "Always":
            message.init_containers[index].restart_policy = policy
        elif policy not in (None, "", "OnFailure", "Never"):
            # A misspelt policy would silently turn a sidecar into an ordinary init container.
            known = ("Always", "OnFailure", "Never")
            where = f"{at}.initContainers[{index}].restartPolicy"
            report(where, policy, f"must be one of {', '.join(known)}{suggestion(policy, known)}")
    _refuse_repeated_names((*containers, *init_containers), at, report)
    for resource, text in read_quantities(spec.get("overhead"), f"{at}.overhead", report).items():
        message.overhead[resource] = text
    _read_pod_level(spec.get("resources") or {}, message, f"{at}.resources", report)
    return message


def _read_containers(containers: list[dict[str, Any]], messages: Any, path: str, report: Report) -> None:
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        message = messages.add(name=container.get("name") or "")
        resources = container.get("resources") or {}
        requests = read_container_quantities(resources.get("requests"), f"{here}.resources.requests", report)
        limits = read_container_quantities(resources.get("limits"), f"{here}.resources.limits", report)
        _refuse_requests_above_limits(requests, limits, here, report)
        for resource, text in requests.items():
            message.requests[resource] = text
        for resource, text in limits.items():
            message.limits[resource] = text


def _refuse_requests_above_limits(
    requests: Mapping[str, str], limits: Mapping[str, str], path: str, report: Report
) -> None:
    for resource in requests.keys() & limits.keys():
        if parse_quantity(requests[resource], resource) > parse_quantity(limits[resource], resource):
            report(
                f"{path}.resources.requests[{resource}]",
                requests[resource],
                f"must not be above the limit {limits[resource]}",
            )


def _refuse_repeated_names(containers: tuple[dict[str, Any], ...], path: str, report: Report) -> None:
    seen: set[str] = set()
    for container in containers:
        name = container.get("name") or ""
        if not name:
            report(f"{path}.containers", "", "every container needs a name")
        elif name in seen:
            report(f"{path}.containers", name, "two containers have the same name")
        seen.add(name)


def _read_pod_level(
    resources: Mapping[str, Any], message: problem_pb2.PodTemplate, path: str, report: Report
) -> None:
    """Pod-level requests (KEP-2837); a limit stands in where no container says anything."""
    requests = read_container_quantities(resources.get("requests"), f"{path}.requests", report)
    limits = read_container_quantities(resources.get("limits"), f"{path}.limits", report)
    _refuse_requests_above_limits(requests, limits, path.removesuffix(".resources"), report)
    of_containers = {
        resource
        for container in (*message.containers, *message.init_containers)
        for resource in (*container.requests, *container.limits)
    }
    for resource, text in limits.items():
        if resource not in requests and resource not in of_containers:
            requests[resource] = text
    for resource, text in requests.items():
        if resource not in (CPU, MEMORY) and not resource.startswith("hugepages-"):
            report(
                f"{path}.requests[{resource}]", text, "pod-level resources are cpu, memory and hugepages only"
            )
        else:
            message.resources[resource] = text


def _not_read(spec: Mapping[str, Any]) -> Iterator[str]:
    """What the spec asks for that no message carries."""
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    if any(term.get("matchFields") for term in required.get("nodeSelectorTerms") or []):
        yield "nodeAffinity matchFields is not enforced"
    if spec.get("schedulingGates"):
        yield "schedulingGates is not enforced: the pod is placed as if its gates were open"
    if (spec.get("os") or {}).get("name") == "windows":
        yield "os.name windows is not enforced; use nodeSelector kubernetes.io/os"
    if spec.get("runtimeClassName") and not spec.get("overhead"):
        yield "runtimeClassName: the overhead of the runtime class is not known and not counted"
    scheduler = spec.get("schedulerName") or "default-scheduler"
    if scheduler != "default-scheduler":
        yield f"schedulerName {scheduler!r}: placed by the rules of the default scheduler"


def effective_requests(template: problem_pb2.PodTemplate) -> Resources:
    """What a pod of this template takes from its node, without its slot."""

    def containers(messages: Any) -> list[Container]:
        return [
            Container(_amounts({**c.limits, **c.requests}), c.restart_policy == "Always") for c in messages
        ]

    return effective_request(
        containers(template.containers),
        containers(template.init_containers),
        _amounts(template.overhead),
        _amounts(template.resources),
    )


def _amounts(quantities: Mapping[str, str]) -> Resources:
    return Resources.of({name: parse_quantity(text, name) for name, text in quantities.items()})
