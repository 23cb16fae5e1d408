"""Shares of a machine that the kubelet keeps, by tiers of its size."""

from __future__ import annotations

from collections.abc import Sequence

Tiers = Sequence[tuple[int | None, int]]
"""Pairs (upper end of the tier or None for no end, rate in hundredths of a per cent)."""

KUBELET_CPU: Tiers = ((1_000, 600), (2_000, 100), (4_000, 50), (None, 25))
"""EKS and GKE, milli-CPU: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % above."""


def tiered_share(amount: int, tiers: Tiers) -> int:
    """Sum over the tiers of rate times the part of ``amount`` in the tier, rounded down.

    Examples
    --------
    >>> tiered_share(8_000, KUBELET_CPU)  # 60 + 10 + 10 + 10 milli-CPU of 8 cores
    90
    """
    share = 0
    lower = 0
    for upper, rate in tiers:
        reached = amount if upper is None else min(amount, upper)
        share += max(0, reached - lower) * rate
        if upper is None or upper >= amount:
            break
        lower = upper
    return share // 10_000
