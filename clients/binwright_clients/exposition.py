"""Metrics in the format that whoever scrapes them asks for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

METRICS = "/metrics"
"""Where Prometheus looks unless it is told otherwise."""


def exposed(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The metrics as they are now, and their content type.

    Parameters
    ----------
    accept
        The header of the request: OpenMetrics for those that know it, else Prometheus' own text.
    """
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
