"""Whether the minimum numbers of nodes of all NodePools can be bought together.

Limits, and supplies that pools share, can each allow a minimum and still forbid it together, and
the cheapest node of a pool may be the one that its limits do not allow often enough. Buying in
order of price settles nearly every problem; the integer programme below settles the others.
"""

from __future__ import annotations

import highspy
import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance.limits import LimitRow, MinimumRow
from binwright_optimizer.instance.reduce import cheapest_of_equals
from binwright_optimizer.model import Problem

Int = NDArray[np.int64]

TOLERANCE = 1e-9
"""Feasibility tolerance of the integer programme, as a share of a limit's room."""


def check_minimums(
    problem: Problem,
    limits: tuple[LimitRow, ...],
    minimums: tuple[MinimumRow, ...],
    pool_of: NDArray[np.intp],
    use: Int,
    price: Int,
) -> None:
    """Refuse minimum numbers of nodes that cannot be bought.

    Raises
    ------
    InvalidProblemError
        For the first NodePool whose minimum is out of reach, on its own or together with the
        minimums of the pools before it.
    """
    if nodes_for_minimums(minimums, limits, pool_of, use, price) is not None:
        return
    for m, row in enumerate(minimums):
        if nodes_for_minimums(minimums[: m + 1], limits, pool_of, use, price) is None:
            pool = problem.node_pools[row.pool]
            alone = nodes_for_minimums((row,), limits, pool_of, use, price) is None
            others = "" if alone else " together with the minimums of the pools before it"
            raise InvalidProblemError.of(
                f"node_pools[{row.pool}].min_nodes",
                pool.min_nodes,
                f"NodePool {pool.name} needs {row.missing} more nodes, but limits and offerings do not allow"
                f" that many{others}",
            )


def nodes_for_minimums(
    minimums: tuple[MinimumRow, ...],
    limits: tuple[LimitRow, ...],
    pool_of: NDArray[np.intp],
    use: Int,
    price: Int,
) -> Int | None:
    """Nodes to buy of each candidate that meet every minimum within all limits; None if none do.

    Parameters
    ----------
    pool_of, price
        intp and int64 arrays (j,).
    use
        int64 array (j, k): use of each limit row by one node.

    Returns
    -------
    int64 array (j,): of each pool exactly as many nodes as it misses.
    """
    order = np.lexsort((np.arange(len(price)), price))
    members = order[np.isin(pool_of[order], [row.pool for row in minimums])]
    members = cheapest_of_equals(np.column_stack([pool_of, use]).astype(np.int64), members)
    room = np.array([row.room for row in limits], dtype=np.int64)
    counts = np.zeros(len(price), dtype=np.int64)
    left = room.copy()
    for row in minimums:
        missing = row.missing
        for j in members[pool_of[members] == row.pool]:
            used = use[j] > 0
            count = int(min(missing, (left[used] // use[j, used]).min(initial=missing)))
            counts[j] += count
            left -= count * use[j]
            missing -= count
        if missing:
            return _by_integer_programme(minimums, room, pool_of, use, price, members)
    return counts


def _by_integer_programme(
    minimums: tuple[MinimumRow, ...],
    room: Int,
    pool_of: NDArray[np.intp],
    use: Int,
    price: Int,
    members: NDArray[np.intp],
) -> Int | None:
    """As `nodes_for_minimums`, from the candidates ``members`` alone."""
    if not len(members):
        return None
    pools = np.array([row.pool for row in minimums])
    missing = np.array([row.missing for row in minimums], dtype=np.float64)
    scale = np.maximum(room, 1)
    matrix = np.concatenate([pool_of[members][:, None] == pools, use[members] / scale], axis=1).astype(float)
    lower = np.concatenate([missing, np.full(len(room), -np.inf)])
    upper = np.concatenate([missing, room / scale])
    where, index = np.nonzero(matrix)
    starts = np.searchsorted(where, np.arange(len(members)))
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("primal_feasibility_tolerance", TOLERANCE)
    solver.setOptionValue("mip_feasibility_tolerance", TOLERANCE)
    empty = np.zeros(0, dtype=np.int32)
    solver.addRows(len(lower), lower, upper, 0, np.zeros(len(lower), dtype=np.int32), empty, np.zeros(0))
    solver.addCols(
        len(members),
        price[members] * 1e-6,
        np.zeros(len(members)),
        np.full(len(members), missing.max()),
        len(index),
        starts.astype(np.int32),
        index.astype(np.int32),
        matrix[where, index],
    )
    positions = np.arange(len(members), dtype=np.int32)
    solver.changeColsIntegrality(
        len(members), positions, np.full(len(members), highspy.HighsVarType.kInteger)
    )
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    counts = np.zeros(len(price), dtype=np.int64)
    counts[members] = np.rint(np.asarray(solver.getSolution().col_value)).astype(np.int64)
    return counts if (counts @ use <= room).all() else None
