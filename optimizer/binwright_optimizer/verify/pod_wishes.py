"""Wishes between pods that a placement does not meet, counted from the final state.

Preferred pod affinity and anti-affinity as `model.affinity` has them, ScheduleAnyway as `model.topology`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import Decision, PodTemplate, Problem, TopologySpread, labels
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.model.topology import SPREAD_WEIGHT
from binwright_optimizer.verify.final_state import LACKS_KEY, FinalState, sums
from binwright_optimizer.verify.reach import Reach
from binwright_optimizer.verify.rulebook import Kinds, rulebook
from binwright_optimizer.verify.spread import Eligible

Unmet = dict[tuple[int, str], tuple[int, int]]
"""Pods and their points, by workload and wish."""
Crowd = dict[int, list[tuple[int, int]]]
"""Pods by code of their domain: workloads, each with how many."""


def has_pod_wishes(problem: Problem) -> bool:
    """Whether some pod states a wish between pods that has a price."""
    if not problem.policies.weight_price:
        return False
    return any(map(_has_wishes, templates_of(problem)))


def _has_wishes(template: PodTemplate) -> bool:
    is_soft = any(not c.is_required for c in template.topology_spread)
    return bool(is_soft or template.pod_affinity.preferred or template.pod_anti_affinity.preferred)


def unmet_wishes(problem: Problem, decision: Decision) -> Unmet:
    """Pods that go without wishes about other pods, and what that weighs."""
    state = FinalState(problem, decision, rulebook(problem))
    of_kind: dict[int, list[tuple[int, int, int]]] = defaultdict(list)  # workload, node, pods
    for node, pods in state.ranges:
        of_kind[int(state.book.kind_of[pods.workload])].append((pods.workload, node, pods.count))
    found: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    for wish, weight, workload, count in (*_about_neighbours(state, of_kind), *_uneven(state, of_kind)):
        if count:
            entry = found[workload, wish]
            entry[0] += count
            entry[1] += count * weight
    return {key: (pods, points) for key, (pods, points) in found.items()}


def _about_neighbours(
    state: FinalState, of_kind: dict[int, list[tuple[int, int, int]]]
) -> Iterator[tuple[str, int, int, int]]:
    """Preferred affinity and anti-affinity: wish, weight, workload and pods."""
    for k, placed in of_kind.items():
        kind = state.book.kinds[k]
        for affinity, wants_others in (
            (kind.template.pod_affinity, True),
            (kind.template.pod_anti_affinity, False),
        ):
            for preferred in dict.fromkeys(affinity.preferred):
                kinds = state.book.meant(kind, preferred.term)
                key = preferred.term.topology_key
                there, codes = state.tally(kinds, key), state.domains(key).codes
                for workload, node, count in placed:
                    others = 0
                    if codes[node] != LACKS_KEY:
                        others = there.get(int(codes[node]), 0) - (k in kinds)
                    if (others > 0) is not wants_others:
                        yield preferred.words(is_near=wants_others), preferred.weight, workload, count


def _uneven(
    state: FinalState, of_kind: dict[int, list[tuple[int, int, int]]]
) -> Iterator[tuple[str, int, int, int]]:
    """ScheduleAnyway: wish, weight, workload and pods."""
    groups: dict[tuple[object, ...], list[tuple[int, TopologySpread]]] = defaultdict(list)
    for k in sorted(set(state.book.kind_of.tolist())):
        kind = state.book.kinds[k]
        template = kind.template
        for constraint in dict.fromkeys(template.topology_spread):
            if not constraint.is_required:
                shown = (
                    constraint.effective_selector(kind.labels),
                    kind.namespace,
                    constraint,
                    template.node_selector,
                    template.node_affinity,
                    template.tolerations,
                )
                groups[shown].append((k, constraint))
    eligible, reach = Eligible(state), Reach(state.problem)
    for members in groups.values():
        k, constraint = members[0]
        first = state.book.kinds[k]
        key = constraint.topology_key
        codes = state.domains(key).codes
        crowd: Crowd = defaultdict(list)
        for k, _ in members:
            for workload, node, count in of_kind.get(k, ()):
                crowd[int(codes[node])].append((workload, count))
        mask = eligible.nodes(first.template, constraint, (key,)).mask
        there = _counts(state, state.book.counted(first, constraint), key, mask)
        least = 0
        if key != labels.HOSTNAME:
            least = _least(state, reach, mask, members, there)
        for code, pods in crowd.items():
            left = sum(count for _, count in pods)
            if code != LACKS_KEY:
                left = min(left, max(0, there.get(code, 0) - least - constraint.max_skew))
            for workload, count in sorted(pods):
                pays = min(left, count)
                left -= pays
                yield str(constraint), SPREAD_WEIGHT, workload, pays


def _counts(state: FinalState, kinds: Kinds, key: str, mask: NDArray[np.bool_]) -> dict[int, int]:
    """Selected pods on eligible nodes by domain."""
    selected = state.pods_on(kinds)
    counts_here = mask[selected.nodes]
    return sums(state.domains(key).codes[selected.nodes[counts_here]], selected.counts[counts_here])


def _least(
    state: FinalState,
    reach: Reach,
    mask: NDArray[np.bool_],
    members: list[tuple[int, TopologySpread]],
    there: dict[int, int],
) -> int:
    """Smallest count over the domains of eligible running nodes and of nodes within reach."""
    key = members[0][1].topology_key
    domains = state.domains(key)
    running = [n for n, node in enumerate(state.nodes) if not node.is_new and mask[n]]
    names = {domains.names[code] for code in set(domains.codes[running].tolist()) - {LACKS_KEY}}
    for k, _ in members:
        names |= reach.values(state.book.kinds[k].template, (key,))[key]
    by_name = Counter({domains.names[code]: count for code, count in there.items()})
    return min((by_name[name] for name in names), default=0)
