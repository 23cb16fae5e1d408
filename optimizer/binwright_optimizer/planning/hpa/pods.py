"""Which pods' metrics count (``groupPods`` in ``replica_calculator.go``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.model.resources import CPU

LONG_AGO_S = -1e12
"""Before anything that matters; not infinity, to which nothing can be added."""


class PodPhase(StrEnum):
    """Phase of a pod that matters to the autoscaler."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class PodState:
    """One pod as the controller sees it.

    Parameters
    ----------
    is_ready
        Status of its Ready condition; None if it has no such condition.
    started_s
        When it was started; None if it was not.
    ready_changed_s
        When the Ready condition last changed.
    request
        Request of the resource that a utilisation target divides by, in thousandths; None if the
        pod has none.
    """

    name: str
    phase: PodPhase = PodPhase.RUNNING
    is_ready: bool | None = True
    is_deleting: bool = False
    started_s: float | None = LONG_AGO_S
    ready_changed_s: float = LONG_AGO_S
    request: int | None = None


@dataclass(frozen=True, slots=True)
class PodMetric:
    """A pod's value in thousandths, averaged over the ``window_s`` seconds before ``measured_s``."""

    value: int
    measured_s: float = float("inf")
    window_s: float = 60.0


@dataclass(frozen=True, slots=True)
class PodGroups:
    """Pods by what their metrics are worth.

    ``ready`` is a number; the others are names. Ignored pods are going or gone; unready ones may
    still need their share; missing ones ran but reported nothing.
    """

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


@dataclass(frozen=True, slots=True)
class Readiness:
    """How long a pod's CPU is not trusted after its start.

    Parameters
    ----------
    cpu_initialization_s
        ``--horizontal-pod-autoscaler-cpu-initialization-period``.
    initial_delay_s
        ``--horizontal-pod-autoscaler-initial-readiness-delay``: a pod whose readiness last changed
        within this time of its start was never ready.
    """

    cpu_initialization_s: float = 300.0
    initial_delay_s: float = 30.0


def group_pods(
    pods: Iterable[PodState],
    metrics: Mapping[str, PodMetric],
    resource: str,
    now_s: float,
    readiness: Readiness = Readiness(),
) -> PodGroups:
    """Pods grouped by what their metrics are worth.

    Parameters
    ----------
    resource
        Name of the resource; only for ``cpu`` does readiness matter, because pods burn CPU while
        they start. Empty for other metrics.
    """
    ready = 0
    unready, missing, ignored = set(), set(), set()
    for pod in pods:
        if pod.is_deleting or pod.phase is PodPhase.FAILED:
            ignored.add(pod.name)
        elif pod.phase is PodPhase.PENDING:
            unready.add(pod.name)
        elif pod.name not in metrics:
            missing.add(pod.name)
        elif resource == CPU and _is_unready(pod, metrics[pod.name], now_s, readiness):
            unready.add(pod.name)
        else:
            ready += 1
    return PodGroups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))


def _is_unready(pod: PodState, metric: PodMetric, now_s: float, readiness: Readiness) -> bool:
    if pod.is_ready is None or pod.started_s is None:
        return True
    if pod.started_s + readiness.cpu_initialization_s > now_s:
        # still starting: a whole window must have been measured since it last became ready
        return not pod.is_ready or metric.measured_s < pod.ready_changed_s + metric.window_s
    return not pod.is_ready and pod.started_s + readiness.initial_delay_s > pod.ready_changed_s
