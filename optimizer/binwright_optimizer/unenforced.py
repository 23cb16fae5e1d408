"""What a problem asks for that the search does not hold yet: one place, read by whoever warns.

A line of `_OF_PROBLEMS` goes once search, bound and verifier
enforce its rule; nothing else says so. With the line goes the waiver that its last column gives: from
then on the verifier refuses decisions that break the rule.
"""

from __future__ import annotations

from collections.abc import Callable

from binwright_optimizer.model import Problem
from binwright_optimizer.model.rules import Rule

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


WAIVED = frozenset(rule for _, _, rule in _OF_PROBLEMS if rule is not None)
"""Rules that a decision may break, because it says that it may."""


def unenforced(problem: Problem) -> tuple[str, ...]:
    """Warnings about rules and wishes that a decision on this problem does not take into account."""
    return tuple(warning for warning, is_asked, _ in _OF_PROBLEMS if is_asked(problem))
