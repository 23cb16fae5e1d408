"""Required pod affinity and anti-affinity, in the final state and whatever order the pods come in.

**Affinity.** A pod's *targets* are the pods that all of its terms select (kube-scheduler counts no
others). For each term the pod's node carries the key and its domain holds a target that is there
without the pod's help:

- a running target, or a placed one that states no affinity;
- a placed target whose own affinity is met in this way;
- or the pod is a *founder*, as is each pod like it in that domain: it is a target of its own terms, no
  target runs, and every target of the final state is in its domain. Whichever of them comes first may
  start the domain, since no target is anywhere; the others find one.

Pods that could only wait for each other, a second domain beside a founded one, and a new domain beside
running targets are refused: kube-scheduler would leave such pods pending in every order.

**Anti-affinity.** For each term of a placed or running pod, no other selected pod is in the pod's
domain, unless both run already. A node without the key is in no domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import labels
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import LACKS_KEY, FinalState, Finding, NodeArray
from binwright_optimizer.verify.rulebook import Kinds

BoolArray = NDArray[np.bool_]


def check_affinity(state: FinalState) -> Iterator[Finding]:
    """Placed pods whose required pod affinity does not hold."""
    followers = [_Follower.of(state, k) for k in state.placed_kinds() if _has_terms(state, k)]
    by_kind = {follower.kind: follower for follower in followers}
    for follower in followers:
        follower.found(state)
    is_moving = True
    while is_moving:
        is_moving = False
        for follower in followers:
            is_moving |= follower.join(state, by_kind)
    for follower in followers:
        yield from follower.findings(state)


def _has_terms(state: FinalState, k: int) -> bool:
    return bool(state.book.kinds[k].template.pod_affinity.required)


@dataclass(slots=True)
class _Follower:
    """A kind with affinity terms.

    Parameters
    ----------
    targets
        Kinds that all of its terms select.
    nodes
        (entry,): where its pods are.
    is_met
        (entry,): whether its terms are known to hold there.
    """

    kind: int
    keys: tuple[str, ...]
    targets: Kinds
    nodes: NodeArray
    is_met: BoolArray

    @classmethod
    def of(cls, state: FinalState, k: int) -> _Follower:
        """The follower of this kind, nothing known yet."""
        kind = state.book.kinds[k]
        terms = kind.template.pod_affinity.required
        targets = set.intersection(*(set(state.book.meant(kind, term)) for term in terms))
        nodes = state.new(k).nodes
        return cls(
            kind=k,
            keys=tuple(sorted({term.topology_key for term in terms})),
            targets=tuple(sorted(targets)),
            nodes=nodes,
            is_met=np.zeros(len(nodes), dtype=bool),
        )

    def found(self, state: FinalState) -> None:
        """Mark pods that may start their domain, since no target is or will be elsewhere."""
        if self.kind not in self.targets:
            return
        for key in self.keys:
            if any(_domains_of(state, state.running(k).nodes, key) for k in self.targets):
                return
        can_found = np.ones(len(self.nodes), dtype=bool)
        for key in self.keys:
            used = set().union(*(_domains_of(state, state.new(k).nodes, key) for k in self.targets))
            if len(used) != 1:
                return
            can_found &= state.domains(key).codes[self.nodes] != LACKS_KEY
        self.is_met |= can_found

    def join(self, state: FinalState, followers: dict[int, _Follower]) -> bool:
        """Mark pods beside targets that are there without them; whether any was marked."""
        if self.is_met.all():
            return False
        joins = ~self.is_met
        for key in self.keys:
            there: set[int] = set()
            for k in self.targets:
                there |= _domains_of(state, state.running(k).nodes, key)
                placed = state.new(k).nodes
                if k in followers:
                    placed = placed[followers[k].is_met]
                there |= _domains_of(state, placed, key)
            joins &= np.isin(state.domains(key).codes[self.nodes], sorted(there))
        self.is_met |= joins
        return bool(joins.any())

    def findings(self, state: FinalState) -> Iterator[Finding]:
        """One for each domain, or node, where the terms do not hold."""
        about = Rule.AFFINITY_ON_NODES if labels.HOSTNAME in self.keys else Rule.POD_AFFINITY
        seen = set()
        for n in self.nodes[~self.is_met].tolist():
            codes = tuple(int(state.domains(key).codes[n]) for key in self.keys)
            if codes in seen:
                continue
            seen.add(codes)
            pod, node = state.pod(self.kind, n), state.nodes[n].name
            lacking = [key for key, code in zip(self.keys, codes, strict=True) if code == LACKS_KEY]
            if lacking:
                yield Finding(about, f"pod {pod} is on {node}, which has no label {lacking[0]}")
                continue
            where = " and ".join(state.where(n, key) for key in self.keys)
            count = min(
                state.tally(self.targets, key).get(code, 0)
                for key, code in zip(self.keys, codes, strict=True)
            )
            others = count - (self.kind in self.targets)
            yield Finding(
                about,
                f"pod {pod} is on {node} in {where} with {others} other pods that its terms select, none of "
                "which can be there before it",
            )


def _domains_of(state: FinalState, nodes: NodeArray, key: str) -> set[int]:
    return set(np.unique(state.domains(key).codes[nodes]).tolist()) - {LACKS_KEY}


def check_anti_affinity(state: FinalState) -> Iterator[Finding]:
    """Domains with a pod and another that its anti-affinity keeps away, at least one of them placed."""
    for k, kind in enumerate(state.book.kinds):
        for term in kind.template.pod_anti_affinity.required:
            kinds = state.book.meant(kind, term)
            codes = state.domains(term.topology_key).codes
            yield from _kept_away(state, k, kinds, term.topology_key, codes)
            yield from _kept_away_by_running(state, k, kinds, term.topology_key, codes)


def _kept_away(state: FinalState, k: int, kinds: Kinds, key: str, codes: NodeArray) -> Iterator[Finding]:
    nodes = state.new(k).nodes
    if not len(nodes):
        return
    count = state.tally(kinds, key)
    own = int(k in kinds)
    seen = set()
    for n in nodes.tolist():
        code = int(codes[n])
        if code not in seen and count.get(code, 0) > own:
            seen.add(code)
            yield Finding(
                Rule.POD_ANTI_AFFINITY,
                f"pod {state.pod(k, n)} is on {state.nodes[n].name} in {state.where(n, key)} with "
                f"{count[code] - own} other pods that it keeps away from",
            )


def _kept_away_by_running(
    state: FinalState, k: int, kinds: Kinds, key: str, codes: NodeArray
) -> Iterator[Finding]:
    nodes = state.running(k).nodes
    if not len(nodes):
        return
    newcomers = state.tally(kinds, key, only_new=True)
    seen = set()
    for n in nodes.tolist():
        code = int(codes[n])
        if code not in seen and newcomers.get(code, 0):
            seen.add(code)
            yield Finding(
                Rule.RUNNING_PODS,
                f"a pod that runs on {state.nodes[n].name} keeps {newcomers[code]} placed pods away from "
                f"{state.where(n, key)}",
            )
