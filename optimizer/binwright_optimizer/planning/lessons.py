"""Lessons: what some problems of a family teach about all of them.

A pattern that is worth its price for one demand is so, or nearly, for any demand of much the same
composition. Dual prices under which no pattern is worth more than its node bound the cost of every demand
from below, d . pi, whatever they were found for: the patterns do not depend on the demand, up to the
family's most. So a few *pivots* are solved with care, and the rest choose among their columns and bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.certify import certificate
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import Certificate
from binwright_optimizer.planning.counted import CountedSearch, Steps, worth_keeping
from binwright_optimizer.planning.family import Family, Wanted
from binwright_optimizer.planning.mix import cheapest_mix
from binwright_optimizer.pricing import MICRO

MOST_PIVOTS = 6
"""Pivots of one family: each costs as much as a hundred of the others, or more."""
DEMANDS_PER_PIVOT = 12
"""Demands from which one more pivot pays."""
LESSON_MARGIN = 0.02
"""Reduced cost, as a share of its price, up to which a column is remembered."""
MOST_COLUMNS = 1_500
"""Columns remembered of one pivot, those of least reduced cost."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one pivot teaches, in the family's own indices.

    Parameters
    ----------
    columns
        Pairs (candidate of the family's instance, pods by class as pairs).
    certificate
        Prices of pods in the order of the workloads.
    """

    columns: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    certificate: Certificate


def pivots(demands: Sequence[Wanted]) -> list[int]:
    """Demands to solve with care: the largest, then whatever is least like those chosen.

    Likeness is of composition, shares of the whole, since all prices scale with the demand.
    """
    wanted = np.array(demands, dtype=np.float64)
    shares = wanted / np.maximum(wanted.sum(axis=1, keepdims=True), 1.0)
    number = min(MOST_PIVOTS, -(-len(demands) // DEMANDS_PER_PIVOT))
    chosen = [int(np.argmax(wanted.sum(axis=1)))]
    distance = np.abs(shares - shares[chosen[0]]).sum(axis=1)
    while len(chosen) < number:
        furthest = int(np.argmax(distance))
        if distance[furthest] <= 1e-9:
            break
        chosen.append(furthest)
        distance = np.minimum(distance, np.abs(shares - shares[furthest]).sum(axis=1))
    return chosen


def instance_of(family: Family) -> Instance:
    """The family's instance, whose candidates and classes lessons speak of.

    Raises
    ------
    PlanningError
        If some workload fits nothing that is sold, with the reasons.
    """
    instance = build_instance(family.problem)
    for workload, i in enumerate(instance.class_of):
        if i < 0:
            cheapest_mix([family.problem.workloads[workload]], family.catalog, node_pools=family.node_pools)
    return instance


def demand_of(instance: Instance, wanted: Wanted) -> NDArray[np.int64]:
    """Pods by class: int64 array (i,)."""
    demand = np.zeros(instance.n_classes, dtype=np.int64)
    np.add.at(demand, instance.class_of, np.asarray(wanted, dtype=np.int64))
    demand.flags.writeable = False
    return demand


def learn(instance: Instance, wanted: Wanted, steps: Steps, seed: int) -> Lesson:
    """The lesson of one demand."""
    own = replace(instance, demand=demand_of(instance, wanted))
    with CountedSearch(own, steps, seed) as search:
        search.relax()
        bound = search.generation.bound
        rows = search.generation.rows
        candidates, patterns = worth_keeping(rows, search.generation.pool.arrays(), bound, LESSON_MARGIN)
    reduced = rows.costs(bound.duals)[candidates] - patterns @ bound.duals.pods
    order = np.argsort(reduced / np.maximum(rows.price[candidates], MICRO), kind="stable")[:MOST_COLUMNS]
    columns = tuple(
        (int(candidates[p]), tuple((int(i), int(patterns[p, i])) for i in np.flatnonzero(patterns[p])))
        for p in np.sort(order)
    )
    return Lesson(columns, certificate(instance, bound))


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The lessons of all pivots of a family as arrays.

    Parameters
    ----------
    candidates, patterns
        intp array (p,) and int32 array (p, i): every column once.
    prices
        float64 array (lesson, i): dollars of one pod of each class.
    """

    candidates: NDArray[np.intp]
    patterns: NDArray[np.int32]
    prices: NDArray[np.float64]
    certificates: tuple[Certificate, ...]

    @classmethod
    def of(cls, instance: Instance, lessons: Sequence[Lesson]) -> Knowledge:
        """Everything the lessons say."""
        distinct = list(dict.fromkeys(column for lesson in lessons for column in lesson.columns))
        patterns = np.zeros((len(distinct), instance.n_classes), dtype=np.int32)
        for p, (_, pods) in enumerate(distinct):
            for i, count in pods:
                patterns[p, i] = count
        prices = np.zeros((len(lessons), instance.n_classes))
        for row, lesson in zip(prices, lessons, strict=True):
            own = np.array(lesson.certificate.pod_prices, dtype=np.float64)
            row[instance.class_of] = own * 2.0**-lesson.certificate.scale_bits * MICRO
        return cls(
            np.array([j for j, _ in distinct], dtype=np.intp),
            patterns,
            prices,
            tuple(lesson.certificate for lesson in lessons),
        )

    def certificate_of(self, demand: NDArray[np.int64]) -> Certificate:
        """The one whose prices promise the highest bound; one that proves nothing without lessons."""
        if not self.certificates:
            return Certificate(0, ())
        return self.certificates[int(np.argmax(self.prices @ demand))]

    def prices_of(self, demand: NDArray[np.int64]) -> NDArray[np.float64]:
        """Its prices: float64 array (i,), dollars of one pod."""
        if not self.certificates:
            return np.zeros(len(demand))
        found: NDArray[np.float64] = self.prices[int(np.argmax(self.prices @ demand))]
        return found
