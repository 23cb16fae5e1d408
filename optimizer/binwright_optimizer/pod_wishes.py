"""Wishes between pods and what going without them costs: preferred pod affinity, ScheduleAnyway.

What they mean is said in `model.affinity` and `model.topology`. Unlike wishes about nodes
(`instance.charges`) they depend on where all pods are, so that no place has a charge of its own: the search
leaves them out, `settle` moves pods and nodes for them afterwards or starts anew with them as rules, and as
they are never negative, a bound without them stays a bound on the total.

Pods are told apart by *sorts*: those of one sort state the same wishes and are counted by the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.admission import admitted
from binwright_optimizer.instance.bundles.bundle import ContentSums
from binwright_optimizer.instance.candidates import resource_vector
from binwright_optimizer.instance.classes import request_matrix
from binwright_optimizer.instance.device_sums import asked_once
from binwright_optimizer.instance.domains.table import NO_DOMAIN, DomainTable
from binwright_optimizer.instance.limits import limit_rows, limit_use
from binwright_optimizer.instance.stated import Stated, rules_of
from binwright_optimizer.model import (
    NodeInclusionPolicy,
    NodeSelectorTerm,
    Operator,
    PodTemplate,
    Problem,
    Taint,
    labels,
)
from binwright_optimizer.model.affinity import PreferredPodTerm
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.model.topology import SPREAD_WEIGHT, TopologySpread

Domain = str | int
"""Value of a topology key; for the host names of nodes to be bought, which nobody knows, a number."""


class Kind(Enum):
    """What is wished for."""

    NEAR = "near"
    AWAY = "away"
    EVEN = "even"


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A node as wishes see it; ``host`` stands for the host name of one to be bought."""

    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    host: int | None = None

    def domain(self, key: str) -> Domain | None:
        """Its domain of a topology key; None without the label."""
        return self.host if key == labels.HOSTNAME and self.host is not None else self.labels.get(key)


@dataclass(frozen=True, slots=True)
class Wish:
    """What some sorts of pods wish alike; pods that share a wish pay for it together.

    Parameters
    ----------
    selection
        Which pods count, as numbered in `Selections`.
    stated
        As pods state it.
    is_own
        Whether pods that state it are selected themselves.
    max_skew, template
        Of a wish to be even; the latter is a pod with the node selection and tolerations of those that
        state it.
    """

    kind: Kind
    text: str
    key: str
    points: int
    selection: int
    stated: PreferredPodTerm | TopologySpread
    is_own: bool = False
    max_skew: int = 0
    template: PodTemplate | None = None

    def counts(self, place: Place) -> bool:
        """Whether pods on a node that has the topology key are counted."""
        if self.template is None or not isinstance(self.stated, TopologySpread):
            return True
        if self.stated.node_affinity_policy is NodeInclusionPolicy.HONOR:
            if not _holds(self.template.node_selector, place):
                return False
            either = self.template.node_affinity
            if either and not any(term and _holds(term, place) for term in either):
                return False
        if self.stated.node_taints_policy is NodeInclusionPolicy.HONOR:
            return untolerated(place.taints, self.template.tolerations) is None
        return True


def has_pod_wishes(problem: Problem) -> bool:
    """Whether pods wish to be near, away from, or evenly spread among other pods, and wishes have a price."""
    templates = templates_of(problem)
    return bool(problem.policies.weight_price) and any(
        t.pod_affinity.preferred
        or t.pod_anti_affinity.preferred
        or any(not c.is_required for c in t.topology_spread)
        for t in templates
    )


