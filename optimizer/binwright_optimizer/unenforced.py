"""What a problem asks for that the search does not hold yet: one place, read by whoever warns.

A line of `_OF_TEMPLATES` or `_OF_PROBLEMS` goes once search, bound and verifier
enforce its rule; nothing else says so. With the line goes the waiver that its last column gives: from
then on the verifier refuses decisions that break the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from binwright_optimizer.model import (
    PodTemplate,
    Policies,
    Problem,
    Workload,
)
from binwright_optimizer.model.rules import Rule

MOST_NAMED = 3
"""Workloads that a warning names before it counts the rest."""


_OF_TEMPLATES: tuple[tuple[str, Callable[[PodTemplate], object], Rule | None], ...] = (
    (
        "topology spread with ScheduleAnyway is not weighed",
        lambda template: any(not constraint.is_required for constraint in template.topology_spread),
        None,
    ),
    (
        "preferred pod affinity is not weighed",
        lambda template: template.pod_affinity.preferred or template.pod_anti_affinity.preferred,
        None,
    ),
)
"""Warning, what in a pod template brings it up, and the rule that the verifier waives meanwhile."""


_OF_PROBLEMS: tuple[tuple[str, Callable[[Problem], object], Rule | None], ...] = (
    (
        "EC2NodeClasses (kubelet, disks) change nothing here: the catalogue has no instance types of AWS",
        lambda problem: (
            any(pool.node_class is not None for pool in problem.node_pools)
            and not any(kind.cloud == "aws" for kind in problem.catalog.instance_types)
        ),
        None,
    ),
    (
        "device claims of DaemonSets are not counted",
        lambda problem: any(daemon.template.device_claims for daemon in problem.daemon_sets),
        None,
    ),
)
"""Warning, what in a problem brings it up, and the rule that the verifier waives meanwhile."""


def _waived() -> frozenset[Rule]:
    rules = [
        *(rule for _, _, rule in _OF_TEMPLATES),
        *(rule for _, _, rule in _OF_PROBLEMS),
    ]
    return frozenset(rule for rule in rules if rule is not None)


WAIVED = _waived()
"""Rules that a decision may break, because it says that it may."""


def unenforced(problem: Problem) -> tuple[str, ...]:
    """Warnings about rules and wishes that a decision on this problem does not take into account.

    Examples
    --------
    A problem with two workloads that have topology spread constraints::

        topology spread is not enforced: 2 workloads state it (shop/web, shop/api)
    """
    return (*_workload_warnings(problem), *_problem_warnings(problem))


def _problem_warnings(problem: Problem) -> Iterator[str]:
    for warning, is_asked, _ in _OF_PROBLEMS:
        if is_asked(problem):
            yield warning


def _workload_warnings(problem: Problem) -> Iterator[str]:
    of_template: dict[int, tuple[str, ...]] = {}
    names: dict[str, list[str]] = {}
    for workload in problem.workloads:
        template = workload.template
        warnings = of_template.get(id(template))
        if warnings is None:
            warnings = of_template[id(template)] = tuple(
                warning
                for warning, is_asked, _ in _OF_TEMPLATES
                if is_asked(template) and not _is_ignored(warning, problem.policies)
            )
        for warning in warnings:
            names.setdefault(warning, []).append(_name(workload))
    order = [row[0] for row in _OF_TEMPLATES]
    for warning in sorted(names, key=order.index):
        yield f"{warning}: {_stated_by(names[warning])}"


def _is_ignored(warning: str, policies: Policies) -> bool:
    """Whether the user asked not to weigh wishes at all."""
    return not policies.weight_price and warning.endswith("is not weighed")


def _name(workload: Workload) -> str:
    return workload.name if workload.namespace == "default" else f"{workload.namespace}/{workload.name}"


def _stated_by(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
    return f"{len(names)} workload{'s state' if len(names) > 1 else ' states'} it ({shown})"
