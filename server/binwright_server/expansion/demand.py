"""The pending pods as the joint problem sees them: few kinds, by requests and by the options that help.

An autoscaler's pods may all differ. Choosing one of its options needs no exact packing, so that nearly
equal pods are made one kind of their mean where there are too many kinds to solve for in time. What
they ask for in all stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from binwright_optimizer.model import Resources
from binwright_optimizer.model.resources import CPU, MEMORY
from numpy.typing import NDArray

from binwright_server.expansion.question import ScaleUpOption, ScaleUpQuestion

MOST_KINDS = 250
"""Kinds solved for exactly. The solve of 100 options takes 0.1 to 0.3 s of computing for as many."""

GRIDS = (1.05, 1.1, 1.25, 1.5, 2.0)
"""Ratios of requests that may count as equal, finest first."""

_FLUID = (CPU, MEMORY)
"""Resources whose amounts may be averaged; GPUs and the like are told apart exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Pods by kind, and how many of each kind every option helps.

    Parameters
    ----------
    requests
        Of a pod of each kind.
    counts
        Pods of each kind over all options, shape (kinds,).
    helps
        Pods that an option helps, shape (options, kinds).
    distinct
        Kinds before nearly equal ones were made one.
    ratio
        Largest ratio of requests within a kind; 1 where none were made one.
    """

    requests: tuple[Resources, ...]
    counts: NDArray[np.int64]
    helps: NDArray[np.int64]
    distinct: int
    ratio: float

    @property
    def n_pods(self) -> int:
        """Pods in all."""
        return int(self.counts.sum())

    def filled(self, option: ScaleUpOption) -> NDArray[np.float64]:
        """Share of a node of this option that a pod of each kind fills, shape (kinds, resources), in 0..1.

        What a node does not have, a pod fills no share of: the autoscaler says that it fits.
        """
        names = sorted({name for requests in self.requests for name in requests.names()})
        asked = np.array([[requests[name] for name in names] for requests in self.requests], dtype=float)
        room = np.array([option.allocatable[name] for name in names], dtype=float)
        shares = np.divide(asked, room, out=np.zeros_like(asked), where=room > 0)
        filled: NDArray[np.float64] = np.minimum(1.0, shares)
        return filled


def demand_of(question: ScaleUpQuestion, options: Sequence[ScaleUpOption], most: int = MOST_KINDS) -> Demand:
    """What the options help, in about ``most`` kinds at most.

    Kinds that the same options of these help, with the same requests, are one. Beyond ``most`` kinds, those
    whose CPU and memory lie in one cell of a grid become one, on the finest grid that does, or on the
    coarsest. Their mean fits on every node that each of them fits on.
    """
    helps = np.stack([option.helps for option in options])
    reached = np.flatnonzero(helps.any(axis=0))
    helps = helps[:, reached]
    kinds = [question.kinds[kind] for kind in reached.tolist()]
    counts = np.array([kind.count for kind in kinds], dtype=np.int64)
    names = sorted({name for kind in kinds for name in kind.requests.names()})
    column = {name: k for k, name in enumerate(names)}
    amounts = np.zeros((len(kinds), len(names)), dtype=np.int64)
    for row, kind in zip(amounts, kinds, strict=True):
        for name, amount in kind.requests:
            row[column[name]] = amount
    reach = np.packbits(helps > 0, axis=0).T
    group = _groups(reach, amounts)
    distinct, ratio = int(group.max()) + 1, 1.0
    for grid in GRIDS:
        if int(group.max()) < most:
            break
        cells, ratio = amounts.copy(), grid
        for name in set(_FLUID) & column.keys():
            given = amounts[:, column[name]]
            cells[:, column[name]] = np.floor(np.log(np.maximum(given, 1)) / np.log(grid)) + (given > 0)
        group = _groups(reach, cells)
    n = int(group.max()) + 1
    return Demand(
        requests=tuple(
            Resources.of({name: int(amount) for name, amount in zip(names, row, strict=True) if amount})
            for row in _means(amounts, counts, group, n)
        ),
        counts=_sums(counts[None, :], group, n)[0],
        helps=_sums(helps, group, n),
        distinct=distinct,
        ratio=ratio,
    )


def _groups(reach: NDArray[np.uint8], amounts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the group of each kind: equal rows, numbered by where they come first."""
    rows = np.ascontiguousarray(np.hstack((reach, np.ascontiguousarray(amounts).view(np.uint8))))
    as_bytes: NDArray[Any] = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in as_bytes], dtype=np.int64)


def _sums(values: NDArray[np.int64], group: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Sums of columns by group, exact."""
    out = np.zeros((len(values), n), dtype=np.int64)
    for row, of in zip(out, values, strict=True):
        np.add.at(row, group, of)
    return out


def _means(
    amounts: NDArray[np.int64], counts: NDArray[np.int64], group: NDArray[np.int64], n: int
) -> list[list[int]]:
    """Mean requests of the pods of each group, rounded up; in Python's integers, as bytes add up to much."""
    totals = [[0] * amounts.shape[1] for _ in range(n)]
    pods = [0] * n
    for g, row, count in zip(group.tolist(), amounts.tolist(), counts.tolist(), strict=True):
        pods[g] += count
        total = totals[g]
        for k, amount in enumerate(row):
            total[k] += amount * count
    return [[-(-total // number) for total in row] for row, number in zip(totals, pods, strict=True)]
