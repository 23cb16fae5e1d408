"""What pods cost at least on whole nodes of each site, for cells that are bounded by prices of pods."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from binwright_optimizer.model import Problem
from binwright_optimizer.verify.pod_prices import SplitItem
from binwright_optimizer.verify.whole_nodes import MOST_POINTS, Int64Array, least_costs
from binwright_optimizer.verify.whole_split import WholeCosts

Key = TypeVar("Key", bound=Hashable)
ProblemOf = Callable[[Sequence[int], int], Problem]
"""The packing problem of workloads, by number, on a site, by number."""


@dataclass(slots=True)
class SiteCosts(Generic[Key]):
    """Tables of costs by site, shared by all cells where one holds what any of them wants.

    Parameters
    ----------
    cells
        Items of each cell.
    """

    cells: Mapping[Key, Sequence[SplitItem]]
    problem_of: ProblemOf
    _most: dict[int, dict[int, int]] = field(default_factory=dict)
    _tables: dict[tuple[int, tuple[tuple[int, int], ...]], Int64Array | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for items in self.cells.values():
            for site, own in wanted_on(items).items():
                known = self._most.setdefault(site, {})
                for workload, pods in own.items():
                    known[workload] = max(pods, known.get(workload, 0))

    def of(self, key: Key) -> dict[int, WholeCosts] | None:
        """The costs on every site of a cell; None where its pods have too many combinations."""
        found = {}
        for site, own in wanted_on(self.cells[key]).items():
            shared = self._most[site]
            most = shared if math.prod(n + 1 for n in shared.values()) <= MOST_POINTS else own
            asked = tuple(sorted(most.items()))
            if (site, asked) not in self._tables:
                workloads, pods = [w for w, _ in asked], [n for _, n in asked]
                self._tables[site, asked] = least_costs(self.problem_of(workloads, site), pods)
            costs = self._tables[site, asked]
            if costs is None:
                return None
            found[site] = WholeCosts(tuple(w for w, _ in asked), costs)
        return found


def wanted_on(items: Sequence[SplitItem]) -> dict[int, dict[int, int]]:
    """Pods by workload that each site may have to hold at most."""
    found: dict[int, dict[int, int]] = {}
    for item in items:
        for site in item.egress:
            own = found.setdefault(site, {})
            own[item.workload] = own.get(item.workload, 0) + item.pods
    return found
