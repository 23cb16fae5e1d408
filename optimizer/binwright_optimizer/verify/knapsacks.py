"""What the pods of one node can be worth at most: a knapsack for each option, in rounds of rising effort."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.verify import device_weights
from binwright_optimizer.verify.knapsack import (
    LongSearch,
    bound_apart,
    bound_pattern_values,
    undominated,
)
from binwright_optimizer.verify.market import Int64Array, Market

_SEARCH_ROUNDS = ((1_000, 32), (100_000, 8))
"""Search nodes per knapsack, and knapsacks between two looks at the clock. Those left open after one are
searched again in the next, and at last in steps for as long as time lasts."""
_STEP = 4_000_000
"""Search nodes of a step: some 60 ms."""
_FAIR = 6_000_000
"""Search nodes that every knapsack left open gets before those of the largest excess get all."""
_APART_ROUNDS = 400_000, 2_000_000, 8_000_000, 32_000_000
"""Search nodes per knapsack where classes are in conflict, in rounds: either of two ways may be far
shorter."""
_UNLIMITED = 1 << 60
_FINE_BITS = 30
"""Knapsacks left open after the first round need not be told from 1 + 2**-30 times their threshold. Prices
from floating point are worth that much more than a node costs; to find out by how much exactly takes as long
as a search without any threshold: half a second for 10,000 pods of a GPU trace, a hundredth of one with this.
Of a cost of more than a billion steps of prices, the last step may stay unproven for it.
"""
_LONG_S = 3_600.0
"""Seconds in which every round ends."""
NODE_S, FEW_CLASSES = 1.5e-8, 400
"""Seconds that a search node takes, of up to so many classes; of more as the square of them, since it stands
for its part of a relaxation. What there is no time for is not begun."""


def competitive(shop: Market, cost: Int64Array, is_admitted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Options that no unlimited one matches in cost, room and admitted classes."""
    rows = is_admitted.astype(np.float32)
    is_subset = (rows @ (1 - rows.T)) == 0
    order = np.lexsort((-shop.room[:, -1], cost))
    return undominated(shop.room, cost, shop.row_of, is_subset, order, shop.available < 0)


