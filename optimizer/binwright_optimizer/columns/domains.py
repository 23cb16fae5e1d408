"""Domains one by one: once pods are allocated to domains, each is a problem of its own.

Under rules about numbers of pods in domains a class is split by domain, and the master has a row for each
part and each rule. Once pods are allocated, though, nothing ties the domains together: each is several times
smaller than the whole, and what is a good pattern in one is one in the next wherever that sells the same.
Dual prices of the domains, put together, prove a bound on the whole, since allocations differ little where
rules balance them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.bundles import Content
from binwright_optimizer.instance.domains.linking import Linking
from binwright_optimizer.instance.restrict import restricted

Float = NDArray[np.float64]
Patterns = tuple[NDArray[np.intp], NDArray[np.int32]]
"""Candidates (p,) and patterns (p, i)."""


@dataclass(frozen=True, slots=True)
class Component:
    """Classes and candidates that share nothing with any others: intp arrays, and their own instance."""

    classes: NDArray[np.intp]
    candidates: NDArray[np.intp]
    instance: Instance

    def own(self, columns: Patterns) -> Patterns:
        """Those of the columns that are on its candidates, in its own numbers."""
        mine = np.isin(columns[0], self.candidates)
        positions = np.searchsorted(self.candidates, columns[0][mine]).astype(np.intp)
        return positions, np.ascontiguousarray(columns[1][mine][:, self.classes])

    def wide(self, columns: Patterns, n_classes: int) -> Patterns:
        """Its columns in the numbers of the whole."""
        patterns = np.zeros((len(columns[0]), n_classes), dtype=np.int32)
        patterns[:, self.classes] = columns[1]
        return self.candidates[columns[0]], patterns


def components(instance: Instance) -> list[Component]:
    """The parts of an instance whose pods are allocated to domains; none if limits or minimums tie them."""
    asked = np.flatnonzero(instance.demand > 0)
    if instance.limits or instance.minimums or not len(asked):
        return []
    holds = instance.compatible[asked]
    label = np.arange(len(asked))
    while True:  # every class takes over the least label that a shared candidate knows
        of_candidate = np.where(holds, label[:, None], len(asked)).min(axis=0)
        least = np.where(holds, of_candidate[None, :], len(asked)).min(axis=1)
        if (least == label).all():
            break
        label = least
    found = []
    for number in np.unique(label):
        classes = asked[label == number]
        candidates = np.flatnonzero(of_candidate == number)
        part = restricted(instance, classes, candidates, instance.demand[classes])
        found.append(Component(classes, candidates, part))
    return found


def joined(columns: Sequence[Patterns]) -> Patterns:
    """All of them."""
    return np.concatenate([c for c, _ in columns]), np.concatenate([p for _, p in columns])


class Twins:
    """Classes of one kind and candidates of one shape in different domains."""

    def __init__(self, instance: Instance, linking: Linking) -> None:
        self.instance = instance
        first: dict[Content, int] = {}
        self.group = np.arange(instance.n_classes)
        for i, content in zip(linking.class_of.tolist(), linking.contents(), strict=True):
            self.group[i] = first.setdefault(content, i)
        self._like: dict[tuple[object, ...], list[int]] = {}
        for j in range(instance.n_candidates):
            self._like.setdefault(self._shape(j), []).append(j)

    def _shape(self, j: int) -> tuple[object, ...]:
        """What candidates of different domains have to share; a running node is like no other."""
        instance = self.instance
        return (
            int(instance.pool_of[j]),
            int(instance.price[j]),
            instance.existing_of[j],
            instance.allocatable[j].tobytes(),
        )

    def of_columns(self, columns: Patterns) -> Patterns:
        """The patterns on every like candidate, itself included, that holds pods of the same kinds."""
        instance, by_group = self.instance, np.zeros(self.instance.n_classes, dtype=np.int32)
        candidates: list[int] = []
        patterns: list[NDArray[np.int32]] = []
        for own, pattern in zip(*columns, strict=True):
            used = np.flatnonzero(pattern)
            by_group[self.group[used]] = pattern[used]
            wide = by_group[self.group]
            by_group[self.group[used]] = 0
            for j in self._like[self._shape(int(own))]:
                there = np.where(instance.compatible[:, j], wide, 0).astype(np.int32)
                if int(there.sum()) == int(pattern.sum()):  # else some kind is not held there, or twice
                    candidates.append(j)
                    patterns.append(there)
        shape = (len(candidates), instance.n_classes)
        return np.array(candidates, dtype=np.intp), np.array(patterns, dtype=np.int32).reshape(shape)

    def prices(self, pods: Float, is_known: NDArray[np.bool_]) -> Float:
        """Prices of all classes: those that no domain has priced take the least of their twins'."""
        least = np.full(len(pods), np.inf)
        np.minimum.at(least, self.group[is_known], pods[is_known])
        of_twins = least[self.group]
        return np.where(is_known, pods, np.where(np.isfinite(of_twins), of_twins, 0.0))
