"""Distinct names for pods whose workloads share a name.

The decision names pods. Kubernetes gives the pods of a Deployment random names, so that a
Deployment, a StatefulSet and a CronJob may all be called ``web``; generated names would be
``web-0`` for each of them.
"""

from __future__ import annotations

import re

from binwright.v1 import problem_pb2

_INVENTED = frozenset({"Deployment", "ReplicaSet", "ReplicationController", "Job", "CronJob"})
"""Kinds whose pods have names that nobody knows before they run."""

_ORDINAL = re.compile(r"^(.+)-\d+$", re.ASCII)

_MOST_RENAMED = 1_000_000
"""Replicas that are named one by one; servers take fewer pods than that."""


def separate_pod_names(problem: problem_pb2.Problem) -> None:
    """Give pods explicit names where generated ones would be those of another workload's pods.

    Only kinds whose pods have no fixed names are touched: the pods of a Job ``web`` beside a
    StatefulSet ``web`` become ``web-job-0``, ``web-job-1`` ...
    """
    taken = _Names()
    invented = []
    for workload in problem.workloads:
        if workload.kind in _INVENTED and not workload.pod_names:
            invented.append(workload)
        else:
            taken.add(workload)
    for workload in invented:
        if taken.clashes(workload) and workload.replicas <= _MOST_RENAMED:
            base = f"{workload.name}-{workload.kind.lower()}"
            workload.pod_names.extend(f"{base}-{n}" for n in range(workload.replicas))
        taken.add(workload)


class _Names:
    """Names in use: single ones, and bases of ranges ``<base>-0`` ..."""

    def __init__(self) -> None:
        self._singles: set[tuple[str, str]] = set()
        self._bases_of_singles: set[tuple[str, str]] = set()
        self._ranges: set[tuple[str, str]] = set()

    def add(self, workload: problem_pb2.Workload) -> None:
        """Take the names of a workload's pods."""
        namespace = workload.namespace or "default"
        if not workload.pod_names and workload.replicas != 1:
            self._ranges.add((namespace, workload.name))
            return
        for name in workload.pod_names or (workload.name,):
            self._singles.add((namespace, name))
            if match := _ORDINAL.match(name):
                self._bases_of_singles.add((namespace, match[1]))

    def clashes(self, workload: problem_pb2.Workload) -> bool:
        """Whether a name generated for the workload may be in use."""
        key = (workload.namespace or "default", workload.name)
        if workload.replicas != 1:
            return key in self._ranges or key in self._bases_of_singles
        match = _ORDINAL.match(workload.name)
        return key in self._singles or (match is not None and (key[0], match[1]) in self._ranges)
