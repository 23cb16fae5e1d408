"""From what pods state about single nodes to rules about classes: who may stand beside whom.

Each rule here is one about the final state of a node, running pods included:

- hostname anti-affinity: no selected pod beside the one that states it;
- topology spread over hostnames: at most ``maxSkew`` selected pods beside it, since an empty node can
  always be had, so that the smallest count is zero;
- caps per node: at most so many selected pods beside it;
- host ports: one pod for those of which no two can be given.

Running pods keep to rules as well: what they state about newcomers, the ports they hold and the pods
that count with newcomers. Daemons' ports close a node altogether and are part of `admission`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.node_rules import NodeRules
from binwright_optimizer.instance.selections import Selections
from binwright_optimizer.instance.set_rules import ALWAYS, FREE, Counted, SetRule, Start, combined
from binwright_optimizer.instance.stated import NOTHING, Rules, Stated
from binwright_optimizer.model import Problem, labels
from binwright_optimizer.model.ports import ANY_IP, HostPort

Part = tuple[Stated, tuple[int, ...], int]
"""Some pods of an item: what they state, the selections that they are in, and how many they are."""

MOST_COLUMNS = 4
"""Capped sets that become resources of their own, so that bounds know them; each slows every search."""
RULE_COLUMN = "rule:"
"""Begins the name of such a resource; no resource of Kubernetes has a colon."""


@dataclass(slots=True)
class OnNodes:
    """Rules about single nodes over the classes of a problem, before the useless ones are left out.

    Parameters
    ----------
    rules
        Rules, in the numbering of all classes.
    forbidden
        bool array (class, node): running pods keep the class off the existing node.
    is_closed
        bool array (class,): a pod of the class may stand nowhere, as its own cap counts itself.
    starts
        By existing node: running pods in each set, and the cap that running pods impose on it.
    """

    rules: list[SetRule]
    forbidden: NDArray[np.bool_]
    is_closed: NDArray[np.bool_]
    starts: dict[int, dict[Counted, tuple[int, int]]]

    def start_key(self, node: int) -> tuple[tuple[Counted, tuple[int, int]], ...]:
        """What tells existing nodes apart."""
        return tuple(sorted(self.starts.get(node, {}).items()))


@dataclass(frozen=True, slots=True)
class Arranged:
    """Rules about single nodes in the form that the search takes.

    Parameters
    ----------
    node_cap
        int64 array (i,).
    columns
        Capped sets that are treated as resources instead.
    """

    node_cap: NDArray[np.int64]
    rules: NodeRules
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A capped set as a resource: ``requests`` int64 array (i,), one of each member; ``room`` (j,)."""

    requests: NDArray[np.int64]
    room: NDArray[np.int64]


def on_nodes_of(problem: Problem, rules: Rules, contents: Sequence[Sequence[Part]]) -> OnNodes:
    """The rules between classes, each class given by the pods of one item of it."""
    reading = _Reading(problem, rules, contents)
    for i, content in enumerate(contents):
        for mine, selected, _ in content:
            if mine is not NOTHING:
                reading.read(i, mine, selected)
    reading.read_ports()
    reading.read_running()
    return OnNodes(reading.found, reading.forbidden, reading.is_closed, reading.starts())


