"""Where other pods, above all those that run already, leave no place for a pod, for the bound.

Anti-affinity and caps of either side, host ports, and spread over host names keep a pod off single nodes;
anti-affinity over larger domains keeps it off whole ones. Required affinity to pods of which none is new
leaves the domains where those run, as do gangs, and affinity among pods, of which some run; affinity to pods
that are pinned to some domains leaves these. Nodes without a key of a pod's affinity or spread are in no
domain that the pod could be in. What else newcomers ask of each other is left out, which makes the bound
lower, never wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from binwright_optimizer.model import Operator, PodTemplate, Problem, Requirement, labels
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.host_ports import clash
from binwright_optimizer.verify.rulebook import Kinds, PodKind, Rulebook, rulebook


@dataclass(frozen=True, slots=True)
class Left:
    """What other pods leave to a kind of pod.

    Parameters
    ----------
    off
        Existing nodes, by index, where none of its pods can be.
    where
        Requirements that the labels of every node with such a pod satisfy.
    """

    off: frozenset[int] = frozenset()
    where: tuple[Requirement, ...] = ()


ALL = Left()
"""What is left where nobody minds."""


class OtherPods:
    """What other pods leave to each workload of a problem.

    Attributes
    ----------
    has_rules
        Whether any pod asks for anything that others may decide.
    """

    def __init__(self, problem: Problem) -> None:
        self._known: dict[tuple[int, str], Left] = {}
        self._workloads = problem.workloads
        self._gangs = {(gang.namespace, gang.name): gang for gang in problem.gangs}
        self._book: Rulebook | None = None
        self.has_rules = _has_rules(problem)
        if not self.has_rules:
            return
        self._book = rulebook(problem)
        self._labels = [{labels.HOSTNAME: n.name, **dict(n.labels)} for n in problem.existing_nodes]
        self._counts: dict[int, Counter[int]] = {}
        for pods in self._book.running:
            self._counts.setdefault(pods.kind, Counter())[pods.node] += pods.count
        self._new = frozenset(self._book.kind_of.tolist())
        self._kept = {k: list(kept) for k, kept in self._kept_away().items()}

    def left(self, workload: int) -> Left:
        """What they leave to the pods of a workload."""
        if self._book is None:
            return ALL
        k, gang = int(self._book.kind_of[workload]), self._workloads[workload].gang
        found = self._known.get((k, gang))
        if found is None:
            found = self._known[k, gang] = self._left(self._book, k, gang)
        return found

    def _left(self, book: Rulebook, k: int, gang: str) -> Left:
        kind = book.kinds[k]
        off = {n for key, nodes in self._kept.get(k, ()) if key == labels.HOSTNAME for n in nodes}
        away = [(key, nodes) for key, nodes in self._kept.get(k, ()) if key != labels.HOSTNAME]
        off |= self._crowded(book, k, kind)
        for key in _keys_needed(kind):
            off |= {n for n, carried in enumerate(self._labels) if key not in carried}
        for term in kind.template.pod_anti_affinity.required:
            nodes = set(self._on_nodes(book.meant(kind, term)))
            if term.topology_key == labels.HOSTNAME:
                off |= nodes
            else:
                away.append((term.topology_key, nodes))
        where = [
            Requirement(key, Operator.NOT_IN, tuple(values))
            for key, nodes in away
            if (values := self._values(key, nodes))
        ]
        where += self._followed(book, k)
        where += self._of_gang(book, kind.namespace, gang)
        return Left(frozenset(off), tuple(dict.fromkeys(where))) if off or where else ALL

    def _kept_away(self) -> dict[int, list[tuple[str, set[int]]]]:
        """By kind of newcomers: topology keys and nodes whose running pods keep them away by their rules."""
        kept: dict[int, list[tuple[str, set[int]]]] = {}
        book = self._book
        assert book is not None
        for r, counts in self._counts.items():
            kind = book.kinds[r]
            for term in kind.template.pod_anti_affinity.required:
                for k in book.meant(kind, term):
                    kept.setdefault(k, []).append((term.topology_key, set(counts)))
            for cap in kind.template.node_caps:
                kinds = book.selected(cap.selector, frozenset((kind.namespace,)))
                there = self._on_nodes(kinds)
                full = {n for n in counts if there[n] >= cap.max_pods}
                for k in kinds if full else ():
                    kept.setdefault(k, []).append((labels.HOSTNAME, full))
        return kept

    def _crowded(self, book: Rulebook, k: int, kind: PodKind) -> set[int]:
        """Nodes that are full by the pod's own caps, ports and spread over host names."""
        full: set[int] = set()
        limits = [
            (book.counted(kind, constraint), constraint.max_skew)
            for constraint in kind.template.topology_spread
            if constraint.is_required and constraint.topology_key == labels.HOSTNAME
        ]
        limits += [
            (book.selected(cap.selector, frozenset((kind.namespace,))), cap.max_pods)
            for cap in kind.template.node_caps
        ]
        for kinds, most in limits:
            own = int(k in kinds)
            full |= {n for n, count in self._on_nodes(kinds).items() if count + own > most}
        if kind.template.host_ports:
            for r, counts in self._counts.items():
                if clash(kind.template.host_ports, book.kinds[r].template.host_ports):
                    full |= set(counts)
        return full

    def _followed(self, book: Rulebook, k: int) -> Iterator[Requirement]:
        """Where the pods are that one has to be near, as far as that is known of those that are new."""
        terms = book.kinds[k].template.pod_affinity.required
        if not terms:
            return
        targets, keys = _targets(book, k), _keys(book, k)
        new = targets & self._new
        values = {key: set(self._values(key, set(self._on_nodes(sorted(targets))))) for key in keys}
        if any(_targets(book, m) != targets or _keys(book, m) != keys for m in new):
            if k in targets:
                return  # it may be the first of them, anywhere
            for key in keys:
                mine = [w.template for w, m in zip(self._workloads, book.kind_of, strict=True) if m in new]
                pinned = [_pinned(template, key) for template in mine]
                values[key] = set() if None in pinned else values[key].union(*(some or () for some in pinned))
        for key in sorted(keys):
            if values[key]:
                yield Requirement(key, Operator.IN, tuple(values[key]))

    def _of_gang(self, book: Rulebook, namespace: str, name: str) -> Iterator[Requirement]:
        """Where members of a gang run that has to be in one domain."""
        gang = self._gangs.get((namespace, name))
        for rule in gang.topology if gang is not None else ():
            nodes = {m.node for m in book.running if m.gang == name and self._is_in(book, m.kind, namespace)}
            values = self._values(rule.topology_key, nodes) if rule.is_required else ()
            if values:
                yield Requirement(rule.topology_key, Operator.IN, tuple(values))

    @staticmethod
    def _is_in(book: Rulebook, k: int, namespace: str) -> bool:
        return book.kinds[k].namespace == namespace

    def _on_nodes(self, kinds: Iterable[int]) -> Counter[int]:
        """Running pods of some kinds by node."""
        total: Counter[int] = Counter()
        for k in kinds:
            total.update(self._counts.get(k, Counter()))
        return total

    def _values(self, key: str, nodes: Iterable[int]) -> list[str]:
        return sorted({value for n in nodes if (value := self._labels[n].get(key)) is not None})


