"""A whole question: pods, what may be bought, and what already runs."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model.cluster import DaemonSet, ExistingNode
from binwright_optimizer.model.commitments import Reservation, SavingsPlan
from binwright_optimizer.model.gangs import Gang
from binwright_optimizer.model.namespaces import Namespace
from binwright_optimizer.model.nodepools import NodePool
from binwright_optimizer.model.offerings import Catalog
from binwright_optimizer.model.pods import Workload
from binwright_optimizer.model.policies import Policies


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Problem:
    """Pods to place and the means to place them.

    A node may be bought from offering ``o`` of instance type ``t`` for NodePool ``p`` when the
    labels of ``p``, ``t`` and ``o`` satisfy the requirements of ``p``. The cost of a decision is the
    sum of the prices of the nodes bought.

    Parameters
    ----------
    gangs
        Of the workloads that name one, by namespace and name; each is here once.
    namespaces
        Those whose labels are known.
    reservations, savings_plans
        Commitments held that the catalogue does not show as offerings.
    """

    workloads: tuple[Workload, ...]
    node_pools: tuple[NodePool, ...]
    catalog: Catalog
    existing_nodes: tuple[ExistingNode, ...] = ()
    daemon_sets: tuple[DaemonSet, ...] = ()
    gangs: tuple[Gang, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    savings_plans: tuple[SavingsPlan, ...] = ()
    policies: Policies = Policies()
