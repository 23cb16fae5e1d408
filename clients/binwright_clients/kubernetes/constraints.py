"""Rules of a pod spec about other pods, and ports of the node that it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from binwright.v1 import constraints_pb2, problem_pb2
from binwright_optimizer.model.affinity import PodAffinityTerm, PreferredPodTerm
from binwright_optimizer.model.ports import ANY_IP, HostPort, Protocol
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.model.topology import NodeInclusionPolicy, TopologySpread, WhenUnsatisfiable

from binwright_clients.kubernetes.schema import Report
from binwright_clients.kubernetes.selectors import build, read_label_selector, selector_message
from binwright_clients.spelling import suggestion

_E = TypeVar("_E", bound=StrEnum)

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def read_pod_rules(
    spec: Mapping[str, Any],
    message: problem_pb2.PodTemplate,
    path: str,
    report: Report,
    *,
    is_of_pod: bool,
) -> None:
    """Add spread, affinity and ports of a pod spec to a template whose labels are known.

    Parameters
    ----------
    path
        Field path of the spec.
    is_of_pod
        Whether it is the spec of a Pod, into whose selectors API servers write what ``matchLabelKeys`` mean.
    """
    own = _Own(dict(message.labels), is_of_pod)
    _read_spread(spec.get("topologySpreadConstraints") or [], own, message, path, report)
    affinity = spec.get("affinity") or {}
    for field, target in (
        ("podAffinity", message.pod_affinity),
        ("podAntiAffinity", message.pod_anti_affinity),
    ):
        if affinity.get(field):
            _read_affinity(affinity[field], own, target, f"{path}.affinity.{field}", report)
    _read_ports(spec, message, path, report)


@dataclass(frozen=True, slots=True)
class _Own:
    """Whose rules are read: the pod's labels, and whether it is a Pod rather than a template of some."""

    labels: Mapping[str, str]
    is_of_pod: bool

    def keys(self, body: Mapping[str, Any], path: str, report: Report) -> tuple[str, ...] | None:
        """``matchLabelKeys`` of a rule that are not in its selector yet; None if they are wrong.

        The same key must not be in both (https://kubernetes.io/docs/concepts/scheduling-eviction/
        topology-spread-constraints/#topologyspreadconstraints-field), but in Pods that an API server has
        taken: there it has added the expression ``In`` with the value that the pod had, and schedulers go
        by that.
        """
        selector = body.get("labelSelector") or {}
        left = []
        is_sound = True
        for index, key in enumerate(body.get("matchLabelKeys") or ()):
            expressions = [e for e in selector.get("matchExpressions") or () if e.get("key") == key]
            is_named = key in (selector.get("matchLabels") or {})
            if not expressions and not is_named:
                left.append(key)
            elif is_named or not self.is_of_pod or not _is_written_by_api_server(expressions):
                text = "exists in both matchLabelKeys and labelSelector"
                report(f"{path}.matchLabelKeys[{index}]", key, text)
                is_sound = False
        return tuple(left) if is_sound else None


def _is_written_by_api_server(expressions: list[Mapping[str, Any]]) -> bool:
    """Whether these expressions of one key are the one that stands for a key to match."""
    [first, *others] = expressions
    return not others and first.get("operator") == "In" and len(first.get("values") or ()) == 1