class _Reading:
    """The rules of one problem while they are read."""

    def __init__(self, problem: Problem, rules: Rules, contents: Sequence[Sequence[Part]]) -> None:
        self.problem = problem
        self.selections: Selections = rules.selections
        self.contents = contents
        self.found: list[SetRule] = []
        self.forbidden = np.zeros((len(contents), len(problem.existing_nodes)), dtype=bool)
        self.is_closed = np.zeros(len(contents), dtype=bool)
        self._caps: dict[tuple[int, Counted], int] = {}
        self._counts: list[NDArray[np.int64]] = [np.zeros(len(problem.existing_nodes), dtype=np.int64)]
        self._number_of: dict[bytes, int] = {self._counts[0].tobytes(): 0}
        self._running_of: dict[int, int] = {}
        inside: dict[int, dict[int, int]] = {}
        for i, content in enumerate(contents):
            for _, numbers, pods in content:
                for number in numbers:
                    if number in rules.on_nodes:
                        counts = inside.setdefault(number, {})
                        counts[i] = counts.get(i, 0) + pods
        self.members = inside

    def read(self, i: int, mine: Stated, selected: tuple[int, ...]) -> None:
        """What pods of one class state."""
        for term in mine.away:
            if term.topology_key == labels.HOSTNAME:
                self._add(i, term.selection, int(term.selection in selected))
        for spread in mine.spread:
            constraint = spread.constraint
            if constraint.is_required and constraint.topology_key == labels.HOSTNAME:
                self._add(i, spread.selection, constraint.max_skew)
        for cap in mine.caps:
            self._add(i, cap.selection, cap.max_pods)

    def _add(self, i: int, selection: int, most: int) -> None:
        if selection < 0:
            return
        members = self.members.get(selection, {})
        running = self._running(selection)
        self.forbidden[i] |= self._counts[running] + members.get(i, 0) > most
        self.is_closed[i] |= members.get(i, 0) > most
        if members:
            self.found.append(_set_rule(members, most, i, running))

    def _running(self, selection: int) -> int:
        """Number of the vector of running pods selected; 0 where there are none."""
        if not self.problem.existing_nodes:
            return 0
        number = self._running_of.get(selection)
        if number is None:
            counts = self.selections.running(selection)
            number = self._number_of.setdefault(counts.tobytes(), len(self._counts))
            if number == len(self._counts):
                self._counts.append(counts)
            self._running_of[selection] = number
        return number

    def read_ports(self) -> None:
        """One pod for each port and address of a node."""
        holders: dict[tuple[int, str], dict[str, Counter[int]]] = {}
        for i, content in enumerate(self.contents):
            for mine, _, pods in content:
                for port in mine.ports:
                    by_address = holders.setdefault((port.port, port.protocol.value), {})
                    by_address.setdefault(port.host_ip, Counter())[i] += pods
        for _, by_address in sorted(holders.items()):
            everywhere = by_address.get(ANY_IP, Counter())
            specific = [holding for address, holding in sorted(by_address.items()) if address != ANY_IP]
            for holding in specific or [Counter()]:
                pods_of = everywhere + holding
                self.is_closed[[i for i, pods in pods_of.items() if pods > 1]] = True
                self.found.append(_set_rule(pods_of, 1))

    def read_running(self) -> None:
        """What pods that run already keep away."""
        with_ports = [
            (i, mine.ports) for i, content in enumerate(self.contents) for mine, _, _ in content if mine.ports
        ]
        for n, node in enumerate(self.problem.existing_nodes):
            held = [port for pods in node.pods for port in pods.template.host_ports]
            for i, ports in with_ports if held else ():
                self.forbidden[i, n] |= clash(ports, held)
            for pods in node.pods:
                template = pods.template
                if not (template.pod_anti_affinity.required or template.node_caps):
                    continue
                own = dict(template.labels)
                for term in template.pod_anti_affinity.required:
                    if term.topology_key == labels.HOSTNAME:
                        selection = self.selections.of_term(term, own, pods.namespace)
                        self.forbidden[list(self.members.get(selection, {})), n] = True
                for cap in template.node_caps:
                    selection = self.selections.within(cap.selector, pods.namespace)
                    members = self.members.get(selection, {})
                    if members:
                        counted = _set_rule(members, cap.max_pods, running=self._running(selection)).counted
                        key = n, counted
                        self._caps[key] = min(cap.max_pods, self._caps.get(key, FREE))
                        room = cap.max_pods - self._counts[counted[0]][n]
                        self.forbidden[[i for i, pods in members.items() if pods > room], n] = True

    def starts(self) -> dict[int, dict[Counted, tuple[int, int]]]:
        """Running pods and caps of each set on each existing node."""
        found: dict[int, dict[Counted, tuple[int, int]]] = {}
        for counted in {rule.counted for rule in self.found} | {counted for _, counted in self._caps}:
            counts = self._counts[counted[0]]
            for n in np.flatnonzero(counts).tolist():
                found.setdefault(n, {})[counted] = (int(counts[n]), FREE)
        for (n, counted), most in self._caps.items():
            found.setdefault(n, {})[counted] = (int(self._counts[counted[0]][n]), most)
        return found


def _set_rule(members: Mapping[int, int], most: int, trigger: int = ALWAYS, running: int = 0) -> SetRule:
    """The rule about these classes, given what one of each counts."""
    classes = tuple(sorted(members))
    weights = tuple(members[i] for i in classes)
    return SetRule(classes, most, trigger, running, () if set(weights) <= {1} else weights)


def clash(wanted: Iterable[HostPort], held: Iterable[HostPort]) -> bool:
    """Whether some wanted port cannot be given beside those held."""
    taken = list(held)
    return any(port.clashes_with(other) for port in wanted for other in taken)


