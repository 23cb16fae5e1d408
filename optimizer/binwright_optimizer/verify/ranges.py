"""Whether a decision's ranges of pods name every pod exactly once.

There may be as many ranges as pods: arrays tell at a glance that all is well, and only where it is not the
ranges are gone through one by one to say what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import Decision, PodRange, Problem


def all_ranges(decision: Decision) -> list[PodRange]:
    """Ranges placed, and ranges left out."""
    ranges = [pods for claim in decision.node_claims for pods in claim.pods]
    ranges += [pods for placement in decision.existing_placements for pods in placement.pods]
    ranges += [entry.pods for entry in decision.unschedulable]
    return ranges


@dataclass(frozen=True, slots=True)
class RangeColumns:
    """Ranges as columns: int64 arrays (range,)."""

    workload: NDArray[np.int64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]

    @classmethod
    def of(cls, ranges: Sequence[PodRange]) -> RangeColumns | None:
        """The columns, or None where they cannot be told in 64 bits."""
        try:
            columns = [
                np.fromiter(map(attrgetter(name), ranges), np.int64, len(ranges))
                for name in ("workload", "first", "count")
            ]
        except OverflowError:
            return None
        return cls(*columns)


def is_partition(problem: Problem, ranges: RangeColumns) -> bool:
    """Whether the ranges name every pod once, and no other."""
    replicas = np.fromiter((w.replicas for w in problem.workloads), np.int64, len(problem.workloads))
    workload, first, count = ranges.workload, ranges.first, ranges.count
    n = len(workload)
    if not ((workload >= 0) & (workload < len(replicas)) & (first >= 0) & (count >= 1)).all():
        return False
    if not (first <= replicas[workload] - count).all():
        return False
    order = np.lexsort((first, workload))
    workload, first = workload[order], first[order]
    end = first + count[order]
    is_new = np.ones(n + 1, dtype=bool)
    is_new[1:-1] = workload[1:] != workload[:-1]
    reached = np.where(is_new[:-1], 0, np.concatenate([[0], end[:-1]])[:n])
    is_last = is_new[1:]
    is_gapless = (first == reached).all() and (end[is_last] == replicas[workload[is_last]]).all()
    return bool(is_gapless and is_last.sum() == np.count_nonzero(replicas))


def wrong_ranges(problem: Problem, ranges: Sequence[PodRange]) -> Iterator[str]:
    """Ranges of pods that do not exist."""
    for pods in ranges:
        if not 0 <= pods.workload < len(problem.workloads):
            yield f"pods {pods} name workload {pods.workload}, which does not exist"
        elif pods.count < 1 or pods.first < 0:
            yield f"pods {pods} are no range of pods"
        elif pods.first + pods.count > problem.workloads[pods.workload].replicas:
            workload = problem.workloads[pods.workload]
            yield f"pods {pods} reach beyond the {workload.replicas} replicas of {workload.name}"


def wrong_coverage(problem: Problem, ranges: Sequence[PodRange]) -> Iterator[str]:
    """Pods named more than once or not at all by ranges that exist."""
    by_workload: dict[int, list[tuple[int, int]]] = {w: [] for w in range(len(problem.workloads))}
    for pods in ranges:
        by_workload[pods.workload].append((pods.first, pods.first + pods.count))
    for w, spans in by_workload.items():
        workload = problem.workloads[w]
        reached = 0
        for start, end in sorted(spans):
            if start > reached:
                yield f"pod {workload.pod_name(reached)} is neither placed nor listed as unschedulable"
            elif start < reached:
                yield f"pod {workload.pod_name(start)} is placed or listed more than once"
            reached = max(reached, end)
        if reached < workload.replicas:
            yield f"pod {workload.pod_name(reached)} is neither placed nor listed as unschedulable"
