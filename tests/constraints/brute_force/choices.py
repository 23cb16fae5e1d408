"""``minValues`` of NodePools."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import MinValuesPolicy, Problem, labels

from brute_force.fitting import admits
from brute_force.nodes import Node, Pod
from brute_force.purchase import options
from brute_force.room import has_room


def choices_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Values of a label that types have between them which could be launched for each new node."""
    if problem.policies.min_values is not MinValuesPolicy.STRICT:
        return True
    of_types = {key for kind in problem.catalog.instance_types for key, _ in kind.labels}
    for node in nodes:
        own = node.option
        wanted = [r for r in own.pool.requirements if r.min_values] if own is not None else []
        if own is None or not wanted:
            continue
        mine = [pod for pod in placed if pod.node is node]
        found = [own.node("same")]
        for other in options(problem):
            launched = other.node("other")
            where = (labels.REGION, labels.ZONE, labels.CAPACITY_TYPE)
            if (
                (other.pool is own.pool and other.custom == own.custom)
                and all(launched.labels[key] == node.labels[key] for key in where)
                and other.offering.price_microusd_per_hour >= own.offering.price_microusd_per_hour
                and all(admits(pod.template, launched) for pod in mine)
                and has_room(problem, launched, mine)
            ):
                found.append(launched)
        for r in wanted:
            assert r.min_values is not None
            values = {n.labels.get(r.key) for n in (found if r.key in of_types else found[:1])}
            if len(values - {None}) < r.min_values:
                return False
    return True
