"""Asks the optimizer where pods that wait should go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError

from binwright_clients.controller.claims import planned_claims
from binwright_clients.controller.cycle import Plan
from binwright_clients.controller.observation import Observation, Offered, PendingPod
from binwright_clients.controller.question import problem_objects
from binwright_clients.controller.tally import Figures
from binwright_clients.errors import InputError
from binwright_clients.karpenter.nodeclasses import NodeClassRef
from binwright_clients.origins import Origins
from binwright_clients.sources import Source
from binwright_clients.usable import LiveObjects, UnusablePoolsError, about_pools

_SOURCE = "cluster"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what is needed to carry out its decision."""

    request: provisioning_service_pb2.SolveRequest
    node_classes: dict[str, NodeClassRef]
    cloud: str
    origins: Origins


AskFor = Callable[[Source], Asked]
"""The request for a cluster's objects; raises InputError."""

Solve = Callable[[provisioning_service_pb2.SolveRequest], decision_pb2.Decision]
"""The decision; raises BinwrightError."""


@dataclass(frozen=True, slots=True)
class OptimizingPlanner:
    """A `cycle.Planner` over the readers and an engine.

    Parameters
    ----------
    most_types
        Instance types a NodeClaim may name.
    on_remark
        Called about objects that cannot be read, and NodePools that cannot be used, and are left out.
    """

    ask_for: AskFor
    solve: Solve
    on_remark: Callable[[str], None]
    most_types: int = 1

    def __call__(self, seen: Observation, pods: Iterable[PendingPod], sold_out: Iterable[Offered]) -> Plan:
        """The plan for some pods; raises BinwrightError.

        A NodePool of which only what is sold out could be bought takes no part; the decision warns of it.
        """
        wanted, left_out = list(pods), list(sold_out)
        live = LiveObjects(_SOURCE, problem_objects(seen, (pod.uid for pod in wanted)), self.on_remark)
        unusable = [str(pool) for pool in seen.left_out]
        while True:
            if all(item.get("kind") != "NodePool" for item in live.objects):
                why = "; ".join(("there is no NodePool that nodes are made from", *unusable))
                return Plan((), tuple((pod, why) for pod in wanted))
            try:
                asked, decision = self._decided(live, left_out)
                break
            except UnusablePoolsError as error:
                unusable += error.remarks
                for remark in error.remarks:
                    self.on_remark(remark)
                live.objects = [
                    item
                    for item in live.objects
                    if item.get("kind") != "NodePool" or item["metadata"]["name"] not in error.pools
                ]
            except InputError:
                odd = _not_understood(live, wanted)
                if len(odd) < len(wanted):
                    raise
                return Plan((), odd)  # nothing else waits
        claims = planned_claims(
            decision,
            wanted,
            seen.node_pools,
            asked.request.problem.node_pools,
            asked.node_classes,
            seen.claims,
            cloud=asked.cloud,
            most_types=self.most_types,
        )
        return Plan(
            claims,
            (*_not_understood(live, wanted), *_unplaced(decision, wanted, unusable)),
            _on_existing(decision, wanted),
            tuple(decision.warnings),
            Figures(decision.hourly_cost_microusd, decision.lower_bound_microusd, decision.gap),
        )

    def _decided(self, live: LiveObjects, sold_out: Sequence[Offered]) -> tuple[Asked, decision_pb2.Decision]:
        """The request that was answered, and its decision; what it cannot be about is left out.

        Raises
        ------
        UnusablePoolsError
            If the optimizer refuses nothing but NodePools.
        InvalidProblemError
            If it refuses what no object of the cluster is to blame for.
        InputError
            If no pod that waits is left.
        """
        while True:
            asked = live.read(self.ask_for)
            for offered in sold_out:
                asked.request.problem.catalog.sold_out.add(**offered._asdict())
            try:
                return asked, self.solve(asked.request)
            except InvalidProblemError as error:
                rest = live.without(error, asked.origins)
                if rest is not None:
                    raise about_pools(rest, asked.request.problem.node_pools) or error from error


def _not_understood(live: LiveObjects, pods: Sequence[PendingPod]) -> tuple[tuple[PendingPod, str], ...]:
    """Pods that take no part, and what is wrong with each."""
    reasons = {each.uid: each.why for each in live.left_out}
    return tuple((pod, f"is left out: {reasons[pod.uid]}") for pod in pods if pod.uid in reasons)


def _unplaced(
    decision: decision_pb2.Decision, pods: Sequence[PendingPod], unusable: Sequence[str]
) -> tuple[tuple[PendingPod, str], ...]:
    by_name = {pod.decision_name: pod for pod in pods}
    found = []
    for refused in decision.unschedulable_pods:
        reasons = "; ".join(f"{each.message} ({each.refused})" for each in refused.reasons)
        near = f"; nearest: {refused.nearest_miss}" if refused.nearest_miss else ""
        if refused.pod in by_name:
            why = f"{reasons or 'no node would hold it'}{near}"
            found.append((by_name[refused.pod], "; ".join((why, *unusable))))
    return tuple(found)


def _on_existing(
    decision: decision_pb2.Decision, pods: Sequence[PendingPod]
) -> tuple[tuple[PendingPod, str], ...]:
    by_name = {pod.decision_name: pod for pod in pods}
    return tuple(
        (by_name[name], placement.node)
        for placement in decision.existing_placements
        for name in placement.pods
        if name in by_name
    )
