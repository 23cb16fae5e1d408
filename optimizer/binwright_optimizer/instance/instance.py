"""The problem as read-only arrays.

Indices, here and in every solver module: ``i`` pod class, ``j`` candidate (what the design calls
an offering after reduction: a NodePool variant's offering, or a group of equal existing nodes),
``r`` resource, ``p`` pattern, ``k`` limit row, ``w`` workload.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.candidates import Shelved
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.device_claims import ClaimedDevices
from binwright_optimizer.instance.domains.linking import Linking
from binwright_optimizer.instance.domains.localize import Localized
from binwright_optimizer.instance.limits import LimitRow, MinimumRow
from binwright_optimizer.instance.node_rules import NodeRules
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.instance.variants import Variant
from binwright_optimizer.model import Problem


@dataclass(frozen=True, slots=True)
class Origin:
    """What the instance was made from, before merging and dominance; for names and reasons.

    Parameters
    ----------
    shelved
        What each NodePool variant may buy, in order.
    kinds
        Distinct pods of the problem.
    localized
        Kinds split by domain, with where selectors, taints and domains let them run; candidates ``c``
        are the rows of each of ``shelved`` in turn, then the existing nodes.
    class_of_local
        intp array (local kind,): class of each, -1 where no candidate holds it.
    existing_free
        int64 array (node, r): free amounts of the existing nodes.
    sizes
        float64 array (kind,): what a pod takes of all that pods want, summed over resources.
    claimed
        What device claims take of nodes.
    """

    shelved: tuple[Shelved, ...]
    kinds: Kinds
    localized: Localized
    class_of_local: NDArray[np.intp]
    existing_free: NDArray[np.int64]
    sizes: NDArray[np.float64]
    claimed: ClaimedDevices


@dataclass(frozen=True, slots=True)
class Instance:
    """Pod classes, candidates and limits.

    Parameters
    ----------
    resources
        Names of the resources ``r`` that some pod requests; pod slots come first.
    requests
        int64 array (i, r): one pod of the class, its pod slot included.
    demand, priority
        int64 arrays (i,). The demand of classes that are linked is the most that they may get until an
        allocation says how much they do get (`allocated`).
    class_of
        intp array (w,): class of each workload; -1 where no candidate holds its pods, or where they are
        split by domain.
    price, supply
        int64 arrays (j,): micro-dollars per hour (0 for existing nodes); how many existing nodes
        the candidate stands for (`UNLIMITED` for offerings, whose limits are rows).
    allocatable
        int64 array (j, r): what pods may use of one node, never more than all pods want.
    compatible
        bool array (i, j): class ``i`` may run and fits on candidate ``j``.
    pool_of, variant_of, row_of
        intp arrays (j,): NodePool, variant and shelf row; -1 for existing nodes.
    existing_of
        Existing nodes of candidate ``j`` by position in the problem; empty for offerings.
    limit_use
        int64 array (j, k): use of limit row ``k`` by one node.
    node_cap
        int64 array (i,): most pods of the class on one node by rules that name only itself.
    rules
        What classes may stand together on one node.
    linking
        Rules about numbers of pods in domains; None if there are none.
    allocation
        int64 array (v,): pods of each local kind of ``linking``, once they are allocated.
    """

    problem: Problem
    origin: Origin
    shelf: Shelf
    variants: tuple[Variant, ...]
    resources: tuple[str, ...]
    requests: NDArray[np.int64]
    demand: NDArray[np.int64]
    priority: NDArray[np.int64]
    class_of: NDArray[np.intp]
    price: NDArray[np.int64]
    supply: NDArray[np.int64]
    allocatable: NDArray[np.int64]
    compatible: NDArray[np.bool_]
    pool_of: NDArray[np.intp]
    variant_of: NDArray[np.intp]
    row_of: NDArray[np.intp]
    existing_of: tuple[tuple[int, ...], ...]
    limits: tuple[LimitRow, ...]
    minimums: tuple[MinimumRow, ...]
    limit_use: NDArray[np.int64]
    node_cap: NDArray[np.int64]
    rules: NodeRules
    linking: Linking | None = None
    allocation: NDArray[np.int64] | None = None

    @property
    def n_classes(self) -> int:
        """Number of pod classes."""
        return len(self.demand)

    @property
    def n_candidates(self) -> int:
        """Number of candidates."""
        return len(self.price)

    def allocated(self, allocation: NDArray[np.int64]) -> Instance:
        """The instance with so many pods of each local kind of ``linking``."""
        assert self.linking is not None
        demand = self.demand.copy()
        demand[self.linking.class_of] = 0
        np.add.at(demand, self.linking.class_of, allocation)
        demand.flags.writeable = False
        return replace(self, demand=demand, allocation=allocation)
