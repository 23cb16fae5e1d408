"""Parameters of a solve."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SolveParams:
    """How long and how far to search.

    Parameters
    ----------
    deadline_s
        Seconds from the start of the solve to its answer, verification included.
    gap
        Stop once (cost - bound) / cost is at most this; 0 searches for the optimum.
    seed
        Seed of everything random.
    patience
        Neighbourhoods without improvement after which the search counts as exhausted.
    work_limit
        Units of counted work, of about a microsecond each, after which the search ends; None for no limit.
        With it the search looks at counted work instead of the clock, so that the same problem, seed and
        limit give the same decision unless the deadline comes first.
    """

    deadline_s: float = 10.0
    gap: float = 0.0
    seed: int = 0
    patience: int = 150
    work_limit: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.deadline_s <= 86_400:
            raise ValueError(f"deadline_s must be above 0 and at most a day, got {self.deadline_s}")
        if not 0 <= self.gap < 1:
            raise ValueError(f"gap must be in [0, 1), got {self.gap}")
        if self.work_limit is not None and self.work_limit < 1:
            raise ValueError(f"work_limit must be at least 1, got {self.work_limit}")
