"""The cheapest whole nodes for few pods, by CP-SAT: for gaps that no prices close.

By any prices, a decision costs what they prove and, beside that, what each of its nodes wastes. A decision
below a goal has no node that wastes more than what lies between the goal and what is proven. Where few
patterns waste as little, all of them are listed (`small_waste`), and CP-SAT tells the least that a choice of
them costs that places all pods that have a price and keeps limits, minimums, supplies and the bounds of a
part. Any other choice costs the goal.

Everything is in whole numbers, small enough for those that CP-SAT returns in floating point. Rules that it is
not told, and pods without a price, make what it finds cheaper, never what is proven higher.
"""

from __future__ import annotations

import importlib
import math
import threading
from collections import defaultdict
from dataclasses import replace
from types import TracebackType
from typing import Any

from binwright_optimizer.verify.clock import Clock
from binwright_optimizer.verify.knapsack import VALUE_BITS
from binwright_optimizer.verify.market import Int64Array, Market
from binwright_optimizer.verify.small_waste import Column, Priced, TooManyError, small_waste

MOST_PODS, MOST_CLASSES = 400, 40
"""Pods and classes up to which there is a chance that patterns are few."""
MOST_GOAL = 1 << 52
"""Micro-dollars beyond which a goal is as good as none: up to there CP-SAT's bounds, which come as floating
point numbers, are whole."""
MOST_WASTE = 1 << VALUE_BITS
"""More than any node costs by any prices."""
COUNTED_S = 1.0
"""What the search may take in CP-SAT's own count of work, a unit of which takes one to six seconds."""
WATCH_S = 0.01
"""Seconds between looks at the clock while CP-SAT searches."""
LEAST_S = 0.005
"""Seconds without which it is not begun."""
BUILT_COLUMNS = 200
"""Columns that are written down between looks at the clock: some milliseconds."""


def load() -> None:
    """Import CP-SAT, which takes half a second that the first proof may not have."""
    importlib.import_module("ortools.sat.python.cp_model")


def least_of_parts(
    shop: Market,
    demand: Int64Array,
    parts: list[Priced],
    goal: int,
    clock: Clock,
    counted_s: float = COUNTED_S,
) -> int:
    """The least of what all parts cost at least, up to the goal, micro-dollars per hour.

    Parameters
    ----------
    demand
        (class,) pods.
    parts
        What prices prove of each part of the decisions; every decision is in one.
    goal
        Beyond which nothing is to be proven, micro-dollars per hour.
    counted_s
        What CP-SAT may take for each part in its own count of work.
    """
    for part in sorted(parts, key=lambda part: part.known):
        if part.known >= goal:
            break
        goal = min(goal, least_choice(shop, demand, part, goal, clock, counted_s))
    return goal


def least_choice(
    shop: Market, demand: Int64Array, priced: Priced, goal: int, clock: Clock, counted_s: float = COUNTED_S
) -> int:
    """Micro-dollars per hour that decisions of a part cost at least: what the prices prove, or more.

    The parameters are those of `least_of_parts`.
    """
    goal = min(goal, MOST_GOAL)
    slack = min((goal << priced.bits) - priced.value, MOST_WASTE)
    has_price = priced.pod > 0
    priced = replace(priced, classes=priced.classes[has_price], pod=priced.pod[has_price])
    wanted = demand[priced.classes]
    if slack <= 0 or int(wanted.sum()) > MOST_PODS or not 0 < len(wanted) <= MOST_CLASSES:
        return priced.known
    if any(min(level, count) > 0 and level * count >= goal for level, count in priced.least.items()):
        return max(priced.known, goal)  # so many nodes of such prices cost as much
    try:
        columns = list(small_waste(shop, wanted, priced, slack, clock))
        return max(priced.known, _cheapest(shop, columns, wanted, priced, goal, clock, counted_s))
    except TooManyError:
        return priced.known


def _cheapest(
    shop: Market,
    columns: list[Column],
    wanted: Int64Array,
    priced: Priced,
    goal: int,
    clock: Clock,
    counted_s: float,
) -> int:
    """Micro-dollars that a choice of these columns costs at least, up to the goal."""
    if clock.remaining_s() <= LEAST_S:
        raise TooManyError
    from ortools.sat.python import cp_model  # see `load`

    model = cp_model.CpModel()
    least = {level: max(0, min(count, MOST_GOAL)) for level, count in priced.least.items()}
    needed = [*least.values(), *(terms.missing for terms in shop.pools)]
    bought: list[tuple[int, Any]] = []
    there: list[tuple[int, Any]] = []
    held: list[list[Any]] = [[] for _ in wanted]
    for number, column in enumerate(columns):
        if number % BUILT_COLUMNS == 0 and clock.is_over():
            raise TooManyError
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
        if count < MOST_GOAL:
            model.add(sum(n for o, n in bought if shop.price[o] >= level) <= max(count, -1))
    for level, count in least.items():
        model.add(sum(n for o, n in bought if shop.price[o] >= level) >= count)
    cost = sum(int(shop.price[o]) * n for o, n in bought)
    model.add(cost <= goal - 1)
    model.minimize(cost)
    seconds = clock.remaining_s()
    if seconds <= LEAST_S:
        raise TooManyError
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2  # without, covers by hundreds of columns stay open
    solver.parameters.max_deterministic_time = counted_s
    solver.parameters.max_time_in_seconds = seconds
    with _Watch(solver, clock):
        status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return goal
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.UNKNOWN):
        return min(goal, math.ceil(solver.best_objective_bound - 1e-6))
    return 0  # what it was given was too large for it


class _Watch:
    """Ends a search of CP-SAT once its clock says so, which a thread asks; what the clock raises is raised.

    Where the process has no more threads, the search is not watched: its own limit of time ends it.
    """

    def __init__(self, solver: Any, clock: Clock) -> None:
        self._solver = solver
        self._clock = clock
        self._is_left = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        thread = threading.Thread(target=self._run, name="binwright-choice", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._thread = thread

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_left.set()
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        is_over = False
        while not self._is_left.wait(WATCH_S):
            try:
                is_over = is_over or self._clock.is_over()
            except BaseException as failure:  # raised again in the thread of the proof
                self._failure, is_over = failure, True
            if is_over:  # again and again: before the search has begun, nobody hears it
                self._solver.stop_search()


def _sums(nodes: list[tuple[int, Any]]) -> dict[int, Any]:
    """The variables of each option, or node, added up."""
    total: dict[int, Any] = defaultdict(int)
    for number, variable in nodes:
        total[number] += variable
    return total
