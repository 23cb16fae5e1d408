"""What running a flavour costs in people's hours, by stated assumptions.

Hours a month = a base for each cluster (upgrades, control plane, backups, on-call) + a rate for each hundred
nodes (images, drains, capacity, hardware). They are assumptions, larger where less is managed; multiply
them as you see fit. The rate of pay is the median of US software developers (Bureau of Labor Statistics, May
2024: 133,080 $ a year, 64 $ an hour) and a third on top for what employment costs besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HOURLY_RATE_USD = 85


@dataclass(frozen=True, slots=True)
class Effort:
    """Hours a month: of a cluster, and of a hundred nodes."""

    base: int
    per_hundred_nodes: int

    def hours(self, nodes: int) -> float:
        """Hours a month for a cluster of ``nodes``.

        Examples
        --------
        >>> Effort(24, 10).hours(300)
        54.0
        """
        return self.base + self.per_hundred_nodes * nodes / 100


EFFORT: Mapping[str, Effort] = {
    "vanilla": Effort(60, 16),
    "eks": Effort(24, 10),
    "gke": Effort(16, 8),
    "aks": Effort(20, 10),
    "bare-metal": Effort(80, 30),
}
