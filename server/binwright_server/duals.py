"""What a pod costs at the margin, from a decision's certificate."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import Certificate, Decision


def pod_worths(decision: Decision, counts: Sequence[int]) -> list[float]:
    """Dual price of a pod of each workload, micro-dollars an hour, scaled so that they sum to the bound.

    A certificate that tells cases apart has prices for each; their mean stands for all.

    Parameters
    ----------
    counts
        Pods of each workload.

    Examples
    --------
    Two pods priced at 3 each, while the bound is 4:

    >>> from binwright_optimizer.model import Certificate, Decision, SolutionStatus, StopReason
    >>> held = Decision(SolutionStatus.COMPLETE, StopReason.GAP, 5, 4, (), (), (), Certificate(0, (3,)))
    >>> pod_worths(held, [2])
    [2.0]
    """
    leaves = _leaves(decision.certificate)
    prices = [_least_prices(leaf) for leaf in leaves]
    worths = [sum(price[w] for price in prices) / len(leaves) for w in range(len(counts))]
    total = sum(worth * count for worth, count in zip(worths, counts, strict=True))
    scale = decision.bound_microusd_per_hour / total if total > 0 else 0.0
    return [worth * scale for worth in worths]


def _least_prices(leaf: Certificate) -> list[float]:
    """Price of a pod of each workload, where it has prices by domain the least of them."""
    prices = [price / 2**leaf.scale_bits for price in leaf.pod_prices]
    for entry in leaf.local_prices:
        least = min((price for _, price in entry.prices), default=0) / 2**leaf.scale_bits
        for w in entry.workloads:
            prices[w] = least
    return prices


def _leaves(certificate: Certificate) -> list[Certificate]:
    if certificate.split is None:
        return [certificate]
    return _leaves(certificate.split.fewer) + _leaves(certificate.split.more)
