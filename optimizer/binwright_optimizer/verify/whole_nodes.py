"""What pods cost at least for every number of them, on whole nodes.

For few workloads every combination of pods is a point n of a grid. With g(x) the cheapest node that holds the
pods x, what n costs on whole nodes is

    f(0) = 0,   f(n) = min_x g(x) + f(max(0, n - x)),

which no bound by prices of single pods reaches where few pods fill few nodes badly. Only patterns x count
to which no pod can be added on a node that costs no more. Room and admission are all that is asked of a
node, and what is sold never runs out, so that f is what any packing costs at least.

Of nodes that are held there are only so many, at a price of their own. One after the other may hold some of
the pods: with h(x) its price if it holds x, and nothing if it is left out,

    f'(n) = min(f(n), min_x h(x) + f(max(0, n - x))).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from binwright_optimizer.model import Problem
from binwright_optimizer.verify.market import HELD, Market, market

Int64Array = NDArray[np.int64]

MOST_POINTS = 120_000
"""Combinations of pods up to which all are looked at."""
NEVER = 1 << 50
"""Micro-dollars an hour of what no nodes hold: more than anything costs."""


def least_costs(problem: Problem, most: Sequence[int]) -> Int64Array | None:
    """Micro-dollars an hour that pods cost at least: int64 array (pods of workload 0 + 1, of 1 + 1, ...).

    Parameters
    ----------
    problem
        Its workloads, what is sold and reservations; the replicas of its workloads do not count.
    most
        ``most[w]``: pods of workload ``w`` up to which costs are wanted.

    Returns
    -------
    None where there are more than `MOST_POINTS` combinations, or running nodes or committed spend. Entries
    are `NEVER` where no nodes hold the pods.
    """
    return least_costs_of_all((problem,), most)


def least_costs_of_all(problems: Sequence[Problem], most: Sequence[int]) -> Int64Array | None:
    """The same where every node may be of any of several problems, whose workloads are the same."""
    shape = tuple(count + 1 for count in most)
    is_other = any(problem.existing_nodes or problem.savings_plans for problem in problems)
    if is_other or math.prod(shape) > MOST_POINTS:
        return None
    costs = np.full(math.prod(shape), NEVER, dtype=np.int64)
    costs[0] = 0
    cheapest = np.full(shape, NEVER, dtype=np.int64)
    sizes = np.array(shape, dtype=np.int64)
    shops = [market(problem) for problem in problems]
    for shop in shops:
        _cheapen(cheapest, shop, most, _sold(shop))
    patterns = _maximal(cheapest)
    if len(patterns):
        _fill(costs, sizes, patterns, cheapest[tuple(patterns.T)])
    for shop in shops:
        for options, nodes in _held(shop):
            cheapest = np.full(shape, NEVER, dtype=np.int64)
            _cheapen(cheapest, shop, most, options)
            patterns = _maximal(cheapest)
            for _ in range(min(nodes, sum(most)) if len(patterns) else 0):
                if not _fill_one(costs, sizes, patterns, cheapest[tuple(patterns.T)]):
                    break
    return costs.reshape(shape)


def least_of(
    shop: Market,
    options: NDArray[np.intp],
    workloads: Sequence[int],
    most: Sequence[int],
    is_allowed: NDArray[np.bool_],
) -> int:
    """Micro-dollars an hour that ``most`` pods of some workloads cost at least on nodes of some options.

    Parameters
    ----------
    is_allowed
        bool array (pods of the first + 1, of the second + 1, ...): combinations that one node may hold; with
        each of them, those of fewer pods.
    """
    shape = tuple(count + 1 for count in most)
    costs = np.full(math.prod(shape), NEVER, dtype=np.int64)
    cheapest = np.full(shape, NEVER, dtype=np.int64)
    _cheapen(cheapest, shop, most, options, workloads)
    cheapest[~is_allowed] = NEVER
    patterns = _maximal(cheapest)
    if len(patterns):
        _fill(costs, np.array(shape, dtype=np.int64), patterns, cheapest[tuple(patterns.T)])
    return int(costs[-1])


def _sold(shop: Market) -> NDArray[np.intp]:
    """Options of which there is no end."""
    is_held = np.zeros(len(shop.price), dtype=bool)
    for (_, name), use in shop.use.items():
        if name == HELD:
            is_held |= use > 0
    return np.flatnonzero(~is_held)


def _held(shop: Market) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Options of which there are so many nodes."""
    for (number, name), use in shop.use.items():
        if name == HELD:
            yield np.flatnonzero(use > 0), shop.pools[number].room[HELD]


