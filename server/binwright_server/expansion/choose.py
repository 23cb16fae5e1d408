r"""The node group to grow, by the joint optimum over all options and pods.

Cluster Autoscaler grows one group at a time, by a number of nodes of its own, and asks again for the pods
that are left. The group to grow first is therefore not the one that the cheapest mix buys most of, but the
one whose whole purchase fits the mix best. With :math:`\pi_i` the dual price of a pod of kind ``i`` in
the joint problem (what it costs to hold one more), growing group ``g`` by its ``n_g`` nodes at price
``c_g``, which helps ``h_gi`` pods of each kind, ends in a total of about

    regret_g = n_g c_g - sum_i h_gi pi_i

dollars above the optimum: it is the reduced cost of the purchase. Of the options without noticeable
regret, the one that holds the most of the optimum's value goes first, so that few rounds are needed.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

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
from binwright_server.duals import pod_worths
from binwright_server.expansion.question import ScaleUpOption, ScaleUpQuestion

NODE_GROUP = "binwright.dev/node-group"
"""Label by which a pod kind is kept to the groups that Cluster Autoscaler found it to fit."""

NOTICEABLE = 0.01
"""Regret below this share of the whole optimum counts as none: the duals are not exact to the cent."""

GAP = 0.005
"""Gap at which the solve stops; far below what tells two node groups apart."""

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
    helpful = [option for option in question.options if option.helps]
    if not helpful:
        return _cheapest(question)
    if len(helpful) == 1:
        return Choice(helpful[0], "the only option that helps a pod")
    problem = joint_problem(question, helpful)
    decision = solver(problem, SolveParams(deadline_s=seconds, gap=GAP), stop)
    return _best(question, helpful, decision)


def joint_problem(question: ScaleUpQuestion, options: Sequence[ScaleUpOption]) -> Problem:
    """All pods on nodes of all groups, without limits on their number.

    The autoscaler has checked taints, selectors and affinity itself, with what it knows of the
    cluster; only resources are left to us. A kind may use every group that holds one of its pods,
    even where a group's maximum keeps the others out for now.
    """
    groups: dict[int, list[str]] = {}
    for option in options:
        for kind, _ in option.helps:
            groups.setdefault(kind, []).append(option.node_group)
    workloads = tuple(
        Workload(
            name=f"kind-{index}",
            template=PodTemplate(
                requests=kind.template.requests,
                node_selector=(Requirement(NODE_GROUP, Operator.IN, tuple(groups[index])),),
            ),
            replicas=kind.count,
        )
        for index, kind in enumerate(question.kinds)
        if index in groups
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


def _best(question: ScaleUpQuestion, options: Sequence[ScaleUpOption], decision: Decision) -> Choice:
    worth = _pod_worth(question, options, decision)
    held = {option.node_group: sum(worth[kind] * pods for kind, pods in option.helps) for option in options}
    regret = {
        option.node_group: option.cost_microusd_per_hour - held[option.node_group] for option in options
    }
    least = min(regret.values())
    noticeable = max(0.0, least) + NOTICEABLE * decision.cost_microusd_per_hour
    fitting = [option for option in options if regret[option.node_group] <= noticeable]
    best = min(
        fitting,
        key=lambda option: (-held[option.node_group], option.cost_microusd_per_hour, option.node_group),
    )
    bought = Counter(claim.instance_type for claim in decision.node_claims)
    pods = sum(kind.count for kind in question.kinds)
    unplaced = sum(entry.pods.count for entry in decision.unschedulable)
    reasons = [
        (
            f"cheapest mix for {pods - unplaced} pods over {len(options)} options: {_mix(bought)}"
            f" at {_dollars(decision.cost_microusd_per_hour)}/h, bound"
            f" {_dollars(decision.bound_microusd_per_hour)}/h (gap {decision.gap:.2%})"
        ),
        (
            f"growing {best.node_group} by {best.node_count} now costs"
            f" {_dollars(best.cost_microusd_per_hour)}/h, {_dollars(max(0.0, regret[best.node_group]))}/h"
            " more than its pods cost in the mix"
        ),
        f"price: {best.price.origin}",
    ]
    if unplaced:
        reasons.append(f"{unplaced} pods fit on no template node")
    unknown = sum(not option.price.is_known for option in options)
    if unknown and best.price.is_known:
        reasons.append(f"{unknown} of the options have an estimated price")
    return Choice(best, "; ".join(reasons))


def _pod_worth(
    question: ScaleUpQuestion, options: Sequence[ScaleUpOption], decision: Decision
) -> list[float]:
    """Dual price of a pod of each kind, micro-dollars an hour; 0 for kinds that no option helps."""
    reached = sorted({kind for option in options for kind, _ in option.helps})
    worth = [0.0] * len(question.kinds)
    counts = [question.kinds[kind].count for kind in reached]
    for kind, price in zip(reached, pod_worths(decision, counts), strict=True):
        worth[kind] = price
    return worth


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