class PodWishes:
    """The wishes between pods of one problem.

    Attributes
    ----------
    wishes
        In the order of the workloads that state them.
    sort_of
        intp array (w,): sort of each workload's pods; -1 for those that no wish speaks of.
    stated_by, counted_by
        By sort, the wishes that its pods state, and those that count them.
    domains
        By wish to be even, but over host names: all domains.
    """

    def __init__(self, instance: Instance) -> None:
        problem = instance.problem
        rules = rules_of(problem)
        self.problem = problem
        self.wishes: list[Wish] = []
        index: dict[Wish, int] = {}
        stating: dict[int, set[int]] = defaultdict(set)  # by wish, the kinds of pods
        stated_of: list[tuple[int, ...]] = []
        known: dict[tuple[int, str, int], tuple[int, ...]] = {}
        kind_of = instance.origin.kinds.workload_kind.tolist()
        for w, workload in enumerate(problem.workloads):
            same = id(workload.template), workload.namespace, kind_of[w]
            if same not in known:
                found = _wishes(workload.template, rules.stated[w], set(rules.selected[w]))
                known[same] = tuple(dict.fromkeys(index.setdefault(wish, len(index)) for wish in found))
                for g in known[same]:
                    stating[g].add(kind_of[w])
            stated_of.append(known[same])
        self.wishes = list(index)
        by_selection: dict[int, list[int]] = defaultdict(list)
        for g, wish in enumerate(self.wishes):
            by_selection[wish.selection].append(g)
        sorts: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
        self.sort_of = np.full(len(problem.workloads), -1, dtype=np.intp)
        for w, mine in enumerate(stated_of):
            counted = tuple(g for number in rules.selected[w] for g in by_selection.get(number, ()))
            if mine or counted:
                self.sort_of[w] = sorts.setdefault((mine, counted), len(sorts))
        self.stated_by = [mine for mine, _ in sorts]
        self.counted_by = [counted for _, counted in sorts]
        self.existing = [
            Place({labels.HOSTNAME: node.name, **dict(node.labels)}, node.taints)
            for node in problem.existing_nodes
        ]
        self.running = [
            {} if wish.selection < 0 else _positive(rules.selections.running(wish.selection))
            for wish in self.wishes
        ]
        reach = _Reach(instance)
        self.domains: list[frozenset[Domain]] = []
        for g, wish in enumerate(self.wishes):
            found_here: set[Domain] = set()
            if wish.kind is Kind.EVEN and wish.key != labels.HOSTNAME:
                found_here |= reach.values(wish.key, sorted(stating[g]))
                there = [(place.domain(wish.key), place) for place in self.existing]
                found_here |= {d for d, place in there if d is not None and wish.counts(place)}
            self.domains.append(frozenset(found_here))


def _wishes(template: PodTemplate, stated: Stated, selected: set[int]) -> Iterator[Wish]:
    terms = (*template.pod_affinity.preferred, *template.pod_anti_affinity.preferred)
    for term, wish in zip(terms, stated.wishes, strict=True):
        is_near = wish.weight > 0
        yield Wish(
            Kind.NEAR if is_near else Kind.AWAY,
            term.words(is_near=is_near),
            wish.topology_key,
            term.weight,
            wish.selection,
            term,
            is_own=wish.selection in selected,
        )
    shown = PodTemplate(
        node_selector=template.node_selector,
        node_affinity=template.node_affinity,
        tolerations=template.tolerations,
    )
    for spread in stated.spread:
        c = spread.constraint
        if not c.is_required:
            yield Wish(
                Kind.EVEN,
                str(c),
                c.topology_key,
                SPREAD_WEIGHT,
                spread.selection,
                c,
                max_skew=c.max_skew,
                template=shown,
            )