def _cheapen(
    found: Int64Array,
    shop: Market,
    most: Sequence[int],
    options: NDArray[np.intp],
    workloads: Sequence[int] | None = None,
) -> None:
    """Lower the price of the node for each combination to the cheapest of some options that holds it.

    Parameters
    ----------
    most
        Pods of each of ``workloads``; of all by default.
    """
    class_of = shop.classes.class_of if workloads is None else shop.classes.class_of[list(workloads)]
    requests = shop.requests[class_of]
    own = shop.most[class_of]
    for option in options[np.argsort(shop.price[options], kind="stable")]:
        admitted = shop.is_admitted[shop.row_of[option], class_of]
        room = shop.room[option]
        # What the node holds of each workload alone limits the part of the grid that is looked at.
        alone = [
            _held_alone(requests[w], room, min(int(own[w]), count)) if admitted[w] else 0
            for w, count in enumerate(most)
        ]
        part = found[tuple(slice(0, held + 1) for held in alone)]
        price = int(shop.price[option])
        if part.reshape(-1)[-1] <= price or not any(alone):
            continue
        fits = np.ones(part.shape, dtype=bool)
        for r in range(len(room)):
            load = np.zeros(part.shape, dtype=np.int64)
            for w, held in enumerate(alone):
                along = [1] * len(most)
                along[w] = held + 1
                load = load + (np.arange(held + 1, dtype=np.int64) * int(requests[w, r])).reshape(along)
            fits &= load <= int(room[r])
        part[fits & (part > price)] = price


def _held_alone(request: Int64Array, room: Int64Array, limit: int) -> int:
    """Pods of one workload that a node holds."""
    held = limit
    for amount, left in zip(request.tolist(), room.tolist(), strict=True):
        if amount > 0:
            held = min(held, max(0, left) // amount)
        elif left < 0:
            return 0
    return held


def _maximal(cheapest: Int64Array) -> Int64Array:
    """Combinations to which no pod can be added for nothing: int64 array (pattern, workload)."""
    is_useful = cheapest < NEVER
    for w in range(cheapest.ndim):
        more = np.full(cheapest.shape, NEVER, dtype=np.int64)
        ahead = [slice(None)] * cheapest.ndim
        here = [slice(None)] * cheapest.ndim
        ahead[w], here[w] = slice(1, None), slice(0, -1)
        more[tuple(here)] = cheapest[tuple(ahead)]
        is_useful &= more > cheapest
    is_useful.reshape(-1)[0] = False
    return np.ascontiguousarray(np.argwhere(is_useful), dtype=np.int64)


def compile_kernels() -> None:
    """Run the kernel once, for the types that it is called with."""
    one = np.ones(1, dtype=np.int64)
    _fill(np.zeros(2, dtype=np.int64), 2 * one, np.ones((1, 1), dtype=np.int64), one)
    _fill_one(np.zeros(2, dtype=np.int64), 2 * one, np.ones((1, 1), dtype=np.int64), one)


@njit(cache=True, nogil=True)
def _strides(shape: Int64Array) -> Int64Array:
    """Steps between the costs of points that differ by one pod of a workload: int64 array (workload,)."""
    strides = np.ones(len(shape), dtype=np.int64)
    for w in range(len(shape) - 2, -1, -1):
        strides[w] = strides[w + 1] * shape[w + 1]
    return strides


@njit(cache=True, nogil=True)
def _with_one_more(
    costs: Int64Array,
    at: int,
    point: Int64Array,
    strides: Int64Array,
    patterns: Int64Array,
    prices: Int64Array,
) -> int:
    """What a point costs if one node more may hold some of its pods."""
    best = costs[at]
    for p in range(len(prices)):
        if prices[p] >= best:
            continue
        back = at
        for w in range(len(point)):
            back -= strides[w] * min(point[w], patterns[p, w])
        if back < at and prices[p] + costs[back] < best:
            best = prices[p] + costs[back]
    return int(best)


@njit(cache=True, nogil=True)
def _fill(costs: Int64Array, shape: Int64Array, patterns: Int64Array, prices: Int64Array) -> None:
    """Costs of all points, in the order in which smaller ones come first."""
    n_workloads = len(shape)
    strides = _strides(shape)
    costs[0] = 0
    point = np.zeros(n_workloads, dtype=np.int64)
    for at in range(1, len(costs)):
        for w in range(n_workloads - 1, -1, -1):
            point[w] += 1
            if point[w] < shape[w]:
                break
            point[w] = 0
        costs[at] = _with_one_more(costs, at, point, strides, patterns, prices)


@njit(cache=True, nogil=True)
def _fill_one(costs: Int64Array, shape: Int64Array, patterns: Int64Array, prices: Int64Array) -> bool:
    """Lower the costs of all points by one node more; whether any is lower."""
    n_workloads = len(shape)
    strides = _strides(shape)
    point = shape - 1
    is_lower = False
    # Larger points first: what they draw on has no part of this node yet.
    for at in range(len(costs) - 1, 0, -1):
        best = _with_one_more(costs, at, point, strides, patterns, prices)
        is_lower |= best < costs[at]
        costs[at] = best
        for w in range(n_workloads - 1, -1, -1):
            point[w] -= 1
            if point[w] >= 0:
                break
            point[w] = shape[w] - 1
    return is_lower
