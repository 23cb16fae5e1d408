"""Rules about other pods, and ports of the node: what a template says of its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from binwright.v1 import constraints_pb2
from binwright_optimizer.model.affinity import PodAffinity, PodAffinityTerm, PreferredPodTerm
from binwright_optimizer.model.caps import NodeCap
from binwright_optimizer.model.ports import HostPort, Protocol
from binwright_optimizer.model.requirements import Operator, Requirement
from binwright_optimizer.model.selectors import SELECTOR_OPERATORS, LabelSelector
from binwright_optimizer.model.topology import NodeInclusionPolicy, TopologySpread, WhenUnsatisfiable

from binwright_server.convert.selection import labels_from_map
from binwright_server.convert.violations import Violations

_OPERATORS = {operator.value: operator for operator in SELECTOR_OPERATORS}
_WHEN = {choice.value: choice for choice in WhenUnsatisfiable}
_INCLUSION = {policy.value: policy for policy in NodeInclusionPolicy}
_PROTOCOLS = {protocol.value: protocol for protocol in Protocol}


def selector_from_message(
    message: constraints_pb2.LabelSelector, path: str, out: Violations
) -> LabelSelector | None:
    """The selector, or None if it is wrong."""
    before = len(out.found)
    requirements = [
        Requirement(key, Operator.IN, (value,))
        for key, value in labels_from_map(message.match_labels, f"{path}.match_labels", out)
    ]
    for k, expression in enumerate(message.match_expressions):
        at = f"{path}.match_expressions[{k}]"
        operator = out.choose(f"{at}.operator", expression.operator, _OPERATORS)
        if not expression.key:
            out.add(f"{at}.key", "", "a requirement needs a label key")
        elif operator is not None:
            try:
                requirements.append(Requirement(expression.key, operator, tuple(expression.values)))
            except ValueError as error:
                out.add(f"{at}.values", list(expression.values), str(error))
    if len(out.found) > before:
        return None
    return out.build(path, lambda: LabelSelector(tuple(requirements)))


def spread_from_messages(
    messages: Iterable[constraints_pb2.TopologySpreadConstraint],
    labels: Mapping[str, str],
    path: str,
    out: Violations,
) -> tuple[TopologySpread, ...]:
    """The constraints of a pod with these labels; wrong ones are recorded and left out."""
    found = [_spread(message, labels, f"{path}[{k}]", out) for k, message in enumerate(messages)]
    constraints = tuple(constraint for constraint in found if constraint is not None)
    if len(constraints) == len(found):
        keys = ((c.topology_key, c.when_unsatisfiable) for c in constraints)
        out.refuse_repeated(path, "topology_key", keys)
    return constraints


def _refuse_repeated_keys(
    selector: constraints_pb2.LabelSelector,
    keys: Iterable[str],
    labels: Mapping[str, str],
    path: str,
    out: Violations,
) -> None:
    """Record keys whose own values are to be matched and that the selector names as well.

    API servers refuse these; what they write into the selectors of pods, an expression ``In`` the pod's own
    value, is taken.
    """
    for k, key in enumerate(keys):
        own = [labels[key]] if key in labels else []
        expressions = [each for each in selector.match_expressions if each.key == key]
        is_written = all(each.operator == "In" and list(each.values) == own for each in expressions)
        if key in selector.match_labels or len(expressions) > 1 or not is_written:
            out.add(
                f"{path}.match_label_keys[{k}]", key, "exists in both match_label_keys and label_selector"
            )


def _spread(
    message: constraints_pb2.TopologySpreadConstraint, labels: Mapping[str, str], path: str, out: Violations
) -> TopologySpread | None:
    before = len(out.found)
    when = out.choose(f"{path}.when_unsatisfiable", message.when_unsatisfiable, _WHEN)
    affinity = out.choose(
        f"{path}.node_affinity_policy", message.node_affinity_policy, _INCLUSION, NodeInclusionPolicy.HONOR
    )
    taints = out.choose(
        f"{path}.node_taints_policy", message.node_taints_policy, _INCLUSION, NodeInclusionPolicy.IGNORE
    )
    selector = None
    if message.HasField("label_selector"):
        selector = selector_from_message(message.label_selector, f"{path}.label_selector", out)
        _refuse_repeated_keys(message.label_selector, message.match_label_keys, labels, path, out)
    if len(out.found) > before or when is None or affinity is None or taints is None:
        return None

    def make() -> TopologySpread:
        constraint = TopologySpread(
            topology_key=message.topology_key,
            max_skew=message.max_skew,
            when_unsatisfiable=when,
            selector=selector,
            min_domains=message.min_domains if message.HasField("min_domains") else 1,
            node_affinity_policy=affinity,
            node_taints_policy=taints,
            match_label_keys=tuple(message.match_label_keys),
        )
        constraint.effective_selector(labels)  # refuses keys that contradict the selector
        return constraint

    return out.build(path, make)


def pod_affinity_from_message(
    message: constraints_pb2.PodAffinity, labels: Mapping[str, str], path: str, out: Violations
) -> PodAffinity:
    """The terms for a pod with these labels; wrong ones are recorded and left out."""
    required = [
        _affinity_term(term, labels, f"{path}.required[{k}]", out) for k, term in enumerate(message.required)
    ]
    preferred = []
    for k, weighted in enumerate(message.preferred):
        at = f"{path}.preferred[{k}]"
        term = _affinity_term(weighted.pod_affinity_term, labels, f"{at}.pod_affinity_term", out)
        if term is not None:
            preferred.append(_preferred(weighted.weight, term, at, out))
    return PodAffinity(
        tuple(term for term in required if term is not None),
        tuple(term for term in preferred if term is not None),
    )


def _preferred(weight: int, term: PodAffinityTerm, path: str, out: Violations) -> PreferredPodTerm | None:
    return out.build(path, lambda: PreferredPodTerm(weight, term))


def _affinity_term(
    message: constraints_pb2.PodAffinityTerm, labels: Mapping[str, str], path: str, out: Violations
) -> PodAffinityTerm | None:
    before = len(out.found)
    selector = namespace_selector = None
    if message.HasField("label_selector"):
        selector = selector_from_message(message.label_selector, f"{path}.label_selector", out)
        _refuse_repeated_keys(message.label_selector, message.match_label_keys, labels, path, out)
    if message.HasField("namespace_selector"):
        at = f"{path}.namespace_selector"
        namespace_selector = selector_from_message(message.namespace_selector, at, out)
    if len(out.found) > before:
        return None

    def make() -> PodAffinityTerm:
        term = PodAffinityTerm(
            topology_key=message.topology_key,
            selector=selector,
            namespaces=tuple(message.namespaces),
            namespace_selector=namespace_selector,
            match_label_keys=tuple(message.match_label_keys),
            mismatch_label_keys=tuple(message.mismatch_label_keys),
        )
        term.effective_selector(labels)  # refuses keys that contradict the selector
        return term

    return out.build(path, make)


def node_caps_from_messages(
    messages: Iterable[constraints_pb2.NodeCap], labels: Mapping[str, str], path: str, out: Violations
) -> tuple[NodeCap, ...]:
    """The caps of a pod with these labels; wrong ones are recorded and left out."""
    caps = []
    for k, message in enumerate(messages):
        at = f"{path}[{k}]"
        if not message.HasField("label_selector"):
            out.add(f"{at}.label_selector", "", "must say which pods are counted")
            continue
        selector = selector_from_message(message.label_selector, f"{at}.label_selector", out)
        if selector is not None:
            caps.append(_node_cap(selector, message.max_pods, labels, at, out))
    return tuple(cap for cap in caps if cap is not None)


def _node_cap(
    selector: LabelSelector, max_pods: int, labels: Mapping[str, str], path: str, out: Violations
) -> NodeCap | None:
    def make() -> NodeCap:
        cap = NodeCap(selector, max_pods)
        cap.check_admits_itself(labels)
        return cap

    return out.build(path, make)


def host_ports_from_messages(
    messages: Iterable[constraints_pb2.HostPort], path: str, out: Violations
) -> tuple[HostPort, ...]:
    """The ports; wrong ones, and those that clash with each other, are recorded and left out."""
    ports: list[HostPort] = []
    for k, message in enumerate(messages):
        at = f"{path}[{k}]"
        protocol = out.choose(f"{at}.protocol", message.protocol, _PROTOCOLS, Protocol.TCP)
        if protocol is None:
            continue
        port = _host_port(message, protocol, at, out)
        if port is None:
            continue
        if any(port.clashes_with(other) for other in ports):
            out.add(at, port.port, "clashes with another host port of the same pod")
        ports.append(port)
    return tuple(ports)


def _host_port(
    message: constraints_pb2.HostPort, protocol: Protocol, path: str, out: Violations
) -> HostPort | None:
    return out.build(path, lambda: HostPort(message.port, protocol, message.host_ip))
