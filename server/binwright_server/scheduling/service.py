"""SchedulingService: which nodes of a running cluster may take a pod, and which should."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from operator import itemgetter
from typing import Any

import grpc
import numpy as np
from binwright.v1 import scheduling_service_pb2, scheduling_service_pb2_grpc
from binwright_optimizer.model import PodTemplate

from binwright_server.convert.scheduling import ClusterReader, identity_of, plan_to_message, pod_key
from binwright_server.scheduling.checks import ABOUT_PODS, RuleChecks
from binwright_server.scheduling.feeders import FeederLease
from binwright_server.scheduling.plan import Plan
from binwright_server.scheduling.preemption import Eviction, worth_evicting
from binwright_server.scheduling.ratings import Rater
from binwright_server.scheduling.rules import Identity, rules_of
from binwright_server.scheduling.score import PlanInForce, PodScores
from binwright_server.scheduling.state import ClusterState
from binwright_server.scheduling.table import UNKNOWN, NodeTable, Rows
from binwright_server.scheduling.view import PASSED, PodView

MOST_VIEWS = 256
"""Kinds of pods whose verdicts and scores are kept, the latest used; a view of 5,000 nodes is 100 KB."""

MOST_AT_ONCE = 500
"""Objects of an update that are read in the event loop; a snapshot of 25,000 takes 0.4 s to read, in a thread
that lets questions in between."""

Context = grpc.aio.ServicerContext[Any, Any]
Question = (
    scheduling_service_pb2.FilterRequest
    | scheduling_service_pb2.PrioritizeRequest
    | scheduling_service_pb2.RateNodesQuestion
    | scheduling_service_pb2.PreemptRequest
)


class SchedulingService(scheduling_service_pb2_grpc.SchedulingServiceServicer):
    """Answers in the event loop itself: a question takes less than a thread's start would.

    Parameters
    ----------
    on_update
        Called with each update that was taken, which no longer tells who sent it: that is decided here.
    lease
        Tells which of several feeders counts.
    """

    def __init__(
        self,
        state: ClusterState,
        on_update: Callable[[scheduling_service_pb2.UpdateClusterRequest], None] = lambda _: None,
        lease: FeederLease | None = None,
    ) -> None:
        self.state = state
        self._lease = lease or FeederLease()
        self._on_update = on_update
        self._reader = ClusterReader()
        self._update_reader = ClusterReader()
        self._updating = asyncio.Lock()
        self._plan: Plan | None = None
        self._in_force = PlanInForce(state.table, None)
        self._views: OrderedDict[tuple[bytes, Identity | None], tuple[PodView, PodScores]] = OrderedDict()
        self._new_plan = asyncio.Condition()
        self._rater = Rater()

    async def put_plan(self, plan: Plan) -> None:
        """Let a plan come into force."""
        self._plan = plan
        self._in_force = PlanInForce(self.state.table, plan)
        async with self._new_plan:
            self._new_plan.notify_all()

    async def UpdateCluster(  # noqa: N802 - named by the proto
        self,
        request: scheduling_service_pb2.UpdateClusterRequest,
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> scheduling_service_pb2.UpdateClusterResponse:
        """Replaces the state, or changes it."""
        async with self._updating:  # updates are taken in the order in which they came
            if request.feeder and not self._lease.is_given(request.feeder):
                return scheduling_service_pb2.UpdateClusterResponse(
                    nodes=len(self.state.nodes), pods=len(self.state.pods), is_standing_by=True
                )
            request.ClearField("feeder")
            if len(request.nodes) + len(request.pods) > MOST_AT_ONCE:
                update = await asyncio.to_thread(self._update_reader.update, request)
            else:
                update = self._update_reader.update(request)
            ignored = self.state.apply(update)
        self._on_update(request)
        return scheduling_service_pb2.UpdateClusterResponse(
            nodes=len(self.state.nodes), pods=len(self.state.pods), ignored=ignored
        )

    async def Filter(  # noqa: N802 - named by the proto
        self,
        request: scheduling_service_pb2.FilterRequest,
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> scheduling_service_pb2.FilterResponse:
        """Which nodes may take the pod."""
        return self._filter(request)

    async def Prioritize(  # noqa: N802 - named by the proto
        self,
        request: scheduling_service_pb2.PrioritizeRequest,
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> scheduling_service_pb2.PrioritizeResponse:
        """Scores for the pod."""
        return self._prioritize(request)

    async def FilterBatch(  # noqa: N802 - named by the proto
        self,
        request: scheduling_service_pb2.FilterBatchRequest,
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> scheduling_service_pb2.FilterBatchResponse:
        """Which nodes may take each pod."""
        responses = []
        for question in request.requests:
            responses.append(self._filter(question))
            await asyncio.sleep(0)  # single questions go between
        return scheduling_service_pb2.FilterBatchResponse(responses=responses)

    async def PrioritizeBatch(  # noqa: N802 - named by the proto
        self,
        request: scheduling_service_pb2.PrioritizeBatchRequest,
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> scheduling_service_pb2.PrioritizeBatchResponse:
        """Scores for each pod."""
        responses = []
        for question in request.requests:
            responses.append(self._prioritize(question))
            await asyncio.sleep(0)
        return scheduling_service_pb2.PrioritizeBatchResponse(responses=responses)

    async def RateNodes(  # noqa: N802 - named by the proto
        self,
        request: scheduling_service_pb2.RateNodesRequest,
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> scheduling_service_pb2.RateNodesResponse:
        """Ratings of all nodes for each pod, of one state: nothing changes meanwhile."""
        self.state.check()
        named = self._rater.named(self.state.table)
        response = scheduling_service_pb2.RateNodesResponse(
            names_version=named.version, label_keys=self.state.neighbours.label_keys()
        )
        if request.names_version != named.version:
            response.node_names.extend(named.names)
        for k, question in enumerate(request.questions):
            view, scores = self._view(question, self.state.table, f"questions[{k}].pod")
            own_row = self._own_row(question, self.state.table)
            self._rater.rate(named, view, scores, question.version, own_row, response.ratings.add())
        return response

    async def Preempt(  # noqa: N802 - named by the proto
        self,
        request: scheduling_service_pb2.PreemptRequest,
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> scheduling_service_pb2.PreemptResponse:
        """Which evictions are worth it."""
        self.state.check()
        nodes = [eviction.node for eviction in request.evictions]
        if not nodes:
            return scheduling_service_pb2.PreemptResponse()
        view, scores = self._view(request, self.state.table)
        rows = rows_of(self.state.table, nodes)
        hopeless = {
            nodes[position]
            for reason, positions in view.reasons(
                rows, view.verdicts(rows, self._own_row(request, self.state.table))
            )
            # What is about other pods the scheduler has checked with the victims gone.
            if reason.is_unresolvable and reason.constraint not in ABOUT_PODS
            for position in positions
        }
        points = np.where(rows == UNKNOWN, 0, scores.scores(rows))
        found = dict(zip(nodes, points.tolist(), strict=True))
        evictions = [self._eviction(message) for message in request.evictions]
        chosen = worth_evicting(evictions, frozenset(hopeless), found)
        return scheduling_service_pb2.PreemptResponse(chosen=chosen)

    async def WatchPlan(  # noqa: N802 - named by the proto
        self,
        request: scheduling_service_pb2.WatchPlanRequest,  # noqa: ARG002 - it has no fields
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> AsyncIterator[scheduling_service_pb2.WatchPlanResponse]:
        """The plan in force, and each that replaces it."""
        sent: Plan | None = None
        while True:
            async with self._new_plan:
                while self._plan is sent:
                    await self._new_plan.wait()
                sent = self._plan
            assert sent is not None, "a plan is only ever replaced by another"
            yield scheduling_service_pb2.WatchPlanResponse(plan=plan_to_message(sent))

    def _filter(self, request: scheduling_service_pb2.FilterRequest) -> scheduling_service_pb2.FilterResponse:
        names, rows, view, _ = self._asked(request)
        verdicts = view.verdicts(rows, self._own_row(request, view.table))
        response = scheduling_service_pb2.FilterResponse(
            passed=np.flatnonzero(verdicts == PASSED).tolist(), node_names=names
        )
        for reason, positions in view.reasons(rows, verdicts):
            response.refused.add(
                constraint=reason.constraint,
                message=reason.message,
                is_unresolvable=reason.is_unresolvable,
                positions=positions.tolist(),
            )
        return response

    def _prioritize(
        self, request: scheduling_service_pb2.PrioritizeRequest
    ) -> scheduling_service_pb2.PrioritizeResponse:
        names, rows, view, scores = self._asked(request)
        found = scores.scores(rows)
        # A node that the filter refuses, unknown ones among them, must not look like a good place.
        found[view.verdicts(rows, self._own_row(request, view.table)) != PASSED] = 0
        return scheduling_service_pb2.PrioritizeResponse(
            scores=found.tolist(), node_names=names, plan=self._in_force.number
        )

    def _asked(
        self, request: scheduling_service_pb2.FilterRequest | scheduling_service_pb2.PrioritizeRequest
    ) -> tuple[Sequence[str], Rows, PodView, PodScores]:
        """Names to tell the caller, rows of the candidates, and what is known about the kind of pod."""
        if request.nodes:
            table = self.state.overlaid(self._reader.nodes(request.nodes), request.node_names)
        else:
            self.state.check()
            table = self.state.table
        view, scores = self._view(request, table)
        if request.node_names:
            return (), rows_of(table, request.node_names), view, scores
        if request.nodes:
            return (), rows_of(table, [node.name for node in request.nodes]), view, scores
        rows = table.rows()
        return [table.names[row] for row in rows], rows, view, scores

    def _eviction(self, message: scheduling_service_pb2.Eviction) -> Eviction:
        known = {pod.uid: pod.priority for pod in self.state.pods_on(message.node)}
        priorities = tuple(
            victim.priority if victim.HasField("priority") else known.get(victim.uid)
            for victim in message.victims
        )
        return Eviction(message.node, priorities, message.broken_budgets)

    def _view(self, question: Question, table: NodeTable, path: str = "pod") -> tuple[PodView, PodScores]:
        kind, template = self._reader.template(question.pod, path)
        identity = identity_of(question.name, question.pod)
        checks = self._checks(template, identity)
        if table is not self.state.table:  # of this question only: nothing of it is worth keeping
            view = PodView(table, template, checks)
            return view, PodScores(view, kind, PlanInForce(table, self._plan))
        if self._in_force.table is not table:  # a snapshot replaced it
            self._in_force = PlanInForce(table, self._plan)
        key = kind, identity if checks is not None else None
        known = self._views.get(key)
        if known is None or known[0].table is not table:
            view = PodView(table, template, checks)
            known = view, PodScores(view, kind, self._in_force)
        elif known[1].plan is not self._in_force:
            known = known[0], PodScores(known[0], kind, self._in_force)
        known[0].checks = checks  # which rules of others bind it may change
        self._views[key] = known
        self._views.move_to_end(key)
        if len(self._views) > MOST_VIEWS:
            self._views.popitem(last=False)
        return known

    def _checks(self, template: PodTemplate, identity: Identity) -> RuleChecks | None:
        """Rules between pods that bind a pod; None where none do, or where nobody tells about pods."""
        state = self.state
        rules, foes = rules_of(template, identity), state.neighbours.foes(identity)
        if not (rules or foes) or not state.has_snapshot:
            return None
        home, neighbours = state.table, state.neighbours
        return RuleChecks(
            home,
            identity,
            rules,
            foes,
            state.namespaces,
            selected=lambda selection: neighbours.selected(selection, home.capacity, state.placed()),
            carriers=lambda apart: neighbours.carriers(apart, home.capacity),
            port_holders=lambda ports: neighbours.port_holders(ports, home.capacity),
            eligible=PodView(home, template).eligible,
        )

    def _own_row(self, request: Question, table: NodeTable) -> int:
        """Row on which the pod itself is counted already, if any."""
        if not request.name.name:
            return UNKNOWN
        pod = self.state.pods.get(pod_key(request.name))
        return table.row_of[pod.node] if pod is not None and pod.node else UNKNOWN


def rows_of(table: NodeTable, names: Sequence[str]) -> Rows:
    """Rows of nodes by name; `UNKNOWN` for names that are not there."""
    if len(names) == 1:
        return np.array([table.row_of[names[0]]], dtype=np.intp)
    return np.array(itemgetter(*names)(table.row_of), dtype=np.intp)
