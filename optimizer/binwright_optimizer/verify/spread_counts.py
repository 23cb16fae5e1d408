"""What a topology spread constraint says about the numbers of pods that all state it, for the bound.

With r_d running and y_d new pods of domain d, and n new ones in all, a decision that holds the constraint has

    r_a + y_a <= r_b + y_b + maxSkew     if y_a > 0, for domains a and those b that count in any case:

the eligible ones of running nodes, and those within reach (`reach`); others that are opened by further nodes
only lower the smallest count. As the numbers are whole and add up to n, it follows that

    y_a <= the most t with   t + sum_b max(0, r_a + t - maxSkew - r_b) <= n
    y_b >= the least t with  t + sum_a max(0, r_b + t + maxSkew - r_a) >= n.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from binwright_optimizer.model import (
    ExistingNode,
    NodeInclusionPolicy,
    PodTemplate,
    Problem,
    TopologySpread,
    labels,
)
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.verify.nodes import refused_requirement, satisfies_affinity
from binwright_optimizer.verify.priced_groups import Group
from binwright_optimizer.verify.reach import Reach, are_too_few, is_open, is_undecided
from binwright_optimizer.verify.rulebook import Rulebook, rulebook


@dataclass(frozen=True, slots=True)
class SpreadCounts:
    """Pods of some groups under a constraint that all of them state and that counts no other new pods.

    Parameters
    ----------
    pods
        New ones.
    names
        Domains that count in any case.
    running
        Running pods by domain.
    local
        Local workloads of the groups by domain.
    is_short
        Whether there are fewer domains than minDomains, so that the smallest count is 0.
    """

    pods: int
    max_skew: int
    names: frozenset[str]
    running: Counter[str]
    local: dict[str, tuple[int, ...]]
    is_short: bool

    def rows(self) -> Iterator[tuple[dict[int, int], int]]:
        """Linear rows ``sum of coefficient * y <= most`` over local workloads."""
        if self.is_short:
            for a, mine in sorted(self.local.items()):
                yield dict.fromkeys(mine, 1), max(0, self.max_skew - self.running[a])
            return
        most = {a: self._most(a) for a in self.local}
        least = {b: self._least(b) if b in self.local else 0 for b in self.names}
        for a, mine in sorted(self.local.items()):
            if most[a] < self.pods:
                yield dict.fromkeys(mine, 1), most[a]
            if least.get(a):
                yield dict.fromkeys(mine, -1), -least[a]
            for b in sorted(self.names - {a}):
                ahead = self.running[a] - self.running[b] - self.max_skew
                if ahead <= 0 and most[a] + ahead > least[b]:
                    theirs = dict.fromkeys(self.local.get(b, ()), -1)
                    yield {**dict.fromkeys(mine, 1), **theirs}, -ahead

    def _most(self, a: str) -> int:
        """Most new pods of a domain for which the others can have what they then need."""
        others = [self.running[b] for b in self.names - {a}]
        ahead = self.running[a] - self.max_skew
        return _last(0, self.pods, lambda t: t + sum(max(0, ahead + t - r) for r in others) <= self.pods)

    def _least(self, b: str) -> int:
        """Fewest new pods of a domain for which the others may have all that are left."""
        others = [self.running[a] for a in self.local.keys() - {b}]
        ahead = self.running[b] + self.max_skew
        return 1 + _last(-1, self.pods, lambda t: t + sum(max(0, ahead + t - r) for r in others) < self.pods)

    def windows(self) -> Iterator[dict[str, tuple[int, int]]]:
        """The least and the most new pods of each domain, for one smallest count after the other."""
        everywhere = self.names | self.local.keys()
        most = 0 if self.is_short else min(self.running[name] for name in self.names) + self.pods
        for least in range(most + 1):
            found = {
                name: (
                    0 if self.is_short or name not in self.names else max(0, least - self.running[name]),
                    max(0, least + self.max_skew - self.running[name]),
                )
                for name in everywhere
            }
            if sum(low for low, _ in found.values()) > self.pods:
                return
            yield found


def _last(first: int, most: int, holds: Callable[[int], bool]) -> int:
    """The largest number from ``first``, for which it is taken to hold, up to which something holds."""
    low, high = first, most
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def spread_counts(problem: Problem, groups: Sequence[Group]) -> list[SpreadCounts]:
    """The counts of every constraint that must hold and counts only pods of groups that state it as well.

    Parameters
    ----------
    problem
        Without local workloads.
    groups
        Those of which every place is priced.
    """
    reader = _Reader(problem, groups)
    found = (
        reader.read(group, constraint)
        for group in groups
        for constraint in problem.workloads[group.workloads[0]].template.topology_spread
        if constraint.is_required and constraint.topology_key != labels.HOSTNAME
    )
    return [counts for counts in found if counts is not None]


class _Reader:
    """Reads the constraints of one problem."""

    def __init__(self, problem: Problem, groups: Sequence[Group]) -> None:
        self._problem = problem
        self._reach = Reach(problem)
        self._group_of = {w: group for group in groups for w in group.workloads}

    def read(self, group: Group, constraint: TopologySpread) -> SpreadCounts | None:
        """The counts of a constraint; None where some are not known, or are told with an earlier group."""
        problem, key = self._problem, constraint.topology_key
        template = problem.workloads[group.workloads[0]].template
        book = rulebook(problem)
        kind = book.kinds[book.kind_of[group.workloads[0]]]
        counted = frozenset(book.counted(kind, constraint))
        together = self._stating(book, counted, group, constraint)
        if not together or together[0] is not group:
            return None
        keys = tuple(sorted({c.topology_key for c in template.topology_spread if c.is_required}))
        local: dict[str, tuple[int, ...]] = {}
        within: list[frozenset[str]] = []
        for member in together:
            values = [dict(scope).get(key, "") for scope in member.scopes]
            if "" in values:
                return None  # a domain of other labels
            within.append(self._reach.values(problem.workloads[member.workloads[0]].template, keys)[key])
            if is_undecided(problem, key) and (is_open(problem, key) or not within[-1] <= set(values)):
                return None  # a node may have a value that is not priced; its pods would be taken for others
            for v, value in zip(member.local, values, strict=True):
                if value is not None:  # no pod is where the key is lacking
                    local[value] = (*local.get(value, ()), v)
        names = frozenset.intersection(*within)
        eligible = {
            n: carried[key]
            for n, node in enumerate(problem.existing_nodes)
            if _is_eligible(node, carried := _labels(node), template, constraint, keys)
        }
        running: Counter[str] = Counter()
        for pods in book.running:
            if pods.kind in counted and pods.node in eligible:
                running[eligible[pods.node]] += pods.count
        counting = names.union(eligible.values())
        if not counting:
            return None
        is_short = are_too_few(problem, template, constraint)
        total = sum(member.pods for member in together)
        return SpreadCounts(total, constraint.max_skew, counting, running, local, is_short)

    def _stating(
        self, book: Rulebook, counted: frozenset[int], group: Group, constraint: TopologySpread
    ) -> list[Group]:
        """The groups of all new pods that a constraint counts, if each states it, for the same nodes."""
        template = self._problem.workloads[group.workloads[0]].template
        found: dict[int, Group] = {}
        for w in book.workloads_of(counted):
            other = self._problem.workloads[w].template
            is_alike = w in self._group_of and (
                (other.topology_spread, other.node_selector, other.node_affinity, other.tolerations)
                == (
                    template.topology_spread,
                    template.node_selector,
                    template.node_affinity,
                    template.tolerations,
                )
                and frozenset(book.counted(book.kinds[book.kind_of[w]], constraint)) == counted
            )
            if not is_alike:
                return []
            found[self._group_of[w].workloads[0]] = self._group_of[w]
        return list(found.values())


def _labels(node: ExistingNode) -> dict[str, str]:
    return {labels.HOSTNAME: node.name, **dict(node.labels)}


def _is_eligible(
    node: ExistingNode,
    carried: dict[str, str],
    template: PodTemplate,
    constraint: TopologySpread,
    keys: tuple[str, ...],
) -> bool:
    """Whether a running node forms a domain of the constraint, by its policies."""
    if any(key not in carried for key in keys):
        return False
    if constraint.node_affinity_policy is NodeInclusionPolicy.HONOR and not (
        refused_requirement(template.node_selector, carried, is_new=False) is None
        and satisfies_affinity(template, carried, is_new=False)
    ):
        return False
    return (
        constraint.node_taints_policy is not NodeInclusionPolicy.HONOR
        or untolerated(node.taints, template.tolerations) is None
    )
