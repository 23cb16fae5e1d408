"""The certificate: dual prices as integers that anyone can evaluate."""

from __future__ import annotations

import numpy as np

from binwright_optimizer.columns.generate import Bound
from binwright_optimizer.columns.tree import Part
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.domains.linking import Scope
from binwright_optimizer.model import Certificate, LocalPrices, Split
from binwright_optimizer.pricing import MICRO

SCALE_BITS = 20
"""Dual prices are rounded to 2**-20 micro-dollars: the bound loses less than one part in 10**9."""
SCALE_BITS_OF_SPEND = 32
"""The same where some are prices of a micro-dollar committed, of which there are very many."""


def tree_certificate(instance: Instance, part: Part) -> Certificate:
    """Integer dual prices for every part that the search split the problem into."""
    if part.fewer is None or part.more is None:
        return certificate(instance, part.bound)
    split = Split(
        part.level,
        part.at_most,
        tree_certificate(instance, part.fewer),
        tree_certificate(instance, part.more),
    )
    return Certificate(SCALE_BITS, (), split=split)


def certificate(instance: Instance, bound: Bound) -> Certificate:
    """Integer dual prices: of each workload's pods, and of limits, minimums and price levels.

    Rounding is down for pods and minimums and up for limits; whatever the rounding, `verify`
    evaluates the integers for what they are.
    """
    bits = SCALE_BITS_OF_SPEND if instance.problem.savings_plans else SCALE_BITS
    scale = 2.0**bits / MICRO
    pods = [int(value) for value in np.floor(bound.duals.pods * scale)]
    pools = instance.problem.node_pools
    return Certificate(
        scale_bits=bits,
        pod_prices=tuple(pods[i] if i >= 0 else 0 for i in instance.class_of),
        limit_prices=tuple(
            (pools[row.pool].name, row.resource, int(np.ceil(price * scale)))
            for row, price in zip(instance.limits, bound.duals.limits, strict=True)
            if price > 0 and row.pool >= 0  # supplies of offerings are priced by whoever evaluates the bound
        ),
        minimum_prices=tuple(
            (pools[row.pool].name, int(price * scale))
            for row, price in zip(instance.minimums, bound.duals.minimums, strict=True)
            if price > 0
        ),
        level_prices=tuple(
            (level, int(price * scale))
            for level, price in zip(bound.levels, bound.duals.levels, strict=False)
            if price
        ),
        local_prices=_local_prices(instance, pods),
        commitment_prices=tuple(
            (row.commitment, int(np.ceil(price * scale)))
            for row, price in zip(instance.limits, bound.duals.limits, strict=True)
            if price > 0 and row.commitment
        ),
    )


def _local_prices(instance: Instance, pods: list[int]) -> tuple[LocalPrices, ...]:
    """Prices of linked kinds by domain, those of narrower domains first."""
    linking = instance.linking
    if linking is None:
        return ()
    prices: list[list[tuple[Scope, int]]] = [[] for _ in linking.kinds]
    for i, q, scope in zip(linking.class_of, linking.kind_of, linking.scopes, strict=True):
        prices[q].append((scope, pods[i]))
    workloads: dict[int, list[int]] = {}
    for w, kind in enumerate(instance.origin.kinds.workload_kind.tolist()):
        workloads.setdefault(kind, []).append(w)
    return tuple(
        LocalPrices(tuple(workloads[int(kind)]), tuple(sorted(prices[q], key=lambda pair: -len(pair[0]))))
        for q, kind in enumerate(linking.kinds)
    )