def _pinned(template: PodTemplate, key: str) -> set[str] | None:
    """The values of a label that pods of a template admit, if they list them."""
    terms = [(*template.node_selector, *term) for term in template.node_affinity or ((),)]
    listed = [[set(r.values) for r in term if r.key == key and r.operator is Operator.IN] for term in terms]
    return set().union(*(set.intersection(*some) for some in listed)) if all(listed) else None


def _keys_needed(kind: PodKind) -> set[str]:
    """Labels without which no node holds such a pod."""
    needed = {term.topology_key for term in kind.template.pod_affinity.required}
    return needed | {c.topology_key for c in kind.template.topology_spread if c.is_required}


def _has_rules(problem: Problem) -> bool:
    """Whether any pod asks for anything that others may decide."""
    templates = {id(template): template for template in templates_of(problem)}
    if not problem.existing_nodes:
        return any(template.pod_affinity.required for template in templates.values())
    running = [pods for node in problem.existing_nodes for pods in node.pods]
    templates.update((id(pods.template), pods.template) for pods in running)
    return any(map(_states_rules, templates.values())) or any(pods.gang for pods in running)


def _states_rules(template: PodTemplate) -> bool:
    return bool(
        template.pod_affinity.required
        or template.pod_anti_affinity.required
        or template.topology_spread
        or template.node_caps
        or template.host_ports
    )


def _targets(book: Rulebook, k: int) -> frozenset[int]:
    """Kinds that all affinity terms of a kind select; none where it states none."""
    kind = book.kinds[k]
    meant: list[Kinds] = [book.meant(kind, term) for term in kind.template.pod_affinity.required]
    return frozenset.intersection(*map(frozenset, meant)) if meant else frozenset()


def _keys(book: Rulebook, k: int) -> frozenset[str]:
    return frozenset(term.topology_key for term in book.kinds[k].template.pod_affinity.required)
