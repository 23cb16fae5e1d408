"""Candidates: every node that may be bought or already runs, with what pods may use of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.attachments import AttachRoom
from binwright_optimizer.instance.device_claims import ClaimedDevices
from binwright_optimizer.instance.labels import LabelColumns, Mask
from binwright_optimizer.instance.node_devices import (
    NodeDevices,
    TypeDevices,
    by_devices,
    concerns,
    sort_rooms,
)
from binwright_optimizer.instance.shelf import UNLIMITED, Shelf, shelf_of_pool
from binwright_optimizer.instance.variants import Variant
from binwright_optimizer.model import (
    Catalog,
    DaemonSet,
    ExistingNode,
    InstanceType,
    NodePool,
    Operator,
    PodTemplate,
    Requirement,
    Resources,
    labels,
)
from binwright_optimizer.model.devices import counted_by
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.gpus import WHOLE_DEVICES
from binwright_optimizer.model.nodeclasses import NodeClass
from binwright_optimizer.model.resources import NVIDIA_GPU, PODS
from binwright_optimizer.model.taints import untolerated


@dataclass(frozen=True, slots=True)
class Shelved:
    """What one NodePool variant may buy.

    Parameters
    ----------
    rows
        intp array (m,): offerings of the shelf.
    allocatable
        int64 array (m, r): left to pods after daemons, over the problem's resources; a row
        where daemons do not fit is left out.
    overhead
        int64 array (m, o): requests of the daemons over ``overhead_resources``.
    devices
        GPUs of each row, where pods ask for parts of them or they are replicated; otherwise empty.
    """

    variant: Variant
    rows: NDArray[np.intp]
    allocatable: NDArray[np.int64]
    overhead: NDArray[np.int64]
    overhead_resources: tuple[str, ...]
    devices: tuple[NodeDevices, ...] = ()

    def overhead_on(self, row: int) -> Resources:
        """Requests of the daemons on a node bought from shelf row ``row``."""
        amounts = self.overhead[np.searchsorted(self.rows, row)]
        return Resources.of(
            {name: int(amount) for name, amount in zip(self.overhead_resources, amounts, strict=True)}
        )


def resource_vector(resources: Resources, names: tuple[str, ...], pod_slots: int = 0) -> NDArray[np.int64]:
    """Amounts in the order of ``names``; ``pod_slots`` is added to `PODS`."""
    amounts = dict(resources.amounts)
    if pod_slots:
        amounts[PODS] = amounts.get(PODS, 0) + pod_slots
    return np.array([amounts.get(name, 0) for name in names], dtype=np.int64)


def admitted_rows(template: PodTemplate, columns: LabelColumns, fixed: dict[str, str | None]) -> Mask:
    """Rows whose labels satisfy the pod's node selector and required node affinity."""
    return columns.mask_all(template.node_selector, fixed) & columns.mask_any(template.node_affinity, fixed)


