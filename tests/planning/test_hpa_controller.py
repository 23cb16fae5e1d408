"""Stabilisation, policies and limits, worked from Kubernetes' own cases.

Sources: ``TestScalingWithRules``, ``TestNormalizeDesiredReplicas``,
``TestNormalizeDesiredReplicasWithBehavior`` and ``TestScaleWithOneInvalidMetric`` in
``pkg/controller/podautoscaler/horizontal_test.go`` of Kubernetes v1.37.2 (Apache-2.0), and the example of the
documentation's page "Horizontal Pod Autoscaling". There the inner functions are called; here the whole
controller decides, led by an external metric with a target of one per pod.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from binwright_optimizer.model.autoscaling import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    HorizontalPodAutoscaler,
    Metric,
    MetricSource,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    TargetType,
)
from binwright_optimizer.planning.hpa import (
    Controller,
    LoadSeries,
    ObservedValue,
    Outcome,
    PodState,
    Reason,
    ScalingError,
    replica_series,
)
from hypothesis import given
from hypothesis import strategies as st

WISH = Metric(MetricSource.EXTERNAL, "wish", TargetType.AVERAGE_VALUE, 1)
NOW = 100_000.0
MINUTE = 60.0


def name_of(value: object) -> str | None:
    """A case's name as its id."""
    return value if isinstance(value, str) and not isinstance(value, Reason) else None


def rules(
    pods: int = 0, pods_s: int = 0, percent: int = 0, percent_s: int = 0, window: int = 0,
    select: SelectPolicy = SelectPolicy.MAX,
) -> ScalingRules:  # fmt: skip
    policies = [ScalingPolicy(PolicyType.PODS, pods, pods_s)] if pods else []
    policies += [ScalingPolicy(PolicyType.PERCENT, percent, percent_s)] if percent else []
    return ScalingRules(tuple(policies), window, select, tolerance=0.0)


def exact(default: ScalingRules, window: int) -> ScalingRules:
    """The default policies without tolerance, so that a wish is taken literally."""
    return ScalingRules(default.policies, window, tolerance=0.0)


def autoscaler(
    least: int, most: int, up: ScalingRules | None = None, down: ScalingRules | None = None
) -> HorizontalPodAutoscaler:
    behavior = Behavior(up or exact(DEFAULT_SCALE_UP, 0), down or exact(DEFAULT_SCALE_DOWN, 0))
    return HorizontalPodAutoscaler("web", "web", least, most, (WISH,), behavior)


def decide(controller: Controller, now_s: float, replicas: int, wish: int) -> Outcome:
    return controller.reconcile(now_s, replicas, [ObservedValue((wish,), (PodState("web-0"),))])


def with_events(controller: Controller, changes: Sequence[int], before_s: float, first: int) -> int:
    """Let the controller make these changes, one in the middle of each part of the time before NOW."""
    part = before_s / len(changes)
    replicas = first
    for i, change in enumerate(changes):
        when = NOW - before_s + part * (i + 0.5)
        outcome = decide(controller, when, replicas, replicas + change)
        assert outcome.replicas == replicas + change, "the history must be possible"
        replicas = outcome.replicas
    return replicas


