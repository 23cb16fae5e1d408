"""What solves leave behind for the next: columns and dual prices by content, not by number.

A controller asks nearly the same question again and again. Its classes are recognised by what their pods
ask for and where they may go, its candidates by what is bought; what no longer fits is dropped, prices and
demands are the new ones. All of it only tells a search where to begin: columns are checked against the new
instance, and dual prices are priced again before they bound anything.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.known import Known
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.admission import placement_key

Classes = list[tuple[int, int]]
"""Hashes of kinds of pods with the class of each."""
MOST_STARTS = 16
"""Questions remembered; a megabyte each at the most."""
LEAST_ALIKE = 0.3
"""Share of the pods that must be known of old for a question to help with another."""
SAME = 0.8
"""Share of the pods from which a question takes the place of the one before it."""
MOST_RULED = 500
"""Columns that are tried under node rules, which are checked one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class WarmStart:
    """One search's columns and dual prices.

    Parameters
    ----------
    classes
        Number of the class that each recognisable kind of pods was in.
    candidates
        What each candidate was, in order.
    column_of, class_of, count_of
        Patterns without their zeros: int arrays (q,).
    known
        The same search's `Known`, its patterns left out.
    """

    classes: dict[int, int]
    candidates: tuple[Hashable, ...]
    column_of: NDArray[np.intp]
    class_of: NDArray[np.intp]
    count_of: NDArray[np.int32]
    known: Known

    @classmethod
    def of(cls, instance: Instance, known: Known) -> WarmStart:
        """What is worth remembering of a search over this instance."""
        column_of, class_of = np.nonzero(known.patterns)
        return cls(
            dict(classes_of(instance)),
            tuple(_candidates(instance)),
            column_of,
            class_of,
            known.patterns[column_of, class_of],
            replace(known, patterns=known.patterns[:, :0]),
        )

    def likeness(self, instance: Instance, classes: Classes) -> float:
        """Share of the instance's pods whose class is recognised."""
        met = np.zeros(instance.n_classes, dtype=bool)
        met[[i for key, i in classes if key in self.classes]] = True
        total = int(instance.demand.sum())
        return float(instance.demand[met].sum()) / total if total else 0.0

    def known_in(self, instance: Instance, classes: Classes) -> Known:
        """What of it holds for this instance."""
        new_of_old = np.full(len(self.known.prices), -1, dtype=np.intp)
        prices = np.zeros(instance.n_classes)
        for key, i in classes:
            old = self.classes.get(key)
            if old is not None:
                prices[i] = max(prices[i], self.known.prices[old])
                if new_of_old[old] < 0:
                    new_of_old[old] = i
        position = {key: j for j, key in enumerate(_candidates(instance))}
        bought = np.array([position.get(key, -1) for key in self.candidates], dtype=np.intp)
        candidates = bought[self.known.candidates]
        patterns = np.zeros((len(candidates), instance.n_classes), dtype=np.int32)
        places = new_of_old[self.class_of]
        held = places >= 0
        np.add.at(patterns, (self.column_of[held], places[held]), self.count_of[held])
        kept = np.flatnonzero(candidates >= 0)
        candidates, patterns, nodes = candidates[kept], patterns[kept], self.known.nodes[kept]
        patterns[~instance.compatible.T[candidates]] = 0
        np.minimum(patterns, np.minimum(instance.demand, instance.node_cap), out=patterns, casting="unsafe")
        is_good = patterns.any(axis=1)
        is_good &= (patterns @ instance.requests <= instance.allocatable[candidates]).all(axis=1)
        good = np.flatnonzero(is_good)
        if not instance.rules.is_empty:
            tried = good[:MOST_RULED]
            allowed = [instance.rules.allows(int(candidates[p]), patterns[p]) for p in tried]
            good = tried[np.array(allowed, dtype=bool)]
        of_old = self.known
        return Known(candidates[good], patterns[good], nodes[good], prices, of_old.is_close, of_old.branches)


class Memory:
    """The last warm starts; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starts: list[WarmStart] = []

    def __len__(self) -> int:
        return len(self._starts)

    def recall(self, instance: Instance) -> Known | None:
        """What the question most like this one taught; None if none is like it."""
        with self._lock:
            starts = list(self._starts)
        classes = classes_of(instance) if starts else []
        best, likeness = None, LEAST_ALIKE
        for start in reversed(starts):
            alike = start.likeness(instance, classes)
            if alike > likeness:
                best, likeness = start, alike
        known = None if best is None else best.known_in(instance, classes)
        return known if known is not None and len(known.candidates) else None

    def keep(self, instance: Instance, known: Known) -> None:
        """Remember a search, in place of one over nearly the same pods or of the oldest."""
        start, classes = WarmStart.of(instance, known), classes_of(instance)
        with self._lock:
            others = [other for other in self._starts if other.likeness(instance, classes) < SAME]
            self._starts = [*others[-MOST_STARTS + 1 :], start]


def classes_of(instance: Instance) -> Classes:
    """What each kind of pods, or bundle of them, asks for, as a hash, with its class.

    Kinds are looked up in every warm start there is, and hashing thousands of them takes longer than that;
    two that share a hash by chance are a wrong guess, which is checked like any other.
    """
    kinds, localized = instance.origin.kinds, instance.origin.localized
    placements = [hash(placement_key(template, instance.problem)) for template in kinds.placements]
    own = [
        hash((requests, placements[placement], priority, stated))
        for requests, placement, priority, stated in zip(
            kinds.requests, kinds.placement_of.tolist(), kinds.priority.tolist(), kinds.stated, strict=True
        )
    ]
    found = []
    for local, i in enumerate(instance.origin.class_of_local.tolist()):
        if i >= 0:
            parts = tuple((own[k], pods) for k, pods in localized.contents[local])
            found.append((hash((parts, localized.scopes[local])), i))
    return found


def _candidates(instance: Instance) -> Iterator[Hashable]:
    """What each candidate is: an offering for a NodePool, or the room of existing nodes."""
    shelf, problem = instance.shelf, instance.problem
    types = problem.catalog.instance_types
    for j, row in enumerate(instance.row_of.tolist()):
        if row < 0:
            yield (instance.resources, instance.allocatable[j].tobytes())
            continue
        kind = types[shelf.type_of[row]]
        offering = shelf.offering(problem.catalog, row)
        variant = instance.variants[instance.variant_of[j]]
        yield (
            problem.node_pools[variant.pool].name,
            variant.fixed,
            kind.name,
            offering.region,
            offering.zone,
            offering.capacity_type,
            int(shelf.held_limit[row]),
        )
