"""A whole question: pods, what may be bought, and what already runs."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model.cluster import DaemonSet, ExistingNode
from binwright_optimizer.model.nodepools import NodePool
from binwright_optimizer.model.offerings import Catalog
from binwright_optimizer.model.pods import Workload


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Problem:
    """Pods to place and the means to place them.

    A node may be bought from offering ``o`` of instance type ``t`` for NodePool ``p`` when the
    labels of ``p``, ``t`` and ``o`` satisfy the requirements of ``p``. The cost of a decision is the
    sum of the prices of the nodes bought.
    """

    workloads: tuple[Workload, ...]
    node_pools: tuple[NodePool, ...]
    catalog: Catalog
    existing_nodes: tuple[ExistingNode, ...] = ()
    daemon_sets: tuple[DaemonSet, ...] = ()
