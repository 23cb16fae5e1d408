"""Problem to Instance: classes, candidates, compatibility, merging and dominance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance.admission import admitted as admitted_placements
from binwright_optimizer.instance.attachments import (
    AttachRoom,
    attached_once,
    hold_attached,
    limited_drivers,
    shared_columns,
)
from binwright_optimizer.instance.bundles import Content, bundles_of
from binwright_optimizer.instance.bundles.bundle import ContentSums, Room
from binwright_optimizer.instance.candidate_devices import CandidateDevices
from binwright_optimizer.instance.candidates import (
    existing_allocatable,
    resource_vector,
    shelved_by_variant,
)
from binwright_optimizer.instance.charges import Charges
from binwright_optimizer.instance.choices import has_choices, leave_choice, pools_with_choice
from binwright_optimizer.instance.claims import kinds_with_exclusive_claims, shared_claims
from binwright_optimizer.instance.classes import (
    Kinds,
    kinds_of,
    merge_kinds,
    request_matrix,
    requested_resources,
)
from binwright_optimizer.instance.device_claims import ClaimedDevices
from binwright_optimizer.instance.device_sums import asked_once
from binwright_optimizer.instance.devices import Asked, devices_of
from binwright_optimizer.instance.domains import Eligibility, linking_of, localize
from binwright_optimizer.instance.domains.spot import alone_on_spot
from binwright_optimizer.instance.domains.table import DomainTable
from binwright_optimizer.instance.held import SPEND, shelf_with_held
from binwright_optimizer.instance.instance import Instance, Origin
from binwright_optimizer.instance.items import Items
from binwright_optimizer.instance.limits import limit_rows, limit_use, supply_rows
from binwright_optimizer.instance.merging import grouped_nodes, merged
from binwright_optimizer.instance.minimums import check_minimums
from binwright_optimizer.instance.node_devices import TypeDevices, comparable, node_amounts
from binwright_optimizer.instance.on_nodes import RULE_COLUMN, OnNodes, arrange, on_nodes_of
from binwright_optimizer.instance.reduce import undominated
from binwright_optimizer.instance.shelf import UNLIMITED, shelf_of
from binwright_optimizer.instance.stated import rules_of
from binwright_optimizer.instance.variants import pool_variants
from binwright_optimizer.model import Problem

_T = TypeVar("_T", bound=np.generic)

MICRO = 1e-6
"""Dollars in a micro-dollar."""
MAX_TOTAL = 2**62
"""Largest total demand of one resource: sums over all pods stay inside int64."""


def build_instance(problem: Problem, poll: Callable[[], object] = lambda: None) -> Instance:
    """The problem as arrays.

    Parameters
    ----------
    poll
        Called now and then; ends the building if it raises.

    Raises
    ------
    InvalidProblemError
        If the total demand of a resource cannot be held in 62 bits, or a NodePool's minimum is
        beyond what its limits and the supply of its offerings allow.
    """
    rules = rules_of(problem)
    claims = shared_claims(problem)
    claimed = ClaimedDevices(problem)
    poll()
    kinds = kinds_of(problem, rules, claims, claimed)
    poll()
    shared = shared_columns(claims.values(), limited_drivers(problem))
    once = asked_once(problem.workloads, claimed, claimed.shared)
    of_claims = {name for amounts in once.values() for name, _ in amounts}
    resources = requested_resources(kinds, {*shared, *of_claims, *claimed.sort_columns})
    requests = request_matrix(kinds, resources)
    shelf, held = shelf_with_held(shelf_of(problem.catalog), problem)
    attach = AttachRoom(resources, problem.catalog.instance_types)
    preferred = [term for stated in kinds.stated for term in stated.charged.preferred]
    variants = pool_variants(
        problem.node_pools,
        shelf,
        kinds.placements,
        rules.topology_keys | rules.wished_keys,
        [p.term for p in preferred],
    )
    shelved = shelved_by_variant(
        shelf, problem.catalog, problem.node_pools, variants, problem.daemon_sets, resources,
        TypeDevices(problem.catalog.instance_types), attach, claimed, pools_with_choice(problem),
    )  # fmt: skip
    asked = Asked.by(requests, resources)
    poll()

    replicas = np.array([w.replicas for w in problem.workloads], dtype=np.int64)
    kind_demand = np.zeros(len(kinds.requests), dtype=np.int64)
    np.add.at(kind_demand, kinds.workload_kind, replicas)
    wanted = _total_demand(requests, kind_demand, resources)
    wanted += np.array([shared[name] for name in resources])
    one_of = {name: resource_vector(amounts, resources) for name, amounts in once.items()}
    wanted += sum(one_of.values(), np.zeros(len(resources), dtype=np.int64))
    sums = ContentSums(requests, [tuple(one_of[name] for name in names) for names in kinds.shared])

    table = DomainTable(problem, shelf, shelved)
    eligibility = Eligibility(problem, shelf, shelved, table)
    n_existing = len(problem.existing_nodes)
    existing_free = existing_allocatable(problem.existing_nodes, resources, claimed)
    existing_free[:, attach.columns] = attach.of_nodes(problem.existing_nodes)
    existing_free = node_amounts(problem, resources, existing_free, claimed)
    allocatable = np.concatenate([*(s.allocatable for s in shelved), existing_free])
    allocatable = np.minimum(allocatable, wanted)
    sizes = np.asarray((requests / np.maximum(wanted, 1)).sum(axis=1))
    devices_at = CandidateDevices(problem, shelf, shelved, claimed)
    device_room = devices_at.rooms(resources, asked)
    row_of = np.concatenate([*(s.rows for s in shelved), np.full(n_existing, -1)]).astype(np.intp)
    variant_of = np.repeat(np.arange(-1, len(shelved)), [0, *(len(s.rows) for s in shelved)])
    variant_of = np.concatenate([variant_of, np.full(n_existing, -1)]).astype(np.intp)
    pools = np.array([v.pool for v in variants] + [-1], dtype=np.intp)
    pool_of = pools[variant_of]
    bought = row_of >= 0
    price = np.zeros(len(row_of), dtype=np.int64)
    price[bought] = shelf.price[row_of[bought]]

    columns = np.ascontiguousarray(allocatable.T)
    has_all = (columns >= 0).all(axis=0)

    def fluid(content: Content) -> NDArray[np.float64]:
        poll()
        amounts = sums.of(content)
        share, fits = np.zeros(len(price)), has_all.copy()
        for r in np.flatnonzero(amounts):
            fits &= amounts[r] <= columns[r]
            np.maximum(share, amounts[r] / np.maximum(columns[r], 1), out=share)
        return np.where(fits, price * MICRO * share, np.inf)

    limits, minimums = limit_rows(problem)
    limits += (*held, *supply_rows(shelf, row_of[bought]))
    use = limit_use(limits, problem, shelf, pool_of, row_of)
    is_floored = np.isin(pool_of, [row.pool for row in minimums])
    places = admitted_placements(problem, kinds.placements, shelf, shelved, claimed)
    # What a savings plan has left may pay a part of a node: it keeps nobody away.
    is_within = (
        use <= [UNLIMITED if row.commitment and row.resource == SPEND else row.room for row in limits]
    ).all(axis=1)
    places &= is_within
    bundles = bundles_of(problem, rules, kinds, kind_demand, claims, claimed, Room(sums, allocatable))
    charges = Charges(problem, shelf, shelved, kinds)
    is_bounded = kinds_with_exclusive_claims(kinds.workload_kind, len(kinds.requests), claims)
    localized = localize(
        problem, rules, kinds, places, table, eligibility, fluid, charges.of_item, bundles, is_bounded,
        devices_at.meeting_claims(), is_floored & is_within,
    )  # fmt: skip
    poll()
    admitted = localized.admitted
    if has_choices(problem):
        left = leave_choice(
            problem, shelf, shelved, allocatable, admitted,
            _alike(rules.topology_keys, table, device_room, devices_at.view_codes()),
            alone_on_spot(kinds, localized, len(admitted)),
        )  # fmt: skip
        allocatable, admitted, source = left.room, left.admitted, left.source
        device_room, row_of, variant_of = device_room[source], row_of[source], variant_of[source]
        pool_of, bought, price = pool_of[source], bought[source], price[source]
        use, is_floored = use[source], is_floored[source]
    items = Items.of(localized.contents, kinds, rules, sums, kind_demand)
    is_linked = np.array([localized.is_linked[content[0][0]] for content in localized.contents], dtype=bool)
    class_of_local, local_of_class = merge_kinds(
        items.requests, localized.placement_of, admitted, items.priority, items.texts, is_linked
    )
    poll()
    demand = np.zeros(len(local_of_class), dtype=np.int64)
    np.add.at(demand, class_of_local, items.demand)
    class_requests = items.requests[local_of_class]
    class_placement = localized.placement_of[local_of_class]
    supply = np.where(bought, UNLIMITED, 1).astype(np.int64)
    is_limited: NDArray[np.bool_] = np.any(use > 0, axis=1)
    check_minimums(problem, limits, minimums, pool_of, use, price)

    node_room = np.column_stack([allocatable, comparable(device_room)]) if asked.any else allocatable
    kept = merged(problem, price, supply, node_room, admitted, pool_of, row_of, use, is_limited | is_floored)
    poll()
    holds = _holds(class_requests, allocatable[kept], admitted[:, kept][class_placement])
    workloads_of = _workloads_of(class_of_local, localized.contents, kinds) if shared else []
    if shared:
        running = kept - (len(row_of) - n_existing)
        holds &= hold_attached(claims, resources, class_requests, allocatable[kept], workloads_of, running)
    useful = holds.any(axis=0) | is_floored[kept]
    kept, holds = kept[useful], holds[:, useful]
    poll()
    on_nodes = on_nodes_of(
        problem,
        rules,
        [
            [(kinds.stated[k], kinds.selected[k], pods) for k, pods in localized.contents[local]]
            for local in local_of_class
        ],
    )
    poll()
    holds &= _allowed(on_nodes, kept, len(row_of) - n_existing)
    best = undominated(
        price[kept],
        node_room[kept],
        np.packbits(holds.T, axis=1),
        is_limited[kept],
        is_floored[kept],
        pool_of[kept],
        use[kept],
        (supply < UNLIMITED)[kept],
    )
    kept, holds = kept[best], np.ascontiguousarray(holds[:, best])
    existing_of, grouped = grouped_nodes(kept, row_of, node_room, holds, len(row_of) - n_existing, on_nodes)
    kept, holds = kept[grouped], np.ascontiguousarray(holds[:, grouped])
    supply = supply[kept]
    for position, nodes in enumerate(existing_of):
        if nodes:
            supply[position] = len(nodes)

    placeable = holds.any(axis=1) & (demand > 0)
    new_index = np.where(placeable, np.cumsum(placeable) - 1, -1).astype(np.intp)
    class_of_local = new_index[class_of_local]
    class_of_kind = np.full(len(kinds.requests), -1, dtype=np.intp)
    class_of_kind[[content[0][0] for content in localized.contents]] = class_of_local
    class_of_kind[localized.is_linked] = -1
    poll()
    arranged = arrange(on_nodes, new_index, demand[placeable], holds[placeable], existing_of)
    poll()
    class_requests, node_room = class_requests[placeable], allocatable[kept]
    for number, column in enumerate(arranged.columns):
        resources = (*resources, f"{RULE_COLUMN}{number}")
        class_requests = np.column_stack([class_requests, column.requests])
        node_room = np.column_stack([node_room, column.room])
    node_rules = arranged.rules
    if shared:
        placed_of = [workloads_of[i] for i in np.flatnonzero(placeable).tolist()]
        node_rules = node_rules.with_attached(
            attached_once(claims, resources, class_requests, node_room, placed_of, existing_of)
        )
    devices = devices_of(class_requests, resources, device_room[kept], asked)
    linking = linking_of(
        problem, rules, kinds, localized, table, eligibility, kind_demand, class_of_local, claims
    )
    demand = demand[placeable]
    if linking is not None:
        demand[linking.class_of] = 0
        np.add.at(demand, linking.class_of, linking.most)
    return Instance(
        problem=problem,
        origin=Origin(
            tuple(shelved), kinds, localized, _frozen(class_of_local), existing_free, sizes, claimed
        ),
        shelf=shelf,
        variants=tuple(variants),
        resources=resources,
        requests=_frozen(np.ascontiguousarray(class_requests)),
        demand=_frozen(demand),
        priority=_frozen(items.priority[local_of_class][placeable]),
        class_of=_frozen(class_of_kind[kinds.workload_kind]),
        price=_frozen(price[kept]),
        supply=_frozen(supply),
        allocatable=_frozen(np.ascontiguousarray(node_room)),
        compatible=_frozen(np.ascontiguousarray(holds[placeable])),
        pool_of=_frozen(pool_of[kept]),
        variant_of=_frozen(variant_of[kept]),
        row_of=_frozen(row_of[kept]),
        existing_of=existing_of,
        limits=limits,
        minimums=minimums,
        limit_use=_frozen(use[kept]),
        linking=linking,
        node_cap=_frozen(arranged.node_cap),
        rules=node_rules if devices.is_empty else node_rules.with_devices(devices),
    )


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    array.flags.writeable = False
    return array


def _alike(
    topology_keys: frozenset[str],
    table: DomainTable,
    device_room: NDArray[np.int64],
    view_codes: NDArray[np.int64],
) -> NDArray[np.int64]:
    """What instance types that may be launched for one another have in common: int64 array (c, feature)."""
    domains = [table.codes(key)[:, None] for key in sorted(topology_keys)]
    return np.concatenate([device_room, view_codes[:, None], *domains], axis=1).astype(np.int64)


def _total_demand(
    requests: NDArray[np.int64], demand: NDArray[np.int64], resources: tuple[str, ...]
) -> NDArray[np.int64]:
    """Total demand by resource, refused where it could overflow: int64 array (r,)."""
    totals = [sum(int(a) * int(d) for a, d in zip(column, demand, strict=True)) for column in requests.T]
    for name, total in zip(resources, totals, strict=True):
        if total >= MAX_TOTAL:
            raise InvalidProblemError.of(
                "workloads", total, f"total demand for {name} is too large to add up exactly"
            )
    return np.array(totals, dtype=np.int64)


def _holds(
    requests: NDArray[np.int64], allocatable: NDArray[np.int64], admitted: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Classes that may run and fit on each candidate: bool array (i, j)."""
    result = admitted.copy()
    for r in range(requests.shape[1]):
        result &= requests[:, r][:, None] <= allocatable[:, r][None, :]
    return result


def _workloads_of(
    class_of_local: NDArray[np.intp], contents: Sequence[Content], kinds: Kinds
) -> list[set[int]]:
    """Workloads whose pods are in items of each class."""
    workloads_of: list[set[int]] = [set() for _ in range(int(class_of_local.max(initial=-1)) + 1)]
    for i, content in zip(class_of_local.tolist(), contents, strict=True):
        for k, _ in content:
            workloads_of[i].update(np.flatnonzero(kinds.workload_kind == k).tolist())
    return workloads_of


def _allowed(on_nodes: OnNodes, kept: NDArray[np.intp], first_existing: int) -> NDArray[np.bool_]:
    """Where rules about single nodes let a pod of each class stand at all: bool array (class, position)."""
    allowed = np.repeat(~on_nodes.is_closed[:, None], len(kept), axis=1)
    positions = np.flatnonzero(kept >= first_existing)
    allowed[:, positions] &= ~on_nodes.forbidden[:, kept[positions] - first_existing]
    return allowed
