"""The chance bound on spot capacity lost, as rows over the pods in each spot pool.

With pools ``p`` reclaimed independently with probability ``q_p``, ``y_p`` pods in each, at most ``m`` of
them may be lost except with probability ``e``: P(sum of y_p over reclaimed pools > m) <= e. More pods in
any pool only lose more, so the numbers allowed are a union of boxes ``y <= b``; a binary variable chooses
the box. Where they are few, all largest boxes are listed and nothing is lost. Otherwise *plans* stand for
them: at most ``c`` pods in a pool, and at most ``K`` pools of a rate up to ``r``, so that more than
``m // c`` of K pools are reclaimed with probability e at most. Plans allow less than the rule does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import HOURS_PER_MONTH, CapacityType, Catalog
from binwright_optimizer.model.spot import PPM, UNKNOWN_RATE_PPM, LossBound

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
    """Probability that each spot pool is reclaimed within a window."""
    return {
        (kind.name, offering.zone): reclaim_chance(offering.interruption_ppm_per_month, window_s)
        for kind in catalog.instance_types
        for offering in kind.offerings
        if offering.capacity_type is CapacityType.SPOT
    }


def reclaim_chance(ppm_per_month: int | None, window_s: int) -> float:
    """Probability that a pool of this interruption rate is reclaimed within a window.

    A rate that is known is the share of its nodes that is taken back within a month; one that is not counts
    as an interruption a month on average, at any time of it.

    Examples
    --------
    A tenth a month leaves 0.81 after two; an unknown rate leaves 1 / e after one.

    >>> month = HOURS_PER_MONTH * 3_600
    >>> round(reclaim_chance(100_000, 2 * month), 6), round(reclaim_chance(None, month), 6)
    (0.19, 0.632121)
    """
    months = window_s / (HOURS_PER_MONTH * 3_600)
    if ppm_per_month is None:
        return -float(np.expm1(-months * UNKNOWN_RATE_PPM / PPM))
    if ppm_per_month >= PPM:
        return 1.0
    return -float(np.expm1(months * np.log1p(-ppm_per_month / PPM)))


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
    kept = set(_allowed(rates, replicas, most, allowed))

    def is_largest(vector: tuple[int, ...]) -> bool:
        return not any((*vector[:p], n + 1, *vector[p + 1 :]) in kept for p, n in enumerate(vector))

    return sorted(filter(is_largest, kept))


def _allowed(rates: Sequence[float], replicas: int, most: int, allowed: float) -> Iterator[tuple[int, ...]]:
    """All numbers of pods by pool that lose more than ``most`` with probability ``allowed`` at most.

    Pool by pool, with the distribution of the pods lost up to ``most`` and the probability of more.
    """
    nothing = np.zeros(most + 1)
    nothing[0] = 1.0
    begun: list[tuple[tuple[int, ...], NDArray[np.float64], float]] = [((), nothing, 0.0)]
    while begun:
        counts, lost, beyond = begun.pop()
        if len(counts) == len(rates):
            yield counts
            continue
        rate = rates[len(counts)]
        for count in range(replicas + 1):
            stays = max(0, most + 1 - count)  # numbers lost to which so many more may be added
            more = beyond + rate * float(lost[stays:].sum())
            if more > allowed:
                break  # and so is any larger count
            after = (1.0 - rate) * lost
            if stays:
                after[count:] += rate * lost[:stays]
            begun.append(((*counts, count), after, more))
