"""Instance types that would hold a NodeClaim's pods in place of the chosen one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.device_plan import DeviceColumns, Plan
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.choices import has_choices
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.model import Alternative, CapacityType, Problem, labels
from binwright_optimizer.model.templates import templates_of

MAX_ALTERNATIVES = 20
"""Instance types listed per NodeClaim, the chosen one included."""


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """Rows of a variant that share the labels that alternatives must share; cheap first.

    Parameters
    ----------
    near, rows
        intp arrays (n,): positions in the variant's rows; shelf rows.
    price, room
        int64 arrays (n,), (r, n): micro-dollars per hour; what is left to pods.
    is_plain
        Whether each instance type is sold there once.
    admitted
        By placement: bool array (n,); None where all of them admit it.
    """

    variant: int
    near: NDArray[np.intp]
    rows: NDArray[np.intp]
    price: NDArray[np.int64]
    room: NDArray[np.int64]
    is_plain: bool
    admitted: dict[int, NDArray[np.bool_] | None] = field(default_factory=dict)


class Alternatives:
    """Types of the same NodePool variant, zone and capacity type that hold a node's pods.

    They agree with the chosen type on every topology key that a rule names, and on spot capacity there
    are none beside it where the pods in one spot pool are bounded: whichever is launched, rules hold.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        columns = instance.shelf.labels.columns
        shared = {labels.REGION, labels.ZONE, labels.CAPACITY_TYPE}
        shared |= _topology_keys(instance.problem) & columns.keys()
        self._where = np.stack([columns[key].codes for key in sorted(shared)])
        self._is_bounded = counted_by_spot_pool(instance)
        self._any_bounded = bool(self._is_bounded.any())
        self._neighbours: dict[tuple[int, bytes], _Neighbours] = {}
        self._named: dict[int, Alternative] = {}
        self._listed: dict[tuple[int, bytes], tuple[Alternative, ...]] = {}
        self._devices: dict[int, DeviceColumns] = {}
        widths = [len(part.rows) for part in instance.origin.shelved]
        self._placements: list[set[int]] = [set() for _ in range(instance.n_classes)]
        placement_of = instance.origin.localized.placement_of.tolist()
        for i, placement in zip(instance.origin.class_of_local.tolist(), placement_of, strict=True):
            if i >= 0:
                self._placements[i].add(placement)
        self._first = np.concatenate([[0], np.cumsum(widths)]).astype(np.intp)

    def of(
        self, variant: int, chosen: int, pattern: NDArray[np.int32], load: NDArray[np.int64], plan: Plan
    ) -> tuple[Alternative, ...]:
        """Alternatives to a variant's shelf row for this pattern, the row itself first."""
        instance, shelf = self._instance, self._instance.shelf
        own = self._alternative(chosen)
        (held,) = pattern.nonzero()
        if self._any_bounded and self._is_bounded[held].any():
            offering = shelf.offering(instance.problem.catalog, chosen)
            if offering.capacity_type is CapacityType.SPOT:
                return (own,)
        nearby = self._near(variant, chosen)
        rows = self._suitable(nearby, chosen, held, load, plan)
        pool = instance.problem.node_pools[instance.variants[variant].pool]
        counters = [_Values(shelf, r.key, r.min_values, chosen) for r in pool.requirements if r.min_values]
        if not counters and nearby.is_plain:
            others = rows[:MAX_ALTERNATIVES]
            return self._listed.get((chosen, others.tobytes())) or self._list(chosen, others)
        return (own, *self._others(rows, counters, own))

    def _list(self, chosen: int, rows: NDArray[np.intp]) -> tuple[Alternative, ...]:
        """A shelf row and some that are sold once each; equal lists are one, so that it is read once, too."""
        others = [self._alternative(row) for row in rows.tolist() if row != chosen]
        listed = (self._alternative(chosen), *others[: MAX_ALTERNATIVES - 1])
        self._listed[chosen, rows.tobytes()] = listed
        return listed

    def _others(self, rows: NDArray[np.intp], counters: list[_Values], own: Alternative) -> list[Alternative]:
        """Each instance type once, those first that ``counters`` need; cheap first."""
        if not counters:
            rows = rows[: 4 * MAX_ALTERNATIVES]
        seen = {own.instance_type}
        needed: list[Alternative] = []
        others: list[Alternative] = []
        for row in rows.tolist():
            other = self._alternative(row)
            if other.instance_type in seen:
                continue
            seen.add(other.instance_type)
            is_needed = sum(counter.gains(row) for counter in counters) > 0  # each counts the row
            (needed if is_needed else others).append(other)
            is_satisfied = all(counter.is_satisfied for counter in counters)
            if is_satisfied and len(needed) + len(others) >= MAX_ALTERNATIVES:
                break
        spare = max(0, MAX_ALTERNATIVES - 1 - len(needed))
        return sorted((*needed, *others[:spare]), key=lambda a: a.price_microusd_per_hour)

    def _alternative(self, row: int) -> Alternative:
        """What is said of a shelf row, made once."""
        found = self._named.get(row)
        if found is None:
            shelf = self._instance.shelf
            kind = self._instance.problem.catalog.instance_types[shelf.type_of[row]]
            found = self._named[row] = Alternative(kind.name, int(shelf.price[row]))
        return found

    def _suitable(
        self,
        nearby: _Neighbours,
        chosen: int,
        held: NDArray[np.intp],
        load: NDArray[np.int64],
        plan: Plan,
    ) -> NDArray[np.intp]:
        """Shelf rows, none cheaper than the chosen one, that hold pods of these classes; cheap first."""
        origin = self._instance.origin
        variant = nearby.variant
        first = int(nearby.price.searchsorted(self._instance.shelf.price[chosen]))
        room = nearby.room[:, first:]
        suits = (room >= load[: len(room), None]).all(axis=0)  # columns of rules come after those
        for placement in set().union(*[self._placements[i] for i in held.tolist()]):
            if placement not in nearby.admitted:
                admitted = origin.localized.admitted[placement, self._first[variant] + nearby.near]
                nearby.admitted[placement] = None if admitted.all() else admitted
            known = nearby.admitted[placement]
            if known is not None:
                suits &= known[first:]
        if plan.claims_on is not None:  # which alternatives of claims are met depends on the devices
            instance = self._instance
            pool = instance.problem.node_pools[instance.variants[variant].pool]
            types = instance.shelf.type_of[nearby.rows[first:]].tolist()
            views = [origin.claimed.view_of_type(t, pool) for t in types]
            suits &= np.array([view == plan.claims_on[0] for view in views], dtype=bool)
        if plan.pieces:
            part = origin.shelved[variant]
            if variant not in self._devices:
                self._devices[variant] = DeviceColumns.of(part.devices)
            fits = plan.fits(self._devices[variant], int(np.searchsorted(part.rows, chosen)))
            suits &= fits[nearby.near[first:]]
        return nearby.rows[first:][suits]

    def _near(self, variant: int, chosen: int) -> _Neighbours:
        """Rows of the variant that share the labels that must be shared with a shelf row."""
        where = self._where[:, chosen]
        key = (variant, where.tobytes())
        found = self._neighbours.get(key)
        if found is None:
            shelf, part = self._instance.shelf, self._instance.origin.shelved[variant]
            shared = (self._where[:, part.rows] == where[:, None]).all(axis=0)
            shared &= shelf.held_limit[part.rows] < 0  # what is held is for those who hold it
            near = np.flatnonzero(shared)
            near = near[np.lexsort((near, shelf.price[part.rows[near]]))]
            rows = part.rows[near]
            room = np.ascontiguousarray(part.allocatable[near].T)
            is_plain = len(np.unique(shelf.type_of[rows])) == len(rows)
            found = _Neighbours(variant, near, rows, shelf.price[rows], room, is_plain)
            self._neighbours[key] = found
        return found


