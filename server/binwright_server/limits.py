"""What one request may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass

MOST_PODS = 1_000_000
"""Largest `RequestLimits.max_pods` that makes sense: every pod is named in the answer, and a
million names are about 25 MB of it."""

MOST_MINIMUM_NODES = 100_000
"""Most nodes a NodePool may demand with ``min_nodes``: each becomes a NodeClaim of the answer."""

LONGEST_DEADLINE_S = 86_400.0
"""A day: the longest solve that `SolveParams` accepts."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds on a request, and what is meant where it is silent.

    Parameters
    ----------
    max_pods
        Most pods of one problem, replicas counted.
    default_deadline_s, default_gap
        Used where the request sets none.
    max_deadline_s
        Longest deadline a request may ask for.
    """

    max_pods: int = MOST_PODS
    default_deadline_s: float = 10.0
    max_deadline_s: float = LONGEST_DEADLINE_S
    default_gap: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_pods <= MOST_PODS:
            raise ValueError(f"max_pods must be in 1..{MOST_PODS}, got {self.max_pods}")
        if not 0 < self.max_deadline_s <= LONGEST_DEADLINE_S:
            raise ValueError(f"max_deadline_s must be above 0 and at most a day, got {self.max_deadline_s}")
        if not 0 < self.default_deadline_s <= self.max_deadline_s:
            raise ValueError(
                f"default_deadline_s must be above 0 and at most max_deadline_s ({self.max_deadline_s}),"
                f" got {self.default_deadline_s}"
            )
        if not 0 <= self.default_gap < 1:
            raise ValueError(f"default_gap must be in [0, 1), got {self.default_gap}")