def shelved_by_variant(
    shelf: Shelf,
    catalog: Catalog,
    pools: tuple[NodePool, ...],
    variants: Iterable[Variant],
    daemon_sets: tuple[DaemonSet, ...],
    resources: tuple[str, ...],
    of_types: TypeDevices,
    attach: AttachRoom,
    claimed: ClaimedDevices,
    without_commitments: frozenset[int] = frozenset(),
) -> list[Shelved]:
    """What each variant may buy, in the order of ``variants``.

    Parameters
    ----------
    without_commitments
        NodePools that may not use what commitments pay for.
    """
    names = _overhead_resources(pools, daemon_sets)
    rooms: dict[NodeClass | None, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
    result = []
    for variant in variants:
        pool = pools[variant.pool]
        if pool.node_class not in rooms:
            stated = shelf_of_pool(shelf, catalog, pool)
            rooms[pool.node_class] = _allocatable_over(stated, resources), _allocatable_over(stated, names)
        base, base_overhead = rooms[pool.node_class]
        fixed = dict(variant.fixed)
        wanted = list(pool.requirements)
        wanted += [Requirement(k, Operator.IN, (v,)) for k, v in pool.labels if k in shelf.labels.columns]
        is_sold = shelf.labels.mask_all(wanted, fixed) & (shelf.available > 0)
        if variant.pool in without_commitments:
            is_sold &= shelf.held_limit < 0
        rows = np.flatnonzero(is_sold)
        overhead = np.zeros((len(rows), len(names)), dtype=np.int64)
        overhead += resource_vector(pool.overhead, names)
        for daemon in daemon_sets:
            if untolerated(pool.taints, daemon.template.tolerations) is None:
                lands = admitted_rows(daemon.template, shelf.labels, fixed)[rows]
                overhead[lands] += resource_vector(daemon.template.requests, names, pod_slots=1)
        fits = (overhead <= base_overhead[shelf.type_of[rows]]).all(axis=1)
        rows, overhead = rows[fits], overhead[fits]
        left = base[shelf.type_of[rows]]
        for index, name in enumerate(resources):
            if name in names:
                left[:, index] -= overhead[:, names.index(name)]
        if attach.columns:
            left[:, attach.columns] = attach.of_types(pool)[shelf.type_of[rows]]
        if claimed.sort_columns:
            columns = [resources.index(name) for name in claimed.sort_columns]
            room = sort_rooms(of_types.kinds, pool, claimed.sort_columns, claimed)[shelf.type_of[rows]]
            left[:, columns] = room - taken_by_daemons(of_types.kinds, names, overhead, shelf.type_of[rows])
        devices: tuple[NodeDevices, ...] = ()
        if concerns(resources, pool.gpu_sharing):
            taken = overhead[:, names.index(NVIDIA_GPU)] if NVIDIA_GPU in names else np.zeros(len(rows), int)
            types = zip(shelf.type_of[rows].tolist(), taken.tolist(), strict=True)
            devices = tuple(of_types.of(t, pool.gpu_sharing, gpus) for t, gpus in types)
            for node, positions in by_devices(devices):
                columns, amounts = node.amounts(resources)
                left[np.ix_(positions, columns)] = amounts
        result.append(Shelved(variant, rows, left, overhead, names, devices))
    return result


def taken_by_daemons(
    kinds: Sequence[InstanceType],
    names: tuple[str, ...],
    overhead: NDArray[np.int64],
    types: NDArray[np.intp],
) -> NDArray[np.int64]:
    """Thousandths of devices that daemons take of each row: int64 array (row, 1)."""
    taken = np.zeros((len(types), 1), dtype=np.int64)
    if not WHOLE_DEVICES.keys() & set(names):
        return taken
    for position, t in enumerate(types.tolist()):
        resource = counted_by(kinds[t])
        if resource in names:
            taken[position] = WHOLE_GPU_MILLI * overhead[position, names.index(resource)]
    return taken


def _overhead_resources(pools: tuple[NodePool, ...], daemon_sets: tuple[DaemonSet, ...]) -> tuple[str, ...]:
    """Names that any daemon may request, pod slots included."""
    names = {PODS}
    for amounts in (*(pool.overhead for pool in pools), *(d.template.requests for d in daemon_sets)):
        names.update(amounts.names())
    return tuple(sorted(names))


def _allocatable_over(shelf: Shelf, resources: tuple[str, ...]) -> NDArray[np.int64]:
    """Allocatable of each type over the problem's resources: int64 array (t, r)."""
    columns = {name: index for index, name in enumerate(shelf.resources)}
    result = np.zeros((shelf.catalog_size, len(resources)), dtype=np.int64)
    for index, name in enumerate(resources):
        if name in columns:
            result[:, index] = shelf.allocatable[:, columns[name]]
        if name == PODS:  # a type that does not name pod slots does not limit them
            unnamed = result[:, index] == 0
            if name in columns:
                unnamed &= shelf.capacity[:, columns[name]] == 0
            result[unnamed, index] = UNLIMITED
    return result


def existing_allocatable(
    nodes: tuple[ExistingNode, ...], resources: tuple[str, ...], claimed: ClaimedDevices
) -> NDArray[np.int64]:
    """Free amounts of each existing node: int64 array (node, r)."""
    result = np.zeros((len(nodes), len(resources)), dtype=np.int64)
    for index in range(len(nodes)):
        result[index] = resource_vector(claimed.free(index), resources)
    if nodes and PODS in resources:
        limited = np.array([PODS in node.free.names() or _is_full(node) for node in nodes])
        result[~limited, resources.index(PODS)] = UNLIMITED
    return result


def _is_full(node: ExistingNode) -> bool:
    """Whether the node limits pod slots (its capacity names them) and has none left."""
    return PODS in node.capacity.names()


def existing_labels(nodes: tuple[ExistingNode, ...]) -> LabelColumns:
    """Labels of the existing nodes; a node without a hostname label has its name for it."""
    rows = []
    for node in nodes:
        pairs = dict(node.labels)
        pairs.setdefault(labels.HOSTNAME, node.name)
        rows.append(tuple(pairs.items()))
    return LabelColumns.of_rows(rows)
