"""Topology spread with DoNotSchedule, in the final state.

For each constraint of a placed pod, with *eligible* nodes as `model.topology` defines them:

- the pod's node carries the keys of all its constraints;
- count(d) - least <= maxSkew in each domain d that holds such a pod, where count is of the selected
  pods on eligible nodes, running ones included, and least is the smallest count over all domains, or 0
  while there are fewer than minDomains of them.

Domains are those of eligible nodes, running or bought, and those that one more node could have on which
the pod would fit (`reach`): kube-scheduler knows only the former, whose least count is no smaller. A
further empty node can always be had, so that for host names least is 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import NodeInclusionPolicy, PodTemplate, TopologySpread, labels
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.verify.final_state import LACKS_KEY, FinalState, Finding, sums
from binwright_optimizer.verify.nodes import refused_requirement, satisfies_affinity
from binwright_optimizer.verify.reach import Reach

BoolArray = NDArray[np.bool_]


def check_spread(state: FinalState) -> Iterator[Finding]:
    """Placed pods whose topology spread constraints do not hold."""
    eligible = Eligible(state)
    reach = Reach(state.problem)
    for k in state.placed_kinds():
        template = state.book.kinds[k].template
        constraints = tuple(c for c in template.topology_spread if c.is_required)
        if not constraints:
            continue
        keys = tuple(sorted({c.topology_key for c in constraints}))
        nodes = state.new(k).nodes
        for key in keys:
            lacking = nodes[state.domains(key).codes[nodes] == LACKS_KEY]
            if len(lacking):
                n = int(lacking[0])
                yield Finding(
                    Rule.TOPOLOGY_SPREAD,
                    f"pod {state.pod(k, n)} is on {state.nodes[n].name}, which has no label {key}",
                )
        for constraint in constraints:
            if constraint.topology_key == labels.HOSTNAME:
                yield from _crowded_nodes(state, k, constraint)
                continue
            counted = eligible.nodes(template, constraint, keys)
            names = counted.domains(state, constraint.topology_key)
            names |= reach.values(template, keys)[constraint.topology_key]
            yield from _uneven_domains(state, k, constraint, counted.mask, names)


def _crowded_nodes(state: FinalState, k: int, constraint: TopologySpread) -> Iterator[Finding]:
    kinds = state.book.counted(state.book.kinds[k], constraint)
    count = state.tally(kinds, labels.HOSTNAME)
    codes = state.domains(labels.HOSTNAME).codes
    for n in state.new(k).nodes.tolist():
        found = count.get(int(codes[n]), 0)
        if found > constraint.max_skew:
            yield Finding(
                Rule.TOPOLOGY_SPREAD,
                f"pod {state.pod(k, n)} is on {state.nodes[n].name} with {found} selected pods, "
                f"maxSkew {constraint.max_skew} allows as many on a node",
            )


def _uneven_domains(
    state: FinalState,
    k: int,
    constraint: TopologySpread,
    eligible: BoolArray,
    names: frozenset[str],
) -> Iterator[Finding]:
    """Domains too full of selected pods; ``names`` are those of all domains."""
    key = constraint.topology_key
    domains = state.domains(key)
    selected = state.pods_on(state.book.counted(state.book.kinds[k], constraint))
    counts_here = eligible[selected.nodes]
    count = sums(domains.codes[selected.nodes[counts_here]], selected.counts[counts_here])
    by_name = {domains.names[code]: total for code, total in count.items()}
    if not names:
        return  # its pods are where their labels do not let them be: found elsewhere
    least_name = min(sorted(names), key=lambda name: by_name.get(name, 0))
    least, why = by_name.get(least_name, 0), f"{least_name} {by_name.get(least_name, 0)}"
    if len(names) < constraint.min_domains:
        least, why = 0, f"there are {len(names)} domains, fewer than minDomains {constraint.min_domains}"
    first_of: dict[int, int] = {}
    for n in state.new(k).nodes.tolist():
        first_of.setdefault(int(domains.codes[n]), n)
    for code, n in first_of.items():
        if code != LACKS_KEY and count.get(code, 0) - least > constraint.max_skew:
            yield Finding(
                Rule.TOPOLOGY_SPREAD,
                f"pod {state.pod(k, n)} is in {state.where(n, key)} with {count[code]} selected pods, "
                f"{why}; maxSkew is {constraint.max_skew}",
            )


@dataclass(slots=True)
class Counted:
    """Nodes that count for a constraint: bool (node,)."""

    mask: BoolArray
    _names: dict[str, frozenset[str]] = field(default_factory=dict)

    def domains(self, state: FinalState, key: str) -> frozenset[str]:
        """Names of the domains that they form."""
        found = self._names.get(key)
        if found is None:
            domains = state.domains(key)
            codes = set(np.unique(domains.codes[self.mask]).tolist()) - {LACKS_KEY}
            found = self._names[key] = frozenset(domains.names[code] for code in codes)
        return found


class Eligible:
    """Nodes that form the domains of a constraint; equal pods share the answer."""

    def __init__(self, state: FinalState) -> None:
        self._state = state
        self._counted: dict[tuple[object, ...], Counted] = {}
        self._admitted: dict[tuple[object, ...], BoolArray] = {}
        self._tolerated: dict[tuple[object, ...], BoolArray] = {}
        self._keyed: dict[tuple[str, ...], BoolArray] = {}

    def nodes(self, template: PodTemplate, constraint: TopologySpread, keys: tuple[str, ...]) -> Counted:
        """Nodes that count for a constraint of this pod."""
        honors_affinity = constraint.node_affinity_policy is NodeInclusionPolicy.HONOR
        honors_taints = constraint.node_taints_policy is NodeInclusionPolicy.HONOR
        asked = (
            keys,
            (template.node_selector, template.node_affinity) if honors_affinity else None,
            template.tolerations if honors_taints else None,
        )
        found = self._counted.get(asked)
        if found is None:
            mask = self._with_keys(keys)
            if honors_affinity:
                mask = mask & self._admitting(template)
            if honors_taints:
                mask = mask & self._tolerating(template)
            found = self._counted[asked] = Counted(mask)
        return found

    def _with_keys(self, keys: tuple[str, ...]) -> BoolArray:
        found = self._keyed.get(keys)
        if found is None:
            found = np.ones(len(self._state.nodes), dtype=bool)
            for key in keys:
                found &= self._state.domains(key).codes != LACKS_KEY
            self._keyed[keys] = found
        return found

    def _admitting(self, template: PodTemplate) -> BoolArray:
        asked = (template.node_selector, template.node_affinity)
        found = self._admitted.get(asked)
        if found is None:
            terms = (template.node_selector, *template.node_affinity)
            keys = sorted({requirement.key for term in terms for requirement in term})
            known: dict[tuple[object, ...], bool] = {}
            answers = []
            for node in self._state.nodes:
                shown = (node.is_new, *(node.labels.get(key) for key in keys))
                if shown not in known:
                    known[shown] = refused_requirement(
                        template.node_selector, node.labels, is_new=node.is_new
                    ) is None and satisfies_affinity(template, node.labels, is_new=node.is_new)
                answers.append(known[shown])
            found = self._admitted[asked] = np.array(answers, dtype=bool)
        return found

    def _tolerating(self, template: PodTemplate) -> BoolArray:
        found = self._tolerated.get(template.tolerations)
        if found is None:
            known = {
                taints: untolerated(taints, template.tolerations) is None
                for taints in {node.taints for node in self._state.nodes}
            }
            found = np.array([known[node.taints] for node in self._state.nodes], dtype=bool)
            self._tolerated[template.tolerations] = found
        return found
