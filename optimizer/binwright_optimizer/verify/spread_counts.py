"""What a topology spread constraint says about the numbers of pods of one group, for the bound.

With r_d running and y_d new pods of domain d, and n new ones in all, a decision that holds the constraint has

    r_a + y_a <= r_b + y_b + maxSkew     if y_a > 0, for domains a and those b that count in any case:

the eligible ones of running nodes, and those within reach (`reach`); others that are opened by further nodes
only lower the smallest count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model import (
    ExistingNode,
    LabelSelector,
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


@dataclass(frozen=True, slots=True)
class SpreadCounts:
    """Pods of a group under a constraint that counts no other new pods.

    Parameters
    ----------
    pods
        New ones.
    names
        Domains that count in any case.
    running
        Running pods by domain.
    local
        Local workloads of the group by domain.
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
        for a, mine in sorted(self.local.items()):
            if self.is_short:
                yield dict.fromkeys(mine, 1), max(0, self.max_skew - self.running[a])
                continue
            for b in sorted(self.names - {a}):
                ahead = self.running[a] - self.running[b] - self.max_skew
                if ahead <= 0:
                    yield {**dict.fromkeys(mine, 1), **dict.fromkeys(self.local.get(b, ()), -1)}, -ahead
                elif self.pods < ahead + 2:  # b cannot get so many that a may have one
                    yield dict.fromkeys(mine, 1), 0

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


def spread_counts(
    problem: Problem, reach: Reach, group: Group, constraint: TopologySpread
) -> SpreadCounts | None:
    """The counts of a constraint; None where it is none that must hold, or counts other new pods.

    Parameters
    ----------
    problem
        Without local workloads.
    """
    key = constraint.topology_key
    if not constraint.is_required or key == labels.HOSTNAME:
        return None
    first = problem.workloads[group.workloads[0]]
    template, namespace = first.template, first.namespace
    selector = _counting_only(problem, group, constraint)
    if selector is None or any(key not in dict(scope) for scope in group.scopes):
        return None
    local: dict[str, tuple[int, ...]] = {}
    for v, scope in zip(group.local, group.scopes, strict=True):
        value = dict(scope)[key]
        if value is not None:  # no pod is where the key is lacking
            local[value] = (*local.get(value, ()), v)
    keys = tuple(sorted({c.topology_key for c in template.topology_spread if c.is_required}))
    names = reach.values(template, keys)[key]
    if is_undecided(problem, key) and (is_open(problem, key) or not names <= local.keys()):
        return None  # a node may have a value that is not priced, and its pods would be taken for others
    running: Counter[str] = Counter()
    counting = set(names)
    for node in problem.existing_nodes:
        carried = {labels.HOSTNAME: node.name, **dict(node.labels)}
        if _is_eligible(node, carried, template, constraint, keys):
            counting.add(carried[key])
            running[carried[key]] += sum(
                pods.count
                for pods in node.pods
                if pods.namespace == namespace and selector.matches(dict(pods.template.labels))
            )
    if not counting:
        return None
    is_short = are_too_few(problem, template, constraint)
    return SpreadCounts(group.pods, constraint.max_skew, frozenset(counting), running, local, is_short)


def _counting_only(problem: Problem, group: Group, constraint: TopologySpread) -> LabelSelector | None:
    """The selector of a constraint, if it selects all pods of the group and no others that are new."""
    first = problem.workloads[group.workloads[0]]
    own = dict(first.template.labels)
    try:
        selector: LabelSelector | None = constraint.effective_selector(own)
    except WrongFieldError:
        return None  # matchLabelKeys contradict the selector
    if selector is None or not selector.matches(own):
        return None
    members = set(group.workloads)
    is_other = any(
        w not in members and x.namespace == first.namespace and selector.matches(dict(x.template.labels))
        for w, x in enumerate(problem.workloads)
    )
    return None if is_other else selector


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
