"""What a problem lets us buy, and what it already has, as arrays for the bound.

An *option* is an offering bought for a NodePool (`options`). None is dropped that could make a node cheaper
or hold more, so that a bound over the options is one over all nodes that may be bought.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    Problem,
)
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.verify.admission import Admission
from binwright_optimizer.verify.charges import (
    PlaceCharges,
)
from binwright_optimizer.verify.compatibility import BoolArray, PodClasses, pod_classes
from binwright_optimizer.verify.further_columns import FurtherColumns
from binwright_optimizer.verify.gpu_columns import (
    MILLI,
    amounts_needed,
)
from binwright_optimizer.verify.held import held_terms, sold_columns
from binwright_optimizer.verify.node_conflicts import node_conflicts
from binwright_optimizer.verify.options import Options, with_slot
from binwright_optimizer.verify.own_caps import own_caps
from binwright_optimizer.verify.purchase import NODES, PoolTerms, pool_terms

Int64Array = NDArray[np.int64]

HELD = "held"
"""What is limited of a commitment: nodes or micro-dollars per hour."""


@dataclass(frozen=True, slots=True)
class Market:
    """Options and existing nodes over pod classes ``i`` and resources ``r``.

    Parameters
    ----------
    names
        Resources of the first columns; caps that classes share, and sums added for a proof, follow.
    requests
        (i, r): request of one pod, its slot included.
    is_admitted
        (row, i): distinct rows of "these nodes admit that class by labels and taints".
    pool_of, price, available, room, row_of
        Of options: NodePool, micro-dollars per hour, nodes on sale (-1: no limit), amounts left
        to pods (option, r), and row of ``is_admitted``.
    use
        By (pool, resource) that is limited: what one node of each option takes of it, (option,).
        Commitments are numbered after the pools, and have their terms in ``pools`` (`HELD`).
    price_unit
        Every price that can be paid is a multiple of it; 0 if nothing costs anything.
    existing_room, existing_row, existing_count
        Of existing nodes, equal ones counted.
    most
        (i,): pods of a class that one node may hold by rules that count only pods of the class.
    apart
        (i, i): pairs of classes of which no node holds pods of both, as far as bounds tell them apart; None
        if there are none.
    charge
        (row, i): what a pod of the class is charged on such a node at least, micro-dollars per hour; None
        if nobody is ever charged anything.
    """

    classes: PodClasses
    pools: tuple[PoolTerms, ...]
    names: tuple[str, ...]
    requests: Int64Array
    is_admitted: BoolArray
    pool_of: NDArray[np.intp]
    price: Int64Array
    available: Int64Array
    room: Int64Array
    row_of: Int64Array
    use: dict[tuple[int, str], Int64Array]
    price_unit: int
    existing_room: Int64Array
    existing_row: Int64Array
    existing_count: Int64Array
    most: Int64Array
    apart: BoolArray | None = None
    charge: Int64Array | None = None


def build_market(problem: Problem) -> Market:
    """Options, existing nodes and classes of a problem."""
    columns = sold_columns(problem)
    conflicts = node_conflicts(problem)
    caps = own_caps(problem, conflicts.group_of)
    told_apart = caps.group_of * len(conflicts.are_apart) + conflicts.group_of
    charges = PlaceCharges(problem)
    admission = Admission(problem)
    further = FurtherColumns(problem)
    request_of = further.beside(amounts_needed(problem))
    classes = pod_classes(problem.workloads, told_apart, request_of, admission.place_of, charges.key)
    names = (PODS, *sorted({name for requests in classes.requests for name, _ in requests} - {PODS}))
    templates = [*classes.placements, *(daemon.template for daemon in problem.daemon_sets)]
    mentioned = {r.key for t in templates for term in (t.node_selector, *t.node_affinity) for r in term}
    mentioned |= charges.mentioned() | admission.mentioned()
    terms = pool_terms(problem)
    options = Options(
        problem, columns, classes, names, frozenset(mentioned), terms, MILLI in names,
        any(template.device_claims for template in classes.placements), charges, admission, further,
    )  # fmt: skip
    for p in range(len(problem.node_pools)):
        options.add_pool(p)
    existing_room, existing_row, existing_count = options.existing()
    pool_of = np.concatenate([np.zeros(0, dtype=np.intp), *options.pool_of])
    offering = np.concatenate([np.zeros(0, dtype=np.intp), *options.offering])
    types = columns.type_of[offering]
    use = {}
    for p, pool in enumerate(terms):
        for resource in pool.room:
            amounts = (
                np.ones(len(offering), np.int64)
                if resource == NODES
                else options.of_pool(p).capacity(resource)[types]
            )
            use[p, resource] = np.where(pool_of == p, amounts, 0)
    held = held_terms(problem)
    for c in range(len(held)):
        use[len(terms) + c, HELD] = np.where(columns.held[offering] == c, columns.use[offering], 0)
    price = columns.price[offering]
    requests = np.array([with_slot(r, names) for r in classes.requests], dtype=np.int64)
    requests = requests.reshape(len(classes.requests), len(names))
    room = np.concatenate([np.zeros((0, len(names)), dtype=np.int64), *options.room])
    group = np.zeros(len(requests), dtype=np.intp)
    group[classes.class_of] = caps.group_of
    among = np.zeros(len(requests), dtype=np.intp)
    among[classes.class_of] = conflicts.group_of
    requests, room, existing_room = caps.as_columns(group, requests, room, existing_room)
    return Market(
        classes=classes,
        pools=(*terms, *(PoolTerms(h.commitment.name, {HELD: h.left}, 0) for h in held)),
        names=names,
        requests=requests,
        is_admitted=options.admitted(),
        pool_of=pool_of,
        price=price,
        available=columns.available[offering],
        room=room,
        row_of=np.concatenate([np.zeros(0, dtype=np.int64), *options.row_of]),
        use=use,
        price_unit=math.gcd(options.price_unit, charges.unit()),
        existing_room=existing_room,
        existing_row=existing_row,
        existing_count=existing_count,
        most=caps.most[group],
        apart=None if conflicts.is_empty else conflicts.are_apart[among][:, among],
        charge=None if charges.is_empty else _matrix(options.charged, len(group)),
    )


def _matrix(rows: Sequence[Int64Array], width: int) -> Int64Array:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


_cache: WeakKeyDictionary[Problem, Market] = WeakKeyDictionary()
_cache_lock = threading.Lock()


def market(problem: Problem) -> Market:
    """The market of ``problem``, built once while it lives."""
    with _cache_lock:
        built = _cache.get(problem)
    if built is None:
        built = build_market(problem)
        with _cache_lock:
            _cache[problem] = built
    return built