def arrange(
    on_nodes: OnNodes,
    new_index: NDArray[np.intp],
    demand: NDArray[np.int64],
    compatible: NDArray[np.bool_],
    existing_of: Sequence[Sequence[int]],
) -> Arranged:
    """The rules over the classes that are left, each as narrow as it gets.

    Parameters
    ----------
    new_index
        intp array (class,): class in the instance, -1 where it is left out.
    demand, compatible
        Of the classes left: int64 array (i,), bool array (i, j).
    existing_of
        Existing nodes of each candidate; equal ones share their starts.
    """
    n_classes, n_candidates = compatible.shape
    node_cap = np.full(n_classes, FREE, dtype=np.int64)
    begun = {counted for starts in on_nodes.starts.values() for counted in starts}
    capped, triggered = combined(
        _renumbered(on_nodes.rules, new_index), {_renumbered_set(counted, new_index) for counted in begun}
    )
    rules: list[SetRule] = []
    narrow: dict[Counted, set[Counted]] = {}

    def keep(wide: Counted, members: tuple[int, ...], most: int, trigger: int) -> None:
        """Keep a rule over some of the members of a set, as a cap of one class if it is no more."""
        count = dict(zip(wide[1], wide[2] or (1,) * len(wide[1]), strict=True))
        rule = _set_rule({i: count[i] for i in members}, most, trigger, wide[0])
        if len(members) == 1 and trigger in (ALWAYS, members[0]):
            node_cap[members[0]] = min(most // count[members[0]], node_cap[members[0]])
            if not rule.running:
                return
        if not rule.running and sum(int(demand[i]) * count[i] for i in members) <= most:
            return
        narrow.setdefault(wide, set()).add(rule.counted)
        rules.append(rule)

    for wide, most in sorted(capped.items()):
        members = wide[1]
        if len(members) > 1 and not wide[0] and compatible[list(members)].sum(axis=0).max() <= 1:
            for i in members:  # they never meet
                keep(wide, (i,), most, ALWAYS)
        else:
            keep(wide, members, most, ALWAYS)
    for (wide, trigger), most in sorted(triggered.items()):
        everyone = list(wide[1])
        meets = (compatible[everyone] & compatible[trigger]).any(axis=1)
        members = tuple(i for i, is_met in zip(everyone, meets, strict=True) if is_met)
        if members:
            keep(wide, members, most, trigger)

    starts: dict[tuple[int, Counted], tuple[int, int]] = {}
    for j, nodes in enumerate(existing_of):
        for wide, (load, most) in on_nodes.starts.get(nodes[0], {}).items() if nodes else ():
            counted = _renumbered_set(wide, new_index)
            for part in narrow.get(counted, ()):
                starts.setdefault((j, part), (load, FREE))
            if most < FREE and counted[1]:
                known = starts.get((j, counted), (load, FREE))
                starts[j, counted] = load, min(most, known[1])
    begins = [
        Start(j, members, *start, running, weights)
        for (j, (running, members, weights)), start in sorted(starts.items())
    ]
    return _with_columns(node_cap, rules, begins, demand, n_candidates)


def _renumbered_set(counted: Counted, new_index: NDArray[np.intp]) -> Counted:
    running, members, weights = counted
    count = zip(members, weights or (1,) * len(members), strict=True)
    return _set_rule(
        {int(new_index[i]): n for i, n in count if new_index[i] >= 0}, 0, ALWAYS, running
    ).counted


def _renumbered(rules: Iterable[SetRule], new_index: NDArray[np.intp]) -> Iterable[SetRule]:
    for rule in rules:
        running, members, weights = _renumbered_set(rule.counted, new_index)
        trigger = rule.trigger if rule.trigger == ALWAYS else int(new_index[rule.trigger])
        if members and (trigger >= 0 or rule.trigger == ALWAYS):
            yield SetRule(members, rule.most, trigger, running, weights)


def _with_columns(
    node_cap: NDArray[np.int64],
    rules: list[SetRule],
    starts: list[Start],
    demand: NDArray[np.int64],
    n_candidates: int,
) -> Arranged:
    """Turn the capped sets of most pods into columns; everything else stays a rule."""
    is_triggered = {rule.counted for rule in rules if rule.trigger != ALWAYS}
    capped = [rule for rule in rules if rule.trigger == ALWAYS and rule.counted not in is_triggered]
    capped = [rule for rule in capped if len(rule.members) > 1]
    capped.sort(key=lambda rule: (-int(demand[list(rule.members)].sum()), rule.counted))
    chosen = {rule.counted: rule.most for rule in capped[:MOST_COLUMNS]}
    columns = []
    for counted, cap in chosen.items():
        requests = np.zeros(len(node_cap), dtype=np.int64)
        requests[list(counted[1])] = counted[2] or 1
        room = np.full(n_candidates, cap, dtype=np.int64)
        for start in starts:
            if start.counted == counted:
                room[start.candidate] = max(0, min(cap, start.most) - start.load)
        columns.append(Column(requests, room))
    return Arranged(
        node_cap,
        NodeRules.of(
            len(node_cap),
            n_candidates,
            [rule for rule in rules if rule.counted not in chosen],
            [start for start in starts if start.counted not in chosen],
        ),
        tuple(columns),
    )
