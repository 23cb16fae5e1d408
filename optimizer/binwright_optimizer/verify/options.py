"""Options: what each NodePool lets us buy, merged where no pod, daemon or limit can tell it apart.

Each step drops only what cannot make a node cheaper or hold more. Existing nodes are told apart by the same
rows of classes that a node admits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    CapacityType,
    ExistingNode,
    NodePool,
    PodTemplate,
    Problem,
    Resources,
    Taint,
    labels,
)
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.verify.admission import Admission
from binwright_optimizer.verify.charges import (
    PlaceCharges,
    rate_of_running,
    rates_by_zone,
    spot_rates,
)
from binwright_optimizer.verify.choices import room_with_choice, wants_choice
from binwright_optimizer.verify.claim_columns import claim_tables, own_claims
from binwright_optimizer.verify.compatibility import BoolArray, LabelRows, PodClasses
from binwright_optimizer.verify.device_claims import Claimable, claimable_of_node, claimable_of_type
from binwright_optimizer.verify.further_columns import FurtherColumns
from binwright_optimizer.verify.gpu_columns import (
    node_room,
    type_room,
)
from binwright_optimizer.verify.nodes import limits_slots
from binwright_optimizer.verify.offerings import (
    UNLIMITED_SLOTS,
    OfferingColumns,
    label_column,
)
from binwright_optimizer.verify.purchase import PoolTerms, Variant, buyable, variants

Int64Array = NDArray[np.int64]


@dataclass(slots=True)
class Options:
    """The options of a problem, NodePool by NodePool, and the rows of classes that they admit.

    ``rows`` numbers the distinct rows of admitted classes, charged alike; ``charged`` has their charges.
    """

    problem: Problem
    columns: OfferingColumns
    classes: PodClasses
    names: tuple[str, ...]
    mentioned: frozenset[str]
    terms: tuple[PoolTerms, ...]
    has_devices: bool
    has_claims: bool
    charges: PlaceCharges
    admission: Admission
    further: FurtherColumns
    rows: dict[bytes, int] = field(default_factory=dict)
    charged: list[Int64Array] = field(default_factory=list)
    pool_of: list[NDArray[np.intp]] = field(default_factory=list)
    offering: list[NDArray[np.intp]] = field(default_factory=list)
    room: list[Int64Array] = field(default_factory=list)
    row_of: list[Int64Array] = field(default_factory=list)
    price_unit: int = 0

    def add_pool(self, p: int) -> None:
        """Append the options of one NodePool."""
        pool = self.problem.node_pools[p]
        offerings = np.flatnonzero(buyable(pool, self.terms[p], self.of_pool(p)))
        if len(offerings):
            unit = 1 if self.problem.savings_plans else int(np.gcd.reduce(self.columns.price[offerings]))
            self.price_unit = math.gcd(self.price_unit, unit)
            for variant in variants(pool, self.columns, self.mentioned):
                self._add_variant(p, variant, offerings)

    def of_pool(self, p: int) -> OfferingColumns:
        """Offerings with the amounts of a NodePool's nodes."""
        return self.columns.of_pool(self.problem.node_pools[p], self.problem.catalog.instance_types)

    def _add_variant(self, p: int, variant: Variant, offerings: NDArray[np.intp]) -> None:
        pool = self.problem.node_pools[p]
        kind, labelled, rates, views = self._kinds(variant, offerings, pool)
        row_of_kind = self._row_indices(labelled, [pool.taints] * labelled.n_rows, rates, views)
        overhead, every = self._overhead(p, labelled)
        types = self.columns.type_of[offerings]
        held, use = self.columns.held[offerings], self.columns.use[offerings]
        group = types * labelled.n_rows + kind + (held + 1) * (len(self.columns.type_of) * labelled.n_rows)
        room = np.stack([self._allocatable(name, pool)[types] for name in every], axis=1) - overhead[kind]
        if wants_choice(self.problem, pool):
            room = room_with_choice(pool, self.columns, offerings, room)
            _, group = np.unique(np.column_stack([group, room]), axis=0, return_inverse=True)
        # What one commitment pays for has one price, and the less it takes the better.
        paid = np.where(held >= 0, use, self.columns.price[offerings])
        kept = _cheapest(group, paid, self.columns.available[offerings])
        offerings, kind, room = offerings[kept], kind[kept], room[kept]
        holds_daemons = (room >= 0).all(axis=1)
        self.pool_of.append(np.full(int(holds_daemons.sum()), p, dtype=np.intp))
        self.offering.append(offerings[holds_daemons])
        self.room.append(room[holds_daemons, : len(self.names)])
        self.row_of.append(row_of_kind[kind[holds_daemons]])

    def _allocatable(self, name: str, pool: NodePool) -> Int64Array:
        """Amounts over instance types as nodes of the pool advertise them."""
        further = self.further.of_types(name, pool)
        if further is not None:
            return further
        stated = self.columns.of_pool(pool, self.problem.catalog.instance_types).allocatable(name)
        if not self.has_devices and not pool.gpu_sharing.is_replicated:
            return stated
        return type_room(name, self.problem, pool, stated)

    def _kinds(
        self, variant: Variant, offerings: NDArray[np.intp], pool: NodePool
    ) -> tuple[NDArray[np.intp], LabelRows, Int64Array, list[Claimable]]:
        """Offerings numbered by labels that somebody asks for and devices that somebody claims.

        Returns
        -------
        Numbers, and by number the labels, interruption rates, and devices if any are claimed.
        """
        keys = sorted(self.mentioned & self.columns.defined_keys)
        kind = np.zeros(len(offerings), dtype=np.intp)
        first = np.zeros(1, dtype=np.intp)
        views: list[Claimable] = []
        if self.has_claims:
            kinds = self.problem.catalog.instance_types
            views = [claimable_of_type(k, pool) for k in kinds]
            number = {view: n for n, view in enumerate(dict.fromkeys(views))}
            kind = np.array([number[view] for view in views], dtype=np.intp)[self.columns.type_of[offerings]]
            _, first, kind = np.unique(kind, return_index=True, return_inverse=True)
        for key in keys:
            column = self.columns.label(key)
            kind = kind * len(column.values) + column.codes[offerings]
            # Renumbering keeps the mixed radix small however many keys there are.
            _, first, kind = np.unique(kind, return_index=True, return_inverse=True)
        rates = np.zeros(len(first), dtype=np.int64)
        if self.charges.has_restarts:
            every = self._rates()[offerings]
            values, code = np.unique(every, return_inverse=True)
            kind = kind * len(values) + code
            _, first, kind = np.unique(kind, return_index=True, return_inverse=True)
            rates = every[first]
        columns = {}
        for key in keys:
            column = self.columns.label(key)
            columns[key] = label_column([column.values[code] for code in column.codes[offerings[first]]])
        types = self.columns.type_of[offerings[first]]
        mine = [views[t] for t in types] if views else []
        return kind, LabelRows(len(first), columns, variant.fixed, variant.undecided), rates, mine

    def _rates(self) -> Int64Array:
        """Interruptions a month of each offering, parts per million; 0 off spot."""
        by_place = spot_rates(self.problem.catalog)
        names = [kind.name for kind in self.problem.catalog.instance_types]
        region, zone = self.columns.label(labels.REGION), self.columns.label(labels.ZONE)
        bought_as = self.columns.label(labels.CAPACITY_TYPE)
        is_spot = np.array([value == CapacityType.SPOT.value for value in bought_as.values])[bought_as.codes]
        rates = np.zeros(len(is_spot), dtype=np.int64)
        for o in np.flatnonzero(is_spot).tolist():
            place = region.values[region.codes[o]] or "", zone.values[zone.codes[o]] or ""
            rates[o] = by_place.get((names[self.columns.type_of[o]], *place), 0)
        return rates

    def _overhead(self, p: int, nodes: LabelRows) -> tuple[Int64Array, tuple[str, ...]]:
        """What daemons surely take of each kind of node, and of which resources.

        A daemon that may or may not land is left out, which only adds room.
        """
        pool = self.problem.node_pools[p]
        landing = [
            daemon.template
            for daemon in self.problem.daemon_sets
            if untolerated(pool.taints, daemon.template.tolerations) is None
        ]
        daemon_names = {
            name for requests in (pool.overhead, *(t.requests for t in landing)) for name, _ in requests
        }
        every = (*self.names, *sorted(daemon_names - set(self.names)))
        overhead = np.zeros((nodes.n_rows, len(every)), dtype=np.int64)
        overhead += np.array([pool.overhead[name] for name in every], dtype=np.int64)
        for template in landing:
            overhead[nodes.surely_admit(template)] += np.array(
                with_slot(template.requests, every), dtype=np.int64
            )
        return overhead, every

    def _row_indices(
        self,
        nodes: LabelRows,
        taints: Sequence[tuple[Taint, ...]],
        rates: Int64Array,
        views: Sequence[Claimable],
        *,
        is_new: bool = True,
    ) -> Int64Array:
        """Index in ``rows`` of the classes that each node admits by labels, taints and claims."""
        by_placement = np.zeros((nodes.n_rows, len(self.classes.placements)), dtype=bool)
        distinct: dict[tuple[Taint, ...], int] = {}
        code = np.array([distinct.setdefault(t, len(distinct)) for t in taints], dtype=np.intp)
        for index, template in enumerate(self.classes.placements):
            is_tolerated = np.array(
                [untolerated(t, template.tolerations) is None for t in distinct], dtype=bool
            )
            if is_tolerated.any():
                by_placement[:, index] = nodes.admit(template) & is_tolerated[code]
                place = self.classes.places[index]
                if place:
                    by_placement[:, index] &= self.admission.on(place, nodes, taints)
                for n, view in enumerate(views if template.device_claims else ()):
                    by_placement[n, index] &= self._meets(template, view, is_new=is_new)
        packed = np.packbits(by_placement[:, self.classes.placement_of], axis=1)
        if not self.charges.is_empty:
            return self._charged_indices(nodes, taints, rates, packed)
        return np.array(
            [self.rows.setdefault(row.tobytes(), len(self.rows)) for row in packed], dtype=np.int64
        )

    def _charged_indices(
        self,
        nodes: LabelRows,
        taints: Sequence[tuple[Taint, ...]],
        rates: Int64Array,
        packed: NDArray[np.uint8],
    ) -> Int64Array:
        """Index in ``rows`` of the classes that each node admits, told apart by their charges."""
        by_placement = [
            self.charges.on(template, nodes, taints, rates) for template in self.classes.placements
        ]
        found = np.zeros(nodes.n_rows, dtype=np.int64)
        if not by_placement:
            return found
        charge = np.stack(by_placement, axis=1)[:, self.classes.placement_of]
        for n, (row, own) in enumerate(zip(packed, charge, strict=True)):
            found[n] = self.rows.setdefault(row.tobytes() + own.tobytes(), len(self.rows))
            if found[n] == len(self.charged):
                self.charged.append(own)
        return found

    def _meets(self, template: PodTemplate, view: Claimable, *, is_new: bool) -> bool:
        """Whether devices of a node may meet a pod's claims; those that pods share, each for itself.

        On a running node a shared claim may have its devices already.
        """
        tables = claim_tables(self.problem)
        shared = [(claim,) for claim in template.device_claims if claim.name and is_new]
        return all(tables.taken(claims, view) is not None for claims in (own_claims(template), *shared))

    def existing(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """Room, row and number of the distinct existing nodes."""
        nodes = self.problem.existing_nodes
        if not nodes:
            return np.zeros((0, len(self.names)), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
        pairs = [{labels.HOSTNAME: node.name, **dict(node.labels)} for node in nodes]
        columns = {key: label_column([p.get(key) for p in pairs]) for key in self.mentioned}
        by_zone = rates_by_zone(self.problem.catalog) if self.charges.has_restarts else {}
        rates = np.array([rate_of_running(node, by_zone) for node in nodes], dtype=np.int64)
        views = [claimable_of_node(self.problem, node) for node in nodes] if self.has_claims else []
        labelled = LabelRows(len(nodes), columns, is_new=False)
        row = self._row_indices(labelled, [node.taints for node in nodes], rates, views, is_new=False)
        room = np.array([self._free(node) for node in nodes], dtype=np.int64)
        is_unlimited = [not limits_slots(node.free, node.capacity) for node in nodes]
        room[is_unlimited, 0] = UNLIMITED_SLOTS
        distinct, count = np.unique(np.column_stack([row, room]), axis=0, return_counts=True)
        return distinct[:, 1:].copy(), distinct[:, 0].copy(), count.astype(np.int64)

    def _free(self, node: ExistingNode) -> list[int]:
        amounts = dict(node.free)
        if self.has_devices:
            amounts.update(node_room(self.names, self.problem, node))
        amounts.update(self.further.of_node(self.names, node))
        return [amounts.get(name, 0) for name in self.names]

    def admitted(self) -> BoolArray:
        """Distinct rows of admitted classes: bool (row, class)."""
        n_classes = len(self.classes.requests)
        if not self.rows or not n_classes:
            return np.zeros((len(self.rows), n_classes), dtype=bool)
        width = -(-n_classes // 8)  # beyond are charges
        packed = np.frombuffer(b"".join(row[:width] for row in self.rows), dtype=np.uint8)
        packed = packed.reshape(len(self.rows), -1)
        return np.unpackbits(packed, axis=1, count=n_classes).astype(bool)


def with_slot(requests: Resources, names: Sequence[str]) -> list[int]:
    """Request of one pod over ``names``, its slot included."""
    amounts = dict(requests)
    return [amounts.get(name, 0) + (name == PODS) for name in names]


def _cheapest(group: NDArray[np.intp], price: Int64Array, available: Int64Array) -> NDArray[np.intp]:
    """Of each group the cheapest offering without a supply limit, and all limited ones below it."""
    order = np.lexsort((price, available >= 0, group))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = group[order][1:] != group[order][:-1]
    leader = order[is_first][np.cumsum(is_first) - 1]  # an unlimited one wherever there is one
    is_limited = available[order] >= 0
    is_cheaper = is_limited & ((available[leader] >= 0) | (price[order] < price[leader]))
    return np.sort(order[is_first | is_cheaper])
