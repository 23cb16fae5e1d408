"""What a bundle holds, and the room that bundles have to fit in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
class ContentSums:
    """What pods take together.

    Parameters
    ----------
    requests
        int64 array (kind, r): of one pod by itself.
    once
        For each kind, what its pods share with others and is taken once: int64 arrays (r,). What is shared
        is the same object.
    """

    requests: NDArray[np.int64]
    once: Sequence[tuple[NDArray[np.int64], ...]]

    def of(self, content: Content) -> NDArray[np.int64]:
        """Amounts that these pods take: int64 array (r,)."""
        total: NDArray[np.int64] = np.sum([pods * self.requests[k] for k, pods in content], axis=0)
        for amounts in self.taken_once(k for k, _ in content):
            total = total + amounts
        return total

    def taken_once(self, kinds: Iterable[int]) -> list[NDArray[np.int64]]:
        """What pods of these kinds share, each once."""
        return list({id(amounts): amounts for k in kinds for amounts in self.once[k]}.values())


@dataclass(frozen=True, slots=True)
class Room:
    """What nodes hold, to leave out bundles that none holds.

    Parameters
    ----------
    allocatable
        int64 array (c, r).
    """

    sums: ContentSums
    allocatable: NDArray[np.int64]

    def fits(self, content: Content) -> bool:
        """Whether some node has room for these pods."""
        return bool((self.allocatable >= self.sums.of(content)).all(axis=1).any())

    def most(self, k: int, beside: Content) -> int:
        """Most pods of a kind that some node holds beside others."""
        requests = self.sums.requests[k]
        left = self.allocatable - self.sums.of(((k, 0), *beside))
        left = left[(left >= 0).all(axis=1)]
        used = requests > 0
        return int((left[:, used] // requests[used]).min(axis=1).max(initial=0))

    def prefixes(self, pods: Sequence[int]) -> list[int]:
        """How many pods of a sequence, given by kind, the nodes hold: the lengths that occur, falling."""
        if not len(self.allocatable):
            return []
        rows = self.sums.requests[list(pods)]
        known: set[int] = set()
        for position, k in enumerate(pods):
            for amounts in self.sums.once[k]:
                if id(amounts) not in known:
                    known.add(id(amounts))
                    rows[position] += amounts
        total = np.cumsum(rows, axis=0)
        held = np.full(len(self.allocatable), len(pods))
        for r in range(total.shape[1]):
            held = np.minimum(held, np.searchsorted(total[:, r], self.allocatable[:, r], side="right"))
        return sorted(set(held.tolist()) - {0}, reverse=True)