def _read_spread(
    constraints: list[dict[str, Any]],
    own: _Own,
    message: problem_pb2.PodTemplate,
    path: str,
    report: Report,
) -> None:
    seen: set[tuple[str, str]] = set()
    for index, body in enumerate(constraints):
        at = f"{path}.topologySpreadConstraints[{index}]"
        when = _choice(body, "whenUnsatisfiable", WhenUnsatisfiable, None, at, report)
        affinity = _choice(
            body, "nodeAffinityPolicy", NodeInclusionPolicy, NodeInclusionPolicy.HONOR, at, report
        )
        taints = _choice(
            body, "nodeTaintsPolicy", NodeInclusionPolicy, NodeInclusionPolicy.IGNORE, at, report
        )
        is_sound, selector = _optional_selector(body, "labelSelector", at, report)
        keys = own.keys(body, at, report)
        if when is None or affinity is None or taints is None or keys is None or not is_sound:
            continue
        maker = _spread_maker(body, when, affinity, taints, selector, keys, own.labels)
        constraint = build(maker, at, report)
        if constraint is None:
            continue
        key = (constraint.topology_key, str(when))
        if key in seen:
            report(f"{at}.topologyKey", key[0], "repeats key and whenUnsatisfiable of another constraint")
        seen.add(key)
        spread = message.topology_spread_constraints.add(
            topology_key=constraint.topology_key,
            max_skew=constraint.max_skew,
            when_unsatisfiable=str(when),
            match_label_keys=constraint.match_label_keys,
        )
        if selector is not None:
            spread.label_selector.CopyFrom(selector_message(selector))
        if body.get("minDomains") is not None:
            spread.min_domains = constraint.min_domains
        if affinity is not NodeInclusionPolicy.HONOR:
            spread.node_affinity_policy = str(affinity)
        if taints is not NodeInclusionPolicy.IGNORE:
            spread.node_taints_policy = str(taints)


def _spread_maker(
    body: Mapping[str, Any],
    when: WhenUnsatisfiable,
    affinity: NodeInclusionPolicy,
    taints: NodeInclusionPolicy,
    selector: LabelSelector | None,
    keys: tuple[str, ...],
    labels: Mapping[str, str],
) -> Callable[[], TopologySpread]:
    min_domains = body.get("minDomains")

    def make() -> TopologySpread:
        constraint = TopologySpread(
            topology_key=body.get("topologyKey") or "",
            max_skew=body.get("maxSkew") or 0,
            when_unsatisfiable=when,
            selector=selector,
            min_domains=1 if min_domains is None else min_domains,
            node_affinity_policy=affinity,
            node_taints_policy=taints,
            match_label_keys=keys,
        )
        constraint.effective_selector(labels)  # refuses keys that contradict the selector
        return constraint

    return make


def _read_affinity(
    affinity: Mapping[str, Any],
    own: _Own,
    message: constraints_pb2.PodAffinity,
    path: str,
    report: Report,
) -> None:
    for index, body in enumerate(affinity.get(_REQUIRED) or []):
        term = _read_term(body, own, f"{path}.{_REQUIRED}[{index}]", report)
        if term is not None:
            message.required.append(_term_message(term))
    for index, body in enumerate(affinity.get(_PREFERRED) or []):
        at = f"{path}.{_PREFERRED}[{index}]"
        term = _read_term(body.get("podAffinityTerm") or {}, own, f"{at}.podAffinityTerm", report)
        if term is None:
            continue
        preferred = build(_preferred_maker(body.get("weight") or 0, term), at, report)
        if preferred is not None:
            message.preferred.add(weight=preferred.weight, pod_affinity_term=_term_message(term))


def _preferred_maker(weight: int, term: PodAffinityTerm) -> Callable[[], PreferredPodTerm]:
    return lambda: PreferredPodTerm(weight, term)


def _read_term(body: Mapping[str, Any], own: _Own, path: str, report: Report) -> PodAffinityTerm | None:
    is_sound, selector = _optional_selector(body, "labelSelector", path, report)
    is_sound_too, namespaces = _optional_selector(body, "namespaceSelector", path, report)
    keys = own.keys(body, path, report)
    if not (is_sound and is_sound_too) or keys is None:
        return None

    def make() -> PodAffinityTerm:
        term = PodAffinityTerm(
            topology_key=body.get("topologyKey") or "",
            selector=selector,
            namespaces=tuple(body.get("namespaces") or ()),
            namespace_selector=namespaces,
            match_label_keys=keys,
            mismatch_label_keys=tuple(body.get("mismatchLabelKeys") or ()),
        )
        term.effective_selector(own.labels)  # refuses keys that contradict the selector
        return term

    return build(make, path, report)


