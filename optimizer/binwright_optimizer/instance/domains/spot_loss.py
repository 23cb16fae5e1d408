"""The chance bound on spot capacity lost, as rows over the pods in each spot pool.

With pools ``p`` reclaimed independently with probability ``q_p``, ``y_p`` pods in each, at most ``m`` of
them may be lost except with probability ``e``: P(sum of y_p over reclaimed pools > m) <= e. More pods in
any pool only lose more, so the numbers allowed are a union of boxes ``y <= b``; a binary variable chooses
the box. Where they are few, all largest boxes are listed and nothing is lost. Otherwise *plans* stand for
them: at most ``c`` pods in a pool, and at most ``K`` pools of a rate up to ``r``, so that more than
``m // c`` of K pools are reclaimed with probability e at most. Plans allow less than the rule does.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from binwright_optimizer.model import HOURS_PER_MONTH, CapacityType, Catalog
from binwright_optimizer.model.spot import PPM, LossBound

MOST_VECTORS = 2_000
"""Numbers of pods by pool that are listed to find the largest boxes."""
CAUTION = 1 - 1e-9
"""Share of the probability allowed that is used, for the rounding errors of sums of doubles."""

Pool = tuple[str | None, str | None]
"""Instance type and zone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """At most ``cap`` pods in a pool, and at most ``pools`` pools that are reclaimed at most so often."""

    cap: int
    rate: float
    pools: int


def reclaim_rates(catalog: Catalog, window_s: int) -> dict[Pool, float]:
    """Probability that each spot pool is reclaimed within a window; 1 where its rate is not known."""
    months = window_s / (HOURS_PER_MONTH * 3_600)
    found: dict[Pool, float] = {}
    for kind in catalog.instance_types:
        for offering in kind.offerings:
            if offering.capacity_type is CapacityType.SPOT:
                ppm = offering.interruption_ppm_per_month
                is_sure = ppm is None or ppm >= PPM
                chance = 1.0 if is_sure else -float(np.expm1(months * np.log1p(-(ppm or 0) / PPM)))
                found[kind.name, offering.zone] = chance
    return found


def plans(bound: LossBound, replicas: int, rates: Sequence[float]) -> list[Plan]:
    """The plans of which none allows less than another, those of most pods in a pool first.

    Examples
    --------
    Ten pods of which two may be lost, except in 5 % of all cases, each pool being reclaimed once in ten
    times. With two pods in a pool, two pools may not be lost: of three that happens in 2.8 % of all cases,
    of four in 5.2 %. With single pods three may not: of eight pools 3.8 %, of nine 5.3 %.

    >>> from binwright_optimizer.model.spot import Share
    >>> plans(LossBound(Share(count=2), 50_000), 10, [0.1])
    [Plan(cap=2, rate=0.1, pools=3), Plan(cap=1, rate=0.1, pools=8)]
    """
    most = bound.share.at_most(replicas)
    allowed = bound.probability_ppm / PPM * CAUTION
    caps = {replicas, *(most // lost for lost in range(1, most + 1))}
    found: list[Plan] = []
    for cap in sorted(caps, reverse=True):
        for rate in sorted(set(rates)):
            pools = _most_pools(most // cap, rate, allowed, replicas)
            if pools and not any(p.cap >= cap and p.rate >= rate and p.pools >= pools for p in found):
                found.append(Plan(cap, rate, pools))
    return found


def _most_pools(lost: int, rate: float, allowed: float, most: int) -> int:
    """Pools of which more than ``lost`` are reclaimed with probability ``allowed`` at most."""
    chances = np.zeros(lost + 1)
    chances[0] = 1.0
    beyond = 0.0
    for pools in range(most):
        beyond += rate * float(chances[-1])
        if beyond > allowed:
            return pools
        chances[1:] = (1.0 - rate) * chances[1:] + rate * chances[:-1]
        chances[0] *= 1.0 - rate
    return most


def largest_boxes(bound: LossBound, replicas: int, rates: Sequence[float]) -> list[tuple[int, ...]] | None:
    """All largest numbers of pods by pool; None if there are too many to list."""
    if (replicas + 1) ** len(rates) > MOST_VECTORS:
        return None
    most = bound.share.at_most(replicas)
    allowed = bound.probability_ppm / PPM * CAUTION
    vectors = itertools.product(range(replicas + 1), repeat=len(rates))
    kept = {v for v in vectors if _excess(v, rates, most) <= allowed}

    def is_largest(vector: tuple[int, ...]) -> bool:
        return not any((*vector[:p], n + 1, *vector[p + 1 :]) in kept for p, n in enumerate(vector))

    return sorted(filter(is_largest, kept))


def _excess(counts: Sequence[int], rates: Sequence[float], most: int) -> float:
    """Probability that more than ``most`` pods are lost: every set of reclaimed pools, as they are few."""
    total = 0.0
    for reclaimed in itertools.product((False, True), repeat=len(counts)):
        if sum(n for n, is_lost in zip(counts, reclaimed, strict=True) if is_lost) > most:
            chances = [q if is_lost else 1.0 - q for q, is_lost in zip(rates, reclaimed, strict=True)]
            total += float(np.prod(chances))
    return total
