"""How many pods each domain of a topology spread gets at least and at most, in whole numbers.

Rows of the skew alone let fractions of pods be apart by the skew: of 12 pods over six zones, one zone may
have 7/6. But numbers of pods are whole: with ``r_d`` running and ``y_d`` new pods of domain ``d``, ``n`` new
ones in all, and ``max(0, r_a - r_b + t - maxSkew)`` that ``b`` needs where ``a`` has ``t``,

    y_a <= the most t with   t + sum_b max(0, r_a + t - maxSkew - r_b) <= n    b settled
    y_b >= the least t with  t + sum_a max(0, r_b + t + maxSkew - r_a) >= n    a may receive pods

so that here every zone has two. With a skew of 1 and nobody running, these ranges and the sum leave whole
numbers at every corner: the linear relaxation is then as good as the rule itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.domains.linking import LinkingBuilder

Terms = Mapping[int, float]
"""Variables with their coefficients."""


def add_ranges(
    builder: LinkingBuilder,
    max_skew: int,
    pods: int,
    running: NDArray[np.int64],
    settled: Collection[int],
    received: Mapping[int, Terms],
    left_out: Terms,
) -> None:
    """Rows of the ranges of each domain.

    Parameters
    ----------
    pods
        New ones that are to be spread.
    running
        int64 array (domain,): running pods that count.
    settled
        Domains that count in any case.
    received
        Terms that add up the new pods of each domain that may receive any: together, those of all pods.
    left_out
        Terms that add up the pods that are left out; each may be one fewer anywhere.
    """
    count = running.tolist()
    for d, terms in sorted(received.items()):
        others = [count[b] for b in settled if b != d]
        most = _most(pods, count[d] - max_skew, others)
        if most < pods:
            builder.row(terms, upper=float(most))
        least = _least(pods, count[d] + max_skew, [count[a] for a in received if a != d])
        if d in settled and least > 0:
            builder.row({**terms, **left_out}, lower=float(least))


def _most(pods: int, ahead: int, others: list[int]) -> int:
    """Most pods of a domain for which the others can have what they then need."""
    return _last(0, pods, lambda t: t + sum(max(0, ahead + t - other) for other in others) <= pods)


def _least(pods: int, ahead: int, others: list[int]) -> int:
    """Fewest pods of a domain for which the others may have all that are left."""
    return 1 + _last(-1, pods, lambda t: t + sum(max(0, ahead + t - other) for other in others) < pods)


def _last(first: int, most: int, holds: Callable[[int], bool]) -> int:
    """The largest number from ``first``, for which it is taken to hold, up to which something holds."""
    low, high = first, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
