"""What operators see of the server: logs and metrics."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("console", "json")

_LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
_GAP_BUCKETS = (0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1)


def configure_logging(log_format: str, level: str) -> None:
    """Send the process's logs to standard error, one line per event.

    Parameters
    ----------
    log_format
        ``json`` or ``console``.
    level
        The least level to show, one of `LOG_LEVELS`. Other libraries show warnings and worse.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [
            # Without the values of all variables, which may be a whole problem.
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("binwright_server").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class Metrics:
    """The server's Prometheus metrics, in registries of their own.

    Parameters
    ----------
    running, waiting
        Solves in flight and solves in the queue, read at each scrape.

    Attributes
    ----------
    calls
        Registry of what happens to calls, in the process that callers reach.
    solves
        Registry of what happens to solves, in the process that solves.
    """

    def __init__(self, running: Callable[[], int], waiting: Callable[[], int]) -> None:
        self.calls = CollectorRegistry()
        self.solves = CollectorRegistry()
        self.requests = Counter(
            "binwright_requests",
            "Calls by method and status code.",
            ("method", "code"),
            registry=self.calls,
        )
        self.latency_s = Histogram(
            "binwright_request_seconds",
            "Seconds from the arrival of a call to its end.",
            ("method",),
            buckets=_LATENCY_BUCKETS_S,
            registry=self.calls,
        )
        self.gap = Histogram(
            "binwright_solve_gap",
            "Gap of each decision: (cost - bound) / cost.",
            buckets=_GAP_BUCKETS,
            registry=self.solves,
        )
        self.pods = Counter(
            "binwright_pods", "Pods decided on, by outcome.", ("outcome",), registry=self.solves
        )
        in_flight = Gauge("binwright_solves_in_flight", "Solves that run now.", registry=self.solves)
        in_flight.set_function(running)
        queued = Gauge("binwright_queue_length", "Solves that wait for a worker.", registry=self.solves)
        queued.set_function(waiting)
