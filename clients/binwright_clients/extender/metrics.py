"""What Prometheus is told of the webhook: its calls, and how current its picture of the cluster is.

A call costs two increments under locks that nobody else holds; everything else is read when it is scraped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from binwright_clients.cluster.errors import UnreachableError
from binwright_clients.rpc_errors import DeadlineExceededError, ServerUnavailableError

VERBS = ("filter", "prioritize", "preempt", "bind")

_LATENCY_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
"""The aim is 20 ms, and kube-scheduler waits for 5 s."""


class Outcome(StrEnum):
    """What came of a call."""

    OK = "ok"
    REFUSED = "refused"
    """The question is wrong, or its caller showed no certificate."""
    UNREACHABLE = "unreachable"
    """The server did not answer in time; for the verb bind, the API server."""
    FAILED = "failed"
    """Answered by no answer: the server holds no cluster, or a binding was refused, for instance."""


def outcome_of(error: Exception) -> Outcome:
    """The outcome of a question that is right and got no answer.

    >>> str(outcome_of(UnreachableError("no route"))), str(outcome_of(ValueError()))
    ('unreachable', 'failed')
    """
    is_away = isinstance(error, (ServerUnavailableError, DeadlineExceededError, UnreachableError))
    return Outcome.UNREACHABLE if is_away else Outcome.FAILED


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of the cluster that an extender keeps, read at each scrape.

    Parameters
    ----------
    is_listed
        Whether every kind has been listed.
    nodes
        Number of nodes known.
    age_s
        How long ago the server last had it as current as we could tell; NaN before it was ever told.
    """

    is_listed: Callable[[], bool]
    nodes: Callable[[], int]
    age_s: Callable[[], float]


class ExtenderMetrics:
    """The extender's Prometheus metrics, in a registry of their own.

    Parameters
    ----------
    picture
        None where no cluster is watched: its metrics are absent then.
    """

    def __init__(self, picture: Picture | None = None) -> None:
        self.registry = CollectorRegistry()
        requests = Counter(
            "binwright_extender_requests",
            "Calls by verb and outcome: ok, refused (the question is wrong, or the caller unknown), "
            "unreachable (no answer from the server, or for bind from the API server), failed.",
            ("verb", "outcome"),
            registry=self.registry,
        )
        seconds = Histogram(
            "binwright_extender_request_seconds",
            "Seconds from the head of a call to its answer, without those refused for want of a certificate.",
            ("verb",),
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        # Looked up once and not with each call; and what has not happened yet is told as 0.
        self._requests = {
            (verb, outcome): requests.labels(verb, outcome) for verb in VERBS for outcome in Outcome
        }
        self._seconds = {verb: seconds.labels(verb) for verb in VERBS}
        if picture is not None:
            self._add(picture)

    def answered(self, verb: str, outcome: Outcome, seconds: float) -> None:
        """A call of a verb has come to its end."""
        self._requests[verb, outcome].inc()
        self._seconds[verb].observe(seconds)

    def turned_away(self, path: str) -> None:
        """A caller without a certificate asked for a path, which need not be a verb's."""
        refused = self._requests.get((path.removeprefix("/"), Outcome.REFUSED))
        if refused is not None:
            refused.inc()

    def _add(self, picture: Picture) -> None:
        listed = Gauge(
            "binwright_extender_cluster_listed",
            "1 once nodes, pods and namespaces have been listed.",
            registry=self.registry,
        )
        listed.set_function(lambda: float(picture.is_listed()))
        nodes = Gauge("binwright_extender_nodes", "Nodes known.", registry=self.registry)
        nodes.set_function(picture.nodes)
        age = Gauge(
            "binwright_extender_cluster_age_seconds",
            "Seconds since the server last had the cluster as it is: they grow while the cluster is not "
            "followed or the server is not told; NaN before it was ever told.",
            registry=self.registry,
        )
        age.set_function(picture.age_s)