class _Values:
    """Values of a label that the alternatives of a claim have, while they are chosen.

    Parameters
    ----------
    least
        Values that ``minValues`` asks for.
    chosen
        Shelf row that the claim is for, whose value counts.
    """

    def __init__(self, shelf: Shelf, key: str, least: int, chosen: int) -> None:
        column = shelf.labels.columns.get(key)
        self._codes = None if column is None else column.codes
        self._least = least
        self._seen: set[int] = set()
        self.gains(chosen)

    @property
    def is_satisfied(self) -> bool:
        """Whether there are enough, or all have the same."""
        return self._codes is None or len(self._seen) >= self._least

    def gains(self, row: int) -> bool:
        """Count the value of one more row; returns whether it was missing."""
        if self._codes is None or self.is_satisfied:
            return False
        code = int(self._codes[row])
        is_new = code > 0 and code not in self._seen
        if is_new:
            self._seen.add(code)
        return is_new


def _topology_keys(problem: Problem) -> set[str]:
    """Topology keys of the rules that must hold, and of wishes that have a price.

    Where NodeClaims must leave a choice (``minValues``), they leave it at the expense of wishes.
    """
    templates = templates_of(problem)
    running = [pods.template for node in problem.existing_nodes for pods in node.pods]
    keys = {term.topology_key for t in running for term in t.pod_anti_affinity.required}
    is_priced = bool(problem.policies.weight_price) and not has_choices(problem)
    for template in templates:
        keys |= {c.topology_key for c in template.topology_spread if c.is_required or is_priced}
        keys |= {term.topology_key for term in template.pod_affinity.required}
        keys |= {term.topology_key for term in template.pod_anti_affinity.required}
        if is_priced:
            wishes = (*template.pod_affinity.preferred, *template.pod_anti_affinity.preferred)
            keys |= {wish.term.topology_key for wish in wishes}
    for gang in problem.gangs:
        keys |= {rule.topology_key for rule in gang.topology if rule.is_required}
    return keys


def counted_by_spot_pool(instance: Instance) -> NDArray[np.bool_]:
    """Classes whose pods are counted by spot pool, as another zone is another: bool array (i,)."""
    kinds, localized = instance.origin.kinds, instance.origin.localized
    result = np.zeros(instance.n_classes, dtype=bool)
    for i, content in zip(instance.origin.class_of_local.tolist(), localized.contents, strict=True):
        if i >= 0:
            result[i] |= any(kinds.stated[k].spot[0].counts_pools for k, _ in content)
    return result
