"""Checks of packed mixes: every pattern fits its node, all pods are held, the cost is the sum of prices."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import CapacityType, Certificate, Problem, Resources
from binwright_optimizer.model.mixes import NodePattern, PackedMix
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.verify.bound import prove_bound
from binwright_optimizer.verify.market import market
from binwright_optimizer.verify.purchase import pool_terms
from binwright_optimizer.verify.shapes import ShapeIndex

PROOF_S = 3_600.0
"""Seconds a proof may take. It takes milliseconds; a limit that could be met would let the bound depend
on the machine's speed."""
MOST_NODES = 100_000
"""Search nodes per knapsack of a proof, about a millisecond. A plan proves tens of thousands of mixes, and
what more nodes would gain is below a ten-thousandth of a percent of their cost."""


def proven_by(problem: Problem, certificate: Certificate, wanted: Sequence[int]) -> int:
    """Micro-dollars an hour that a certificate proves for so many pods of each workload, on any machine."""
    return prove_bound(
        problem, certificate, wanted, time_limit_s=PROOF_S, most_nodes=MOST_NODES, on_whole_nodes=False
    )


class MixChecker:
    """Checks mixes of one problem, patterns once each; the problem's replicas do not count.

    Raises
    ------
    ValueError
        If the problem has what mixes know nothing of: nodes running, daemons, limits, minimums, rules of
        pods about each other.
    """

    def __init__(self, problem: Problem) -> None:
        limited = any(terms.room or terms.missing for terms in pool_terms(problem))
        if problem.existing_nodes or problem.daemon_sets or limited:
            raise ValueError("a mix is checked for new nodes without limits, minimums and daemon sets")
        self._problem = problem
        self._index = ShapeIndex(problem)
        self._market = market(problem)
        self._known: dict[NodePattern, str] = {}

    def findings(self, mix: PackedMix, wanted: Sequence[int]) -> tuple[str, ...]:
        """What is wrong with a mix for so many pods of each workload; its bound apart."""
        found = []
        held = [0] * len(self._problem.workloads)
        cost = 0
        bought: dict[tuple[str, str, CapacityType], int] = {}
        for pattern, count in mix.nodes:
            reason = self.refusal(pattern)
            if reason:
                found.append(f"{pattern.instance_type} in {pattern.zone}: {reason}")
                continue
            if count < 1:
                found.append(f"{pattern.instance_type} in {pattern.zone}: {count} nodes are bought")
            cost += count * pattern.price_microusd_per_hour
            key = pattern.instance_type, pattern.zone, pattern.capacity_type
            bought[key] = bought.get(key, 0) + count
            for workload, pods in pattern.pods:
                held[workload] += pods * count
        for (name, zone, capacity_type), count in bought.items():
            available = self._available(name, zone, capacity_type)
            if available is not None and count > available:
                found.append(f"{count} nodes of {name} in {zone} are bought, {available} are available")
        for workload, (pods, needed) in enumerate(zip(held, wanted, strict=True)):
            if pods < needed:
                name = self._problem.workloads[workload].name
                found.append(f"{pods} pods of {name} are held, {needed} are wanted")
        if not found and cost != mix.cost_microusd_per_hour:
            found.append(f"the nodes cost {cost} micro-dollars an hour, not {mix.cost_microusd_per_hour}")
        return tuple(found)

    def proven_bound(self, mix: PackedMix, wanted: Sequence[int]) -> int:
        """Micro-dollars an hour that the mix's certificate proves for so many pods of each workload."""
        return proven_by(self._problem, mix.certificate, wanted)

    def refusal(self, pattern: NodePattern) -> str:
        """Why there is no such node, or why it cannot hold its pods; empty if it can."""
        known = self._known.get(pattern)
        if known is None:
            known = self._known[pattern] = self._refusal(pattern)
        return known

    def _available(self, name: str, zone: str, capacity_type: CapacityType) -> int | None:
        offers = [
            o
            for o in self._index.types[name].offerings
            if (o.zone, o.capacity_type) == (zone, capacity_type) and o.available is not None
        ]
        return sum(o.available or 0 for o in offers) if offers else None

    def _refusal(self, pattern: NodePattern) -> str:
        pool = self._index.pools.get(pattern.node_pool)
        kind = self._index.types.get(pattern.instance_type)
        if pool is None or kind is None:
            return "there is no such NodePool or instance type"
        sold = self._index.offerings(kind, pattern.region, pattern.zone, pattern.capacity_type)
        price = pattern.price_microusd_per_hour
        offering = next((o for o in sold if o.price_microusd_per_hour == price), None)
        if offering is None:
            return f"is not sold as {pattern.capacity_type.value} at {price} micro-dollars an hour"
        shape = self._index.shape(pool, kind, offering, ())
        reason = shape.pool_refusal()
        if reason:
            return reason
        classes, workloads = self._market.classes, self._problem.workloads
        total: dict[str, int] = {PODS: 0}
        for workload, pods in pattern.pods:
            if not 0 <= workload < len(workloads) or pods < 1:
                return f"{pods} pods of workload {workload} are no pods"
            placement = int(classes.placement_of[classes.class_of[workload]])
            reason = shape.refusal(placement, classes.placements[placement])
            if reason:
                return f"{workloads[workload].name} may not run there: {reason}"
            total[PODS] += pods
            for name, amount in workloads[workload].template.requests:
                total[name] = total.get(name, 0) + amount * pods
        lacking = shape.lacking(Resources.of(total))
        return f"its pods and daemons need more {lacking[0]} than it has" if lacking else ""