NO_EVENTS = [
    ("prenormalized desired replicas within range", 3, 8, None, None, 5, 7, 7, Reason.WITHIN_RANGE),
    ("desired replicas < minReplicas", 2, 8, None, None, 3, 1, 2, Reason.TOO_FEW),
    ("more than the maximum", 100, 150, None, None, 100, 1000, 150, Reason.TOO_MANY),
    ("user policy", 1, 2000, rules(0, 0, 1, 60), None, 3, 1000, 4, Reason.SCALE_UP_LIMIT),
    ("scaleUp with default behavior", 1, 1000, None, None, 10, 50, 20, Reason.SCALE_UP_LIMIT),
    ("pods > percent", 1, 1000, rules(100, 60, 100, 60), None, 10, 500, 110, Reason.SCALE_UP_LIMIT),
    ("percent > pods", 1, 1000, rules(2, 60, 100, 60), None, 10, 500, 20, Reason.SCALE_UP_LIMIT),
    ("large pods policy", 1, 1000, rules(100, 60), None, 10, 50, 50, Reason.WITHIN_RANGE),
    ("pods policy", 1, 1000, rules(30, 60), None, 10, 50, 40, Reason.SCALE_UP_LIMIT),
    ("percent policy", 1, 1000, rules(0, 0, 200, 60), None, 10, 50, 30, Reason.SCALE_UP_LIMIT),
    ("down: percent < pods", 1, 1000, None, rules(20, 60, 1, 60), 100, 2, 80, Reason.SCALE_DOWN_LIMIT),
    ("down: pods > percent", 1, 1000, None, rules(2, 60, 1, 60), 100, 2, 98, Reason.SCALE_DOWN_LIMIT),
    ("down: minimum, pods", 1, 1000, None, rules(100, 60), 10, 0, 1, Reason.TOO_FEW),
    ("down: minimum, percent", 5, 1000, None, rules(0, 0, 100, 60), 10, 2, 5, Reason.TOO_FEW),
    ("down: pods policy", 1, 1000, None, rules(5, 60), 10, 2, 5, Reason.SCALE_DOWN_LIMIT),
    ("down: percent policy", 1, 1000, None, rules(0, 0, 50, 60), 10, 5, 5, Reason.WITHIN_RANGE),
    (
        "up: smallest of two", 1, 9, rules(2, 60, 50, 60, select=SelectPolicy.MIN), None, 1, 9, 2,
        Reason.SCALE_UP_LIMIT,
    ),
    (
        "down: smallest of two", 1, 9, None, rules(2, 60, 50, 60, select=SelectPolicy.MIN), 5, 1, 3,
        Reason.SCALE_DOWN_LIMIT,
    ),
    ("up: disabled", 1, 9, rules(9, 60, select=SelectPolicy.DISABLED), None, 3, 9, 3, Reason.SCALE_UP_LIMIT),
    (
        "down: disabled", 1, 9, None, rules(9, 60, select=SelectPolicy.DISABLED), 5, 1, 5,
        Reason.SCALE_DOWN_LIMIT,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "least", "most", "up", "down", "replicas", "wish", "expected", "reason"),
    NO_EVENTS, ids=name_of,
)  # fmt: skip
def test_policies_limit_the_pace_as_in_kubernetes(
    name: str, least: int, most: int, up: ScalingRules | None, down: ScalingRules | None,
    replicas: int, wish: int, expected: int, reason: Reason,
) -> None:  # fmt: skip
    outcome = decide(Controller(autoscaler(least, most, up, down)), NOW, replicas, wish)
    assert (outcome.replicas, outcome.reason) == (expected, reason)


AFTER_EVENTS = [
    # (name, changes of the last 120 s, most, up, down, replicas now, wish, expected)
    ("up to the maximum, 100 - 15 + 300", [1, 5, 9], 200, rules(300, 60), None, 100, 500, 200),
    ("up, 100 - 15 + 150", [1, 5, 9], 1000, rules(150, 120), None, 100, 500, 235),
    ("up, (100 - 15) * 3", [1, 5, 9], 1000, rules(0, 0, 200, 120), None, 100, 500, 255),
    ("up and down before, (6 - 4 + 2) * 4", [4, -2], 1000, rules(0, 0, 300, 300), None, 6, 24, 16),
    ("down, 100 + 15 - 5 is above the present", [-1, -5, -9], 1000, None, rules(15, 120), 100, 2, 100),
    ("down, (100 + 12) / 2", [-2, -4, -6], 1000, None, rules(0, 0, 50, 120), 100, 1, 56),
    ("down after up and down, (10 - 2 + 4) / 2", [2, -4], 1000, None, rules(0, 0, 50, 180), 10, 1, 6),
]


