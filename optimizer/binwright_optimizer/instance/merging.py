"""Candidates that no pod, limit or rule can tell apart, as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.on_nodes import OnNodes
from binwright_optimizer.instance.reduce import cheapest_of_equals
from binwright_optimizer.instance.shelf import UNLIMITED
from binwright_optimizer.model import Problem


def merged(
    problem: Problem,
    price: NDArray[np.int64],
    supply: NDArray[np.int64],
    allocatable: NDArray[np.int64],
    admitted: NDArray[np.bool_],
    pool_of: NDArray[np.intp],
    row_of: NDArray[np.intp],
    use: NDArray[np.int64],
    is_restricted: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Candidates left after merging, cheapest first; between equals the heavier pool wins."""
    n = len(price)
    weight = np.array([pool.weight for pool in problem.node_pools] + [0], dtype=np.int64)[pool_of]
    order = np.lexsort((np.arange(n), row_of, pool_of, -weight, price))
    restriction = np.where(is_restricted, pool_of, -1)
    identity = np.where(supply < UNLIMITED, np.arange(n), -1)
    bits = np.packbits(admitted, axis=0).T if len(admitted) else np.zeros((n, 0), dtype=np.uint8)
    content = np.column_stack([allocatable, bits, use, restriction, identity]).astype(np.int64)
    return cheapest_of_equals(content, order)


def grouped_nodes(
    kept: NDArray[np.intp],
    row_of: NDArray[np.intp],
    allocatable: NDArray[np.int64],
    holds: NDArray[np.bool_],
    first_existing: int,
    on_nodes: OnNodes,
) -> tuple[tuple[tuple[int, ...], ...], NDArray[np.intp]]:
    """Existing nodes of each remaining position, and those positions: equal nodes share one."""
    groups: dict[tuple[bytes, bytes, object], int] = {}
    members: list[list[int]] = []
    positions: list[int] = []
    for position, candidate in enumerate(kept):
        if row_of[candidate] >= 0:
            positions.append(position)
            members.append([])
            continue
        node = int(candidate) - first_existing
        key = (allocatable[candidate].tobytes(), holds[:, position].tobytes(), on_nodes.start_key(node))
        if key not in groups:
            groups[key] = len(members)
            positions.append(position)
            members.append([])
        members[groups[key]].append(node)
    return tuple(tuple(sorted(m)) for m in members), np.array(positions, dtype=np.intp)
