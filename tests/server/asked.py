"""A scheduling service that is asked in process, without a connection."""

from __future__ import annotations

import asyncio

from binwright.v1 import problem_pb2, scheduling_service_pb2
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_server.scheduling.plan import Plan, PlanningProblem, numbered
from binwright_server.scheduling.service import SchedulingService
from binwright_server.scheduling.state import ClusterState
from clusters import Cluster


class Asked:
    """A service asked in process."""

    def __init__(self, *updates: Cluster) -> None:
        self.state = ClusterState()
        self.service = SchedulingService(self.state)
        for update in updates:
            self.put(update)

    def put(self, update: Cluster) -> scheduling_service_pb2.UpdateClusterResponse:
        return asyncio.run(self.service.UpdateCluster(update.update, None))  # type: ignore[arg-type]

    def filter(
        self, pod: problem_pb2.PodTemplate, *names: str, own_name: str = ""
    ) -> tuple[list[str], dict[str, list[str]]]:
        """Names that passed, and those refused by constraint."""
        request = scheduling_service_pb2.FilterRequest(pod=pod, node_names=names)
        request.name.name = own_name
        response = asyncio.run(self.service.Filter(request, None))  # type: ignore[arg-type]
        candidates = names or tuple(response.node_names)
        refused: dict[str, list[str]] = {}
        for reason in response.refused:
            names_of_it = [candidates[position] for position in reason.positions]
            refused[reason.constraint] = sorted([*refused.get(reason.constraint, []), *names_of_it])
        return [candidates[p] for p in response.passed], refused

    def scores(self, pod: problem_pb2.PodTemplate, *names: str) -> dict[str, int]:
        request = scheduling_service_pb2.PrioritizeRequest(pod=pod, node_names=names)
        response = asyncio.run(self.service.Prioritize(request, None))  # type: ignore[arg-type]
        return dict(zip(names or response.node_names, response.scores, strict=True))

    def plan(self) -> Plan:
        """Plan and let the plan come into force."""
        planning = PlanningProblem(self.state.nodes, self.state.pods, self.state.namespaces)
        plan = numbered(planning.plan(solve(planning.problem(), SolveParams(deadline_s=5.0))), 1)
        asyncio.run(self.service.put_plan(plan))
        return plan
