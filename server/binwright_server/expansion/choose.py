"""The node group to grow, by the joint optimum over all options and pods.

Cluster Autoscaler grows one group at a time, by a number of nodes of its own, and asks again for the pods
that are left. The group to grow first is therefore not the one that the cheapest mix buys most of, but the
first of a sequence of whole growths that costs least in all, as `order` tells.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from binwright_optimizer.catalog.staleness import stale_source_warnings
from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    Decision,
    InstanceType,
    NodePool,
    Offering,
    Operator,
    PodTemplate,
    PriceSource,
    Problem,
    Requirement,
    Workload,
)
from binwright_optimizer.model.quantity import MICROUSD
from binwright_optimizer.params import SolveParams
from binwright_optimizer.stopping import Stop

from binwright_server.answer import Solver
from binwright_server.expansion.demand import Demand, demand_of
from binwright_server.expansion.order import First, first_to_grow
from binwright_server.expansion.question import ScaleUpOption, ScaleUpQuestion
from binwright_server.expansion.worth import worth_alone, worth_in_mix

NODE_GROUP = "binwright.dev/node-group"
"""Label by which a pod kind is kept to the groups that Cluster Autoscaler found it to fit."""

GAP = 0.005
"""Gap at which the solve stops; far below what tells two node groups apart."""

LEAST_SOLVE_S = 0.05
"""Below this time left a solve is not begun: it would end before it has a mix."""

MOST_SOLVED = 600
"""Kinds beyond which no solve is begun, as its first steps alone would take longer than there is time."""

_SHOWN_GROUPS = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """The option to answer with, and why."""

    option: ScaleUpOption
    reason: str


def choose(
    question: ScaleUpQuestion,
    solver: Solver,
    seconds: float,
    stop: Stop,
    today: datetime.date | None = None,
) -> Choice | None:
    """The option to grow, or None if there are no options.

    Parameters
    ----------
    seconds
        Time for the solve.
    today
        The day by which prices are old or not; today by default.
    """
    choice = _choose(question, solver, seconds, stop)
    if choice is None:
        return None
    compared = (
        (option.price.capacity_type, option.price.source)
        for option in question.options
        if option.price.source is not None
    )
    stale = stale_source_warnings(compared, today or datetime.date.today())
    reason = "; ".join((f"binwright: {choice.reason}", *question.remarks, *stale))
    return Choice(choice.option, reason)


def _choose(question: ScaleUpQuestion, solver: Solver, seconds: float, stop: Stop) -> Choice | None:
    helpful = [option for option in question.options if option.helps.any()]
    if not helpful:
        return _cheapest(question)
    demand = demand_of(question, helpful)
    left = min(seconds, stop.remaining_s())
    if left < LEAST_SOLVE_S:
        return _without_mix(demand, helpful, f"{max(0.0, left):.2f} s are left")
    if len(demand.requests) > MOST_SOLVED:
        return _without_mix(demand, helpful, f"{len(demand.requests)} kinds of pods are too many in time")
    problem = joint_problem(demand, helpful)
    decision = solver(problem, SolveParams(deadline_s=left, gap=GAP), stop)
    if not decision.node_claims:
        return _without_mix(demand, helpful, "the search found none in time")
    return _by_mix(demand, helpful, decision)


def joint_problem(demand: Demand, options: Sequence[ScaleUpOption]) -> Problem:
    """All pods on nodes of all groups, without limits on their number.

    The autoscaler has checked taints, selectors and affinity itself, with what it knows of the
    cluster; only resources are left to us. A kind may use every group that holds one of its pods,
    even where a group's maximum keeps the others out for now.
    """
    groups = [option.node_group for option in options]
    workloads = tuple(
        Workload(
            name=f"kind-{kind}",
            template=PodTemplate(
                requests=requests,
                node_selector=(
                    Requirement(
                        NODE_GROUP,
                        Operator.IN,
                        tuple(groups[option] for option in np.flatnonzero(demand.helps[:, kind]).tolist()),
                    ),
                ),
            ),
            replicas=int(demand.counts[kind]),
        )
        for kind, requests in enumerate(demand.requests)
    )
    return Problem(workloads, (NodePool("node-groups"),), Catalog("node groups", _types(options)))


def _types(options: Sequence[ScaleUpOption]) -> tuple[InstanceType, ...]:
    return tuple(
        InstanceType(
            name=option.node_group,
            cloud="",
            arch="",
            capacity=option.allocatable,
            allocatable=option.allocatable,
            labels=((NODE_GROUP, option.node_group),),
            offerings=(
                Offering(
                    "",
                    "",
                    CapacityType.ON_DEMAND,
                    option.price.microusd_per_hour,
                    PriceSource(option.price.origin, ""),
                ),
            ),
        )
        for option in options
    )


def _by_mix(demand: Demand, options: Sequence[ScaleUpOption], decision: Decision) -> Choice:
    bought = Counter(claim.instance_type for claim in decision.node_claims)
    first = first_to_grow(demand, options, worth_in_mix(demand, options, decision), bought)
    unplaced = sum(entry.pods.count for entry in decision.unschedulable)
    reasons = [
        (
            f"cheapest mix for {demand.n_pods - unplaced} pods over {_counted(options)}: {_mix(bought)}"
            f" at {_dollars(decision.cost_microusd_per_hour)}/h, bound"
            f" {_dollars(decision.bound_microusd_per_hour)}/h (gap {decision.gap:.2%})"
        ),
        *_grouped(demand),
        *_growing(first, "its pods cost in the mix"),
    ]
    if unplaced:
        reasons.append(f"{unplaced} pods fit on no template node")
    return Choice(first.option, "; ".join((*reasons, *_priced(first.option, options))))


def _without_mix(demand: Demand, options: Sequence[ScaleUpOption], why: str) -> Choice:
    first = first_to_grow(demand, options, worth_alone(demand, options), ())
    reasons = (
        f"no cheapest mix and no bound for {demand.n_pods} pods over {_counted(options)}: {why}",
        *_grouped(demand),
        "pods are valued by the least price of the share of a node that they fill",
        *_growing(first, "its pods are worth"),
        *_priced(first.option, options),
    )
    return Choice(first.option, "; ".join(reasons))


def _counted(options: Sequence[ScaleUpOption]) -> str:
    return f"{len(options)} options" if len(options) > 1 else "the only option that helps a pod"


def _grouped(demand: Demand) -> tuple[str, ...]:
    if demand.ratio <= 1:
        return ()
    return (
        (
            f"{demand.distinct} kinds of pods taken for {len(demand.requests)}, each of the mean of requests"
            f" that differ by {demand.ratio - 1:.0%} at most"
        ),
    )


def _growing(first: First, measure: str) -> tuple[str, ...]:
    option = first.option
    than = "less" if round(first.regret) < 0 else "more"
    cost = (
        f"growing {option.node_group} by {option.node_count} now costs"
        f" {_dollars(option.cost_microusd_per_hour)}/h, {_dollars(abs(first.regret))}/h {than} than {measure}"
    )
    if not first.then:
        return (cost,)
    then = ", ".join(other.node_group for other in first.then[:_SHOWN_GROUPS])
    hidden = len(first.then) - _SHOWN_GROUPS
    then += f" and {hidden} more groups" if hidden > 0 else ""
    return cost, f"with {then} for the pods it leaves about {_dollars(first.total)}/h in all"


def _priced(best: ScaleUpOption, options: Sequence[ScaleUpOption]) -> tuple[str, ...]:
    unknown = sum(not option.price.is_known for option in options)
    if unknown and best.price.is_known:
        return f"price: {best.price.origin}", f"{unknown} of the options have an estimated price"
    return (f"price: {best.price.origin}",)


def _cheapest(question: ScaleUpQuestion) -> Choice | None:
    """What is left where no option tells its pods: the least money for as many nodes as it wants."""
    best = min(
        question.options, key=lambda option: (option.cost_microusd_per_hour, option.node_group), default=None
    )
    if best is None:
        return None
    return Choice(
        best, f"no option tells its pods; {_dollars(best.cost_microusd_per_hour)}/h is the least cost"
    )


def _mix(bought: Counter[str]) -> str:
    ranked = sorted(bought.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} x {group}" for group, count in ranked[:_SHOWN_GROUPS]]
    if len(ranked) > _SHOWN_GROUPS:
        shown.append(f"{len(ranked) - _SHOWN_GROUPS} more groups")
    return " + ".join(shown) or "nothing"


def _dollars(microusd: float) -> str:
    return f"{microusd / MICROUSD:.4f} $"
