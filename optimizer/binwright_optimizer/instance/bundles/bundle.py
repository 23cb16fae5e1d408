"""What a bundle holds, and the room that bundles have to fit in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Content = tuple[tuple[int, int], ...]
"""Pods of one item by kind, as sorted pairs."""
Nodes = frozenset[int] | None
"""Existing nodes that something is bound to; None: it may be anywhere."""

ANYWHERE: Nodes = None


def both(mine: Nodes, theirs: Nodes) -> Nodes:
    """Nodes that both allow."""
    if mine is None or theirs is None:
        return theirs if mine is None else mine
    return mine & theirs


@dataclass(frozen=True, slots=True)
class Bundle:
    """Pods that come to a node together.

    Parameters
    ----------
    family
        Bundles of one family exclude each other: at most one of them is placed; -1: of none.
    """

    content: Content
    nodes: Nodes = ANYWHERE
    family: int = -1


@dataclass(frozen=True, slots=True)
class Bundles:
    """All bundles of a problem, and the kinds that are placed in no other way."""

    of: tuple[Bundle, ...] = ()
    kinds: frozenset[int] = frozenset()


NO_BUNDLES = Bundles()


@dataclass(frozen=True, slots=True)
class Room:
    """What nodes hold, to leave out bundles that none holds.

    Parameters
    ----------
    requests
        int64 array (kind, r).
    allocatable
        int64 array (c, r).
    """

    requests: NDArray[np.int64]
    allocatable: NDArray[np.int64]

    def fits(self, content: Content) -> bool:
        """Whether some node has room for these pods."""
        total = np.sum([pods * self.requests[k] for k, pods in content], axis=0)
        return bool((self.allocatable >= total).all(axis=1).any())

    def most(self, k: int, beside: Content) -> int:
        """Most pods of a kind that some node holds beside others."""
        left = self.allocatable - np.sum([pods * self.requests[m] for m, pods in beside], axis=0)
        left = left[(left >= 0).all(axis=1)]
        used = self.requests[k] > 0
        return int((left[:, used] // self.requests[k][used]).min(axis=1).max(initial=0))

    def prefixes(self, pods: Sequence[int]) -> list[int]:
        """How many pods of a sequence, given by kind, the nodes hold: the lengths that occur, falling."""
        if not len(self.allocatable):
            return []
        total = np.cumsum(self.requests[list(pods)], axis=0)
        held = np.full(len(self.allocatable), len(pods))
        for r in range(total.shape[1]):
            held = np.minimum(held, np.searchsorted(total[:, r], self.allocatable[:, r], side="right"))
        return sorted(set(held.tolist()) - {0}, reverse=True)