@pytest.mark.parametrize(
    ("name", "changes", "most", "up", "down", "replicas", "wish", "expected"),
    AFTER_EVENTS, ids=name_of,
)  # fmt: skip
def test_policies_count_what_was_done_within_their_period(
    name: str, changes: list[int], most: int, up: ScalingRules | None, down: ScalingRules | None,
    replicas: int, wish: int, expected: int,
) -> None:  # fmt: skip
    controller = Controller(autoscaler(1, most, up, down))
    reached = with_events(controller, changes, 120.0, replicas - sum(changes))
    assert reached == replicas
    assert decide(controller, NOW, replicas, wish).replicas == expected


WITH_WINDOWS = [
    # (name, past recommendations (count, minutes ago), up window, down window, replicas, wish, expected)
    ("empty recommendations for scaling down", [], 0, 0, 100, 5, 5),
    ("simple scale down stabilization", [(4, 2), (5, 1)], 0, 180, 100, 3, 5),
    ("simple scale up stabilization", [(4, 2), (5, 1)], 300, 0, 1, 7, 4),
    ("no scale down stabilization", [(1, 2), (2, 1)], 300, 0, 100, 3, 3),
    ("no scale up stabilization", [(4, 2), (5, 1)], 0, 300, 1, 3, 3),
    ("no scale down stabilization, old recommendation", [(10, 10), (9, 9)], 0, 0, 100, 3, 3),
    ("scale down, one recommendation too old", [(10, 10), (9, 9), (5, 2), (4, 1)], 0, 180, 100, 3, 5),
    ("scale up, one recommendation too old", [(10, 50), (9, 3), (5, 2), (6, 1)], 300, 0, 1, 100, 5),
    ("up and down: not up when the recommendation falls", [(2, 50), (3, 3)], 300, 300, 2, 1, 2),
    ("up and down: not down when the recommendation rises", [(2, 50), (1, 3)], 300, 300, 2, 3, 2),
]


@pytest.mark.parametrize(
    ("name", "past", "up_s", "down_s", "replicas", "wish", "expected"),
    WITH_WINDOWS, ids=name_of,
)  # fmt: skip
def test_windows_stabilise_as_in_kubernetes(
    name: str, past: list[tuple[int, int]], up_s: int, down_s: int, replicas: int, wish: int, expected: int
) -> None:
    free_up = ScalingRules((ScalingPolicy(PolicyType.PODS, 2**20, 15),), up_s, tolerance=0.0)
    free_down = ScalingRules((ScalingPolicy(PolicyType.PODS, 2**20, 15),), down_s, tolerance=0.0)
    controller = Controller(autoscaler(1, 2000, free_up, free_down))
    for count, minutes in past:  # what the controller kept to itself or did; only the wishes matter here
        decide(controller, NOW - minutes * MINUTE, count, count)
    if not past:
        controller = Controller(autoscaler(1, 2000, free_up, free_down))
    outcome = decide(controller, NOW, replicas, wish)
    assert (outcome.proposed, outcome.stabilized) == (wish, expected)


@pytest.mark.parametrize(
    ("name", "past", "expected"),
    [
        ("stabilize", [(4, 2), (5, 1)], 5),
        ("no stabilize", [(1, 2), (2, 1)], 3),
        ("no stabilize - old recommendations", [(10, 10), (9, 9)], 3),
        ("stabilize - old recommendations", [(10, 10), (9, 9), (5, 2), (4, 1)], 5),
    ],
)
def test_without_behavior_the_highest_wish_of_five_minutes_counts(
    name: str, past: list[tuple[int, int]], expected: int
) -> None:
    """TestNormalizeDesiredReplicas: the wish is three."""
    spec = HorizontalPodAutoscaler("web", "web", 1, 100, (WISH,))
    controller = Controller(spec)
    for count, minutes in past:
        decide(controller, NOW - minutes * MINUTE, count, count)
    assert decide(controller, NOW, 5, 3).stabilized == expected


