"""One metric to a proposed number of replicas (``replica_calculator.go``).

Divisions of integers truncate and ratios are 64-bit floats, as in the original.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model.autoscaling import MAX_REPLICAS, Metric, MetricSource, TargetType
from binwright_optimizer.planning.hpa.pods import (
    PodGroups,
    PodMetric,
    PodPhase,
    PodState,
    Readiness,
    group_pods,
)


class MetricError(PlanningError):
    """A metric proposes nothing: no values, no pods, or no requests to divide by."""


@dataclass(frozen=True, slots=True)
class ObservedPods:
    """What the pods reported for a per-pod metric, by pod name; extra names are taken as they come."""

    pods: tuple[PodState, ...]
    metrics: Mapping[str, PodMetric]


@dataclass(frozen=True, slots=True)
class ObservedValue:
    """What an object or an external system reported.

    Parameters
    ----------
    values
        In thousandths; an external metric may have several series, which add up.
    pods
        The pods of the workload: a target of type ``Value`` scales the ready ones.
    """

    values: tuple[int, ...]
    pods: tuple[PodState, ...]


Observation = ObservedPods | ObservedValue


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Relative distances below and above the target within which nothing happens."""

    down: float = 0.1
    up: float = 0.1

    def holds(self, ratio: float) -> bool:
        """Whether a usage ratio is close enough to 1."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


def propose(
    metric: Metric,
    observed: Observation,
    replicas: int,
    now_s: float,
    tolerance: Tolerance = Tolerance(),
    readiness: Readiness = Readiness(),
) -> int:
    """Replicas that one metric asks for.

    Parameters
    ----------
    replicas
        Replicas that the workload has now.

    Raises
    ------
    MetricError
        If the metric cannot say.
    """
    if metric.source.is_per_pod:
        if not isinstance(observed, ObservedPods):
            raise TypeError(f"{metric.source} metric {metric.name} needs ObservedPods")
        return _from_pods(metric, observed, replicas, now_s, tolerance, readiness)
    if not isinstance(observed, ObservedValue):
        raise TypeError(f"{metric.source} metric {metric.name} needs an ObservedValue")
    if not observed.values:
        raise MetricError(f"no value of metric {metric.name}")
    usage = sum(observed.values)
    if metric.target is TargetType.AVERAGE_VALUE:
        return _from_total(usage, metric.amount, replicas, tolerance)
    return _from_ratio(usage / metric.amount, observed.pods, replicas, tolerance)


def _from_total(usage: int, target: int, replicas: int, tolerance: Tolerance) -> int:
    """The total divided by the target, however many pods there are."""
    if replicas and tolerance.holds(usage / (target * replicas)):
        return replicas
    return min(math.ceil(usage / target), MAX_REPLICAS)


def _from_ratio(ratio: float, pods: tuple[PodState, ...], replicas: int, tolerance: Tolerance) -> int:
    """The ready pods times the ratio; from zero replicas, the ratio itself."""
    if replicas == 0:
        return min(math.ceil(ratio), MAX_REPLICAS)
    if tolerance.holds(ratio):
        return replicas
    if not pods:
        raise MetricError("the workload has no pods")
    ready = sum(pod.phase is PodPhase.RUNNING and pod.is_ready is True for pod in pods)
    return min(math.ceil(ratio * ready), MAX_REPLICAS)


def _from_pods(
    metric: Metric,
    observed: ObservedPods,
    replicas: int,
    now_s: float,
    tolerance: Tolerance,
    readiness: Readiness,
) -> int:
    if not observed.pods:
        raise MetricError("the workload has no pods")
    if not observed.metrics:
        raise MetricError(f"no pod reports metric {metric.name}")
    resource = "" if metric.source is MetricSource.PODS else metric.name
    groups = group_pods(observed.pods, observed.metrics, resource, now_s, readiness)
    values = {
        name: reported.value
        for name, reported in observed.metrics.items()
        if name not in groups.ignored and name not in groups.unready
    }
    if not values:
        raise MetricError(f"no pod that counts reports metric {metric.name} (pods might be unready)")
    usage = _Usage(metric, observed.pods)
    ratio = usage.ratio(values)
    scales_up_unready = bool(groups.unready) and ratio > 1.0
    if not scales_up_unready and not groups.missing:
        if tolerance.holds(ratio):
            return replicas
        return min(math.ceil(ratio * groups.ready), MAX_REPLICAS)
    _guess(values, usage, groups, ratio)
    return _settled(values, usage.ratio(values), ratio, replicas, tolerance)


def _guess(values: dict[str, int], usage: _Usage, groups: PodGroups, ratio: float) -> None:
    """Fill in pods without metrics, each way so that the change of replicas is smaller."""
    if ratio < 1.0:
        for name in groups.missing:
            values[name] = usage.cautious(name)
    elif ratio > 1.0:
        for name in groups.missing | groups.unready:
            values[name] = 0


def _settled(
    values: Mapping[str, int], ratio: float, first_ratio: float, replicas: int, tolerance: Tolerance
) -> int:
    """The proposal once guesses are in; nothing changes where they would turn its direction."""
    if tolerance.holds(ratio) or (first_ratio < 1.0 < ratio) or (first_ratio > 1.0 > ratio):
        return replicas
    proposed = min(math.ceil(ratio * len(values)), MAX_REPLICAS)
    if (ratio < 1.0 and proposed > replicas) or (ratio > 1.0 and proposed < replicas):
        return replicas
    return proposed


class _Usage:
    """Usage ratios of a metric: of the requests for a utilisation target, of the target otherwise."""

    def __init__(self, metric: Metric, pods: tuple[PodState, ...]) -> None:
        self._target = metric.amount
        self._requests: dict[str, int] | None = None
        if metric.target is TargetType.UTILIZATION:
            requests = {}
            for pod in pods:
                if pod.request is None:
                    raise MetricError(f"missing request for {metric.name} in pod {pod.name}")
                requests[pod.name] = pod.request
            self._requests = requests

    def ratio(self, values: Mapping[str, int]) -> float:
        """Actual usage over the target."""
        if self._requests is None:
            return sum(values.values()) // len(values) / self._target
        known = [name for name in values if name in self._requests]
        requested = sum(self._requests[name] for name in known)
        if requested == 0:
            raise MetricError("no value belongs to a pod of the workload")
        return sum(values[name] for name in known) * 100 // requested / self._target

    def cautious(self, name: str) -> int:
        """What a silent pod is taken to use when the others would scale down."""
        if self._requests is None:
            return self._target
        return self._requests[name] * max(100, self._target) // 100
