"""The best solution and the best bound so far; both only ever improve."""

from __future__ import annotations

from dataclasses import dataclass


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
