"""Proposals of single metrics, worked from Kubernetes' own cases.

Source: ``pkg/controller/podautoscaler/replica_calculator_test.go`` of Kubernetes v1.37.2 (Apache-2.0): inputs
and expected replicas, by the name of the case there. Its pods have two containers that request 1 CPU each: a
level of 300 is 600 of 2,000 milli-CPU; tolerance 10 %, CPU initialisation 120 s, readiness delay 10 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from binwright_optimizer.model.autoscaling import MAX_REPLICAS, Metric, MetricSource, TargetType
from binwright_optimizer.planning.hpa import (
    MetricError,
    ObservedPods,
    ObservedValue,
    PodMetric,
    PodPhase,
    PodState,
)
from binwright_optimizer.planning.hpa.pods import PodGroups, Readiness, group_pods
from binwright_optimizer.planning.hpa.replicas import Tolerance, propose

NOW = 10_000.0
READINESS = Readiness(cpu_initialization_s=120, initial_delay_s=10)
R, P, F = PodPhase.RUNNING, PodPhase.PENDING, PodPhase.FAILED
HOT, COOL = NOW, NOW - 300  # started just now, or five minutes ago
NEVER = -1e9


@dataclass(frozen=True)
class Case:
    name: str
    replicas: int
    levels: list[int]
    target: int
    expected: int
    pods: int = 0
    ready: str = ""  # one letter per pod: t(rue), f(alse)
    started: tuple[float, ...] = ()
    phases: tuple[PodPhase, ...] = ()
    deleting: str = ""
    tolerance: Tolerance = Tolerance()

    def states(self, request: int | None) -> tuple[PodState, ...]:
        count = self.pods or max(self.replicas, len(self.phases))
        return tuple(
            PodState(
                f"pod-{i}",
                phase=self.phases[i] if self.phases else R,
                is_ready=self.ready[i] == "t" if i < len(self.ready) else True,
                is_deleting=bool(self.deleting) and self.deleting[i] == "t",
                started_s=self.started[i] if self.started else NEVER,
                ready_changed_s=NEVER,
                request=request,
            )
            for i in range(count)
        )


def measured(levels: list[int], factor: int = 1) -> dict[str, PodMetric]:
    return {f"pod-{i}": PodMetric(level * factor, NOW, 60) for i, level in enumerate(levels)}


CPU_CASES = [
    Case("scale up", 3, [300, 500, 700], 30, 5),
    Case("scale up: unready pod scales less", 3, [300, 500, 700], 30, 4, ready="ftt"),
    Case("scale up: hot pod scales less", 3, [300, 500, 700], 30, 4, started=(HOT, COOL, COOL), ready="ftt"),
    Case("no scale: unready pods ignored", 3, [400, 500, 700], 30, 3, ready="tff"),
    Case("no scale: hot-CPU pods ignored", 3, [400, 500, 700], 30, 3, ready="tff", started=(COOL, HOT, HOT)),
    Case("scale up: failed pods ignored", 2, [500, 700], 30, 4, ready="ttff", phases=(R, R, F, F)),
    Case("scale up: deleted pods ignored", 2, [500, 700], 30, 4, pods=4, ready="ttff", deleting="fftt"),
    Case("scale down", 5, [100, 300, 500, 250, 250], 50, 3),
    Case("scale down: exclude unready pods", 5, [100, 300, 500, 250, 250], 50, 2, ready="tttff"),
    Case("scale down: exclude unscheduled pods", 5, [100], 50, 1, ready="tffff", phases=(R, P, P, P, P)),
    Case(
        "scale down: ignore hot-CPU pods", 5, [100, 300, 500, 250, 250], 50, 2,
        ready="tttff", started=(COOL, COOL, COOL, HOT, HOT),
    ),
    Case("scale down: failed pods", 5, [100, 300, 500, 250, 250], 50, 3, phases=(R, R, R, R, R, F, F)),
    Case(
        "scale down: pods being deleted are ignored", 5, [100, 300, 500, 250, 250], 50, 3,
        pods=7, ready="tttttff", deleting="ffffftt",
    ),
    Case("superfluous metrics", 4, [4000, 9500, 3000, 7000, 3200, 2000], 100, 24),
    Case("missing metrics scale down less", 4, [400, 95], 100, 3),
    Case("missing metrics: no change at the target", 2, [1000], 100, 2),
    Case("missing metrics: no change above the target", 2, [1900], 100, 2),
    Case("missing metrics: no change below the target", 2, [600], 100, 2),
    Case("missing metrics and an unready pod: no change", 3, [100, 450], 50, 3, ready="ftt"),
    Case("missing metrics and an unready pod: scale up", 3, [100, 2000], 50, 4, ready="ftt"),
    Case("missing metrics and an unready pod: scale down", 4, [100, 100, 100], 50, 3, ready="fttt"),
]  # fmt: skip


@pytest.mark.parametrize("case", CPU_CASES, ids=lambda case: case.name)
def test_cpu_utilisation_proposes_what_kubernetes_proposes(case: Case) -> None:
    metric = Metric(MetricSource.RESOURCE, "cpu", TargetType.UTILIZATION, case.target)
    observed = ObservedPods(case.states(2_000), measured(case.levels, 2))
    assert propose(metric, observed, case.replicas, NOW, case.tolerance, READINESS) == case.expected


PODS_CASES = [
    Case("scale up", 3, [20000, 10000, 30000], 15000, 4),
    Case("scale up: readiness does not matter", 3, [50000, 10000, 30000], 15000, 6, ready="ttf"),
    Case("scale up: unready pods avoid nothing", 3, [50000, 15000, 30000], 15000, 7, ready="ftf"),
    Case("scale down", 5, [12000] * 5, 20000, 3),
    Case("within default tolerance", 3, [20000, 21000, 21000], 20000, 3),
    Case(
        "outside configurable 1% tolerance", 3, [20000, 21000, 21000], 20000, 4,
        tolerance=Tolerance(0.1, 0.01),
    ),
    Case("no change: missing metrics", 5, [20000, 19000, 21000], 20000, 5),
    Case("rolling update: extra pod missing metric", 2, [10000, 10000], 17000, 2, phases=(R, R, R)),
]  # fmt: skip


@pytest.mark.parametrize("case", PODS_CASES, ids=lambda case: case.name)
def test_pods_metric_proposes_what_kubernetes_proposes(case: Case) -> None:
    metric = Metric(MetricSource.PODS, "qps", TargetType.AVERAGE_VALUE, case.target)
    observed = ObservedPods(case.states(None), measured(case.levels))
    assert propose(metric, observed, case.replicas, NOW, case.tolerance, READINESS) == case.expected


VALUE_CASES = [
    Case("object: scale up", 3, [20000], 15000, 4),
    Case("object: saturates", 3, [2**63 - 1], 1, MAX_REPLICAS),
    Case("object: ignores unready pods", 3, [50000], 10000, 5, ready="ftf"),
    Case("object: scale down", 5, [12000], 20000, 3),
    Case("object: within default tolerance", 3, [20666], 20000, 3),
    Case("object: outside 1% tolerance", 3, [20666], 20000, 4, tolerance=Tolerance(0.1, 0.01)),
    Case("external: scale down", 5, [8600], 14334, 3),
    Case("external: ignores unready pods", 3, [8600], 4400, 2, ready="ftf"),
    Case("external: within default tolerance", 3, [8600], 8888, 3),
    Case("external: several series add up", 3, [8000, 600], 4400, 6),
]


@pytest.mark.parametrize("case", VALUE_CASES, ids=lambda case: case.name)
def test_value_target_proposes_what_kubernetes_proposes(case: Case) -> None:
    source = MetricSource.OBJECT if case.name.startswith("object") else MetricSource.EXTERNAL
    metric = Metric(source, "qps", TargetType.VALUE, case.target)
    observed = ObservedValue(tuple(case.levels), case.states(None))
    assert propose(metric, observed, case.replicas, NOW, case.tolerance, READINESS) == case.expected


AVERAGE_CASES = [
    Case("object per pod: scale up", 3, [20000], 5000, 4),
    Case("object per pod: scale down", 5, [6000], 2000, 3),
    Case("object per pod: within tolerance", 4, [20166], 5000, 4),
    Case("external per pod: scale up", 3, [8600], 2150, 4),
    Case("external per pod: scale down", 5, [8600], 2867, 3),
    Case("external per pod: within tolerance", 3, [8600], 2900, 3),
    Case("external per pod: outside 1% tolerance", 3, [8600], 2800, 4, tolerance=Tolerance(0.1, 0.01)),
    Case("external per pod: saturates", 1, [2**63 - 1], 1, MAX_REPLICAS),
    Case("external per pod: huge target", 1, [2**63 - 1], 2**63 - 1, 1),
]


@pytest.mark.parametrize("case", AVERAGE_CASES, ids=lambda case: case.name)
def test_average_value_target_proposes_what_kubernetes_proposes(case: Case) -> None:
    source = MetricSource.OBJECT if case.name.startswith("object") else MetricSource.EXTERNAL
    metric = Metric(source, "qps", TargetType.AVERAGE_VALUE, case.target)
    observed = ObservedValue(tuple(case.levels), case.states(None))
    assert propose(metric, observed, case.replicas, NOW, case.tolerance, READINESS) == case.expected


def test_memory_utilisation_trusts_unready_pods() -> None:
    """Only CPU depends on readiness: 3 pods at 80 % of a 40 % target double."""
    pods = tuple(PodState(f"pod-{i}", is_ready=False, request=1000) for i in range(3))
    metric = Metric(MetricSource.RESOURCE, "memory", TargetType.UTILIZATION, 40)
    assert propose(metric, ObservedPods(pods, measured([800] * 3)), 3, NOW) == 6


def test_silent_pod_counts_as_the_target_where_that_is_above_the_request() -> None:
    """Target 150 %, one pod at 50 %, one silent, at 150 %: (50 + 150) / 2 = 100 %, ratio 0.67, 2 pods."""
    pods = tuple(PodState(f"pod-{i}", request=1000) for i in range(2))
    metric = Metric(MetricSource.RESOURCE, "memory", TargetType.UTILIZATION, 150)
    assert propose(metric, ObservedPods(pods, measured([500])), 2, NOW) == 2


def test_from_zero_replicas_a_value_counts_without_pods_and_tolerance() -> None:
    metric = Metric(MetricSource.EXTERNAL, "queue", TargetType.VALUE, 10_000)
    assert propose(metric, ObservedValue((1_000,), ()), 0, NOW) == 1
    assert propose(metric, ObservedValue((0,), ()), 0, NOW) == 0
    per_pod = Metric(MetricSource.EXTERNAL, "queue", TargetType.AVERAGE_VALUE, 10_000)
    assert propose(per_pod, ObservedValue((25_000,), ()), 0, NOW) == 3


def test_metric_without_values_requests_or_pods_proposes_nothing() -> None:
    cpu = Metric(MetricSource.RESOURCE, "cpu", TargetType.UTILIZATION, 100)
    with pytest.raises(MetricError, match="no pod reports metric cpu"):
        propose(cpu, ObservedPods((PodState("pod-0", request=1000),), {}), 4, NOW)
    with pytest.raises(MetricError, match="missing request for cpu in pod pod-0"):
        propose(cpu, ObservedPods((PodState("pod-0"),), measured([200])), 1, NOW)
    with pytest.raises(MetricError, match="has no pods"):
        propose(cpu, ObservedPods((), measured([200])), 1, NOW)
    with pytest.raises(MetricError, match="pods might be unready"):
        propose(cpu, ObservedPods((PodState("pod-0", phase=P, request=1),), measured([200])), 1, NOW)
    renamed = ObservedPods((PodState("now", request=1000),), {"before": PodMetric(100)})
    with pytest.raises(MetricError, match="no value belongs to a pod"):
        propose(cpu, renamed, 1, NOW)


@pytest.mark.parametrize(
    ("name", "pod", "metric", "group"),
    [
        ("no ready condition", PodState("p", is_ready=None, started_s=NOW), PodMetric(1), "unready"),
        (
            "fresh metrics while starting",
            PodState("p", started_s=NOW - 60, ready_changed_s=NOW - 30),
            PodMetric(1, NOW, 30), "ready",
        ),
        (
            "stale metrics while starting",
            PodState("p", started_s=NOW - 60, ready_changed_s=NOW - 30),
            PodMetric(1, NOW, 60), "unready",
        ),
        (
            "unready and never ready before",
            PodState("p", is_ready=False, started_s=NOW - 600, ready_changed_s=NOW - 594),
            PodMetric(1), "unready",
        ),
        (
            "ready after a stale measurement, past the start",
            PodState("p", started_s=NOW - 180, ready_changed_s=NOW - 180),
            PodMetric(1, NOW - 120, 60), "ready",
        ),
        (
            "unready now but ready before",
            PodState("p", is_ready=False, started_s=NOW - 600, ready_changed_s=NOW - 540),
            PodMetric(1), "ready",
        ),
        (
            "readiness lost at the very delay",
            PodState("p", is_ready=False, started_s=NOW - 600, ready_changed_s=NOW - 590),
            PodMetric(1), "ready",
        ),
        ("no metric", PodState("p"), None, "missing"),
        ("pending", PodState("p", phase=P), None, "unready"),
        ("failed", PodState("p", phase=F), PodMetric(1), "ignored"),
        ("going", PodState("p", is_deleting=True), PodMetric(1), "ignored"),
    ],
)  # fmt: skip
def test_pods_are_grouped_as_kubernetes_groups_them(
    name: str, pod: PodState, metric: PodMetric | None, group: str
) -> None:
    """The cases of TestGroupPods."""
    groups = group_pods([pod], {"p": metric} if metric else {}, "cpu", NOW, READINESS)
    only = frozenset({"p"})
    expected = {
        "ready": PodGroups(1, frozenset(), frozenset(), frozenset()),
        "unready": PodGroups(0, only, frozenset(), frozenset()),
        "missing": PodGroups(0, frozenset(), only, frozenset()),
        "ignored": PodGroups(0, frozenset(), frozenset(), only),
    }[group]
    assert groups == expected
