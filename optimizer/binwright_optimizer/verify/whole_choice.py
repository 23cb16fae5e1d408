"""The cheapest whole nodes for few pods, by CP-SAT: for gaps that no prices close.

By any prices, a decision costs what they prove and, beside that, what each of its nodes *wastes*: the
distance of what the node costs by these prices to what its pods are worth. A decision below a goal has no
node that wastes more than what lies between the goal and what is proven. Where few patterns waste as little,
all of them are listed here, and CP-SAT tells the least that a choice of them costs that places all pods that
have a price and keeps limits, minimums, supplies and the bounds of a part. Any other choice costs the goal.

Everything is in integers, the search of CP-SAT too. Rules that it is not told, and pods without a price, make
what it finds cheaper, never what is proven higher.
"""

from __future__ import annotations

import importlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.verify.knapsack import VALUE_BITS
from binwright_optimizer.verify.market import Int64Array, Market

MOST_PODS, MOST_CLASSES = 400, 40
"""Pods and classes up to which there is a chance that patterns are few."""
MOST_PATTERNS, MOST_STEPS = 5_000, 200_000
"""Patterns, and partial patterns looked at for them, beyond which it is given up: some tenths of a second."""
MOST_GOAL = 1 << 52
"""Micro-dollars beyond which a goal is as good as none: up to there CP-SAT's bounds, which come as floating
point numbers, are whole."""
MOST_WASTE = 1 << VALUE_BITS
"""More than any node costs by any prices."""
CLOCK_STEPS = 1_000
"""Partial patterns between looks at the clock."""
COUNTED_S = 4.0
"""What the search may take in CP-SAT's own count of work, which stands for about as many seconds."""
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
class _Column:
    """A node of an option, or one that is already there: pods of each class with a price."""

    option: int
    is_existing: bool
    pods: tuple[int, ...]


def load() -> None:
    """Import CP-SAT, which takes half a second that the first proof may not have."""
    importlib.import_module("ortools.sat.python.cp_model")


class _TooManyError(Exception):
    """There are more patterns than it makes sense to list, or no time to."""


def least_of_parts(
    shop: Market,
    demand: Int64Array,
    parts: list[Priced],
    goal: int,
    until: float,
    poll: Callable[[], object],
) -> int:
    """The least of what all parts cost at least, up to the goal, micro-dollars per hour."""
    for part in sorted(parts, key=lambda part: part.known):
        if part.known >= goal:
            break
        poll()
        goal = min(goal, least_choice(shop, demand, part, goal, until))
    return goal


def least_choice(shop: Market, demand: Int64Array, priced: Priced, goal: int, until: float) -> int:
    """Micro-dollars per hour that decisions of a part cost at least: what the prices prove, or more.

    Parameters
    ----------
    goal
        Beyond which nothing is to be proven, micro-dollars per hour.
    until
        Monotonic time at which it ends.
    """
    goal = min(goal, MOST_GOAL)
    slack = min((goal << priced.bits) - priced.value, MOST_WASTE)
    has_price = priced.pod > 0
    priced = replace(priced, classes=priced.classes[has_price], pod=priced.pod[has_price])
    wanted = demand[priced.classes]
    if slack <= 0 or int(wanted.sum()) > MOST_PODS or not 0 < len(wanted) <= MOST_CLASSES:
        return priced.known
    try:
        columns = list(_columns(shop, wanted, priced, slack, until))
    except _TooManyError:
        return priced.known
    return max(priced.known, _cheapest(shop, columns, wanted, priced, goal, until))


def _columns(shop: Market, wanted: Int64Array, priced: Priced, slack: int, until: float) -> Iterator[_Column]:
    """Every node that wastes no more than ``slack``; of equal ones but for the price the cheapest."""
    listing = _Listing(shop, wanted, priced, until)
    levels = set(priced.least) | set(priced.most)
    cheapest: dict[tuple[object, ...], int] = {}
    some = np.flatnonzero(_most_worth(shop, wanted, priced) >= (priced.node - slack).astype(np.float64))
    for o in some[np.argsort(shop.price[some], kind="stable")].tolist():
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
            yield _Column(o, False, pods)
    for e in range(len(shop.existing_count)):
        for pods in listing.of(
            shop.existing_room[e], int(shop.existing_row[e]), int(priced.existing[e]) - slack
        ):
            yield _Column(e, True, pods)


