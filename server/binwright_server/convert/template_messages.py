"""Pod templates back to messages: the inverse of `templates`, `constraints`, `devices` and `volumes`."""

from __future__ import annotations

from binwright.v1 import constraints_pb2, devices_pb2, problem_pb2
from binwright_optimizer.model.affinity import PodAffinity, PodAffinityTerm
from binwright_optimizer.model.claims import DeviceClaim, DeviceRequest
from binwright_optimizer.model.pods import PodTemplate
from binwright_optimizer.model.requirements import NodeSelectorTerm, Operator, Requirement
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.model.spot import DEFAULT_GRACE_S
from binwright_optimizer.model.taints import Toleration
from binwright_optimizer.model.topology import TopologySpread
from binwright_optimizer.model.volumes import Volume

from binwright_server.convert.amounts import resources_to_map


def template_to_message(template: PodTemplate) -> problem_pb2.PodTemplate:
    """The message that reads as this template, its effective request in one container."""
    message = problem_pb2.PodTemplate(
        tolerations=[_toleration(toleration) for toleration in template.tolerations],
        labels=dict(template.labels),
        priority=template.priority,
        do_not_disrupt=template.do_not_disrupt,
        topology_spread_constraints=[_spread(constraint) for constraint in template.topology_spread],
        node_caps=[
            constraints_pb2.NodeCap(label_selector=_selector(cap.selector), max_pods=cap.max_pods)
            for cap in template.node_caps
        ],
        host_ports=[
            constraints_pb2.HostPort(port=port.port, protocol=port.protocol.value, host_ip=port.host_ip)
            for port in template.host_ports
        ],
        volumes=[_volume(volume) for volume in template.volumes],
        device_claims=[_claim(claim) for claim in template.device_claims],
        priority_class_name=template.priority_class,
        preemption_policy="" if template.preempts else "Never",
        restart_cost_microusd=template.restart_cost_microusd,
    )
    message.containers.add(name="pod", requests=resources_to_map(template.requests))
    _add_node_affinity(template, message)
    for affinity, field in (
        (template.pod_affinity, message.pod_affinity),
        (template.pod_anti_affinity, message.pod_anti_affinity),
    ):
        if affinity:
            field.CopyFrom(_pod_affinity(affinity))
    if template.gpu_share is not None:
        message.gpu_share.milli = template.gpu_share.milli
        message.gpu_share.memory_bytes = template.gpu_share.memory_bytes
    if template.grace_s != DEFAULT_GRACE_S:
        message.termination_grace_period_seconds = template.grace_s
    return message


def requirement_to_message(requirement: Requirement) -> problem_pb2.Requirement:
    """The requirement as a message."""
    return problem_pb2.Requirement(
        key=requirement.key,
        operator=requirement.operator.value,
        values=requirement.values,
        min_values=requirement.min_values or 0,
    )


def term_to_message(term: NodeSelectorTerm) -> problem_pb2.NodeSelectorTerm:
    """Requirements that hold together as a message."""
    return problem_pb2.NodeSelectorTerm(match_expressions=map(requirement_to_message, term))


def _add_node_affinity(template: PodTemplate, message: problem_pb2.PodTemplate) -> None:
    """Node selector and affinity; what a selector on the wire cannot say goes into every term."""
    beyond: list[Requirement] = []
    for requirement in template.node_selector:
        is_plain = requirement.operator is Operator.IN and len(requirement.values) == 1
        if is_plain and requirement.key not in message.node_selector:
            message.node_selector[requirement.key] = requirement.values[0]
        else:
            beyond.append(requirement)
    terms = template.node_affinity or (((),) if beyond else ())
    for term in terms:
        message.node_affinity.required.append(term_to_message((*beyond, *term)))
    for preferred in template.preferred_affinity:
        message.node_affinity.preferred.add(
            weight=preferred.weight, preference=term_to_message(preferred.term)
        )


def _toleration(toleration: Toleration) -> problem_pb2.Toleration:
    return problem_pb2.Toleration(
        key=toleration.key,
        operator="Exists" if toleration.exists else "Equal",
        value=toleration.value,
        effect=toleration.effect.value if toleration.effect else "",
    )


def _selector(selector: LabelSelector) -> constraints_pb2.LabelSelector:
    return constraints_pb2.LabelSelector(
        match_expressions=[
            constraints_pb2.LabelSelectorRequirement(key=r.key, operator=r.operator.value, values=r.values)
            for r in selector.requirements
        ]
    )


def _spread(constraint: TopologySpread) -> constraints_pb2.TopologySpreadConstraint:
    return constraints_pb2.TopologySpreadConstraint(
        topology_key=constraint.topology_key,
        max_skew=constraint.max_skew,
        when_unsatisfiable=constraint.when_unsatisfiable.value,
        label_selector=None if constraint.selector is None else _selector(constraint.selector),
        min_domains=constraint.min_domains if constraint.min_domains > 1 else None,
        node_affinity_policy=constraint.node_affinity_policy.value,
        node_taints_policy=constraint.node_taints_policy.value,
        match_label_keys=constraint.match_label_keys,
    )


def _pod_affinity(affinity: PodAffinity) -> constraints_pb2.PodAffinity:
    return constraints_pb2.PodAffinity(
        required=[_affinity_term(term) for term in affinity.required],
        preferred=[
            constraints_pb2.WeightedPodAffinityTerm(
                weight=preferred.weight, pod_affinity_term=_affinity_term(preferred.term)
            )
            for preferred in affinity.preferred
        ],
    )


def _affinity_term(term: PodAffinityTerm) -> constraints_pb2.PodAffinityTerm:
    return constraints_pb2.PodAffinityTerm(
        topology_key=term.topology_key,
        label_selector=None if term.selector is None else _selector(term.selector),
        namespaces=term.namespaces,
        namespace_selector=None if term.namespace_selector is None else _selector(term.namespace_selector),
        match_label_keys=term.match_label_keys,
        mismatch_label_keys=term.mismatch_label_keys,
    )


def _volume(volume: Volume) -> problem_pb2.Volume:
    return problem_pb2.Volume(
        name=volume.name,
        driver=volume.driver,
        topology=[term_to_message(term) for term in volume.topology],
        exclusive=volume.is_exclusive,
        single_node=volume.is_single_node,
    )


def _claim(claim: DeviceClaim) -> devices_pb2.DeviceClaim:
    return devices_pb2.DeviceClaim(
        name=claim.name,
        requests=[
            devices_pb2.DeviceRequest(first_available=[_request(request) for request in alternatives])
            for alternatives in claim.requests
        ],
        match_attributes=claim.match_attributes,
        title=claim.title,
        node=claim.node,
        missing=claim.missing,
    )


def _request(request: DeviceRequest) -> devices_pb2.DeviceSubRequest:
    return devices_pb2.DeviceSubRequest(
        name=request.name,
        device_class=request.device_class,
        selectors=[selector.text for selector in request.selectors],
        count=request.count,
        admin_access=request.is_admin,
    )
