"""What a decision is charged beside its nodes, recomputed from the placement alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from binwright_optimizer.model import CapacityType, Decision, PodRange, Problem, Taint, labels
from binwright_optimizer.model.policies import UNTOLERATED_WEIGHT
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.charges import (
    disliked,
    expected_cost,
    rate_of_running,
    rates_by_zone,
    soft_taints,
    spot_rates,
)
from binwright_optimizer.verify.nodes import Labels, refused_requirement
from binwright_optimizer.verify.pod_wishes import has_pod_wishes, unmet_wishes

Broken = dict[tuple[int, str], tuple[int, int]]
"""Pods without their wish, and what that weighs, by workload and wish."""


def check_penalties(problem: Problem, decision: Decision) -> Iterator[str]:
    """Penalties and expected interruptions that are not those of the placement."""
    broken, interruptions = charged(problem, decision)
    if interruptions != decision.interruption_microusd_per_hour:
        yield (
            f"interruptions are stated to cost {decision.interruption_microusd_per_hour}, "
            f"{interruptions} are expected"
        )
    told: Broken = {}
    for penalty in decision.penalties:
        key = penalty.workload, penalty.wish
        if key in told:
            yield f"the penalty of workload {penalty.workload} for {penalty.wish} is stated twice"
        told[key] = penalty.pods, penalty.microusd_per_hour
    for key in sorted(told.keys() | broken.keys()):
        if told.get(key) != broken.get(key):
            stated, due = told.get(key, (0, 0)), broken.get(key, (0, 0))
            yield (
                f"workload {key[0]} is stated to pay {stated[1]} for {stated[0]} pods without {key[1]}, "
                f"{due[1]} for {due[0]} pods is right"
            )


def charged(problem: Problem, decision: Decision) -> tuple[Broken, int]:
    """Wishes that are not met, and the expected cost of interruptions in micro-dollars per hour."""
    ledger = _Ledger(problem)
    if not ledger.is_idle:
        _charge_places(problem, decision, ledger)
    if has_pod_wishes(problem):
        for (workload, wish), (pods, points) in unmet_wishes(problem, decision).items():
            before = ledger.broken.get((workload, wish), (0, 0))
            microusd = points * problem.policies.weight_price
            ledger.broken[workload, wish] = before[0] + pods, before[1] + microusd
    return ledger.broken, ledger.interruptions


def _charge_places(problem: Problem, decision: Decision, ledger: _Ledger) -> None:
    """Charge pods for their nodes."""
    pools = {pool.name: pool for pool in problem.node_pools}
    rates = spot_rates(problem.catalog)
    for claim in decision.node_claims:
        rate = 0
        if claim.capacity_type is CapacityType.SPOT:
            rate = rates.get((claim.instance_type, claim.region, claim.zone), 0)
        taints = pools[claim.node_pool].taints if claim.node_pool in pools else ()
        ledger.add(claim.pods, dict(claim.labels), taints, rate, is_new=True)
    nodes = {node.name: node for node in problem.existing_nodes}
    running = rates_by_zone(problem.catalog)
    for placement in decision.existing_placements:
        node = nodes.get(placement.node)
        if node is not None:
            own = {labels.HOSTNAME: node.name, **dict(node.labels)}
            rate = rate_of_running(node, running)
            ledger.add(placement.pods, own, node.taints, rate, is_new=False)


def _has_wishes(problem: Problem) -> bool:
    """Whether any pod prefers some nodes, or any node is marked as less welcome."""
    taints = [pool.taints for pool in problem.node_pools] + [node.taints for node in problem.existing_nodes]
    if any(soft_taints(each) for each in taints):
        return True
    return any(template.preferred_affinity for template in templates_of(problem))


class _Ledger:
    """Adds up what pods are charged."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._price = problem.policies.weight_price if _has_wishes(problem) else 0
        self._default = problem.policies.restart_cost_microusd
        self.broken: Broken = {}
        self.interruptions = 0

    @property
    def is_idle(self) -> bool:
        """Whether nobody can be charged anything."""
        templates = templates_of(self._problem)
        return not (self._price or self._default or any(t.restart_cost_microusd for t in templates))

    def add(
        self, pods: Iterable[PodRange], own: Labels, taints: tuple[Taint, ...], rate: int, *, is_new: bool
    ) -> None:
        """Charge the pods of one node."""
        for each in pods:
            template = self._problem.workloads[each.workload].template
            cost = template.restart_cost_microusd or self._default
            self.interruptions += each.count * expected_cost(cost, rate)
            if not self._price:
                continue
            for term in template.preferred_affinity:
                if refused_requirement(term.term, own, is_new=is_new) is not None:
                    self._break(each, str(term), term.weight)
            for taint in disliked(taints, template):
                self._break(each, f"no taint {taint}", UNTOLERATED_WEIGHT)

    def _break(self, pods: PodRange, wish: str, weight: int) -> None:
        key = pods.workload, wish
        count, microusd = self.broken.get(key, (0, 0))
        self.broken[key] = count + pods.count, microusd + pods.count * weight * self._price
