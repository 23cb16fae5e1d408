"""Hypothesis strategies and brute force for the pricing problem of one candidate."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from binwright_optimizer.pricing.kernels.sweep import gather
from drawn_rules import Ruleset, rulesets
from hypothesis import strategies as st
from numpy.typing import NDArray


@dataclass(frozen=True)
class Knapsack:
    """Values (i,), caps (i,), requests (i, r) and room (r,) of one candidate, and who may enter."""

    values: NDArray[np.float64]
    caps: NDArray[np.int64]
    requests: NDArray[np.int64]
    room: NDArray[np.int64]
    compatible: NDArray[np.bool_]
    ruleset: Ruleset = field(default_factory=lambda: Ruleset(0, 0))

    @property
    def rules(self):
        own = self.ruleset if self.ruleset.n_classes else Ruleset(len(self.values), 1)
        return own.arrays()

    def state(self):
        """Node rules and room for the state of a node, as the kernels take them; `gathered` fills it."""
        rules = self.rules
        n_sets = len(rules.cap)
        held = np.zeros(len(self.values), dtype=np.int64)
        return rules, held, np.zeros(n_sets, dtype=np.int64), np.zeros(n_sets, dtype=np.int64)

    def gathered(self, state=None):
        """Number, items, limits and shares, as the kernels take them."""
        n_classes, n_resources = self.requests.shape
        items, limits = np.empty(n_classes, dtype=np.int64), np.empty(n_classes, dtype=np.int64)
        shares = np.empty((n_classes, n_resources))
        n = gather(
            0, self.values, self.caps, self.requests, self.room[None, :], self.compatible[None, :], items,
            limits, shares, *(state or self.state()),
        )  # fmt: skip
        return n, items, limits, shares

    def worth(self, pattern: NDArray[np.int64]) -> float:
        return float(pattern @ self.values)

    def fits(self, pattern: NDArray[np.int64]) -> bool:
        return bool(
            (pattern @ self.requests <= self.room).all()
            and (pattern <= self.caps).all()
            and not pattern[~self.compatible].any()
            and self.ruleset.allows(0, pattern)
        )

    def best(self) -> float:
        """Largest worth of any pattern, by trying them all."""
        spans = [range(int(cap) + 1) for cap in self.caps]
        patterns = (np.array(counts, dtype=np.int64) for counts in itertools.product(*spans))
        return max(self.worth(pattern) for pattern in patterns if self.fits(pattern))


@st.composite
def knapsacks(draw: st.DrawFn, *, may_have_rules: bool = True) -> Knapsack:
    """Up to four classes and three resources, small enough to try every pattern; node rules now and then."""
    n_classes, n_resources = draw(st.integers(1, 4)), draw(st.integers(1, 3))

    def row(low: int, high: int, length: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=length, max_size=length))

    return Knapsack(
        values=np.array(row(0, 20, n_classes), dtype=np.float64),
        caps=np.array(row(0, 4, n_classes), dtype=np.int64),
        requests=np.array([row(0, 7, n_resources) for _ in range(n_classes)], dtype=np.int64),
        room=np.array(row(0, 20, n_resources), dtype=np.int64),
        compatible=np.array([draw(st.integers(0, 4)) > 0 for _ in range(n_classes)]),
        ruleset=draw(rulesets(n_classes, 1)) if may_have_rules else Ruleset(n_classes, 1),
    )
