"""What Prometheus is told of the controller, read from its tally at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from binwright_clients.controller.cycle import Outcome
from binwright_clients.controller.tally import RoundOutcome, Tally

_PREFIX = "binwright_controller"


class ControllerMetrics(Collector):
    """A controller's metrics.

    Parameters
    ----------
    pending
        Number of pods that wait, as far as the watch has told.
    is_leading
        Whether it holds the Lease.
    """

    def __init__(self, tally: Tally, pending: Callable[[], int], is_leading: Callable[[], bool]) -> None:
        self._tally = tally
        self._pending = pending
        self._is_leading = is_leading

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now; what has not happened yet is told as 0."""
        rounds = CounterMetricFamily(
            f"{_PREFIX}_rounds",
            "Looks at the cluster by outcome: decided, nothing_new (NodeClaims are on their way), put_off, "
            "failed.",
            labels=("outcome",),
        )
        for outcome in RoundOutcome:
            rounds.add_metric((outcome,), self._tally.rounds[outcome])
        yield rounds
        claims = CounterMetricFamily(
            f"{_PREFIX}_node_claims",
            "NodeClaims by outcome: created, existed, refused by the API server, planned (dry run: not "
            "created).",
            labels=("outcome",),
        )
        for result in Outcome:
            claims.add_metric((result,), self._tally.claims[result])
        yield claims
        yield GaugeMetricFamily(
            f"{_PREFIX}_pending_pods", "Pods that wait for a node, as the watch tells.", self._pending()
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}_leading",
            "1 while it holds the Lease and may create NodeClaims; 0 in a dry run, which is in no election.",
            float(self._is_leading()),
        )
        yield from self._of_the_decision()

    def _of_the_decision(self) -> Iterator[Metric]:
        """The last decision's figures; there are none before the first."""
        decision = self._tally.decision
        if decision is None:
            return
        for name, told, value in (
            ("hourly_cost_usd", "Prices of the nodes", decision.cost_microusd / 1e6),
            ("lower_bound_usd", "Proven lower bound of the cost an hour", decision.bound_microusd / 1e6),
            ("gap_ratio", "(total - bound) / total, with interruptions and penalties", decision.gap),
            ("timestamp_seconds", "When it was made", self._tally.decided_s),
        ):
            yield GaugeMetricFamily(
                f"{_PREFIX}_decision_{name}", f"{told}, of the last decision; absent before the first.", value
            )


def registry_of(
    tally: Tally, pending: Callable[[], int], is_leading: Callable[[], bool]
) -> CollectorRegistry:
    """A registry with a controller's metrics."""
    registry = CollectorRegistry()
    registry.register(ControllerMetrics(tally, pending, is_leading))
    return registry
