"""Evictions in words: who comes, who goes, and from where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from binwright_optimizer.instance.kept_away import some
from binwright_optimizer.model import PodRange, Problem, RunningPods

MOST_NAMED = 3
"""Nodes, each with the pods of one kind that come and those that go, before the rest is counted."""


@dataclass(slots=True)
class Eviction:
    """Pods that go from a node, for others of one kind that come.

    Parameters
    ----------
    gone
        Pods of an entry of the node, how many of them go, and their names as far as told.
    is_sure
        Whether the pods that come are under no rule that is not looked at.
    """

    node: int
    pods: list[PodRange] = field(default_factory=list)
    gone: list[tuple[RunningPods, int, tuple[str, ...]]] = field(default_factory=list)
    is_sure: bool = True


def told(problem: Problem, evictions: Sequence[Eviction], unseen: int) -> Iterator[str]:
    """Warnings about evictions; a handful is named.

    Parameters
    ----------
    unseen
        Pods that were not looked at.
    """
    for eviction in evictions[:MOST_NAMED]:
        yield _sentence(problem, eviction)
    rest = evictions[MOST_NAMED:]
    if rest:
        come = sum(counted(eviction.pods) for eviction in rest)
        gone = sum(count for eviction in rest for _, count, _ in eviction.gone)
        nodes = len({eviction.node for eviction in rest})
        yield (
            f"kube-scheduler {_would(rest)} preempt for {come} further pod{'s' * (come > 1)}: "
            f"{gone} pod{'s' * (gone > 1)} of lower priority on {nodes} node{'s' * (nodes > 1)}"
        )
    if unseen:
        yield (
            f"whether kube-scheduler would preempt for {unseen} further pod{'s' * (unseen > 1)} "
            "was not looked at: pods and nodes are too many"
        )


def _sentence(problem: Problem, eviction: Eviction) -> str:
    names = []
    for pods in eviction.pods:
        workload = problem.workloads[pods.workload]
        names += [workload.pod_name(pods.first + n) for n in range(min(pods.count, MOST_NAMED))]
    priority = problem.workloads[eviction.pods[0].workload].template.priority
    who = some(names, counted(eviction.pods))
    gone = [_victims(*each) for each in eviction.gone]
    unless = "" if eviction.is_sure else ", as far as rules that are not looked at allow it"
    return (
        f"kube-scheduler {_would([eviction])} preempt on {problem.existing_nodes[eviction.node].name} for "
        f"{who} (priority {priority}){unless}: {some(gone, len(gone))}; the pods evicted need a place then"
    )


def _would(evictions: Iterable[Eviction]) -> str:
    return "would" if all(eviction.is_sure for eviction in evictions) else "may"


def _victims(pods: RunningPods, count: int, names: tuple[str, ...]) -> str:
    apart = "" if pods.namespace == "default" else pods.namespace
    if names:
        who = some([f"{apart}/{name}" if apart else name for name in names], count)
    else:
        carried = ", ".join(f"{key}={value}" for key, value in pods.template.labels) or "no labels"
        where = f" in {apart}" if apart else ""
        who = f"{count} pod{'s' * (count > 1)} with {carried}{where}"
    return f"{who} (priority {pods.template.priority})"


def counted(pods: Iterable[PodRange]) -> int:
    """How many pods these are."""
    return sum(each.count for each in pods)