@pytest.mark.parametrize(
    ("least", "most", "replicas", "wish", "expected", "reason"),
    [
        (3, 8, 5, 7, 7, Reason.WITHIN_RANGE),
        (2, 8, 3, 1, 2, Reason.TOO_FEW),
        (1, 2000, 3, 1000, 6, Reason.SCALE_UP_LIMIT),
        (1, 2000, 1, 1000, 4, Reason.SCALE_UP_LIMIT),
        (1, 10, 20, 1000, 10, Reason.TOO_MANY),
    ],
)
def test_without_behavior_replicas_at_most_double(
    least: int, most: int, replicas: int, wish: int, expected: int, reason: Reason
) -> None:
    """TestConvertDesiredReplicasWithRules; up to four at once from one or two."""
    controller = Controller(HorizontalPodAutoscaler("web", "web", least, most, (WISH,)))
    decide(controller, NOW - 3600, min(replicas, most), wish)
    # an hour later nothing of the past counts but the replicas
    outcome = decide(controller, NOW, replicas, wish)
    assert (outcome.replicas, outcome.reason) == (expected, reason)


def test_largest_proposal_of_several_metrics_counts() -> None:
    other = Metric(MetricSource.EXTERNAL, "other", TargetType.AVERAGE_VALUE, 1)
    spec = HorizontalPodAutoscaler("web", "web", 1, 100, (WISH, other), Behavior())
    pods = (PodState("web-0"),)
    outcome = Controller(spec).reconcile(NOW, 10, [ObservedValue((4,), pods), ObservedValue((14,), pods)])
    assert outcome.replicas == 14


def test_failing_metric_forbids_to_scale_down_but_not_up() -> None:
    other = Metric(MetricSource.EXTERNAL, "other", TargetType.AVERAGE_VALUE, 1)
    spec = HorizontalPodAutoscaler("web", "web", 1, 100, (WISH, other), Behavior())
    pods = (PodState("web-0"),)
    assert Controller(spec).reconcile(NOW, 10, [ObservedValue((14,), pods), None]).replicas == 14
    with pytest.raises(
        ScalingError, match="1 of 2 metrics fail, the first because metric other cannot be read"
    ):
        Controller(spec).reconcile(NOW, 10, [ObservedValue((4,), pods), None])
    with pytest.raises(ScalingError, match="2 of 2"):
        Controller(spec).reconcile(NOW, 10, [None, None])


def test_workload_stopped_by_hand_stays_stopped_and_one_stopped_by_the_autoscaler_starts_again() -> None:
    stopped = Controller(HorizontalPodAutoscaler("web", "web", 1, 10, (WISH,)))
    assert decide(stopped, NOW, 0, 5).reason is Reason.DISABLED
    spec = HorizontalPodAutoscaler("web", "web", 0, 10, (WISH,), Behavior(scale_down=rules(9, 15)))
    idle = Controller(spec)
    assert decide(idle, NOW, 2, 0).replicas == 0
    assert decide(idle, NOW + 60, 0, 3).replicas == 3
    assert decide(Controller(spec), NOW, 0, 3).reason is Reason.DISABLED


def test_documented_example_removes_at_most_ten_per_cent_a_minute() -> None:
    """The documentation's example: 80 replicas, 10 % and 5 pods a minute; ten seconds a step here.

    80 -> 72 (10 %), then a minute later 72 -> 64 (10 % of 72 is 7.2, rounded up to 8), ... and below 50 the
    policy of 5 pods is the larger: 50 -> 45 -> 40 -> 35 ...
    """
    down = rules(5, 60, 10, 60)
    controller = Controller(autoscaler(10, 100, None, down))
    replicas, seen = 80, []
    for minute in range(9):
        replicas = decide(controller, NOW + 60 * minute, replicas, 10).replicas
        seen.append(replicas)
    assert seen == [72, 64, 57, 51, 45, 40, 35, 30, 25]


def test_replica_series_follows_the_load_and_waits_to_scale_down() -> None:
    """Load for 10 pods, then for 2, then for 10, ten minutes each: it falls after five."""
    cpu = Metric(MetricSource.RESOURCE, "cpu", TargetType.UTILIZATION, 50)
    spec = HorizontalPodAutoscaler("web", "web", 2, 20, (cpu,), Behavior())
    load = LoadSeries((5_000,) * 10 + (1_000,) * 10 + (5_000,) * 10)
    series = replica_series(spec, (load,), 60.0, requests=(1_000,))
    assert series.last[:14] == (10,) * 14
    assert series.last[15] == 2
    assert series.last[20:] == (10,) * 10
    assert series.failures == 0
    assert not any(series.refused)


