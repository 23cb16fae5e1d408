"""The bundles of a problem: groups on one node, and pods with those that want to be near them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.bundles.bundle import (
    NO_BUNDLES,
    Bundle,
    Bundles,
    Content,
    Nodes,
    Room,
    both,
)
from binwright_optimizer.instance.bundles.needs import Needs, needs_of
from binwright_optimizer.instance.bundles.ties import Tie, ties_of
from binwright_optimizer.instance.claims import Claim, ClaimName
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.device_claims import ClaimedDevices
from binwright_optimizer.instance.device_sums import GPU_MILLI
from binwright_optimizer.instance.stated import Rules
from binwright_optimizer.model import Problem
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.resources import NVIDIA_GPU

MOST_FOLLOWINGS = 64
"""Bundles of one pod, or group, with others that want to be near it; beyond, some numbers are left out."""
MOST_PARTS = 8
"""Smaller bundles of a group, for when it does not fit whole."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A group that is placed together, or a single pod of a kind, ``count`` times."""

    content: Content
    count: int
    nodes: Nodes = None


def bundles_of(
    problem: Problem,
    rules: Rules,
    kinds: Kinds,
    demand: NDArray[np.int64],
    claims: Mapping[ClaimName, Claim],
    claimed: ClaimedDevices,
    room: Room,
) -> Bundles:
    """All bundles.

    Parameters
    ----------
    demand
        int64 array (kind,).
    """
    ties = ties_of(problem, kinds, demand, claims, claimed)
    needs = needs_of(rules, kinds, demand)
    if not ties and not needs.of:
        return NO_BUNDLES
    found: list[Bundle] = []
    clusters = _clusters(ties, needs)
    for number, cluster in enumerate(clusters):
        tied = {k for tie in ties for k in tie.kinds}
        units = [_whole(tie, demand) for tie in ties if set(tie.kinds) <= cluster]
        units += [_Unit(((k, 1),), int(demand[k])) for k in sorted(cluster - tied)]
        maker = _Maker(units, needs, kinds, room, number)
        found += [bundle for bundle in maker.bundles() if not _shares_gpus(bundle, kinds)]
    found = sorted(set(found), key=lambda b: (b.content, sorted(b.nodes or ()), b.family))
    return Bundles(tuple(found), frozenset().union(*clusters))


def _shares_gpus(bundle: Bundle, kinds: Kinds) -> bool:
    """Whether several pods would come with parts of GPUs, which are packed one pod at a time."""
    return sum(pods for _, pods in bundle.content) > 1 and any(
        kinds.requests[k][GPU_MILLI] != WHOLE_GPU_MILLI * kinds.requests[k][NVIDIA_GPU]
        for k, _ in bundle.content
        if kinds.requests[k][GPU_MILLI]
    )


def _whole(tie: Tie, demand: NDArray[np.int64]) -> _Unit:
    return _Unit(tuple((k, int(demand[k])) for k in tie.kinds), 1, tie.nodes)