def _most_worth(shop: Market, wanted: Int64Array, priced: Priced) -> NDArray[np.float64]:
    """What the pods of a node of each option may be worth by any one resource: (option,), upper bounds."""
    most = np.full(len(shop.room), float(priced.pod.astype(np.float64) @ wanted))
    for r, requests in enumerate(shop.requests[priced.classes].T):
        if requests.all():
            most = np.minimum(most, shop.room[:, r] * float((priced.pod / requests).max()))
    return most * ROUNDING


class _Listing:
    """Patterns of single nodes, depth first, the classes of most worth for their room first."""

    def __init__(self, shop: Market, wanted: Int64Array, priced: Priced, until: float) -> None:
        self._requests = shop.requests[priced.classes]
        self._most = np.minimum(wanted, shop.most[priced.classes])
        self._admitted = shop.is_admitted[:, priced.classes]
        self._apart = None if shop.apart is None else shop.apart[np.ix_(priced.classes, priced.classes)]
        self._pod = priced.pod
        self._until = until
        self._steps = 0
        self._found = 0

    def of(self, room: Int64Array, row: int, threshold: int) -> Iterator[tuple[int, ...]]:
        """Maximal patterns worth at least so much.

        Raises
        ------
        _TooManyError
            If they are too many altogether.
        """
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
            self._count_step()
            if value + math.ceil(suffix.most_worth(k, free)) < threshold:
                continue
            if k == len(order):
                if self._has_room(order, counts, requests, most, free):
                    continue
                self._found += 1
                if self._found > MOST_PATTERNS:
                    raise _TooManyError
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

    def _count_step(self) -> None:
        self._steps += 1
        is_late = self._steps % CLOCK_STEPS == 0 and time.monotonic() > self._until
        if is_late or self._steps > MOST_STEPS:
            raise _TooManyError

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


def _cheapest(
    shop: Market, columns: list[_Column], wanted: Int64Array, priced: Priced, goal: int, until: float
) -> int:
    """Micro-dollars that a choice of these columns costs at least, up to the goal."""
    from ortools.sat.python import cp_model  # see `load`

    seconds = until - time.monotonic()
    if seconds <= 0:
        return 0
    model = cp_model.CpModel()
    needed = [*priced.least.values(), *(terms.missing for terms in shop.pools)]
    bought: list[tuple[int, Any]] = []
    there: list[tuple[int, Any]] = []
    held: list[list[Any]] = [[] for _ in wanted]
    for column in columns:
        useful = [-(-int(d) // n) for d, n in zip(wanted, column.pods, strict=True) if n]
        nodes = model.new_int_var(0, max(1, *useful, *needed), "")
        (there if column.is_existing else bought).append((column.option, nodes))
        for mine, pods in zip(held, column.pods, strict=True):
            if pods:
                mine.append(pods * nodes)
    for count, mine in zip(wanted.tolist(), held, strict=True):
        model.add(sum(mine) >= count)
    for p, terms in enumerate(shop.pools):
        for resource, room in terms.room.items():
            use = shop.use[p, resource]
            model.add(sum(int(use[o]) * n for o, n in bought if use[o]) <= int(room))
        if terms.missing:
            model.add(sum(n for o, n in bought if shop.pool_of[o] == p) >= terms.missing)
    for o, total in _sums(bought).items():
        if shop.available[o] >= 0:
            model.add(total <= int(shop.available[o]))
    for e, total in _sums(there).items():
        model.add(total <= int(shop.existing_count[e]))
    for level, count in priced.most.items():
        model.add(sum(n for o, n in bought if shop.price[o] >= level) <= count)
    for level, count in priced.least.items():
        model.add(sum(n for o, n in bought if shop.price[o] >= level) >= count)
    cost = sum(int(shop.price[o]) * n for o, n in bought)
    model.add(cost <= goal - 1)
    model.minimize(cost)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2  # without, covers by hundreds of columns stay open
    solver.parameters.max_deterministic_time = COUNTED_S
    solver.parameters.max_time_in_seconds = seconds
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return goal
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.UNKNOWN):
        return min(goal, math.ceil(solver.best_objective_bound - 1e-6))
    return 0


def _sums(nodes: list[tuple[int, Any]]) -> dict[int, Any]:
    """The variables of each option, or node, added up."""
    total: dict[int, Any] = defaultdict(int)
    for number, variable in nodes:
        total[number] += variable
    return total
