"""Pod templates: what each pod of a workload requests and where it may run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from binwright.v1 import problem_pb2
from binwright_optimizer.errors import Violation
from binwright_optimizer.model.defaults import with_defaults
from binwright_optimizer.model.pods import PodTemplate, PreferredTerm
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD, format_quantity
from binwright_optimizer.model.requirements import NodeSelectorTerm, Requirement
from binwright_optimizer.model.resources import NVIDIA_GPU, Container, Resources, effective_request
from binwright_optimizer.model.spot import DEFAULT_GRACE_S

from binwright_server.convert.amounts import largest_excess, requests_from_map
from binwright_server.convert.constraints import (
    host_ports_from_messages,
    node_caps_from_messages,
    pod_affinity_from_message,
    spread_from_messages,
)
from binwright_server.convert.devices import device_claims_from_messages, gpu_share_from_message
from binwright_server.convert.selection import (
    labels_from_map,
    selector_from_map,
    term_from_message,
    tolerations_from_messages,
)
from binwright_server.convert.violations import Violations, entry
from binwright_server.convert.volumes import volumes_from_messages

_PREEMPTS = {"PreemptLowerPriority": True, "Never": False}


class TemplateReader:
    """Reads each distinct template of one request once.

    A hundred thousand single pods share a few hundred templates; those that are equal on the
    wire become one `PodTemplate` object, which later stages recognise by identity.

    Parameters
    ----------
    defaults
        Requirements added to pods that are silent on their keys.
    """

    def __init__(self, defaults: tuple[Requirement, ...] = ()) -> None:
        self._defaults = defaults
        self._known: dict[bytes, tuple[PodTemplate, tuple[Violation, ...]]] = {}

    def read(self, message: problem_pb2.PodTemplate) -> tuple[PodTemplate, tuple[Violation, ...]]:
        """The template and what is wrong with it; paths are relative to the template."""
        key = message.SerializeToString(deterministic=True)
        known = self._known.get(key)
        if known is None:
            out = Violations()
            template = with_defaults(template_from_message(message, out), self._defaults)
            known = self._known[key] = (template, tuple(out.found))
        return known


def template_from_message(message: problem_pb2.PodTemplate, out: Violations) -> PodTemplate:
    """The template; violations carry paths relative to it, such as ``.containers[0]``."""
    selector = selector_from_map(message.node_selector, ".node_selector", out)
    has_affinity = message.HasField("node_affinity")
    template = PodTemplate(
        requests=_request(message, out),
        node_selector=selector,
        node_affinity=_required_terms(message.node_affinity, out) if has_affinity else (),
        preferred_affinity=_preferred_terms(message.node_affinity, out) if has_affinity else (),
        tolerations=tolerations_from_messages(message.tolerations, ".tolerations", out),
        labels=labels_from_map(message.labels, ".labels", out),
        priority=message.priority,
        do_not_disrupt=message.do_not_disrupt,
        priority_class=message.priority_class_name,
    )
    return _with_rules(template, message, out) if _has_rules(message) else template


_RULES = tuple(
    field.name
    for field in problem_pb2.PodTemplate.DESCRIPTOR.fields
    if field.number > problem_pb2.PodTemplate.DO_NOT_DISRUPT_FIELD_NUMBER
)
"""Fields beyond what most pods have."""


def _has_rules(message: problem_pb2.PodTemplate) -> bool:
    """Whether any field beyond the common ones is set."""
    return any(descriptor.name in _RULES for descriptor, _ in message.ListFields())


def _with_rules(template: PodTemplate, message: problem_pb2.PodTemplate, out: Violations) -> PodTemplate:
    """The template with its rules about other pods, ports, volumes, devices and interruptions."""
    labels = dict(template.labels)
    preempts = out.choose(".preemption_policy", message.preemption_policy, _PREEMPTS, default=True)
    share = None
    if message.HasField("gpu_share"):
        share = gpu_share_from_message(message.gpu_share, ".gpu_share", out)
        if not template.requests[NVIDIA_GPU]:
            out.add(".gpu_share", NVIDIA_GPU, "is a share of a GPU where the pod requests none")
    grace = message.termination_grace_period_seconds
    has_grace = message.HasField("termination_grace_period_seconds")
    if has_grace and grace < 0:
        out.add(".termination_grace_period_seconds", grace, "must not be negative")
    cost = message.restart_cost_microusd
    if not 0 <= cost <= MAX_PRICE_MICROUSD:
        out.add(".restart_cost_microusd", cost, f"must be in 0..{MAX_PRICE_MICROUSD}")
        cost = 0
    return replace(
        template,
        topology_spread=spread_from_messages(
            message.topology_spread_constraints, labels, ".topology_spread_constraints", out
        ),
        pod_affinity=pod_affinity_from_message(message.pod_affinity, labels, ".pod_affinity", out),
        pod_anti_affinity=pod_affinity_from_message(
            message.pod_anti_affinity, labels, ".pod_anti_affinity", out
        ),
        node_caps=node_caps_from_messages(message.node_caps, labels, ".node_caps", out),
        host_ports=host_ports_from_messages(message.host_ports, ".host_ports", out),
        volumes=volumes_from_messages(message.volumes, ".volumes", out),
        gpu_share=share,
        device_claims=device_claims_from_messages(message.device_claims, ".device_claims", out),
        preempts=preempts is not False,
        restart_cost_microusd=cost,
        grace_s=max(0, grace) if has_grace else DEFAULT_GRACE_S,
    )


def _request(message: problem_pb2.PodTemplate, out: Violations) -> Resources:
    if not message.containers and not message.resources:
        out.add(".containers", "", "a pod needs at least one container, or pod-level resources")
    containers = _containers(message.containers, ".containers", out)
    if len(containers) == 1 and not (message.init_containers or message.overhead or message.resources):
        return containers[0].requests  # by far the most pods; nothing to add up
    init_containers = _containers(message.init_containers, ".init_containers", out)
    overhead = Resources.of(requests_from_map(message.overhead, ".overhead", out))
    pod_level = Resources.of(requests_from_map(message.resources, ".resources", out))
    try:
        total = effective_request(containers, init_containers, overhead, pod_level)
    except ValueError as error:
        out.add("", "", f"the pod's effective request is too large: {error}")
        return Resources()
    excess = largest_excess(total)
    if excess is not None:
        shown = format_quantity(excess[1], excess[0])
        out.add("", shown, f"the pod's effective request of {excess[0]} is too large")
        return Resources()
    return total


def _containers(messages: Iterable[problem_pb2.Container], path: str, out: Violations) -> list[Container]:
    containers = []
    for k, message in enumerate(messages):
        at = f"{path}[{k}]"
        requests = requests_from_map(message.requests, f"{at}.requests", out)
        limits = requests_from_map(message.limits, f"{at}.limits", out)
        for name, limit in limits.items():
            if requests.get(name, 0) > limit:
                out.add(
                    entry(f"{at}.requests", name),
                    message.requests[name],
                    f"must be at most the limit, {message.limits[name]}",
                )
        policy = message.restart_policy
        if policy not in ("", "Always"):
            out.add(f"{at}.restart_policy", policy, "must be Always or empty")
        elif policy and path == ".containers":
            out.add(f"{at}.restart_policy", policy, "only init containers can be sidecars")
        containers.append(Container(Resources.of(limits | requests), policy == "Always"))
    return containers


def _required_terms(message: problem_pb2.NodeAffinity, out: Violations) -> tuple[NodeSelectorTerm, ...]:
    """The terms; those that contradict themselves or the node selector match no node, and are no mistake."""
    path = ".node_affinity.required"
    terms = []
    for k, term_message in enumerate(message.required):
        if not term_message.match_expressions:
            out.add(f"{path}[{k}]", "", "an empty term matches no node; it needs at least one requirement")
        terms.append(term_from_message(term_message, f"{path}[{k}]", out))
    return tuple(terms)


def _preferred_terms(message: problem_pb2.NodeAffinity, out: Violations) -> tuple[PreferredTerm, ...]:
    terms = []
    for k, preferred in enumerate(message.preferred):
        path = f".node_affinity.preferred[{k}]"
        if not 1 <= preferred.weight <= 100:
            out.add(f"{path}.weight", preferred.weight, "must be in 1..100")
        term = term_from_message(preferred.preference, f"{path}.preference", out)
        if term:  # an empty preference matches every node alike, so it prefers none
            terms.append(PreferredTerm(preferred.weight, term))
    return tuple(terms)