def test_replicas_that_the_maximum_refuses_are_told_by_step() -> None:
    """Load for 10 pods, then for 40 where 20 are the most; policies that slow the way refuse nothing."""
    cpu = Metric(MetricSource.RESOURCE, "cpu", TargetType.UTILIZATION, 50)
    spec = HorizontalPodAutoscaler("web", "web", 10, 20, (cpu,), Behavior())
    series = replica_series(spec, (LoadSeries((5_000, 20_000)),), 60.0, requests=(1_000,))
    assert (series.highest, series.refused) == ((10, 20), (0, 40))
    wide = replica_series(
        replace(spec, max_replicas=40), (LoadSeries((5_000, 20_000)),), 60.0, requests=(1_000,)
    )
    assert (wide.highest[1], wide.refused) == (40, (0, 0))


def test_slow_pods_overshoot_less_than_their_load_suggests() -> None:
    """Pods that take two minutes to start count as idle, so that the wait does not double them again."""
    cpu = Metric(MetricSource.RESOURCE, "cpu", TargetType.UTILIZATION, 50)
    spec = HorizontalPodAutoscaler("web", "web", 2, 100, (cpu,), Behavior())
    series = replica_series(spec, (LoadSeries((5_000,) * 10),), 60.0, requests=(1_000,), startup_s=120.0)
    assert max(series.highest) == 10


def test_unreadable_metric_keeps_the_replicas_and_is_counted() -> None:
    spec = HorizontalPodAutoscaler("web", "web", 1, 100, (WISH,), Behavior())
    series = replica_series(spec, (LoadSeries((7, None, 7)),), 60.0)
    assert series.last == (7, 7, 7)
    assert series.failures == 4


@given(
    wishes=st.lists(st.integers(0, 200), min_size=1, max_size=40),
    least=st.integers(1, 20),
    room=st.integers(0, 80),
    window=st.integers(0, 300),
)
def test_replicas_stay_within_the_limits(wishes: list[int], least: int, room: int, window: int) -> None:
    spec = autoscaler(least, least + room, rules(3, 30, 40, 60, window), rules(2, 30, 20, 60, window))
    series = replica_series(spec, (LoadSeries(tuple(wishes)),), 15.0)
    assert all(least <= count <= least + room for count in series.highest + series.last)


@given(wishes=st.lists(st.integers(1, 60), min_size=2, max_size=30))
def test_pods_policy_is_never_exceeded_within_its_period(wishes: list[int]) -> None:
    """At most 3 pods up within any 60 s, whatever is wished for."""
    spec = autoscaler(1, 100, rules(3, 60), rules(100, 15))
    series = replica_series(spec, (LoadSeries(tuple(wishes)),), 15.0)
    levels = (1, *series.last)
    for at in range(1, len(levels)):
        if levels[at] > levels[at - 1]:
            assert levels[at] - levels[max(0, at - 4)] <= 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_replicas": 5, "max_replicas": 4}, "min <= max"),
        ({"metrics": ()}, "has no metric"),
        (
            {"min_replicas": 0, "metrics": (Metric(MetricSource.PODS, "q", TargetType.AVERAGE_VALUE, 1),)},
            "needs an Object or External metric",
        ),
    ],
)
def test_impossible_autoscalers_are_refused(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {"min_replicas": 1, "max_replicas": 5, "metrics": (WISH,)} | change
    with pytest.raises(ValueError, match=message):
        HorizontalPodAutoscaler("web", "web", **fields)  # type: ignore[arg-type]


def test_series_that_do_not_match_are_refused() -> None:
    spec = HorizontalPodAutoscaler("web", "web", 1, 5, (WISH,))
    with pytest.raises(ValueError, match="1 metrics, 2 loads"):
        replica_series(spec, (LoadSeries((1,)), LoadSeries((1,))), 60.0)
    with pytest.raises(ValueError, match="shorter than"):
        replica_series(spec, (LoadSeries((1,)),), 5.0)
