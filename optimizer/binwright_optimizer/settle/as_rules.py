"""The problem with wishes between pods as rules: whatever it allows, the problem itself allows.

``ScheduleAnyway`` becomes ``DoNotSchedule``, and preferred terms of pod affinity become required ones. Three
wishes stay what they are, since as rules they would loosen others:

- A pod's ``DoNotSchedule`` constraints look at nodes that carry the keys of all of them. One more hides nodes
  without its key from the others; so its key has to be theirs already, or one that every node carries.
- Required affinity of a pod wants one pod that all terms select, and counts as fulfilled by the pod itself
  where there is none. One more term may so excuse it from the others; so there have to be none.
- Of several preferred terms of affinity, one pod that all of them select is more than they ask for: the one
  of most weight becomes required.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from binwright_optimizer.model import (
    PodAffinity,
    PodTemplate,
    Problem,
    TopologySpread,
    WhenUnsatisfiable,
    labels,
)
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.pod_wishes import Kind

Wished = tuple[int, Kind]
"""A template, by its index among `templates_of`, and what its pods wish."""


def turnable(problem: Problem) -> frozenset[Wished]:
    """The wishes between pods that may become rules."""
    carried = _carried(problem)
    return frozenset(
        (t, kind)
        for t, template in enumerate(templates_of(problem))
        for kind in Kind
        if _ruled(template, {kind}, carried) != template
    )


def as_rules(problem: Problem, turned: Set[Wished]) -> Problem:
    """The problem in which these wishes are rules."""
    carried = _carried(problem)
    ruled = {
        id(template): _ruled(template, {kind for kind in Kind if (t, kind) in turned}, carried)
        for t, template in enumerate(templates_of(problem))
    }
    workloads = tuple(replace(w, template=ruled[id(w.template)]) for w in problem.workloads)
    return replace(problem, workloads=workloads)


def _carried(problem: Problem) -> frozenset[str]:
    """Node labels that every node carries, running ones and those to be bought."""
    zones = {labels.ZONE} if all(labels.ZONE in dict(n.labels) for n in problem.existing_nodes) else set()
    return frozenset({labels.HOSTNAME} | zones)


def _ruled(template: PodTemplate, kinds: Set[Kind], carried: Set[str]) -> PodTemplate:
    spread, near, away = template.topology_spread, template.pod_affinity, template.pod_anti_affinity
    if Kind.EVEN in kinds:
        keys = {c.topology_key for c in spread if c.is_required}
        spread = tuple(_required(c) if not keys or c.topology_key in keys | carried else c for c in spread)
    if Kind.NEAR in kinds and near.preferred and not near.required:
        heaviest = max(near.preferred, key=lambda wish: wish.weight)
        rest = tuple(wish for wish in near.preferred if wish is not heaviest)
        near = PodAffinity((heaviest.term,), rest)
    if Kind.AWAY in kinds and away.preferred:
        away = PodAffinity((*away.required, *(wish.term for wish in away.preferred)))
    return replace(template, topology_spread=spread, pod_affinity=near, pod_anti_affinity=away)


def _required(constraint: TopologySpread) -> TopologySpread:
    return replace(constraint, when_unsatisfiable=WhenUnsatisfiable.DO_NOT_SCHEDULE)
