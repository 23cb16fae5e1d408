"""Why a gang keeps its pods from being placed: too few of them, or not all that it needs have a place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from binwright_optimizer.instance.gang_members import (
    GangName,
    members_running,
    members_waiting,
    short_gangs,
)
from binwright_optimizer.model import Gang, PodRange, Problem, Workload

MOST_NAMED = 3
"""Workloads of a gang without any place that a reason names before it stops."""


class GangReasons:
    """Reasons of the gangs none of whose waiting pods is placed.

    Parameters
    ----------
    left_out
        Pods not placed.
    homeless
        Workloads whose pods no node holds at all.
    """

    def __init__(self, problem: Problem, left_out: Sequence[PodRange], homeless: Collection[int]) -> None:
        waiting = members_waiting(problem)
        running = members_running(problem)
        without_place: dict[GangName, dict[str, None]] = {}
        for pods in left_out:
            workload = problem.workloads[pods.workload]
            if pods.workload in homeless:
                named = without_place.setdefault((workload.namespace, workload.gang), {})
                named[f"{workload.kind} {workload.name}"] = None
        unplaced = unplaced_gangs(problem, left_out)
        self._reasons = {
            name: _reason(gang, waiting[name], running[name], list(without_place.get(name, ())))
            for name, gang in unplaced.items()
        }
        self._short = short_gangs(problem)

    def of(self, workload: Workload, *, has_place: bool) -> str:
        """The reason that the gang of a workload gives; empty if it gives none.

        Parameters
        ----------
        has_place
            Whether some node holds a pod of it: if none does, only a lack of members is told beside that.
        """
        name = workload.namespace, workload.gang
        return self._reasons.get(name, "") if has_place or name in self._short else ""


def unplaced_gangs(problem: Problem, left_out: Sequence[PodRange]) -> dict[GangName, Gang]:
    """Gangs of which no waiting pod is placed, by name."""
    waiting = members_waiting(problem)
    unplaced: Counter[GangName] = Counter()
    for pods in left_out:
        workload = problem.workloads[pods.workload]
        if workload.gang:
            unplaced[workload.namespace, workload.gang] += pods.count
    gangs = {(gang.namespace, gang.name): gang for gang in problem.gangs}
    return {name: gangs[name] for name, pods in unplaced.items() if pods == waiting[name] and name in gangs}


def _reason(gang: Gang, waiting: int, running: int, without_place: list[str]) -> str:
    name = gang_name(gang)
    beside = f", {running} of them running" if running else ""
    total = waiting + running
    if gang.min_members is not None and total < gang.min_members:
        return f"gang {name} needs at least {gang.min_members} members and has only {total}{beside}"
    if gang.min_members is None:
        needed = f"all of its {total} members"
    else:
        needed = f"at least {gang.min_members} members"
    named = ", ".join(without_place[:MOST_NAMED]) + (", ..." if len(without_place) > MOST_NAMED else "")
    why = f"; no node holds pods of {named}" if without_place else ""
    return f"gang {name} is placed with {needed}{beside} or not at all{why}"


def gang_name(gang: Gang) -> str:
    """The name, with the namespace if that is not the default one."""
    return gang.name if gang.namespace == "default" else f"{gang.namespace}/{gang.name}"
