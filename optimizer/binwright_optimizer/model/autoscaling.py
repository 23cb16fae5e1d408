"""Horizontal pod autoscalers, as ``autoscaling/v2`` describes them.

Amounts of metrics are thousandths, as Kubernetes' controller counts them: milli-CPU, milli-bytes,
thousandths of a request per second. Utilisation targets are whole per cent of the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_PERIOD_S = 1800
"""Longest ``periodSeconds`` that the API accepts."""
MAX_STABILIZATION_WINDOW_S = 3600
"""Longest ``stabilizationWindowSeconds`` that the API accepts."""
MAX_REPLICAS = 2**31 - 1
"""Largest replica count, as in Kubernetes (int32)."""


class MetricSource(StrEnum):
    """Where a metric comes from."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"

    @property
    def is_per_pod(self) -> bool:
        """Whether each pod reports a value of its own."""
        return self not in (MetricSource.OBJECT, MetricSource.EXTERNAL)


class TargetType(StrEnum):
    """What a metric is compared with."""

    UTILIZATION = "Utilization"
    VALUE = "Value"
    AVERAGE_VALUE = "AverageValue"


_TARGETS = {
    MetricSource.RESOURCE: (TargetType.UTILIZATION, TargetType.AVERAGE_VALUE),
    MetricSource.CONTAINER_RESOURCE: (TargetType.UTILIZATION, TargetType.AVERAGE_VALUE),
    MetricSource.PODS: (TargetType.AVERAGE_VALUE,),
    MetricSource.OBJECT: (TargetType.VALUE, TargetType.AVERAGE_VALUE),
    MetricSource.EXTERNAL: (TargetType.VALUE, TargetType.AVERAGE_VALUE),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric and its target.

    Parameters
    ----------
    name
        ``cpu``, ``memory``, or the name of a custom metric.
    amount
        Whole per cent for `TargetType.UTILIZATION`, thousandths otherwise; above zero.
    container
        The container meant by `MetricSource.CONTAINER_RESOURCE`; empty otherwise.
    """

    source: MetricSource
    name: str
    target: TargetType
    amount: int
    container: str = ""

    def __post_init__(self) -> None:
        if self.target not in _TARGETS[self.source]:
            allowed = " or ".join(_TARGETS[self.source])
            raise ValueError(f"{self.source} metric {self.name} needs a target of type {allowed}")
        if self.amount <= 0:
            raise ValueError(f"the target of metric {self.name} must be above zero: {self.amount}")


class PolicyType(StrEnum):
    """Unit of a scaling policy."""

    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    """Which of several policies counts; disabled forbids scaling in that direction."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """At most ``value`` pods, or per cent of the pods, within ``period_s`` seconds."""

    type: PolicyType
    value: int
    period_s: int

    def __post_init__(self) -> None:
        if self.value <= 0:
            raise ValueError(f"the value of a scaling policy must be above zero: {self.value}")
        if not 0 < self.period_s <= MAX_PERIOD_S:
            raise ValueError(f"periodSeconds must be in 1..{MAX_PERIOD_S}: {self.period_s}")


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """How fast to scale in one direction.

    Parameters
    ----------
    stabilization_window_s
        Seconds whose most cautious recommendation counts.
    tolerance
        Relative distance from the target that changes nothing; None takes the controller's.
    """

    policies: tuple[ScalingPolicy, ...]
    stabilization_window_s: int
    select: SelectPolicy = SelectPolicy.MAX
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if not self.policies:
            raise ValueError("a scaling rule needs at least one policy")
        if not 0 <= self.stabilization_window_s <= MAX_STABILIZATION_WINDOW_S:
            raise ValueError(
                f"stabilizationWindowSeconds must be in 0..{MAX_STABILIZATION_WINDOW_S}: "
                f"{self.stabilization_window_s}"
            )
        if self.tolerance is not None and self.tolerance < 0:
            raise ValueError(f"tolerance must not be negative: {self.tolerance}")


DEFAULT_SCALE_UP = ScalingRules(
    policies=(ScalingPolicy(PolicyType.PODS, 4, 15), ScalingPolicy(PolicyType.PERCENT, 100, 15)),
    stabilization_window_s=0,
)
DEFAULT_SCALE_DOWN = ScalingRules(
    policies=(ScalingPolicy(PolicyType.PERCENT, 100, 15),), stabilization_window_s=300
)
"""What a ``behavior`` that leaves a direction out means (``pkg/apis/autoscaling/v2/defaults.go``)."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """Scaling rules of both directions, defaults filled in."""

    scale_up: ScalingRules = DEFAULT_SCALE_UP
    scale_down: ScalingRules = DEFAULT_SCALE_DOWN


@dataclass(frozen=True, slots=True)
class HorizontalPodAutoscaler:
    """An autoscaler of one workload.

    Parameters
    ----------
    target
        Name of the workload that is scaled.
    behavior
        None means the rules from before ``behavior`` existed: up to max(4, twice the replicas)
        at once, down to the highest recommendation of the last five minutes.
    """

    name: str
    target: str
    min_replicas: int
    max_replicas: int
    metrics: tuple[Metric, ...]
    behavior: Behavior | None = None
    namespace: str = "default"

    def __post_init__(self) -> None:
        if not 0 <= self.min_replicas <= self.max_replicas <= MAX_REPLICAS or self.max_replicas == 0:
            raise ValueError(
                f"{self.name}: replicas must satisfy 0 <= min <= max and max > 0: "
                f"min {self.min_replicas}, max {self.max_replicas}"
            )
        if not self.metrics:
            raise ValueError(f"{self.name} has no metric")
        if self.min_replicas == 0 and all(metric.source.is_per_pod for metric in self.metrics):
            raise ValueError(f"{self.name}: minReplicas 0 needs an Object or External metric")