def _term_message(term: PodAffinityTerm) -> constraints_pb2.PodAffinityTerm:
    message = constraints_pb2.PodAffinityTerm(
        topology_key=term.topology_key,
        namespaces=term.namespaces,
        match_label_keys=term.match_label_keys,
        mismatch_label_keys=term.mismatch_label_keys,
    )
    if term.selector is not None:
        message.label_selector.CopyFrom(selector_message(term.selector))
    if term.namespace_selector is not None:
        message.namespace_selector.CopyFrom(selector_message(term.namespace_selector))
    return message


def wanted_host_ports(spec: Mapping[str, Any]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Ports of its node that a pod takes: where they stand in the spec, their number and their entry.

    Those of containers and of sidecars; other init containers have ended before the pod's own ports are open.
    Under ``hostNetwork`` every port is one.

    >>> proxy = {"restartPolicy": "Always", "ports": [{"containerPort": 15001, "hostPort": 80}]}
    >>> setup = {"ports": [{"containerPort": 1, "hostPort": 81}]}
    >>> [(at, number) for at, number, _ in wanted_host_ports({"initContainers": [proxy, setup]})]
    [('initContainers[0].ports[0]', 80)]
    """
    is_host_network = bool(spec.get("hostNetwork"))
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or []):
            if field == "initContainers" and container.get("restartPolicy") != "Always":
                continue
            for number, body in enumerate(container.get("ports") or []):
                wanted = body.get("hostPort") or (body.get("containerPort") if is_host_network else 0)
                if wanted:
                    yield f"{field}[{index}].ports[{number}]", wanted, body


def _read_ports(spec: Mapping[str, Any], message: problem_pb2.PodTemplate, path: str, report: Report) -> None:
    """Add the host ports, each once; a port of one address goes without saying beside that of all addresses.

    As the API server does, the same port twice, spelt alike, is refused among containers or in one sidecar,
    and taken where a sidecar has that of a container.
    """
    taken: dict[HostPort, None] = {}
    seen: set[tuple[object, ...]] = set()
    for where, wanted, body in wanted_host_ports(spec):
        at = f"{path}.{where}"
        protocol = _choice(body, "protocol", Protocol, Protocol.TCP, at, report)
        if protocol is None:
            continue
        maker = _port_maker(wanted, protocol, body.get("hostIP") or "")
        port = build(maker, "", _reporting_at(f"{at}.hostPort", report))
        if port is None:
            continue
        among = "containers" if where.startswith("containers") else where.partition(".")[0]
        spelt = (among, wanted, protocol, body.get("hostIP") or "")
        if spelt in seen:
            report(f"{at}.hostPort", str(wanted), "clashes with another host port of the pod")
        seen.add(spelt)
        taken[port] = None
    for port in taken:
        if port.host_ip != ANY_IP and replace(port, host_ip=ANY_IP) in taken:
            continue
        message.host_ports.add(
            port=port.port,
            protocol="" if port.protocol is Protocol.TCP else str(port.protocol),
            host_ip="" if port.host_ip == ANY_IP else port.host_ip,
        )


def _reporting_at(path: str, report: Report) -> Report:
    """A report that names this path, whatever field is wrong."""
    return lambda _, value, description: report(path, value, description)


def _port_maker(port: int, protocol: Protocol, host_ip: str) -> Callable[[], HostPort]:
    return lambda: HostPort(port, protocol, host_ip)


def _optional_selector(
    body: Mapping[str, Any], field: str, path: str, report: Report
) -> tuple[bool, LabelSelector | None]:
    """Whether the selector is sound, and the selector; None if there is none."""
    written = body.get(field)
    if written is None:
        return True, None
    selector = read_label_selector(written, f"{path}.{field}", report)
    return selector is not None, selector


def _choice(
    body: Mapping[str, Any], field: str, kind: type[_E], default: _E | None, path: str, report: Report
) -> _E | None:
    """The choice that a field names, ``default`` where it is not set; None if it names none."""
    text = body.get(field) or ""
    if not text and default is not None:
        return default
    known = tuple(str(choice) for choice in kind)
    if text in known:
        return kind(text)
    report(f"{path}.{field}", text, f"must be one of {', '.join(known)}{suggestion(text, known)}")
    return None
