"""A certificate's prices as integers at a scale where no sum can overflow.

Any non-negative prices prove a bound (`bound`), so that each may be rounded down or cut off here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import Certificate
from binwright_optimizer.verify.knapsack import VALUE_BITS
from binwright_optimizer.verify.market import HELD, Int64Array, Market

_MOST_SCALE_BITS = 4096
"""A certificate beyond this scale is not one."""

_TERM_BITS = 56
"""Scaled node prices and limit terms stay below 2**56 each, so that T stays below 2**VALUE_BITS."""

_MOST_LEVELS = 256
"""Price levels that one part's prices may speak of; further ones count as zero."""


@dataclass(slots=True)
class ScaledPrices:
    """A certificate brought to this market, all values scaled by 2**``bits``.

    Parameters
    ----------
    pod
        (class,) price of one pod.
    limit, minimum
        Prices by (pool, resource) and by pool.
    node
        (option,): T, at least zero.
    levels
        What the bounds on price levels add to the bound.
    """

    bits: int
    pod: Int64Array
    limit: dict[tuple[int, str], int]
    minimum: list[int]
    node: Int64Array
    levels: int


def scaled_prices(
    shop: Market,
    certificate: Certificate,
    demand: Int64Array,
    is_placed: NDArray[np.bool_],
    least: dict[int, int],
    most: dict[int, int],
) -> ScaledPrices:
    """The certificate, rounded down to a scale at which no sum can overflow."""
    bits = certificate.scale_bits
    pods = list(certificate.pod_prices)
    if not 0 <= bits <= _MOST_SCALE_BITS:
        bits, pods = 0, []
    finest = max(0, _TERM_BITS - int(shop.price.max()).bit_length())
    coarser = max(0, bits - finest)
    while True:
        prices = _prices_at(shop, certificate, pods, is_placed, bits, coarser, least, most)
        worth = sum(int(d) * int(p) for d, p in zip(demand, prices.pod, strict=True))
        excess = worth.bit_length() - VALUE_BITS
        if excess <= 0:
            return prices
        if prices.bits == 0:
            prices.pod = np.minimum(prices.pod, (1 << VALUE_BITS) // max(1, int(demand.sum())) - 1)
            return prices
        coarser += min(excess, prices.bits)


def _prices_at(
    shop: Market,
    certificate: Certificate,
    pods: list[int],
    is_placed: NDArray[np.bool_],
    bits: int,
    coarser: int,
    least: dict[int, int],
    most: dict[int, int],
) -> ScaledPrices:
    scale = bits - coarser
    limit: dict[tuple[int, str], int] = {}
    index = {terms.name: p for p, terms in enumerate(shop.pools) if HELD not in terms.room}
    stated = [((index.get(pool, -1), resource), price) for pool, resource, price in certificate.limit_prices]
    number = {terms.name: p for p, terms in enumerate(shop.pools) if HELD in terms.room}
    stated += [((number.get(name, -1), HELD), price) for name, price in certificate.commitment_prices]
    for key, price in stated if pods else ():
        if key in shop.use and price > 0:
            limit[key] = limit.get(key, 0) + (price >> coarser)
    node = shop.price << scale
    for key, price in limit.items():
        use = shop.use[key]
        limit[key] = min(price, (1 << _TERM_BITS) // max(1, int(use.max()) * len(limit)))
        node += use * limit[key]
    # First whatever makes nodes dearer, so that the prices that make them cheaper have room.
    earned = 0
    spoken = certificate.level_prices[:_MOST_LEVELS] if pods else ()
    for level, price in spoken:
        if price < 0 and level in most:
            accepted = min(-price >> coarser, (1 << _TERM_BITS) // _MOST_LEVELS)
            node[shop.price >= level] += accepted
            earned -= accepted * most[level]
    minimum = [0] * len(shop.pools)
    for pool, price in certificate.minimum_prices if pods else ():
        p = index.get(pool, -1)
        mine = shop.pool_of == p
        if p >= 0 and price > 0 and shop.pools[p].missing and mine.any():
            accepted = min(price >> coarser, _most_prize(shop, node, mine, len(certificate.minimum_prices)))
            minimum[p] += accepted
            node[mine] -= accepted
    for level, price in spoken:
        counted = shop.price >= level
        if price > 0 and level in least and counted.any():
            accepted = min(price >> coarser, _most_prize(shop, node, counted, _MOST_LEVELS))
            node[counted] -= accepted
            earned += accepted * least[level]
    # No pod is worth more than the dearest node where its class would be divided down to that anyway;
    # one that only nodes of limited supply hold may be worth more. Beyond this, prices are not sensible.
    dearest = int(node.max()) << 6
    if shop.charge is not None:
        dearest += int(shop.charge.max(initial=0)) << scale
    dearest = min(dearest, 1 << VALUE_BITS)
    pod = [0] * len(shop.classes.requests)
    for i, counts, price in zip(shop.classes.class_of, is_placed, pods, strict=False):
        if counts and price > 0:
            pod[i] = max(pod[i], min(dearest, price >> coarser))
    return ScaledPrices(scale, np.array(pod, dtype=np.int64), limit, minimum, node, earned)


def _most_prize(shop: Market, node: Int64Array, counted: NDArray[np.bool_], n_prizes: int) -> int:
    """Most that nodes may be rewarded with: T of what can be bought without limit stays above zero.

    A smaller price is as valid. Where supply is limited its own term pays for a T below zero.
    """
    unlimited = node[counted & (shop.available < 0)]
    return min(int(unlimited.min(initial=1 << _TERM_BITS)), (1 << _TERM_BITS) // n_prizes)
