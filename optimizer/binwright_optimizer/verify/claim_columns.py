"""Device claims in the bound: which nodes a claim admits, and what it takes of each sort of them.

What a pod's claims take may differ between nodes: all devices of a node, or the first alternative that is met
there. Sorts of nodes on which some claims take different numbers have a column each, of which nodes of other
sorts have plenty. So each node holds exactly what its own column allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from binwright_optimizer.model import DeviceClaim, PodTemplate, Problem
from binwright_optimizer.verify.device_claims import (
    Claimable,
    claimable_of_node,
    claimable_of_type,
    devices_taken,
)

Claims = tuple[DeviceClaim, ...]


def own_claims(template: PodTemplate) -> Claims:
    """Claims of a pod that it shares with no other."""
    return tuple(claim for claim in template.device_claims if not claim.name)


SORT = "devices of sort "
"""Begins the name of a column."""


@dataclass(slots=True)
class ClaimTables:
    """What the claims of one problem take.

    Parameters
    ----------
    views
        Distinct devices of the nodes that may be bought or run.
    """

    views: tuple[Claimable, ...]
    _taken: dict[tuple[Claims, Claimable], int | None] = field(default_factory=dict)
    _sorts: dict[tuple[int | None, ...], int] = field(default_factory=dict)
    _varying: tuple[Claims, ...] = ()

    def taken(self, claims: Claims, view: Claimable) -> int | None:
        """Devices that claims take together of an otherwise empty node; None if it cannot meet them."""
        key = claims, view
        if key not in self._taken:
            numbers = [devices_taken(claim, view) for claim in claims]
            total = sum(number or 0 for number in numbers)
            is_met = None not in numbers and total <= view.within_reach
            self._taken[key] = total if is_met else None
        return self._taken[key]

    def least(self, claims: Claims) -> int:
        """Fewest devices that claims take of any node; 0 if none meets them."""
        return min((n for view in self.views if (n := self.taken(claims, view)) is not None), default=0)

    def number_sorts(self, every: set[Claims]) -> None:
        """Tell the sorts of nodes apart, given the own claims of every pod."""
        self._varying = tuple(
            sorted(
                (
                    claims
                    for claims in every
                    if len({self.taken(claims, view) for view in self.views} - {None}) > 1
                ),
                key=repr,
            )
        )
        if self._varying:
            for view in self.views:
                self._sorts.setdefault(self._profile(view), len(self._sorts))

    def _profile(self, view: Claimable) -> tuple[int | None, ...]:
        return tuple(self.taken(claims, view) for claims in self._varying)

    def is_of_sort(self, view: Claimable, name: str) -> bool:
        """Whether a node belongs to the sort that a column is about."""
        return self._sorts.get(self._profile(view)) == int(name.removeprefix(SORT))

    def columns(self, claims: Claims) -> Iterator[tuple[str, int]]:
        """What own claims take of nodes of each sort, by column; nothing where they cannot be met."""
        for view in self.views if self._varying else ():
            yield f"{SORT}{self._sorts[self._profile(view)]}", self.taken(claims, view) or 0


_known: WeakKeyDictionary[Problem, ClaimTables] = WeakKeyDictionary()


def claim_tables(problem: Problem) -> ClaimTables:
    """The tables of ``problem``, made once while it lives."""
    tables = _known.get(problem)
    if tables is None:
        pools = {pool.gpu_sharing.is_replicated: pool for pool in problem.node_pools}.values()
        views = [claimable_of_type(kind, pool) for kind in problem.catalog.instance_types for pool in pools]
        views += [claimable_of_node(problem, node) for node in problem.existing_nodes]
        tables = ClaimTables(tuple(dict.fromkeys(views)))
        tables.number_sorts({own_claims(workload.template) for workload in problem.workloads})
        _known[problem] = tables
    return tables
