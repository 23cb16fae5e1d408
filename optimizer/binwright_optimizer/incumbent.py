"""The best packing and the best bound so far; both only ever improve."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from binwright_optimizer.instance import Instance
from binwright_optimizer.model import relative_gap
from binwright_optimizer.packing import Packing
from binwright_optimizer.stopping import Stop


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of the search, as callers see it.

    Parameters
    ----------
    cost_microusd_per_hour
        Cost of the incumbent; None before the first.
    bound_microusd_per_hour
        Bound so far, as the search believes it; the decision carries the proven one.
    nodes
        Nodes bought by the incumbent.
    """

    phase: str
    elapsed_s: float
    cost_microusd_per_hour: int | None
    bound_microusd_per_hour: int
    nodes: int


class Incumbent:
    """Best packing and bound of one search.

    Parameters
    ----------
    price_step
        Every cost is a multiple of this many micro-dollars, so that a bound may be rounded up.
    on_packing
        Called with every packing that becomes the incumbent.
    """

    def __init__(
        self,
        instance: Instance,
        stop: Stop,
        price_step: int,
        on_progress: Callable[[Progress], None] | None,
        on_packing: Callable[[Packing], None] | None = None,
    ) -> None:
        self._instance = instance
        self._stop = stop
        self._price_step = max(1, price_step)
        self._on_progress = on_progress
        self._on_packing = on_packing
        self.packing: Packing | None = None
        self.bound = 0

    def offer(self, packing: Packing, phase: str) -> bool:
        """Keep the packing if it is better than the incumbent; returns whether it is."""
        if self.packing is not None and packing.rank(self._instance) >= self.packing.rank(self._instance):
            return False
        self.packing = packing
        if self._on_packing is not None:
            self._on_packing(packing)
        self.report(phase)
        return True

    def raise_bound(self, dollars: float, phase: str) -> None:
        """Note a bound on the cost of placing every pod, in dollars per hour."""
        step = self._price_step
        bound = math.ceil(dollars * 1e6 * (1 - 1e-9) / step - 1e-6) * step
        if bound > self.bound:
            self.bound = bound
            self.report(phase)

    @property
    def gap(self) -> float:
        """Relative gap; 1 without an incumbent that places every pod and meets every minimum.

        The bound of the search is on placing everything, so that it says nothing about a packing
        that leaves pods out.
        """
        if self.packing is None or self.packing.short or self.packing.is_partial(self._instance):
            return 1.0
        return max(0.0, relative_gap(self.packing.cost, self.bound))

    def report(self, phase: str) -> None:
        """Tell the caller where the search stands."""
        if self._on_progress is None:
            return
        cost = None if self.packing is None else self.packing.cost
        nodes = 0 if self.packing is None else self.packing.nodes
        bound = self.bound if cost is None else min(self.bound, cost)
        if self.packing is not None and self.packing.is_partial(self._instance):
            bound = 0  # the bound is on placing every pod
        self._on_progress(Progress(phase, self._stop.elapsed_s(), cost, bound, nodes))
