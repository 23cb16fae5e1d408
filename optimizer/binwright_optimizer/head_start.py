"""A head start where pods are charged for their places: the answer to the problem without charges.

Charges split kinds of pods into many (`instance.charges`), while most are small beside the price of a node:
the problem without them is several times smaller, its answer places all pods, and its dual prices prove a
bound on the whole, since charges only add to what it costs. What it finds is translated: every pod is of the
local kind that is charged where it was placed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.columns.known import Head
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.instance.choices import has_choices
from binwright_optimizer.model import PodTemplate, Problem
from binwright_optimizer.model.policies import PreferencePolicy
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.queues import ClassQueues
from binwright_optimizer.search import Search
from binwright_optimizer.stopping import Reserved, Stop
from binwright_optimizer.work import Work

HEAD_START_SHARE = 0.4
"""Share of the time that the problem without charges may take."""


def head_start(instance: Instance, params: SolveParams, stop: Stop, work: Work) -> Head | None:
    """Where to begin; None if nobody is charged, or if what is found cannot be translated."""
    problem = instance.problem
    if instance.linking is None or not instance.linking.charge.any() or has_choices(problem):
        return None
    plain = build_instance(without_charges(problem))
    translation = Translation.between(plain, instance)
    if translation is None:
        return None
    limit = Reserved.within(stop, HEAD_START_SHARE * max(0.0, stop.remaining_s()))
    search = Search(plain, params, limit, work=work)
    packing = search.run().packing
    if packing.is_partial(plain) or packing.short:
        return None
    return translation.of(packing, search.generation)


def without_charges(problem: Problem) -> Problem:
    """The problem in which no pod is charged for its place."""
    policies = replace(problem.policies, preferences=PreferencePolicy.IGNORE, restart_cost_microusd=0)
    plain: dict[int, PodTemplate] = {}
    for workload in problem.workloads:
        template = workload.template
        if template.restart_cost_microusd and id(template) not in plain:
            plain[id(template)] = replace(template, restart_cost_microusd=0)
    workloads = tuple(
        replace(w, template=plain[id(w.template)]) if id(w.template) in plain else w
        for w in problem.workloads
    )
    return replace(problem, workloads=workloads, policies=policies)


@dataclass(slots=True)
class _Places:
    """Which local kind a pod is of, by its kind and the candidate ``c`` (as in `Localized`) that it is on."""

    instance: Instance
    locals_of: dict[int, list[int]]
    first_of_variant: NDArray[np.intp]
    known: dict[tuple[int, int], int]

    @classmethod
    def of(cls, instance: Instance) -> _Places | None:
        """None if pods are placed in bundles."""
        locals_of: dict[int, list[int]] = {}
        for local, content in enumerate(instance.origin.localized.contents):
            if len(content) > 1 or content[0][1] > 1:
                return None
            locals_of.setdefault(content[0][0], []).append(local)
        widths = [len(part.rows) for part in instance.origin.shelved]
        return cls(instance, locals_of, np.concatenate([[0], np.cumsum(widths)]).astype(np.intp), {})

    @property
    def width(self) -> int:
        """Number of candidates ``c``."""
        return int(self.instance.origin.localized.admitted.shape[1])

    def bought(self, j: int) -> int:
        """The candidate ``c`` that a candidate ``j`` buys."""
        variant = int(self.instance.variant_of[j])
        rows = self.instance.origin.shelved[variant].rows
        return int(self.first_of_variant[variant] + np.searchsorted(rows, self.instance.row_of[j]))

    def local(self, kind: int, c: int) -> int:
        """The local kind; -1 if nothing holds it there."""
        found = self.known.get((kind, c))
        if found is None:
            localized = self.instance.origin.localized
            found = -1
            for local in self.locals_of.get(kind, ()):
                if (
                    localized.admitted[int(localized.placement_of[local]), c]
                    and self.instance.origin.class_of_local[local] >= 0
                ):
                    found = local
                    break
            self.known[kind, c] = found
        return found


@dataclass(slots=True)
class Translation:
    """From the problem without charges to the one with them."""

    plain: _Places
    charged: _Places

    @classmethod
    def between(cls, plain: Instance, charged: Instance) -> Translation | None:
        """None if the two do not speak of the same places."""
        a, b = _Places.of(plain), _Places.of(charged)
        if a is None or b is None or a.width != b.width:
            return None
        if [v.fixed for v in plain.variants] != [v.fixed for v in charged.variants]:
            return None
        return cls(a, b)

    def of(self, packing: Packing, generation: Generation) -> Head | None:
        """The packing, columns and prices, in the terms of the problem with charges."""
        instance = self.charged.instance
        assert instance.linking is not None
        number = {local: v for v, local in enumerate(_linked_locals(instance))}
        allocation = np.zeros(instance.linking.n_local, dtype=np.int64)
        holders = _Holders(instance)
        candidates: list[int] = []
        counts: list[int] = []
        patterns: list[NDArray[np.int32]] = []
        for (c, pods), count in self._nodes(packing).items():
            pattern = np.zeros(instance.n_classes, dtype=np.int32)
            for kind, amount in pods:
                local = self.charged.local(kind, c)
                if local < 0:
                    return None
                pattern[instance.origin.class_of_local[local]] += amount
                if local in number:
                    allocation[number[local]] += amount * count
            j = holders.at(c, pattern)
            if j < 0:
                return None
            candidates.append(j)
            counts.append(count)
            patterns.append(pattern)
        return Head(
            np.array(candidates, dtype=np.intp),
            np.array(counts, dtype=np.int64),
            np.array(patterns, dtype=np.int32).reshape(len(patterns), instance.n_classes),
            allocation,
            self._prices(generation),
        )

    def _nodes(self, packing: Packing) -> Counter[tuple[int, tuple[tuple[int, int], ...]]]:
        """How many nodes there are at each candidate ``c`` with the same pods of each charged kind."""
        plain = self.plain.instance
        kind_of = self.charged.instance.origin.kinds.workload_kind
        first_existing = self.plain.width - len(plain.problem.existing_nodes)
        every = np.arange(len(packing.counts))
        handed = ClassQueues(plain, packing).hand_out(packing.patterns, every, packing.counts)
        everyone = iter(handed.pods(0, packing.nodes))
        next_existing = [iter(nodes) for nodes in plain.existing_of]
        found: Counter[tuple[int, tuple[tuple[int, int], ...]]] = Counter()
        for j, count in zip(packing.candidates, packing.counts, strict=True):
            for _ in range(int(count)):
                c = (
                    first_existing + next(next_existing[j])
                    if plain.row_of[j] < 0
                    else self.plain.bought(int(j))
                )
                pods: Counter[int] = Counter()
                for each in next(everyone):
                    pods[int(kind_of[each.workload])] += each.count
                found[c, tuple(sorted(pods.items()))] += 1
        return found

    def _prices(self, generation: Generation) -> NDArray[np.float64]:
        """What the pods of each charged class are worth without charges: float64 array (i,), dollars."""
        plain, charged = self.plain.instance, self.charged.instance
        pods = generation.bound.duals.pods
        plain_kind: dict[int, int] = {}
        for a, b in zip(
            charged.origin.kinds.workload_kind.tolist(),
            plain.origin.kinds.workload_kind.tolist(),
            strict=True,
        ):
            plain_kind.setdefault(a, b)
        prices = np.full(charged.n_classes, np.inf)
        localized = charged.origin.localized
        for kind, mine in self.charged.locals_of.items():
            for local in mine:
                i = int(charged.origin.class_of_local[local])
                mask = localized.admitted[int(localized.placement_of[local])]
                if i < 0 or kind not in plain_kind or not mask.any():
                    continue
                there = self.plain.local(plain_kind[kind], int(np.argmax(mask)))
                price = float(pods[plain.origin.class_of_local[there]]) if there >= 0 else 0.0
                prices[i] = min(prices[i], price)
        return np.where(np.isfinite(prices), prices, 0.0)


class _Holders:
    """Candidates of an instance for patterns at a candidate ``c``."""

    def __init__(self, instance: Instance) -> None:
        self._downsize = Downsize(instance, instance.compatible)
        places = _Places.of(instance)
        assert places is not None
        first_existing = places.width - len(instance.problem.existing_nodes)
        self._at: dict[int, int] = {}
        for j in range(instance.n_candidates):
            for position in instance.existing_of[j]:
                self._at[first_existing + position] = j
            if instance.row_of[j] >= 0:
                self._at[places.bought(j)] = j

    def at(self, c: int, pattern: NDArray[np.int32]) -> int:
        """The candidate itself, or the cheapest that takes its place; -1 if there is none."""
        own = self._at.get(c)
        return own if own is not None else self._downsize.holder(pattern)


def _linked_locals(instance: Instance) -> list[int]:
    """Local kinds in the order of the variables of the linking system."""
    origin = instance.origin
    demand = np.zeros(len(origin.kinds.requests), dtype=np.int64)
    replicas = [workload.replicas for workload in instance.problem.workloads]
    np.add.at(demand, origin.kinds.workload_kind, replicas)
    return [
        local
        for local, content in enumerate(origin.localized.contents)
        if origin.class_of_local[local] >= 0
        and all(origin.localized.is_linked[k] and demand[k] for k, _ in content)
    ]
