"""Required rules between pods, as far as a running cluster's pods and nodes can answer them.

Which pods a rule speaks of is a `Selection`: a pod's terms with its own namespace and labels filled in.
Preferences are passed over, as they bind nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from binwright_optimizer.model import PodTemplate
from binwright_optimizer.model.affinity import PodAffinity, PodAffinityTerm
from binwright_optimizer.model.ports import HostPort
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.model.topology import TopologySpread

from binwright_server.scheduling.namespaces import Namespaces

T = TypeVar("T")

Labels = tuple[tuple[str, str], ...]


class Identity(NamedTuple):
    """All that rules see of another pod."""

    namespace: str
    labels: Labels = ()
    is_ending: bool = False
    """Whether it is being deleted."""


@dataclass(frozen=True, slots=True)
class Part:
    """Pods that a selector matches, in some namespaces.

    Parameters
    ----------
    selector
        None selects nothing.
    names
        Of namespaces.
    by_labels
        Further namespaces, by their labels.
    """

    selector: LabelSelector | None
    names: frozenset[str]
    by_labels: LabelSelector | None = None

    def selects(self, namespace: str, labels: dict[str, str], namespaces: Namespaces) -> bool:
        """Whether a pod is among them."""
        if self.selector is None or not self.selector.matches(labels):
            return False
        if namespace in self.names:
            return True
        return self.by_labels is not None and self.by_labels.matches(namespaces.labels(namespace))


@dataclass(frozen=True, slots=True)
class Selection:
    """Pods that all parts select.

    Parameters
    ----------
    only_staying
        Leave out those that are being deleted.
    """

    parts: tuple[Part, ...]
    only_staying: bool = False

    def selects(self, identity: Identity, namespaces: Namespaces) -> bool:
        """Whether a pod is among them.

        >>> web = Selection((Part(LabelSelector.of_labels({"app": "web"}), frozenset({"shop"})),))
        >>> [web.selects(Identity(name, (("app", "web"),)), Namespaces()) for name in ("shop", "other")]
        [True, False]
        """
        if self.only_staying and identity.is_ending:
            return False
        values = dict(identity.labels)
        return all(part.selects(identity.namespace, values, namespaces) for part in self.parts)

    def label_keys(self) -> set[str]:
        """Labels that decide who is among them."""
        return {r.key for part in self.parts if part.selector is not None for r in part.selector.requirements}

    @property
    def asks_namespaces(self) -> bool:
        """Whether labels of namespaces decide who is among them."""
        return any(part.by_labels is not None and part.by_labels.requirements for part in self.parts)


class SelectionIndex(Generic[T]):
    """Finds what belongs to the selections that a pod is among, without asking each of hundreds.

    Nearly every selector names a value of some label: only those are asked whose value the pod has.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._by_label: dict[tuple[str, str], list[tuple[Selection, T]]] = {}
        self._others: list[tuple[Selection, T]] = []

    def add(self, selection: Selection, item: T) -> None:
        """Let an item belong to a selection."""
        named = (
            requirement
            for part in selection.parts
            if part.selector is not None
            for requirement in part.selector.requirements
            if requirement.operator is Operator.IN
        )
        first = next(named, None)
        if first is None:
            self._others.append((selection, item))
            return
        for value in set(first.values):
            self._by_label.setdefault((first.key, value), []).append((selection, item))

    def find(self, identity: Identity) -> list[T]:
        """Items of the selections that a pod is among, in no order."""
        near = [pair for label in identity.labels for pair in self._by_label.get(label, ())]
        return [
            item
            for selection, item in (*near, *self._others)
            if selection.selects(identity, self._namespaces)
        ]


Apart = tuple[str, Selection]
"""Node label, and pods that must not be in the same domain of it."""


@dataclass(frozen=True, slots=True)
class PodRules:
    """Rules that one pod carries.

    Parameters
    ----------
    near_keys, near
        Node labels in whose domains there must be one of these pods; None without required affinity.
    apart
        Pods to keep away from, by node label.
    spread
        Constraints, with the pods that count.
    ports
        Ports of the node that it takes for itself.
    """

    near_keys: tuple[str, ...] = ()
    near: Selection | None = None
    apart: tuple[Apart, ...] = ()
    spread: tuple[tuple[TopologySpread, Selection], ...] = ()
    ports: tuple[HostPort, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.near or self.apart or self.spread or self.ports)

    def selections(self) -> Iterable[Selection]:
        """Of all rules."""
        if self.near is not None:
            yield self.near
        yield from (selection for _, selection in self.apart)
        yield from (selection for _, selection in self.spread)

    def topology_keys(self) -> set[str]:
        """Node labels whose domains the rules compare."""
        return {
            *self.near_keys,
            *(key for key, _ in self.apart),
            *(constraint.topology_key for constraint, _ in self.spread),
        }


NO_RULES = PodRules()


def held_rules(template: PodTemplate) -> PodTemplate:
    """The template with those rules between pods only that are held here.

    Spread with an empty selector counts nobody: so kube-scheduler does it, whatever an empty selector means
    elsewhere (``countPodsMatchSelector`` of PodTopologySpread).
    """
    required = (constraint for constraint in template.topology_spread if constraint.is_required)
    return replace(
        template,
        topology_spread=tuple(
            replace(constraint, selector=None)
            if constraint.selector is not None
            and not (constraint.selector.requirements or constraint.match_label_keys)
            else constraint
            for constraint in required
        ),
        pod_affinity=PodAffinity(template.pod_affinity.required),
        pod_anti_affinity=PodAffinity(template.pod_anti_affinity.required),
    )


def rules_of(template: PodTemplate, identity: Identity) -> PodRules:
    """The rules of a pod with this template."""
    between_pods = template.topology_spread or template.pod_affinity or template.pod_anti_affinity
    if not (between_pods or template.host_ports):
        return NO_RULES
    namespace, own = identity.namespace, dict(identity.labels)
    held = held_rules(template)
    near = held.pod_affinity.required
    return PodRules(
        near_keys=tuple(sorted({term.topology_key for term in near})),
        near=Selection(tuple(_part(term, namespace, own) for term in near)) if near else None,
        apart=tuple(
            (term.topology_key, Selection((_part(term, namespace, own),)))
            for term in held.pod_anti_affinity.required
        ),
        spread=tuple(
            (
                constraint,
                Selection(
                    (Part(constraint.effective_selector(own), frozenset({namespace})),), only_staying=True
                ),
            )
            for constraint in held.topology_spread
        ),
        ports=template.host_ports,
    )


def _part(term: PodAffinityTerm, namespace: str, own: dict[str, str]) -> Part:
    names = term.namespaces
    if not names and term.namespace_selector is None:
        names = (namespace,)
    return Part(term.effective_selector(own), frozenset(names), term.namespace_selector)
