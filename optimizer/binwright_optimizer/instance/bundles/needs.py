"""Required pod affinity by hostname: which pods a pod needs on its node.

A pod's *targets* are the pods that all of its terms select. It may be on a node that has a target which is
there without its help; or it is a *founder*: a target of its own, while no target runs and all of them come
to this node (kube-scheduler lets the first pod of a group that selects itself start anywhere, as long as no
target is anywhere: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/). Terms
about larger domains follow from one about the hostname, as they select the same targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.bundles.bundle import ANYWHERE, Nodes
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.stated import Rules
from binwright_optimizer.model import labels


@dataclass(frozen=True, slots=True)
class Need:
    """What a kind needs beside it.

    Parameters
    ----------
    targets
        Kinds of its targets, maybe its own.
    running
        Existing nodes on which targets run.
    """

    targets: frozenset[int]
    running: frozenset[int]


@dataclass(frozen=True, slots=True)
class Needs:
    """The kinds with such terms.

    Parameters
    ----------
    demand
        int64 array (kind,).
    """

    of: Mapping[int, Need]
    demand: NDArray[np.int64]

    def nodes(self, pods: Mapping[int, int]) -> Nodes:
        """Where these pods may be on a node with no others; an empty set if nowhere."""
        if self._is_grounded(pods, None):
            return ANYWHERE
        places: Iterable[int] = set().union(*(self.of[k].running for k in pods if k in self.of))
        return frozenset(n for n in places if self._is_grounded(pods, n))

    def is_founder(self, k: int) -> bool:
        """Whether a kind may be the first of its targets."""
        return k in self.of[k].targets and not self.of[k].running

    def _is_grounded(self, pods: Mapping[int, int], node: int | None) -> bool:
        there = {k for k in pods if k not in self.of or node in self.of[k].running or self._founds(k, pods)}
        waiting = set(pods) - there
        while waiting:
            come = {k for k in waiting if self.of[k].targets & there}
            if not come:
                return False
            there |= come
            waiting -= come
        return True

    def _founds(self, k: int, pods: Mapping[int, int]) -> bool:
        return self.is_founder(k) and all(pods.get(m, 0) == self.demand[m] for m in self.of[k].targets)


def needs_of(rules: Rules, kinds: Kinds, demand: NDArray[np.int64]) -> Needs:
    """What each kind needs beside it."""
    found = {}
    for k, stated in enumerate(kinds.stated):
        if demand[k] and any(near.topology_key == labels.HOSTNAME for near in stated.near):
            wanted = frozenset(near.selection for near in stated.near)
            targets = frozenset(
                m for m, mine in enumerate(kinds.selected) if demand[m] and wanted <= set(mine)
            )
            running = np.flatnonzero(rules.selections.running_in_all(wanted))
            found[k] = Need(targets, frozenset(running.tolist()))
    return Needs(found, demand)
