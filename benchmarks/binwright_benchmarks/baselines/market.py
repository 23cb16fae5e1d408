"""Everything a baseline may buy: the instance before merging and dominance.

A rule is only fairly reproduced on what the autoscaler itself would see: every offering of every
NodePool, in every zone. So the candidates here are the optimizer's own rows (the same allocatable,
daemon overhead, compatibility and limits), before it throws any of them away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
from binwright_optimizer.instance import UNLIMITED, Instance, build_instance
from binwright_optimizer.instance.limits import limit_rows, limit_use, supply_rows
from binwright_optimizer.instance.shelf import Shelf, shelf_of_pool
from binwright_optimizer.model import Problem
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU
from numpy.typing import NDArray

Amounts = NDArray[np.int64]

GPU_RESOURCES = frozenset(
    {NVIDIA_GPU, "amd.com/gpu", "habana.ai/gaudi", "gpu.intel.com/xe", "microsoft.com/directx"}
)
"""What Cluster Autoscaler takes for a GPU (``utils/gpu``)."""


@dataclass(frozen=True, slots=True)
class Market:
    """An instance whose candidates are all offerings and existing nodes.

    Parameters
    ----------
    instance
        Classes ``i`` as the optimizer sees them; candidates ``j`` unreduced: first what the
        NodePools may buy, then one candidate for each existing node.
    n_bought
        Number of candidates that are bought; the existing nodes follow.
    pods
        int64 array (pod,): class of each pod that fits somewhere, in the order of the workloads.
    capacity, allocatable
        int64 arrays (j, 2): CPU (milli) and memory (bytes) of the node itself, daemons not taken off.
    has_gpu
        bool array (j,): whether the node has a GPU, even if no pod asks for one.
    first_workload
        int64 array (i,): the first workload of each class; breaks ties as the order of the input does.
    """

    instance: Instance
    n_bought: int
    pods: Amounts
    capacity: Amounts
    allocatable: Amounts
    has_gpu: NDArray[np.bool_]
    first_workload: Amounts

    @property
    def cpu_and_memory(self) -> Amounts:
        """Requests of CPU and memory of each class: int64 array (i, 2)."""
        names = self.instance.resources
        columns = [self.instance.requests[:, names.index(n)] if n in names else None for n in (CPU, MEMORY)]
        zero = np.zeros(self.instance.n_classes, dtype=np.int64)
        return np.column_stack([zero if column is None else column for column in columns])

    def group_name(self, j: int) -> str:
        """Name of candidate ``j`` as a node group: NodePool/instance type/zone/capacity type."""
        instance = self.instance
        row = int(instance.row_of[j])
        kind = instance.problem.catalog.instance_types[instance.shelf.type_of[row]]
        offering = kind.offerings[instance.shelf.offering_of[row]]
        pool = instance.problem.node_pools[instance.pool_of[j]].name
        return f"{pool}/{kind.name}/{offering.zone}/{offering.capacity_type}"


def open_market(problem: Problem) -> Market:
    """The market of a problem; raises InvalidProblemError as `build_instance` does."""
    reduced = build_instance(problem)
    origin, shelf = reduced.origin, reduced.shelf
    n_existing = len(problem.existing_nodes)
    none = np.full(n_existing, -1)
    row_of = np.concatenate([*(s.rows for s in origin.shelved), none]).astype(np.intp)
    counts = [len(s.rows) for s in origin.shelved]
    variant_of = np.concatenate([np.repeat(np.arange(len(counts)), counts), none]).astype(np.intp)
    pools = np.array([v.pool for v in reduced.variants] + [-1], dtype=np.intp)
    pool_of = pools[variant_of]
    allocatable = np.concatenate([*(s.allocatable for s in origin.shelved), origin.existing_free])
    is_bought = row_of >= 0
    limits, minimums = limit_rows(problem)
    limits += supply_rows(shelf, row_of[is_bought])  # what is scarce is scarce for all pools together
    local = origin.localized
    admitted = local.admitted[local.placement_of[_kind_of_class(reduced)]]
    fits = (reduced.requests[:, None, :] <= allocatable[None, :, :]).all(axis=2)
    whole = replace(
        reduced,
        price=np.where(is_bought, shelf.price[row_of], 0).astype(np.int64),
        supply=np.where(is_bought, UNLIMITED, 1).astype(np.int64),
        allocatable=allocatable,
        compatible=np.ascontiguousarray(admitted & fits),
        pool_of=pool_of,
        variant_of=variant_of,
        row_of=row_of,
        existing_of=tuple(() for _ in range(int(is_bought.sum()))) + tuple((n,) for n in range(n_existing)),
        limits=limits,
        minimums=minimums,
        limit_use=limit_use(limits, problem, shelf, pool_of, row_of),
    )
    replicas = np.array([w.replicas for w in problem.workloads], dtype=np.int64)
    pods = np.repeat(reduced.class_of, replicas)
    first = np.full(reduced.n_classes, len(replicas), dtype=np.int64)
    placeable = reduced.class_of >= 0
    np.minimum.at(first, reduced.class_of[placeable], np.flatnonzero(placeable))
    return Market(
        instance=whole,
        n_bought=int(is_bought.sum()),
        pods=pods[pods >= 0].astype(np.int64),
        capacity=_of_types(reduced, pool_of, row_of, attrgetter("capacity")),
        allocatable=_of_types(reduced, pool_of, row_of, attrgetter("allocatable")),
        has_gpu=_has_gpu(reduced, row_of),
        first_workload=first,
    )


def _kind_of_class(instance: Instance) -> NDArray[np.intp]:
    """One of the local kinds of each class; all of them run on the same candidates."""
    kinds = np.zeros(instance.n_classes, dtype=np.intp)
    class_of = instance.origin.class_of_local
    known = np.flatnonzero(class_of >= 0)
    kinds[class_of[known]] = known
    return kinds


def _of_types(
    instance: Instance,
    pool_of: NDArray[np.intp],
    row_of: NDArray[np.intp],
    amounts: Callable[[Shelf], Amounts],
) -> Amounts:
    """CPU and memory of each candidate as a node of its NodePool; zero for existing nodes."""
    problem, shelf = instance.problem, instance.shelf
    result = np.zeros((len(row_of), 2), dtype=np.int64)
    for p, pool in enumerate(problem.node_pools):
        of_pool = amounts(shelf_of_pool(shelf, problem.catalog, pool))
        mine = np.flatnonzero(pool_of == p)
        for column, name in enumerate((CPU, MEMORY)):
            if name in shelf.resources:
                result[mine, column] = of_pool[shelf.type_of[row_of[mine]], shelf.resources.index(name)]
    return result


def _has_gpu(instance: Instance, row_of: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether each candidate is a GPU node; False for existing nodes, which no group grows by."""
    shelf = instance.shelf
    of_type = np.array(
        [
            bool(GPU_RESOURCES & set(kind.capacity.names()))
            for kind in instance.problem.catalog.instance_types
        ],
        dtype=bool,
    )
    result = np.zeros(len(row_of), dtype=bool)
    is_bought = row_of >= 0
    result[is_bought] = of_type[shelf.type_of[row_of[is_bought]]]
    return result
