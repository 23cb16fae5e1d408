"""The small cells of a plan, each with the least that any split of its pods costs on whole nodes.

Cells of a plan want the same workloads on the same sites in other numbers, so that what so many pods cost
on a site is worked out once, for the most that any small cell wants. A cell is small if its smallest box can
be looked at (`whole_split`); all small cells together have a number of steps, so that a plan of many is not
kept waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from binwright_optimizer.model import Problem
from binwright_optimizer.verify.whole_nodes import NEVER, Int64Array, least_costs, least_costs_of_all
from binwright_optimizer.verify.whole_split import (
    ALL_STEPS,
    LeastSplit,
    WholeCosts,
    WholeItem,
    is_countable,
    least_split,
)

PLAN_STEPS = 1_000_000_000
"""Steps for all different small cells of one kind of nodes; some ten seconds if all were needed."""

Key = TypeVar("Key", bound=Hashable)
ProblemOf = Callable[[Sequence[int], int], Problem]
"""The packing problem of workloads, by number, on a site, by number."""


@dataclass(slots=True)
class WholeCells(Generic[Key]):
    """What splits of cells cost at least, for one kind of nodes.

    Parameters
    ----------
    cells
        Items of each cell; their order does not matter.
    """

    cells: Mapping[Key, Sequence[WholeItem]]
    problem_of: ProblemOf
    _small: dict[Key, tuple[tuple[WholeItem, ...], tuple[int, ...]]] = field(default_factory=dict)
    _most: dict[int, int] = field(default_factory=dict)
    _at_site: dict[int, set[int]] = field(default_factory=dict)
    _tables: dict[int, Int64Array | None] = field(default_factory=dict)
    _pooled: list[WholeCosts | None] = field(default_factory=list)
    _known: dict[tuple[WholeItem, ...], LeastSplit | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, items in self.cells.items():
            order = sorted(range(len(items)), key=lambda i: _sorted_by(items[i]))
            ordered = tuple(items[i] for i in order)
            if not is_countable(ordered):
                continue
            self._small[key] = ordered, tuple(order)
            wanted: dict[int, int] = {}
            for item in ordered:
                wanted[item.workload] = wanted.get(item.workload, 0) + item.pods
                for site in item.egress:
                    self._at_site.setdefault(site, set()).add(item.workload)
            for workload, pods in wanted.items():
                self._most[workload] = max(pods, self._most.get(workload, 0))

    def least(self, key: Key) -> LeastSplit | None:
        """The least that a cell costs; None where it is not small."""
        if key not in self._small:
            return None
        items, order = self._small[key]
        if items not in self._known:
            self._known[items] = self._least(items)
        found = self._known[items]
        if found is None:
            return None
        return replace(found, pods={(order[i], site): pods for (i, site), pods in found.pods.items()})

    def _least(self, items: tuple[WholeItem, ...]) -> LeastSplit | None:
        tables = {}
        for site in {site for item in items for site in item.egress}:
            costs = self._table(site)
            if costs is None:
                return None
            tables[site] = WholeCosts(tuple(sorted(self._at_site[site])), costs)
        different = len({items for items, _ in self._small.values()})
        found = least_split(items, tables, self._together(), min(ALL_STEPS, PLAN_STEPS // different))
        return None if found.bound >= NEVER else found

    def _table(self, site: int) -> Int64Array | None:
        if site not in self._tables:
            workloads = sorted(self._at_site[site])
            most = [self._most[w] for w in workloads]
            self._tables[site] = least_costs(self.problem_of(workloads, site), most)
        return self._tables[site]

    def _together(self) -> WholeCosts | None:
        """Costs where a node may be of any site, for what may be held while the loss of one is survived."""
        if not self._pooled:
            workloads = sorted(self._most)
            most = [2 * self._most[w] for w in workloads]
            problems = [self.problem_of(workloads, site) for site in sorted(self._at_site)]
            costs = least_costs_of_all(problems, most)
            self._pooled.append(None if costs is None else WholeCosts(tuple(workloads), costs))
        return self._pooled[0]


def _sorted_by(item: WholeItem) -> tuple[object, ...]:
    egress = tuple(sorted(item.egress.items()))
    return item.workload, item.pods, egress, item.kept, tuple(sorted(item.lost_alone))