class _Reach:
    """Where a node could be bought that holds a pod by itself."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        problem, origin = instance.problem, instance.origin
        self._table = DomainTable(problem, instance.shelf, origin.shelved)
        width = origin.existing_free.shape[1]
        resources, kinds = instance.resources[:width], origin.kinds
        once = asked_once(problem.workloads, origin.claimed, origin.claimed.shared)
        one_of = {name: resource_vector(amounts, resources) for name, amounts in once.items()}
        shared = [tuple(one_of[name] for name in names) for names in kinds.shared]
        self._sums = ContentSums(request_matrix(kinds, resources), shared)
        self._admitted = admitted(problem, kinds.placements, instance.shelf, origin.shelved, origin.claimed)
        parts = [part.allocatable for part in origin.shelved]
        self._room = np.concatenate([*parts, origin.existing_free])
        self._is_left = ~self._table.is_existing
        row_of = np.concatenate([np.zeros(0, dtype=np.intp), *(part.rows for part in origin.shelved)])
        pools = [part.variant.pool for part in origin.shelved for _ in part.rows]
        limits, _ = limit_rows(problem)
        use = limit_use(limits, problem, instance.shelf, np.array(pools, dtype=np.intp), row_of)
        has_room = (use <= np.array([limit.room for limit in limits], dtype=np.int64)).all(axis=1)
        self._is_left[: len(row_of)] &= has_room & (instance.shelf.available[row_of] > 0)

    def values(self, key: str, kinds: Iterable[int]) -> set[Domain]:
        """Values of a label on nodes that could be bought for a pod of one of these kinds."""
        codes = self._table.codes(key)
        can = np.zeros(len(codes), dtype=bool)
        for k in kinds:
            fits = (self._sums.of(((k, 1),)) <= self._room).all(axis=1)
            can |= self._admitted[self._instance.origin.kinds.placement_of[k]] & fits
        can &= self._is_left & (codes != NO_DOMAIN)
        return {self._table.values(key)[code] for code in np.unique(codes[can]).tolist()}


@dataclass(slots=True)
class _Count:
    """Pods by domain: those that state a wish, and those that it counts."""

    stating: dict[Domain | None, int] = field(default_factory=lambda: defaultdict(int))
    counted: dict[Domain | None, int] = field(default_factory=lambda: defaultdict(int))


class Standing:
    """Where pods are, and how many points they pay; kept up to date as pods move."""

    def __init__(self, wishes: PodWishes) -> None:
        self._wishes = wishes
        self._counts = [_Count() for _ in wishes.wishes]
        self._paid = [0] * len(wishes.wishes)
        self._is_even = [bool(domains) for domains in wishes.domains]
        self._touched = [
            [(g, g in stated, g in counted) for g in sorted({*stated, *counted})]
            for stated, counted in zip(wishes.stated_by, wishes.counted_by, strict=True)
        ]
        self._is_counted: dict[tuple[int, int, tuple[Taint, ...]], bool] = {}
        self._kept: dict[int, Mapping[str, str]] = {}
        for g, running in enumerate(wishes.running):
            for n, pods in running.items():
                place = wishes.existing[n]
                domain = place.domain(wishes.wishes[g].key)
                if domain is not None and self._counts_on(g, place):
                    self._counts[g].counted[domain] += pods

    def unmet(self, g: int) -> Iterator[tuple[Domain | None, int]]:
        """Domains where pods go without a wish, and how many do."""
        for domain in self._counts[g].stating:
            pods = self._without(g, domain)
            if pods:
                yield domain, pods

    def put(self, sort: int, place: Place, pods: int) -> int:
        """Put pods on a node, or take them away if fewer than none; returns the points paid more."""
        change = 0
        for g, is_stating, is_counted in self._touched[sort]:
            wish, count = self._wishes.wishes[g], self._counts[g]
            domain = place.domain(wish.key)
            is_even = self._is_even[g]  # then other domains pay more or less as well
            before = self._paid[g] if is_even else self._without(g, domain)
            if is_stating:
                count.stating[domain] += pods
            if is_counted and domain is not None and self._counts_on(g, place):
                count.counted[domain] += pods
            after = self._beyond(g) if is_even else self._without(g, domain)
            if after != before:
                self._paid[g] = after
                change += wish.points * (after - before)
        return change

    def _beyond(self, g: int) -> int:
        """Pods that go without a wish to be even, over all domains."""
        skew, stating, counted = (
            self._wishes.wishes[g].max_skew,
            self._counts[g].stating,
            self._counts[g].counted,
        )
        least, total = self._least(g), 0
        for domain, pods in stating.items():
            if domain is None:
                total += pods
            else:
                excess = counted.get(domain, 0) - least - skew
                if excess > 0:
                    total += min(pods, excess)
        return total

    def is_missed(self, sort: int, place: Place) -> bool:
        """Whether pods go without a wish there that pods of this sort state or stand in the way of."""
        return any(
            self._without(g, place.domain(self._wishes.wishes[g].key)) for g, _, _ in self._touched[sort]
        )

    def _least(self, g: int) -> int:
        """Smallest count over all domains."""
        counted = self._counts[g].counted
        return min([counted.get(d, 0) for d in self._wishes.domains[g]], default=0)

    def _without(self, g: int, domain: Domain | None) -> int:
        """Pods in a domain that go without a wish."""
        wish, count = self._wishes.wishes[g], self._counts[g]
        stating = count.stating.get(domain, 0)
        if not stating:
            return 0
        if domain is None:
            return 0 if wish.kind is Kind.AWAY else stating
        there = count.counted.get(domain, 0)
        if wish.kind is Kind.EVEN:
            return min(stating, max(0, there - self._least(g) - wish.max_skew))
        has_others = there > wish.is_own
        return stating if has_others is (wish.kind is Kind.AWAY) else 0

    def _counts_on(self, g: int, place: Place) -> bool:
        wish = self._wishes.wishes[g]
        if wish.kind is not Kind.EVEN:
            return True
        self._kept[id(place.labels)] = place.labels  # alive, so that no other mapping takes its identity
        name = g, id(place.labels), place.taints
        if name not in self._is_counted:
            self._is_counted[name] = wish.counts(place)
        return self._is_counted[name]


def _holds(term: NodeSelectorTerm, place: Place) -> bool:
    """Whether a node satisfies the requirements of a term."""
    for requirement in term:
        if requirement.key == labels.HOSTNAME and place.host is not None:
            if requirement.operator not in (Operator.EXISTS, Operator.NOT_IN):
                return False
        elif not requirement.admits(place.labels.get(requirement.key)):
            return False
    return True


def _positive(counts: NDArray[np.int64]) -> dict[int, int]:
    return {int(n): int(counts[n]) for n in np.flatnonzero(counts)}