class Knapsacks:
    """Bounds on pattern values for the classes with a price.

    Parameters
    ----------
    demand, most, requests
        (class,), (class,) and (class, resource); ``most`` is what one node may hold of a class.
    is_admitted
        bool (row, class).
    deadline
        Monotonic time after which knapsacks are only relaxed.
    most_nodes
        Search nodes after which a knapsack is only relaxed, if there is such a limit.
    poll
        Called between knapsacks, which are only relaxed once it returns true.
    apart
        bool (class, class): pairs of which no node holds pods of both; None without any.
    """

    def __init__(
        self,
        demand: Int64Array,
        most: Int64Array,
        requests: Int64Array,
        is_admitted: NDArray[np.bool_],
        deadline: float,
        most_nodes: int | None = None,
        poll: Callable[[], object] = lambda: None,
        apart: NDArray[np.bool_] | None = None,
    ) -> None:
        self.demand = demand
        self._apart = apart
        self._on_one_node = np.minimum(demand, most)
        self.is_admitted = is_admitted
        self._requests = requests
        # Dividing by what divides every request changes no pattern, and leaves the multipliers
        # more bits: a byte is a fine unit for gibibytes.
        self._unit = np.maximum(1, np.gcd.reduce(requests, axis=0, initial=0))
        self._scaled_requests = requests // self._unit
        self._deadline = deadline
        self._poll = poll
        self._most_nodes = _UNLIMITED if most_nodes is None else most_nodes
        self._rounds = [r for r in _SEARCH_ROUNDS if r[0] <= self._most_nodes]

    def can_hold(self, room: Int64Array, row: int) -> NDArray[np.bool_]:
        """Classes of which such a node holds at least one pod: bool (class,)."""
        fits: NDArray[np.bool_] = np.all(self._requests <= room, axis=1)
        fits &= self.is_admitted[row]
        return fits

    def most_worth(
        self, pod: Int64Array, rooms: Int64Array, rows: Int64Array, thresholds: Int64Array
    ) -> Int64Array:
        """Upper bounds on what the pods of one node are worth; rough below its threshold: (node,)."""
        n_nodes = len(rooms)
        bounds = np.full(n_nodes, np.iinfo(np.int64).max)
        is_final = np.zeros(n_nodes, dtype=bool)
        written = np.zeros(n_nodes, dtype=np.int64)
        start = np.full(rooms.shape[1], 1.0 / max(1, rooms.shape[1]))
        open_nodes = np.arange(n_nodes)
        scaled_rooms = rooms // self._unit
        for number, (node_limit, chunk_size) in enumerate(self._rounds):
            for first in range(0, len(open_nodes), chunk_size):
                self._look()
                chunk = open_nodes[first : first + chunk_size]
                left = self._affordable() // len(chunk)
                is_late = left <= 0
                if number and left < _SEARCH_ROUNDS[number - 1][0]:
                    return bounds
                bound_pattern_values(
                    pod,
                    self._on_one_node,
                    self._scaled_requests,
                    scaled_rooms,
                    self.is_admitted,
                    rows,
                    thresholds,
                    chunk,
                    0 if is_late else node_limit if not number else min(node_limit, left),
                    start,
                    written,
                    is_final,
                )
                bounds[chunk] = np.minimum(bounds[chunk], written[chunk])
            open_nodes = open_nodes[~is_final[open_nodes] & (bounds[open_nodes] > thresholds[open_nodes])]
            if not number:
                thresholds = thresholds + (np.maximum(0, thresholds) >> _FINE_BITS)
        self._keep_apart(pod, scaled_rooms, rows, thresholds, bounds, is_final)
        open_nodes = open_nodes[~is_final[open_nodes]]
        if self._most_nodes >= _SEARCH_ROUNDS[-1][0]:
            searches = {
                int(node): LongSearch(
                    pod,
                    self._on_one_node,
                    self._scaled_requests,
                    self.is_admitted[rows[node]],
                    scaled_rooms[node],
                    int(thresholds[node]),
                )
                for node in open_nodes
            }
            self._search_long(searches, bounds, thresholds)
        return bounds

    def _keep_apart(
        self,
        pod: Int64Array,
        rooms: Int64Array,
        rows: Int64Array,
        thresholds: Int64Array,
        bounds: Int64Array,
        is_final: NDArray[np.bool_],
    ) -> None:
        """Bounds of nodes above their thresholds where pods in conflict are kept apart."""
        if self._apart is None:
            return
        open_nodes = np.flatnonzero(bounds > thresholds)
        for before, limit in zip((0, *_APART_ROUNDS), _APART_ROUNDS, strict=False):
            if before >= self._most_nodes:
                return
            for number, node in enumerate(open_nodes.tolist()):
                self._look()
                affordable = self._affordable() // (len(open_nodes) - number)
                if affordable < _SEARCH_ROUNDS[0][0]:
                    return
                bound, is_over, _ = bound_apart(
                    pod,
                    self._on_one_node,
                    self._scaled_requests,
                    self.is_admitted[rows[node]],
                    rooms[node],
                    self._apart,
                    int(thresholds[node]),
                    int(bounds[node]),
                    min(limit, affordable, self._most_nodes),
                )
                bounds[node] = bound
                is_final[node] |= is_over
            open_nodes = open_nodes[~is_final[open_nodes] & (bounds[open_nodes] > thresholds[open_nodes])]

    def _search_long(
        self, searches: dict[int, LongSearch], bounds: Int64Array, thresholds: Int64Array
    ) -> None:
        """Search in steps, as long as time lasts: all for a while, and then that of the largest excess."""
        excess = bounds / np.maximum(1, thresholds)
        while searches:
            self._look()
            behind = [node for node, one in searches.items() if one.nodes < _FAIR]
            node = behind[0] if behind else max(searches, key=lambda k: float(excess[k]))
            search = searches[node]
            affordable = self._affordable()
            if affordable < _SEARCH_ROUNDS[0][0]:
                return
            search.go_on(min(_STEP, affordable, self._most_nodes - search.nodes))
            bounds[node] = min(bounds[node], search.bound)
            excess[node] = bounds[node] / max(1, thresholds[node])
            if search.is_over or search.nodes >= self._most_nodes:
                del searches[node]

    def _look(self) -> None:
        """Whether anybody still waits for this."""
        if self._poll():
            self._deadline = min(self._deadline, time.monotonic())

    def _affordable(self) -> int:
        """Search nodes that there is time for."""
        node_s = NODE_S * max(1.0, len(self.demand) / FEW_CLASSES) ** 2
        return int(min(self._deadline - time.monotonic(), _LONG_S) / node_s)


def compile_kernels() -> None:
    """Run every kernel once on a tiny market, for the types that `prove_bound` calls them with."""
    device_weights.compile_kernels()
    one = np.ones(1, dtype=np.int64)
    knapsacks = Knapsacks(
        one * 3, one * 3, np.ones((1, 2), dtype=np.int64), np.ones((1, 1), dtype=bool), np.inf
    )
    knapsacks.most_worth(one, np.full((1, 2), 2, dtype=np.int64), one - 1, one)
    search = LongSearch(one, one * 3, np.ones((1, 2), dtype=np.int64), one > 0, one.repeat(2), 1)
    search.go_on(1)
    search.look_up(1_000)
    requests, nobody = np.ones((1, 2), dtype=np.int64), np.zeros((1, 1), dtype=bool)
    bound_apart(one, one * 3, requests, one > 0, one.repeat(2), nobody, 0, 3, 1_000)
    undominated(
        np.ones((1, 2), dtype=np.int64),
        one,
        one - 1,
        np.ones((1, 1), dtype=bool),
        np.zeros(1, dtype=np.intp),
        np.ones(1, dtype=bool),
    )
