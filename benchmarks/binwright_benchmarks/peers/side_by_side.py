"""One instance answered by us, by the original program, and by the baseline that imitates it."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass

from binwright_optimizer.model import Problem, labels
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve

from binwright_benchmarks.baselines import BaselineResult, karpenter, open_market
from binwright_benchmarks.measure import MICROUSD
from binwright_benchmarks.peers.karpenter import Karpenter

Mix = Counter[tuple[str, str, str]]
"""Nodes bought by NodePool, instance type and capacity type."""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Costs in dollars per hour.

    Parameters
    ----------
    cost_usd, bound_usd, unplaced
        Our own answer.
    peer_mean_usd, peer_least_usd, peer_most_usd
        The original program, over the orders in which pods may have been created.
    peer_nodes, peer_unplaced, peer_seconds
        Its answer in the order of the question, and its own time.
    baseline_usd, baseline_nodes, baseline_unplaced
        The imitation, in the order of the question.
    is_equal
        Whether original and imitation buy the same nodes and leave out as many pods.
    difference
        What the original buys more (positive) or less of than the imitation; empty if equal.
    """

    instance: str
    seed: int
    pods: int
    cost_usd: float
    bound_usd: float
    unplaced: int
    peer_mean_usd: float
    peer_least_usd: float
    peer_most_usd: float
    peer_runs: int
    peer_nodes: int
    peer_unplaced: int
    peer_seconds: float
    peer_timed_out: bool
    baseline_usd: float
    baseline_nodes: int
    baseline_unplaced: int
    is_equal: bool
    difference: dict[str, int]


def side_by_side(name: str, seed: int, problem: Problem, deadline_s: float, runs: int) -> SideBySide:
    """Ask all three; every answer passes the independent checker.

    Raises
    ------
    ComponentUnavailableError, PeerError, UnsaidError
        Where the original program cannot be asked or fails.
    """
    market = open_market(problem)
    peer = Karpenter(market)
    answers = [peer.run(order) for order in range(runs)]
    first = answers[0]
    imitation = karpenter(market).checked()
    decision = solve(problem, SolveParams(deadline_s=deadline_s, seed=seed))
    costs = [answer.result.cost_microusd_per_hour for answer in answers]
    difference = mix(first.result)
    difference.subtract(mix(imitation))
    return SideBySide(
        instance=name,
        seed=seed,
        pods=sum(workload.replicas for workload in problem.workloads),
        cost_usd=decision.cost_microusd_per_hour / MICROUSD,
        bound_usd=decision.bound_microusd_per_hour / MICROUSD,
        unplaced=sum(entry.pods.count for entry in decision.unschedulable),
        peer_mean_usd=statistics.fmean(costs) / MICROUSD,
        peer_least_usd=min(costs) / MICROUSD,
        peer_most_usd=max(costs) / MICROUSD,
        peer_runs=runs,
        peer_nodes=first.result.nodes,
        peer_unplaced=first.result.pods_unplaced,
        peer_seconds=first.seconds,
        peer_timed_out=any(answer.has_timed_out for answer in answers),
        baseline_usd=imitation.cost_microusd_per_hour / MICROUSD,
        baseline_nodes=imitation.nodes,
        baseline_unplaced=imitation.pods_unplaced,
        is_equal=not any(difference.values()) and first.result.pods_unplaced == imitation.pods_unplaced,
        difference={" ".join(key): count for key, count in sorted(difference.items()) if count},
    )


def mix(result: BaselineResult) -> Mix:
    """How many nodes of each kind an answer buys, whatever their zones."""
    instance = result.market.instance
    kinds, shelf = instance.problem.catalog.instance_types, instance.shelf
    bought: Mix = Counter()
    for j in result.filled.candidates[result.filled.candidates < result.market.n_bought].tolist():
        row = instance.row_of[j]
        kind = kinds[shelf.type_of[row]]
        offering = kind.offerings[shelf.offering_of[row]]
        pool = str(dict(instance.variants[instance.variant_of[j]].fixed)[labels.NODE_POOL])
        bought[pool, kind.name, offering.capacity_type.value] += 1
    return bought
