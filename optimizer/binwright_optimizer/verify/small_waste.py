"""Patterns of small waste: all ways to fill a node that cost hardly more than their pods are worth.

By given prices a node *wastes* the distance of what it costs to what its pods are worth. A decision within
some distance of what prices prove has no node that wastes more, so that only such patterns can be in it.
They are listed depth first; bounds that are taken in floating point are rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.verify.clock import Clock
from binwright_optimizer.verify.market import Int64Array, Market

MOST_PATTERNS, MOST_STEPS = 5_000, 200_000
"""Patterns, and partial patterns looked at for them, beyond which it is given up: some tenths of a second."""
CLOCK_STEPS = 500
"""Partial patterns between looks at the clock."""
OPTION_STEPS = 25
"""Partial patterns that take as long as looking at an option."""
ROUNDING = 1.0 + 1e-9
"""Bounds in floating point are taken to be so much higher."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What prices prove of a part of the decisions.

    Parameters
    ----------
    bits, value
        The bound, times 2**bits.
    classes, pod
        (k,) classes with a price, and the price of one of their pods.
    node
        (option,) what a node costs by these prices, and what it is worth more where its supply pays for that.
    existing
        (node,) what the pods of nodes already there may be worth.
    least, most
        Bounds of the part on nodes by price level.
    """

    bits: int
    value: int
    classes: Int64Array
    pod: Int64Array
    node: Int64Array
    existing: Int64Array
    least: dict[int, int]
    most: dict[int, int]

    @property
    def known(self) -> int:
        """What the prices prove, micro-dollars per hour."""
        return -(-self.value >> self.bits)


@dataclass(frozen=True, slots=True)
class Column:
    """A node of an option, or one that is already there: pods of each class with a price."""

    option: int
    is_existing: bool
    pods: tuple[int, ...]


class TooManyError(Exception):
    """There are more patterns than it makes sense to list, or no time to."""


def small_waste(
    shop: Market, wanted: Int64Array, priced: Priced, slack: int, clock: Clock
) -> Iterator[Column]:
    """Every node that wastes no more than ``slack``; of equal ones but for the price the cheapest.

    Parameters
    ----------
    wanted
        (k,) pods of the classes with a price.
    slack
        In the unit of the prices.

    Raises
    ------
    TooManyError
        If they are too many, or time is up.
    """
    listing = _Listing(shop, wanted, priced, clock)
    levels = set(priced.least) | set(priced.most)
    cheapest: dict[tuple[object, ...], int] = {}
    some = np.flatnonzero(_most_worth(shop, wanted, priced) >= (priced.node - slack).astype(np.float64))
    for o in some[np.argsort(shop.price[some], kind="stable")].tolist():
        listing.count(1)
        price = int(shop.price[o])
        terms = shop.pools[shop.pool_of[o]]
        counted = tuple(int(use[o]) for use in shop.use.values())
        supply = o if shop.available[o] >= 0 else -1
        pool = int(shop.pool_of[o]) if terms.missing else -1
        above = sum(price >= level for level in levels)
        key = shop.room[o].tobytes(), int(shop.row_of[o]), counted, supply, pool, above
        cheapest.setdefault(key, o)
    for o in cheapest.values():
        for pods in listing.of(shop.room[o], int(shop.row_of[o]), int(priced.node[o]) - slack):
            yield Column(o, False, pods)
    for e in range(len(shop.existing_count)):
        for pods in listing.of(
            shop.existing_room[e], int(shop.existing_row[e]), int(priced.existing[e]) - slack
        ):
            yield Column(e, True, pods)


def _most_worth(shop: Market, wanted: Int64Array, priced: Priced) -> NDArray[np.float64]:
    """What the pods of a node of each option may be worth by any one resource: (option,), upper bounds."""
    most = np.full(len(shop.room), float(priced.pod.astype(np.float64) @ wanted))
    for r, requests in enumerate(shop.requests[priced.classes].T):
        if requests.all():
            most = np.minimum(most, shop.room[:, r] * float((priced.pod / requests).max()))
    return most * ROUNDING


class _Listing:
    """Patterns of single nodes, depth first, the classes of most worth for their room first."""

    def __init__(self, shop: Market, wanted: Int64Array, priced: Priced, clock: Clock) -> None:
        self._requests = shop.requests[priced.classes]
        self._most = np.minimum(wanted, shop.most[priced.classes])
        self._admitted = shop.is_admitted[:, priced.classes]
        self._apart = None if shop.apart is None else shop.apart[np.ix_(priced.classes, priced.classes)]
        self._pod = priced.pod
        self._clock = clock
        self._steps = self._looked = 0
        self._found = 0

    def of(self, room: Int64Array, row: int, threshold: int) -> Iterator[tuple[int, ...]]:
        """Maximal patterns worth at least so much.

        Raises
        ------
        TooManyError
            If they are too many altogether.
        """
        self.count(OPTION_STEPS)
        held = np.flatnonzero(self._admitted[row] & (self._requests <= room).all(axis=1) & (self._most > 0))
        weight = (self._requests[held] / np.maximum(room, 1)).sum(axis=1)
        order = held[np.argsort(-self._pod[held] / weight, kind="stable")].tolist()
        if not order:
            if threshold <= 0:
                yield (0,) * len(self._pod)  # it may be needed by a minimum, or for the bounds of a part
            return
        requests = [self._requests[i].tolist() for i in order]
        pod = [int(self._pod[i]) for i in order]
        most = [int(self._most[i]) for i in order]
        suffix = _Suffix.of(self._requests[order], self._pod[order], room, most)
        stack: list[tuple[tuple[int, ...], int, list[int]]] = [((), 0, room.tolist())]
        while stack:
            counts, value, free = stack.pop()
            k = len(counts)
            self.count(1)
            if value + math.ceil(suffix.most_worth(k, free)) < threshold:
                continue
            if k == len(order):
                if self._has_room(order, counts, requests, most, free):
                    continue
                self._found += 1
                if self._found > MOST_PATTERNS:
                    raise TooManyError
                pattern = [0] * len(self._pod)
                for i, n in zip(order, counts, strict=True):
                    pattern[i] = n
                yield tuple(pattern)
                continue
            fitting = most[k]
            for need, left in zip(requests[k], free, strict=True):
                if need:
                    fitting = min(fitting, left // need)
            if fitting and self._keeps_off(order, counts, k):
                fitting = 0
            lowest = fitting if k == len(order) - 1 else 0
            for n in range(lowest, fitting + 1):
                rest = [left - n * need for need, left in zip(requests[k], free, strict=True)]
                stack.append(((*counts, n), value + n * pod[k], rest))

    def count(self, steps: int) -> None:
        """Take so many steps, with a look at the clock now and then."""
        self._steps += steps
        if self._steps > MOST_STEPS:
            raise TooManyError
        if self._steps - self._looked >= CLOCK_STEPS:
            self._looked = self._steps
            if self._clock.is_over():
                raise TooManyError

    def _keeps_off(self, order: list[int], counts: tuple[int, ...], k: int) -> bool:
        """Whether a class may not be where others are."""
        if self._apart is None:
            return False
        return any(n and c != k and self._apart[order[c], order[k]] for c, n in enumerate(counts))

    def _has_room(
        self,
        order: list[int],
        counts: tuple[int, ...],
        requests: list[list[int]],
        most: list[int],
        free: list[int],
    ) -> bool:
        """Whether one more pod of some class may join."""
        return any(
            counts[c] < most[c]
            and all(need <= left for need, left in zip(requests[c], free, strict=True))
            and not self._keeps_off(order, counts, c)
            for c in range(len(order))
        )


@dataclass(frozen=True, slots=True)
class _Suffix:
    """What classes from one on may still be worth: (k, r + 1) best worth by unit of room, and (k,) in all."""

    best: list[list[float]]
    room: list[float]
    total: list[float]

    @classmethod
    def of(cls, requests: Int64Array, pod: Int64Array, room: Int64Array, most: list[int]) -> _Suffix:
        whole = np.maximum(room, 1).astype(np.float64)
        share = requests / whole
        share = np.column_stack([share, share.sum(axis=1)])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(share > 0, pod[:, None] / share, np.inf)
        best = np.maximum.accumulate(ratio[::-1], axis=0)[::-1] * ROUNDING
        total = np.cumsum((pod.astype(np.float64) * most)[::-1])[::-1] * ROUNDING
        return cls(best.tolist(), whole.tolist(), total.tolist())

    def most_worth(self, k: int, free: list[int]) -> float:
        """Upper bound on the worth of pods of the classes from ``k`` on in what is free."""
        if k == len(self.best):
            return 0.0
        most, sum_of_shares = self.total[k], 0.0
        best = self.best[k]
        for r, left in enumerate(free):
            share = left / self.room[r]
            sum_of_shares += share
            if best[r] * share < most:
                most = best[r] * share
        return min(most, best[-1] * sum_of_shares)
