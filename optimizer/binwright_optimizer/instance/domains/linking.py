"""Linear rows over the numbers of pods per kind and domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Scope = tuple[tuple[str, str | None], ...]
"""Label values that make up a domain, as sorted pairs; None: the node lacks the label."""
Cells = list[tuple[Scope, NDArray[np.bool_]]]
"""Domains with their candidates: bool array (c,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Linking:
    """How many pods may be where: ``lower <= A [y, u, z] <= upper``, all variables within bounds.

    The columns of ``A`` are the local kinds ``v`` (``y_v`` items), the split kinds ``q`` (``u_q`` pods
    left out), and auxiliary variables ``z``. Every kind has a row ``sum_v pods_vq y_v + u_q = demand_q``.

    Parameters
    ----------
    class_of
        intp array (v,): pod class of a local kind.
    part_of, part_kind, part_pods
        intp arrays (part,), int64 array (part,): the pods of one item, as triples (local kind, position ``q``
        of a kind, pods of it); most items are one pod.
    families
        intp array (v,): at most one item of a family is placed; -1: of none.
    most
        int64 array (v,): most items there.
    charge
        int64 array (v,): micro-dollars per hour that one item is charged for being there, beside its node.
    scopes
        The domain of each local kind.
    kinds
        intp array (q,): split kinds, as numbered in `Kinds`.
    demand, priority
        int64 arrays (q,).
    left_least, left_most
        int64 arrays (q,): bounds on the pods left out.
    aux_lower, aux_upper, aux_is_integer
        Arrays (z,).
    starts, index, value
        Rows in compressed form: int32 arrays (row + 1,), (entry,), float64 array (entry,).
    lower, upper
        float64 arrays (row,).
    """

    class_of: NDArray[np.intp]
    part_of: NDArray[np.intp]
    part_kind: NDArray[np.intp]
    part_pods: NDArray[np.int64]
    families: NDArray[np.intp]
    most: NDArray[np.int64]
    charge: NDArray[np.int64]
    scopes: tuple[Scope, ...]
    kinds: NDArray[np.intp]
    demand: NDArray[np.int64]
    priority: NDArray[np.int64]
    left_least: NDArray[np.int64]
    left_most: NDArray[np.int64]
    aux_lower: NDArray[np.float64]
    aux_upper: NDArray[np.float64]
    aux_is_integer: NDArray[np.bool_]
    starts: NDArray[np.int32]
    index: NDArray[np.int32]
    value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @property
    def n_local(self) -> int:
        """Number of local kinds."""
        return len(self.class_of)

    @property
    def n_variables(self) -> int:
        """Columns of the system."""
        return self.n_local + len(self.kinds) + len(self.aux_lower)

    def contents(self) -> list[tuple[tuple[int, int], ...]]:
        """Pods of one item of each local kind by split kind, as pairs."""
        found: list[list[tuple[int, int]]] = [[] for _ in range(self.n_local)]
        for v, q, pods in zip(self.part_of, self.part_kind, self.part_pods, strict=True):
            found[v].append((int(q), int(pods)))
        return [tuple(sorted(content)) for content in found]

    def placed(self, allocation: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pods of each split kind that an allocation places: int64 array (q,)."""
        result = np.zeros(len(self.kinds), dtype=np.int64)
        np.add.at(result, self.part_kind, self.part_pods * allocation[self.part_of])
        return result

    def placing(self, allocation: NDArray[np.int64]) -> Linking:
        """The same rules for decisions that place as many pods of each kind, and may not leave out more.

        Programmes that may (at a penalty) have a solution for any prices and any number of nodes.
        """
        left = self.demand - self.placed(allocation)
        return replace(self, left_least=left)


@dataclass(slots=True)
class LinkingBuilder:
    """Collects rows; local kinds and left-out variables are numbered before the first of them.

    Parameters
    ----------
    n_local, n_kinds
        Number of local kinds ``v`` and of split kinds ``q``.
    """

    n_local: int
    n_kinds: int
    aux: list[tuple[float, float, bool]] = field(default_factory=list)
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)

    def left_out(self, q: int) -> int:
        """The variable of the pods of a kind that are left out."""
        return self.n_local + q

    def variable(self, lower: float, upper: float, *, is_integer: bool = False) -> int:
        """A new auxiliary variable."""
        self.aux.append((lower, upper, is_integer))
        return self.n_local + self.n_kinds + len(self.aux) - 1

    def row(
        self,
        terms: Mapping[int, float] | Iterable[int],
        lower: float = -np.inf,
        upper: float = np.inf,
    ) -> None:
        """A new row; variables without coefficients count once."""
        coefficients = dict(terms) if isinstance(terms, Mapping) else dict.fromkeys(terms, 1.0)
        self.rows.append((coefficients, lower, upper))
