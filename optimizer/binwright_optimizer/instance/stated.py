"""The rules that workloads state about other pods, with their selections resolved.

Two workloads are alike to every rule if they state equal rules and are in the same selections: only
then may their pods share a class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from binwright_optimizer.errors import InvalidProblemError, WrongFieldError
from binwright_optimizer.instance.selections import Selections
from binwright_optimizer.model import PodTemplate, Policies, PreferredTerm, Problem, Workload, labels
from binwright_optimizer.model.affinity import PodAffinityTerm
from binwright_optimizer.model.ports import HostPort
from binwright_optimizer.model.spot import SpotPolicy
from binwright_optimizer.model.topology import TopologySpread
from binwright_optimizer.model.volumes import Volume


@dataclass(frozen=True, slots=True)
class Spread:
    """A topology spread constraint; ``selection`` is -1 if it counts no pods."""

    constraint: TopologySpread
    selection: int


@dataclass(frozen=True, slots=True)
class Near:
    """A required pod affinity term (or, among `Stated.away`, one of anti-affinity)."""

    topology_key: str
    selection: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A preferred pod affinity term; a negative weight keeps away."""

    topology_key: str
    selection: int
    weight: int


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``max_pods`` of the selection on a node with a pod that states it."""

    selection: int
    max_pods: int


@dataclass(frozen=True, slots=True)
class Charged:
    """What is charged for the place of a pod: preferred node affinity, if it has a price, and restarts."""

    preferred: tuple[PreferredTerm, ...] = ()
    restart_cost_microusd: int = 0

    def __bool__(self) -> bool:
        return bool(self.preferred or self.restart_cost_microusd)

    @classmethod
    def by(cls, template: PodTemplate, policies: Policies) -> Charged:
        """Of pods of a template."""
        return cls(
            template.preferred_affinity if policies.weight_price else (),
            template.restart_cost_microusd or policies.restart_cost_microusd,
        )


@dataclass(frozen=True, slots=True)
class Stated:
    """Everything a pod's rules say, comparable; the default states nothing.

    Parameters
    ----------
    gang
        Namespace and name; empty strings without one.
    spot
        Bounds on spot capacity, and the workload they count: its index, or -1 without any.
    """

    spread: tuple[Spread, ...] = ()
    near: tuple[Near, ...] = ()
    away: tuple[Near, ...] = ()
    wishes: tuple[Wish, ...] = ()
    caps: tuple[Cap, ...] = ()
    ports: tuple[HostPort, ...] = ()
    volumes: tuple[Volume, ...] = ()
    volume_namespace: str = ""
    gang: tuple[str, str] = ("", "")
    spot: tuple[SpotPolicy, int] = (SpotPolicy(), -1)
    charged: Charged = Charged()


NOTHING = Stated()


@dataclass(frozen=True, slots=True)
class Rules:
    """What each workload states and is selected by.

    Parameters
    ----------
    stated
        One per workload.
    selected
        Numbers of the selections each workload is in; empty for most.
    on_nodes
        Numbers of the selections that rules about single nodes make.
    topology_keys
        Node labels whose values rules tell apart.
    wished_keys
        Those that wishes between pods tell apart, if they have a price.
    """

    selections: Selections
    stated: list[Stated]
    selected: list[tuple[int, ...]]
    on_nodes: frozenset[int]
    topology_keys: frozenset[str]
    wished_keys: frozenset[str]

    def node_text(self, stated: Stated, selected: tuple[int, ...]) -> str:
        """What rules about single nodes see of a pod, in words that do not depend on any order.

        Pods of equal text, requests and placement may share a class: whatever else they state is
        about numbers of pods in larger domains.
        """
        if stated is NOTHING and not selected:
            return ""
        name = self.selections.text
        near = [name(n.selection) for n in stated.near if n.topology_key == labels.HOSTNAME]
        away = [name(n.selection) for n in stated.away if n.topology_key == labels.HOSTNAME]
        spread = [
            (name(s.selection), s.constraint.max_skew)
            for s in stated.spread
            if s.constraint.is_required and s.constraint.topology_key == labels.HOSTNAME
        ]
        caps = [(name(c.selection), c.max_pods) for c in stated.caps]
        inside = sorted(name(number) for number in selected if number in self.on_nodes)
        parts = (
            sorted(near),
            sorted(away),
            sorted(spread),
            sorted(caps),
            stated.ports,
            stated.volumes,
            stated.volume_namespace,
            inside,
        )
        return repr(parts) if any(parts) else ""


def rules_of(problem: Problem) -> Rules:
    """The rules of a problem's workloads.

    Raises
    ------
    InvalidProblemError
        If the label keys of a term contradict its selector.
    """
    selections = Selections(problem)
    seen: dict[tuple[int, str], Stated] = {}
    stated = []
    for w, workload in enumerate(problem.workloads):
        key = (id(workload.template), workload.namespace)
        mine = seen.get(key)
        if mine is None:
            try:
                mine = seen[key] = _stated(
                    workload.template, workload.namespace, selections, problem.policies
                )
            except WrongFieldError as error:
                raise InvalidProblemError.of(
                    f"workloads[{w}].template.{error.field}", error.value, error.description
                ) from error
        stated.append(_with_workload(mine, workload, problem, w))
    on_nodes = _select_for_running(problem, selections)
    for mine in seen.values():
        on_nodes |= {n.selection for n in (*mine.near, *mine.away) if n.topology_key == labels.HOSTNAME}
        on_nodes |= {
            s.selection
            for s in mine.spread
            if s.constraint.is_required and s.constraint.topology_key == labels.HOSTNAME
        }
        on_nodes |= {c.selection for c in mine.caps}
    selected: list[tuple[int, ...]] = [()] * len(problem.workloads)
    if len(selections):
        selected = selections.by_workload()
    keys = {rule.topology_key for gang in problem.gangs for rule in gang.topology if rule.is_required}
    for mine in seen.values():
        keys |= {s.constraint.topology_key for s in mine.spread if s.constraint.is_required}
        keys |= {n.topology_key for n in (*mine.near, *mine.away)}
    wished = {s.constraint.topology_key for mine in seen.values() for s in mine.spread}
    wished |= {w.topology_key for mine in seen.values() for w in mine.wishes}
    if not problem.policies.weight_price:
        wished = set()
    return Rules(
        selections,
        stated,
        selected,
        frozenset(on_nodes),
        frozenset(keys),
        frozenset(wished - {labels.HOSTNAME}),
    )


def _stated(template: PodTemplate, namespace: str, selections: Selections, policies: Policies) -> Stated:
    """What a template states, in its namespace; `NOTHING` itself for most."""
    charged = Charged.by(template, policies)
    has_any = (
        template.topology_spread
        or template.pod_affinity
        or template.pod_anti_affinity
        or template.node_caps
        or template.host_ports
        or template.volumes
    )
    if not has_any:
        return replace(NOTHING, charged=charged) if charged else NOTHING
    own = dict(template.labels)

    def near(terms: tuple[PodAffinityTerm, ...]) -> tuple[Near, ...]:
        found = {Near(t.topology_key, selections.of_term(t, own, namespace)) for t in terms}
        return tuple(sorted(found, key=lambda n: (n.topology_key, n.selection)))

    wishes = [
        Wish(p.term.topology_key, selections.of_term(p.term, own, namespace), sign * p.weight)
        for sign, affinity in ((1, template.pod_affinity), (-1, template.pod_anti_affinity))
        for p in affinity.preferred
    ]
    return Stated(
        spread=tuple(
            Spread(c, selections.within(c.effective_selector(own), namespace))
            for c in template.topology_spread
        ),
        near=near(template.pod_affinity.required),
        away=near(template.pod_anti_affinity.required),
        wishes=tuple(wishes),
        caps=tuple(Cap(selections.within(c.selector, namespace), c.max_pods) for c in template.node_caps),
        ports=template.host_ports,
        volumes=template.volumes,
        volume_namespace=namespace if any(v.name for v in template.volumes) else "",
        charged=charged,
    )


def _with_workload(stated: Stated, workload: Workload, problem: Problem, w: int) -> Stated:
    """With the rules that belong to the workload rather than to its pods."""
    if not (workload.gang or workload.spot or problem.policies.spot):
        return stated
    policy = workload.spot or problem.policies.spot
    gang = (workload.namespace, workload.gang) if workload.gang else ("", "")
    spot = (policy, w) if policy else NOTHING.spot
    return replace(stated, gang=gang, spot=spot)


def _select_for_running(problem: Problem, selections: Selections) -> set[int]:
    """Number the selections that rules of running pods make, so that they tell workloads apart.

    Returns
    -------
    Those of rules about single nodes.
    """
    on_nodes = set()
    for node in problem.existing_nodes:
        for pods in node.pods:
            own = dict(pods.template.labels)
            for term in pods.template.pod_anti_affinity.required:
                number = selections.of_term(term, own, pods.namespace)
                if term.topology_key == labels.HOSTNAME:
                    on_nodes.add(number)
            for cap in pods.template.node_caps:
                on_nodes.add(selections.within(cap.selector, pods.namespace))
    return on_nodes
