"""What a workload may lose on spot capacity, except with a small probability.

With pools reclaimed independently of each other, the pods lost are a sum of independent terms; its
distribution is the convolution of theirs, taken up to what may be lost and with the rest in one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from binwright_optimizer.model import HOURS_PER_MONTH, CapacityType, Catalog
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.model.spot import PPM, UNKNOWN_RATE_PPM
from binwright_optimizer.verify.final_state import FinalState, Finding
from binwright_optimizer.verify.spot import Pool, pods_by_pool

SECONDS_PER_MONTH = HOURS_PER_MONTH * 3_600
TOLERANCE = 1e-9
"""Relative error that sums of some thousand products of doubles stay well below."""


def check_spot_loss(state: FinalState) -> Iterator[Finding]:
    """Workloads that lose more than they may, more often than they may."""
    _, pools = pods_by_pool(state)
    rates = _rates(state.problem.catalog)
    for w, workload in enumerate(state.problem.workloads):
        bound = (workload.spot or state.problem.policies.spot).loss
        if bound is None or not pools[w]:
            continue
        most = bound.share.at_most(workload.replicas)
        months = bound.window_s / SECONDS_PER_MONTH
        probability = exceeding(
            [(count, _reclaimed(rates.get(pool), months)) for pool, count in sorted(pools[w].items())], most
        )
        if probability * PPM > bound.probability_ppm * (1 + TOLERANCE):
            yield Finding(
                Rule.SPOT_LOSS,
                f"{workload.name} loses more than {most} of its pods within {bound.window_s} s with "
                f"probability {probability:.3g}, at most {bound.probability_ppm / PPM:.3g} is allowed",
            )


def exceeding(pools: list[tuple[int, float]], most: int) -> float:
    """Probability that more than ``most`` pods are lost, of pools with so many pods each.

    Examples
    --------
    Two pools of two pods, each lost with probability 0.1: more than two are lost if both are.

    >>> round(exceeding([(2, 0.1), (2, 0.1)], 2), 9)
    0.01
    """
    lost = np.zeros(most + 1)
    lost[0] = 1.0
    beyond = 0.0
    for count, chance in pools:
        stays = max(0, most + 1 - count)  # counts of lost pods that this pool keeps within the bound
        beyond += chance * float(lost[stays:].sum())
        after = (1.0 - chance) * lost
        if stays:
            after[count:] += chance * lost[:stays]
        lost = after
    return beyond


def pool_chances(catalog: Catalog, window_s: int) -> Callable[[tuple[str | None, str | None]], float]:
    """Tells the probability that a spot pool is reclaimed within a window."""
    rates = _rates(catalog)
    months = window_s / SECONDS_PER_MONTH

    def chance(pool: tuple[str | None, str | None]) -> float:
        return _reclaimed(rates.get((pool[0] or "", pool[1] or "")), months)

    return chance


def _rates(catalog: Catalog) -> Mapping[Pool, int | None]:
    """Interruption rates of spot pools, parts per million a month; None if one is not known."""
    return {
        (kind.name, offering.zone): offering.interruption_ppm_per_month
        for kind in catalog.instance_types
        for offering in kind.offerings
        if offering.capacity_type is CapacityType.SPOT
    }


def _reclaimed(rate: int | None, months: float) -> float:
    """Probability that a pool is reclaimed within so many months.

    With a share of its nodes taken back each month, (1 - share)^months are left. Interruptions of a rate that
    is not known come one by one, so many a month on average (a Poisson process): none with e^-(rate months).
    """
    if rate is None:
        return -math.expm1(-months * UNKNOWN_RATE_PPM / PPM)
    return 1.0 if rate >= PPM else float(-np.expm1(months * np.log1p(-rate / PPM)))
