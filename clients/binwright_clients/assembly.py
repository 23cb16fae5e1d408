"""A Problem message under construction, with the origin of its parts and unique names."""

from __future__ import annotations

from binwright.v1 import problem_pb2

from binwright_clients.errors import Problems
from binwright_clients.karpenter.lifetimes import NodeLifetime
from binwright_clients.karpenter.nodeclasses import Ec2NodeClass, NodeClassRef
from binwright_clients.notes import Notes
from binwright_clients.origins import Origin, Origins


class Assembly:
    """Gathers the parts of one Problem from many files."""

    def __init__(self) -> None:
        self.problem = problem_pb2.Problem()
        self.origins = Origins()
        self.problems = Problems()
        self.notes = Notes()
        self.node_classes: dict[str, NodeClassRef] = {}
        self.node_lifetimes: dict[str, NodeLifetime] = {}
        self.ec2_node_classes: dict[str, Ec2NodeClass] = {}
        self._origin_by_name: dict[tuple[str, str, str], Origin] = {}

    def claim_name(self, kind: str, namespace: str, name: str, origin: Origin) -> bool:
        """Whether the name is new; a duplicate is reported as a problem."""
        first = self._origin_by_name.setdefault((kind, namespace, name), origin)
        if first is origin:
            return True
        where = first.place if first.file == origin.file else str(first)
        self.problems.add(
            origin.file,
            f"duplicate name: {where} has it already",
            place=origin.place,
            field="name" if origin.line else "metadata.name",
            value=name,
        )
        return False

    def add_workload(self, origin: Origin) -> problem_pb2.Workload:
        """A new, empty workload of the message."""
        self.origins.workloads.append(origin)
        return self.problem.workloads.add()

    def add_node_pool(self, origin: Origin) -> problem_pb2.NodePool:
        """A new, empty NodePool of the message."""
        self.origins.node_pools.append(origin)
        return self.problem.node_pools.add()

    def add_existing_node(self, origin: Origin) -> problem_pb2.ExistingNode:
        """A new, empty node of the message."""
        self.origins.existing_nodes.append(origin)
        return self.problem.existing_nodes.add()

    def add_daemon_set(self, origin: Origin) -> problem_pb2.DaemonSet:
        """A new, empty DaemonSet of the message."""
        self.origins.daemon_sets.append(origin)
        return self.problem.daemon_sets.add()

    def add_gang(self, origin: Origin) -> problem_pb2.Gang:
        """A new, empty gang of the message."""
        self.origins.gangs.append(origin)
        return self.problem.gangs.add()

    def add_namespace(self, origin: Origin) -> problem_pb2.Namespace:
        """A new, empty namespace of the message."""
        self.origins.namespaces.append(origin)
        return self.problem.namespaces.add()

    def add_node_overlay(self, origin: Origin) -> problem_pb2.NodeOverlay:
        """A new, empty NodeOverlay of the message."""
        self.origins.node_overlays.append(origin)
        return self.problem.node_overlays.add()

    def add_reservation(self, origin: Origin) -> problem_pb2.Reservation:
        """A new, empty reservation of the message."""
        self.origins.reservations.append(origin)
        return self.problem.reservations.add()

    def add_savings_plan(self, origin: Origin) -> problem_pb2.SavingsPlan:
        """A new, empty savings plan of the message."""
        self.origins.savings_plans.append(origin)
        return self.problem.savings_plans.add()
