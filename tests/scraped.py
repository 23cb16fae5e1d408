"""Metrics as Prometheus reads them: over HTTP, by the library's parser."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def scrape(port: int, accept: str = "") -> tuple[str, str]:
    """Content type and text of ``/metrics``."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.headers["Content-Type"], reply.read().decode()


def value(text: str, name: str, **labels: str) -> float | None:
    """The one sample of a name with exactly these labels; None if there is none."""
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) <= 1, f"{name} is told {len(found)} times"
    return found[0] if found else None


def counts(text: str, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """What has been counted, by the values of these labels; without what has not happened."""
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.value
    }


def kinds(text: str) -> dict[str, str]:
    """Types of the metrics by name, each with a line of documentation; without when they began."""
    families = [f for f in text_string_to_metric_families(text) if not f.name.endswith("_created")]
    assert all(family.documentation for family in families)
    return {family.name: family.type for family in families}
