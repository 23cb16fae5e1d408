"""The algorithm of Kubernetes' horizontal pod autoscaler: from metrics to replicas.

Follows ``pkg/controller/podautoscaler`` of Kubernetes v1.37.2, step by step:

1. `pods` groups the pods of a workload into ready, unready, without metrics and ignored.
2. `replicas` turns one metric into a proposed number of replicas: ceil(ready * value / target), nothing
   within the tolerance, and cautious guesses for pods that are not ready or report nothing.
3. `controller` takes the largest proposal, refuses to scale down while a metric is missing, stabilises
   over the windows, and limits the pace by the policies, remembering what it did.
4. `simulate` runs the controller over a series of loads: metric series in, replica series out.

Times are seconds on any monotonic clock; amounts are integers in thousandths, as in the original,
because its truncations decide between two replica counts.
"""

from binwright_optimizer.planning.hpa.controller import (
    Controller,
    ControllerParams,
    Outcome,
    Reason,
    ScalingError,
)
from binwright_optimizer.planning.hpa.pods import PodMetric, PodPhase, PodState
from binwright_optimizer.planning.hpa.replicas import MetricError, Observation, ObservedPods, ObservedValue
from binwright_optimizer.planning.hpa.simulate import LoadSeries, ReplicaSeries, replica_series

__all__ = [
    "Controller",
    "ControllerParams",
    "LoadSeries",
    "MetricError",
    "Observation",
    "ObservedPods",
    "ObservedValue",
    "Outcome",
    "PodMetric",
    "PodPhase",
    "PodState",
    "Reason",
    "ReplicaSeries",
    "ScalingError",
    "replica_series",
]
