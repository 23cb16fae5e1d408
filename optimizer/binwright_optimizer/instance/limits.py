"""NodePool limits and minimums, and scarce offerings, as rows over candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.shelf import UNLIMITED, Shelf, shelf_of_pool
from binwright_optimizer.model import NodePool, Problem

NODES = "nodes"
"""Limit on the number of nodes."""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A cap on what may be bought.

    Parameters
    ----------
    pool
        NodePool whose limit it is; -1 for supplies of offerings and commitments, which all pools share.
    resource
        What it counts: a resource, `NODES`, or what a commitment consists of.
    room
        What is left to buy; the existing nodes of the pool are taken off.
    shelf_row
        The scarce offering; -1 for any other limit.
    commitment
        Name of the reservation or savings plan; empty for any other limit.
    """

    pool: int
    resource: str
    room: int
    shelf_row: int = -1
    commitment: str = ""


@dataclass(frozen=True, slots=True)
class MinimumRow:
    """``missing`` is how many nodes the pool still needs."""

    pool: int
    missing: int


def limit_rows(problem: Problem) -> tuple[tuple[LimitRow, ...], tuple[MinimumRow, ...]]:
    """Limits of every NodePool, and minimums that existing nodes do not meet."""
    limits: list[LimitRow] = []
    minimums: list[MinimumRow] = []
    for index, pool in enumerate(problem.node_pools):
        existing = [node for node in problem.existing_nodes if node.node_pool == pool.name]
        for resource, amount in _caps(pool):
            is_count = resource == NODES
            used = len(existing) if is_count else sum(node.capacity[resource] for node in existing)
            limits.append(LimitRow(index, resource, max(0, amount - used)))
        missing = pool.min_nodes - len(existing)
        if missing > 0:
            minimums.append(MinimumRow(index, missing))
    return tuple(limits), tuple(minimums)


def supply_rows(shelf: Shelf, bought: NDArray[np.intp]) -> tuple[LimitRow, ...]:
    """Supplies of the scarce offerings among the shelf rows ``bought``."""
    scarce = np.unique(shelf.supplied_by[bought[shelf.available[bought] < UNLIMITED]])
    return tuple(LimitRow(-1, NODES, int(shelf.available[row]), int(row)) for row in scarce)


def _caps(pool: NodePool) -> list[tuple[str, int]]:
    """Limits of a pool; the smaller of ``limits.nodes`` and ``max_nodes`` caps its nodes."""
    caps = dict(pool.limits)
    if pool.max_nodes is not None:
        caps[NODES] = min(pool.max_nodes, caps.get(NODES, pool.max_nodes))
    return sorted(caps.items())


def limit_use(
    rows: tuple[LimitRow, ...],
    problem: Problem,
    shelf: Shelf,
    pool_of: NDArray[np.intp],
    row_of: NDArray[np.intp],
) -> NDArray[np.int64]:
    """Use of each limit by one node of each candidate: int64 array (candidate, limit row).

    Existing candidates (pool -1) use nothing: their share is already taken off.
    """
    use = np.zeros((len(pool_of), len(rows)), dtype=np.int64)
    columns = {name: index for index, name in enumerate(shelf.resources)}
    supplied_by = np.append(shelf.supplied_by, -1)[row_of]  # the last for existing nodes
    held_limit, held_use = np.append(shelf.held_limit, -1)[row_of], np.append(shelf.held_use, 0)[row_of]
    held = 0
    for k, row in enumerate(rows):
        if row.commitment:
            use[:, k] = np.where(held_limit == held, held_use, 0)
            held += 1
            continue
        mine = supplied_by == row.shelf_row if row.shelf_row >= 0 else pool_of == row.pool
        if row.resource == NODES:
            use[mine, k] = 1
        elif row.resource in columns:
            of_pool = shelf_of_pool(shelf, problem.catalog, problem.node_pools[row.pool])
            use[mine, k] = of_pool.capacity[shelf.type_of[row_of[mine]], columns[row.resource]]
    return use
