"""The controller: proposals of all metrics to one replica count, with memory (``horizontal.go``)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model.autoscaling import (
    Behavior,
    HorizontalPodAutoscaler,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from binwright_optimizer.planning.hpa.pods import Readiness
from binwright_optimizer.planning.hpa.replicas import MetricError, Observation, Tolerance, propose

_SCALE_UP_FACTOR = 2
_SCALE_UP_LEAST = 4
"""Without a ``behavior``: at most max(4, 2 * replicas) at once."""


class ScalingError(PlanningError):
    """No replica count can be computed: all metrics fail, or one does and the others scale down."""


class Reason(StrEnum):
    """Why the replica count is what it is, in the words of the HPA's ScalingLimited condition."""

    WITHIN_RANGE = "DesiredWithinRange"
    SCALE_UP_LIMIT = "ScaleUpLimit"
    SCALE_DOWN_LIMIT = "ScaleDownLimit"
    TOO_MANY = "TooManyReplicas"
    TOO_FEW = "TooFewReplicas"
    DISABLED = "ScalingDisabled"


@dataclass(frozen=True, slots=True)
class ControllerParams:
    """Flags of kube-controller-manager that matter, with their defaults.

    Parameters
    ----------
    tolerance
        ``--horizontal-pod-autoscaler-tolerance``.
    downscale_stabilization_s
        ``--horizontal-pod-autoscaler-downscale-stabilization``; autoscalers with a behavior have
        a window of their own.
    """

    tolerance: float = 0.1
    downscale_stabilization_s: float = 300.0
    readiness: Readiness = Readiness()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One decision.

    Parameters
    ----------
    proposed
        Largest proposal of the metrics; None where they were not asked.
    stabilized
        The proposal after the stabilisation windows; None where the metrics were not asked.
    """

    replicas: int
    proposed: int | None
    stabilized: int | None
    reason: Reason


class Controller:
    """The autoscaler of one workload over time.

    Examples
    --------
    One pod at twice its target doubles:

    >>> from binwright_optimizer.model.autoscaling import Metric, MetricSource, TargetType
    >>> from binwright_optimizer.planning.hpa import ObservedValue, PodState
    >>> queue = Metric(MetricSource.EXTERNAL, "queue", TargetType.AVERAGE_VALUE, 30_000)
    >>> controller = Controller(HorizontalPodAutoscaler("worker", "worker", 1, 10, (queue,)))
    >>> controller.reconcile(0.0, 1, [ObservedValue((60_000,), (PodState("worker-0"),))]).replicas
    2
    """

    def __init__(
        self, autoscaler: HorizontalPodAutoscaler, params: ControllerParams = ControllerParams()
    ) -> None:
        self.autoscaler = autoscaler
        self.params = params
        self._tolerance = _tolerance(autoscaler.behavior, params.tolerance)
        self._recommendations: deque[tuple[float, int]] = deque()
        self._added: deque[tuple[float, int]] = deque()
        self._removed: deque[tuple[float, int]] = deque()
        self._scaled_to_zero = False

    def reconcile(self, now_s: float, replicas: int, observed: Sequence[Observation | None]) -> Outcome:
        """The replicas to have next, and why.

        Parameters
        ----------
        now_s
            Time of the decision; never before that of the last one.
        observed
            What is known of each metric, in the order of the spec; None if it cannot be read.

        Raises
        ------
        ScalingError
            If the metrics do not allow a decision; the workload keeps its replicas.
        """
        spec = self.autoscaler
        if not self._recommendations:
            self._recommendations.append((now_s, replicas))
        if replicas == 0 and not self._scaled_to_zero:
            return Outcome(0, None, None, Reason.DISABLED)
        if replicas > spec.max_replicas:
            outcome = Outcome(spec.max_replicas, None, None, Reason.TOO_MANY)
        elif replicas < spec.min_replicas:
            outcome = Outcome(spec.min_replicas, None, None, Reason.TOO_FEW)
        else:
            proposed = self._propose(now_s, replicas, observed)
            if spec.behavior is None:
                outcome = self._without_behavior(now_s, replicas, proposed)
            else:
                outcome = self._with_behavior(spec.behavior, now_s, replicas, proposed)
        if outcome.replicas != replicas:
            self._remember(now_s, outcome.replicas - replicas)
            # a workload that somebody else stopped stays stopped (KEP-2021)
            self._scaled_to_zero = outcome.replicas == 0
        return outcome

    def _propose(self, now_s: float, replicas: int, observed: Sequence[Observation | None]) -> int:
        """The largest proposal; a metric that fails forbids to scale down."""
        largest = 0
        failures: list[str] = []
        for metric, seen in zip(self.autoscaler.metrics, observed, strict=True):
            try:
                if seen is None:
                    raise MetricError(f"metric {metric.name} cannot be read")
                proposed = propose(metric, seen, replicas, now_s, self._tolerance, self.params.readiness)
            except MetricError as error:
                failures.append(str(error))
                continue
            largest = max(largest, proposed)
        if len(failures) == len(self.autoscaler.metrics) or (failures and largest < replicas):
            total = len(self.autoscaler.metrics)
            raise ScalingError(
                f"{self.autoscaler.name}: {len(failures)} of {total} metrics fail, the first because "
                f"{failures[0]}"
            )
        return largest

    def _without_behavior(self, now_s: float, replicas: int, proposed: int) -> Outcome:
        spec = self.autoscaler
        cutoff = now_s - self.params.downscale_stabilization_s
        stabilized = max([proposed, *(count for when, count in self._recommendations if when >= cutoff)])
        self._record(now_s, proposed, cutoff)
        ceiling = max(_SCALE_UP_FACTOR * replicas, _SCALE_UP_LEAST)
        most, reason = (
            (ceiling, Reason.SCALE_UP_LIMIT)
            if spec.max_replicas > ceiling
            else (spec.max_replicas, Reason.TOO_MANY)
        )
        if stabilized < spec.min_replicas:
            return Outcome(spec.min_replicas, proposed, stabilized, Reason.TOO_FEW)
        if stabilized > most:
            return Outcome(most, proposed, stabilized, reason)
        return Outcome(stabilized, proposed, stabilized, Reason.WITHIN_RANGE)

    def _with_behavior(self, behavior: Behavior, now_s: float, replicas: int, proposed: int) -> Outcome:
        stabilized = self._stabilize(behavior, now_s, replicas, proposed)
        spec = self.autoscaler
        if stabilized > replicas:
            limit = max(self._most(behavior.scale_up, now_s, replicas), replicas)
            most, reason = (
                (limit, Reason.SCALE_UP_LIMIT)
                if spec.max_replicas > limit
                else (spec.max_replicas, Reason.TOO_MANY)
            )
            if stabilized > most:
                return Outcome(most, proposed, stabilized, reason)
        elif stabilized < replicas:
            limit = min(self._least(behavior.scale_down, now_s, replicas), replicas)
            least, reason = (
                (limit, Reason.SCALE_DOWN_LIMIT)
                if spec.min_replicas < limit
                else (spec.min_replicas, Reason.TOO_FEW)
            )
            if stabilized < least:
                return Outcome(least, proposed, stabilized, reason)
        return Outcome(stabilized, proposed, stabilized, Reason.WITHIN_RANGE)

    def _stabilize(self, behavior: Behavior, now_s: float, replicas: int, proposed: int) -> int:
        """As close to the present as the recommendations of both windows allow."""
        up_cutoff = now_s - behavior.scale_up.stabilization_window_s
        down_cutoff = now_s - behavior.scale_down.stabilization_window_s
        lowest = highest = proposed
        for when, count in self._recommendations:
            if when > up_cutoff:
                lowest = min(lowest, count)
            if when > down_cutoff:
                highest = max(highest, count)
        self._record(now_s, proposed, min(up_cutoff, down_cutoff))
        return min(max(replicas, lowest), highest)

    def _record(self, now_s: float, proposed: int, cutoff: float) -> None:
        """Remember a proposal and forget those that no window reaches any more."""
        while self._recommendations and self._recommendations[0][0] < cutoff:
            self._recommendations.popleft()
        self._recommendations.append((now_s, proposed))

    def _most(self, rules: ScalingRules, now_s: float, replicas: int) -> int:
        """Replicas that the policies allow to scale up to."""
        if rules.select is SelectPolicy.DISABLED:
            return replicas
        limits = [
            start + policy.value
            if policy.type is PolicyType.PODS
            else math.ceil(start * (1 + policy.value / 100))
            for policy, start in self._starts(rules, now_s, replicas)
        ]
        return min(limits) if rules.select is SelectPolicy.MIN else max(limits)

    def _least(self, rules: ScalingRules, now_s: float, replicas: int) -> int:
        """Replicas that the policies allow to scale down to."""
        if rules.select is SelectPolicy.DISABLED:
            return replicas
        limits = [
            start - policy.value if policy.type is PolicyType.PODS else int(start * (1 - policy.value / 100))
            for policy, start in self._starts(rules, now_s, replicas)
        ]
        return max(limits) if rules.select is SelectPolicy.MIN else min(limits)

    def _starts(
        self, rules: ScalingRules, now_s: float, replicas: int
    ) -> Iterable[tuple[ScalingPolicy, int]]:
        """Each policy with the replicas at the start of its period."""
        for policy in rules.policies:
            cutoff = now_s - policy.period_s
            added = sum(change for when, change in self._added if when > cutoff)
            removed = sum(change for when, change in self._removed if when > cutoff)
            yield policy, replicas - added + removed

    def _remember(self, now_s: float, change: int) -> None:
        """Keep what was done for as long as a policy of either direction looks back.

        The original forgets a direction's events by that direction's longest period alone and
        overwrites one of them, so that a longer period of the other direction may miss some.
        """
        behavior = self.autoscaler.behavior
        if behavior is None:
            return
        policies = (*behavior.scale_up.policies, *behavior.scale_down.policies)
        cutoff = now_s - max(policy.period_s for policy in policies)
        for events in (self._added, self._removed):
            while events and events[0][0] < cutoff:
                events.popleft()
        (self._added if change > 0 else self._removed).append((now_s, abs(change)))


def _tolerance(behavior: Behavior | None, default: float) -> Tolerance:
    down = behavior.scale_down.tolerance if behavior else None
    up = behavior.scale_up.tolerance if behavior else None
    return Tolerance(default if down is None else down, default if up is None else up)