def _clusters(ties: Sequence[Tie], needs: Needs) -> list[set[int]]:
    """Kinds that ties and needs connect."""
    links = [set(tie.kinds) for tie in ties]
    links += [{k, *need.targets} for k, need in needs.of.items()]
    clusters: list[set[int]] = []
    for link in links:
        apart = [cluster for cluster in clusters if not cluster & link]
        clusters = [*apart, link.union(*(cluster for cluster in clusters if cluster & link))]
    return sorted(clusters, key=min)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Bundles of one cluster."""

    units: list[_Unit]
    needs: Needs
    kinds: Kinds
    room: Room
    family: int

    def bundles(self) -> Iterator[Bundle]:
        """Each pod, or group, that may be on a node alone, and those with others that follow it."""
        alone = {unit: self._nodes([unit], [1]) for unit in self.units}
        leaders = [unit for unit, nodes in alone.items() if nodes is None or nodes]
        others = [unit for unit in self.units if alone[unit] is not None]
        for leader in leaders:
            yield from self._following(leader, [unit for unit in others if unit is not leader])
        for founding in self._foundings([unit for unit in leaders if alone[unit] is None]):
            held = {k for k, _ in founding.content}
            rest = [unit for unit in others if not held & {k for k, _ in unit.content}]
            yield from self._following(founding, rest)

    def _nodes(self, units: Sequence[_Unit], counts: Sequence[int]) -> Nodes:
        """Where so many of these units may be on a node without others of the cluster."""
        nodes: Nodes = None
        for unit, count in zip(units, counts, strict=True):
            nodes = both(nodes, unit.nodes) if count else nodes
        return both(nodes, self.needs.nodes(dict(_sum(units, counts))))

    def _foundings(self, leaders: Sequence[_Unit]) -> Iterator[_Unit]:
        """Everything that may start a node since it selects itself, where nothing else can be first."""
        first = {k for unit in leaders for k, _ in unit.content}
        seen = set()
        for k in sorted(self.needs.of):
            targets = self.needs.of[k].targets
            if not self.needs.is_founder(k) or first & targets or targets in seen:
                continue
            seen.add(targets)
            units = [unit for unit in self.units if targets & {m for m, _ in unit.content}]
            if units and k in {m for unit in units for m, _ in unit.content}:
                counts = [unit.count for unit in units]
                nodes = self._nodes(units, counts)
                if nodes is None or nodes:
                    yield _Unit(_sum(units, counts), 1, nodes)

    def _following(self, leader: _Unit, others: Sequence[_Unit]) -> Iterator[Bundle]:
        """One leader with any numbers of those that can follow it, itself first; parts of a group last."""
        base = leader.content
        most = [min(unit.count, self._most(unit, base)) for unit in others]
        followers = [(unit, n) for unit, n in zip(others, most, strict=True) if n]
        units = [leader, *(unit for unit, _ in followers)]
        is_group = sum(pods for _, pods in base) > 1
        for counts in itertools.product(*_numbers([n for _, n in followers])):
            content = _sum(units, (1, *counts))
            if not self.room.fits(content) and any(counts):
                continue
            nodes = self._nodes(units, (1, *counts))
            if nodes is None or nodes:
                yield Bundle(content, nodes, self.family if is_group else -1)
        if is_group and not followers:
            yield from self._parts(leader)

    def _most(self, unit: _Unit, base: Content) -> int:
        if len(unit.content) > 1 or unit.content[0][1] > 1:
            return 1
        return self.room.most(unit.content[0][0], base)

    def _parts(self, group: _Unit) -> Iterator[Bundle]:
        """Smaller groups: the pods of highest priority that some node holds."""
        order = sorted(group.content, key=lambda pair: (-int(self.kinds.priority[pair[0]]), pair[0]))
        pods = [k for k, count in order for _ in range(count)]
        for length in [n for n in self.room.prefixes(pods) if n < len(pods)][:MOST_PARTS]:
            kept = pods[:length]
            content = tuple((k, kept.count(k)) for k in sorted(set(kept)))
            placed = np.zeros_like(self.needs.demand)
            for k, count in content:
                placed[k] = count
            nodes = both(group.nodes, replace(self.needs, demand=placed).nodes(dict(content)))
            if nodes is None or nodes:
                yield Bundle(content, nodes, self.family)


def _sum(units: Sequence[_Unit], counts: Sequence[int]) -> Content:
    total: dict[int, int] = {}
    for unit, count in zip(units, counts, strict=True):
        for k, pods in unit.content if count else ():
            total[k] = total.get(k, 0) + count * pods
    return tuple(sorted(total.items()))


def _numbers(most: Sequence[int]) -> list[list[int]]:
    """For each follower the numbers that are tried: all, or fewer the larger, if there are too many."""
    numbers = [list(range(n + 1)) for n in most]
    growth = 1.0
    while math.prod(map(len, numbers)) > MOST_FOLLOWINGS and growth < 1e3:
        growth *= 1.25
        numbers = [_thinned(n, growth) for n in most]
    return numbers


def _thinned(most: int, growth: float) -> list[int]:
    """Numbers from 0 to ``most``, each at least so many times as large as the one before."""
    found, size = [0], 1
    while size < most:
        found.append(size)
        size = max(size + 1, math.ceil(size * growth))
    return [*found, most] if most else found
