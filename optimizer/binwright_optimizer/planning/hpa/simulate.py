"""An autoscaler run over a series of loads: metric series in, replica series out."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model.autoscaling import HorizontalPodAutoscaler
from binwright_optimizer.planning.hpa.controller import Controller, ControllerParams, Reason, ScalingError
from binwright_optimizer.planning.hpa.pods import PodMetric, PodPhase, PodState
from binwright_optimizer.planning.hpa.replicas import Observation, ObservedPods, ObservedValue

SYNC_PERIOD_S = 15.0
"""Seconds between two decisions: ``--horizontal-pod-autoscaler-sync-period``."""


@dataclass(frozen=True, slots=True)
class LoadSeries:
    """What one metric is, step by step.

    Parameters
    ----------
    values
        One per step, in thousandths; None where the metric cannot be read.
    is_shared
        Whether the values are totals that the ready pods share equally, as load is; otherwise
        each pod has the value, as with memory that does not depend on load. Values of Object
        and External metrics are taken as they are.
    """

    values: tuple[int | None, ...]
    is_shared: bool = True


@dataclass(frozen=True, slots=True)
class ReplicaSeries:
    """Replicas, step by step.

    Parameters
    ----------
    highest
        Most replicas at any moment of each step: what capacity must hold.
    last
        Replicas at the end of each step.
    failures
        Decisions that failed because metrics could not be read.
    refused
        Most replicas that its metrics asked for in each step while the autoscaler's maximum held them back; 0
        where it did not.
    """

    step_s: float
    highest: tuple[int, ...]
    last: tuple[int, ...]
    failures: int
    refused: tuple[int, ...]


def replica_series(
    autoscaler: HorizontalPodAutoscaler,
    loads: tuple[LoadSeries, ...],
    step_s: float,
    *,
    requests: tuple[int | None, ...] = (),
    start: int | None = None,
    startup_s: float = 0.0,
    params: ControllerParams = ControllerParams(),
    sync_period_s: float = SYNC_PERIOD_S,
) -> ReplicaSeries:
    """Replicas that an autoscaler keeps under a load.

    Parameters
    ----------
    loads
        One per metric of the autoscaler, all of the same length.
    step_s
        Seconds that each value holds.
    requests
        One per metric: what a pod requests of the resource, in thousandths; None where the target
        is no utilisation. Empty means no requests at all.
    start
        Replicas at first; by default the autoscaler's minimum.
    startup_s
        Seconds until a pod takes its share of the load; until then it is pending.

    Raises
    ------
    ValueError
        If the series do not match the autoscaler's metrics, or each other.

    Examples
    --------
    Load for eight pods at 100 % of their request arrives; at a target of 50 % it takes sixteen, and the
    default behavior doubles every 15 s:

    >>> from binwright_optimizer.model.autoscaling import Behavior, Metric, MetricSource, TargetType
    >>> cpu = Metric(MetricSource.RESOURCE, "cpu", TargetType.UTILIZATION, 50)
    >>> web = HorizontalPodAutoscaler("web", "web", 2, 20, (cpu,), Behavior())
    >>> replica_series(web, (LoadSeries((8_000,) * 4),), 15.0, requests=(1_000,)).last
    (6, 12, 16, 16)
    """
    _check(autoscaler, loads, step_s, requests, sync_period_s)
    steps = len(loads[0].values)
    requests = requests or (None,) * len(loads)
    controller = Controller(autoscaler, params)
    fleet = _Fleet(autoscaler.target, autoscaler.min_replicas if start is None else start, startup_s)
    highest, last, refused = [], [], []
    failures = 0
    decisions = 0
    for step in range(steps):
        most, beyond = len(fleet), 0
        while decisions * sync_period_s < (step + 1) * step_s:
            now_s = decisions * sync_period_s
            decisions += 1
            fleet.advance(now_s)
            observed = [
                _observe(autoscaler, at, load, load.values[step], request, fleet)
                for at, (load, request) in enumerate(zip(loads, requests, strict=True))
            ]
            try:
                outcome = controller.reconcile(now_s, len(fleet), observed)
            except ScalingError:
                failures += 1
                continue
            fleet.scale_to(outcome.replicas, now_s)
            most = max(most, outcome.replicas)
            if outcome.reason is Reason.TOO_MANY:
                beyond = max(beyond, outcome.stabilized or 0)
        highest.append(most)
        refused.append(beyond)
        last.append(len(fleet))
    return ReplicaSeries(step_s, tuple(highest), tuple(last), failures, tuple(refused))


def _check(
    autoscaler: HorizontalPodAutoscaler,
    loads: tuple[LoadSeries, ...],
    step_s: float,
    requests: tuple[int | None, ...],
    sync_period_s: float,
) -> None:
    metrics = len(autoscaler.metrics)
    if len(loads) != metrics or len(requests) not in (0, metrics):
        raise ValueError(
            f"{autoscaler.name} has {metrics} metrics, {len(loads)} loads, {len(requests)} requests"
        )
    if len({len(load.values) for load in loads}) != 1:
        raise ValueError("the series differ in length")
    if step_s < sync_period_s or sync_period_s <= 0:
        raise ValueError(f"a step of {step_s} s is shorter than the {sync_period_s} s between decisions")


def _observe(
    autoscaler: HorizontalPodAutoscaler,
    at: int,
    load: LoadSeries,
    value: int | None,
    request: int | None,
    fleet: _Fleet,
) -> Observation | None:
    """What the controller would see of one metric."""
    if value is None:
        return None
    pods = fleet.pods(request)
    if not autoscaler.metrics[at].source.is_per_pod:
        return ObservedValue((value,), pods)
    ready = fleet.ready
    share = value // len(ready) if load.is_shared and ready else value
    return ObservedPods(pods, {name: PodMetric(share) for name in ready})


class _Fleet:
    """The pods of the workload, oldest first; the newest go first."""

    def __init__(self, name: str, replicas: int, startup_s: float) -> None:
        self._name = name
        self._startup_s = startup_s
        self._ready_from = [float("-inf")] * replicas
        self._now_s = float("-inf")
        self._made = replicas
        self._names = [f"{name}-{i}" for i in range(replicas)]
        self._pods: dict[int | None, tuple[PodState, ...]] = {}
        self.ready: tuple[str, ...] = tuple(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def advance(self, now_s: float) -> None:
        """Let time pass: pods become ready."""
        self._now_s = now_s
        ready = tuple(
            name for name, since in zip(self._names, self._ready_from, strict=True) if since <= now_s
        )
        if ready != self.ready:
            self.ready = ready
            self._pods.clear()

    def scale_to(self, replicas: int, now_s: float) -> None:
        """Add pending pods or drop the newest."""
        if replicas == len(self._names):
            return
        for _ in range(len(self._names), replicas):
            self._names.append(f"{self._name}-{self._made}")
            self._made += 1
            self._ready_from.append(now_s + self._startup_s)
        del self._names[replicas:], self._ready_from[replicas:]
        self._pods.clear()
        kept = set(self._names)
        self.ready = tuple(name for name in self.ready if name in kept)

    def pods(self, request: int | None) -> tuple[PodState, ...]:
        """All pods, each with this request."""
        if request not in self._pods:
            ready = set(self.ready)
            self._pods[request] = tuple(
                PodState(
                    name,
                    phase=PodPhase.RUNNING if name in ready else PodPhase.PENDING,
                    is_ready=name in ready,
                    request=request,
                )
                for name in self._names
            )
        return self._pods[request]
