"""Namespaces, whose labels pod affinity may select by."""

from __future__ import annotations

from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.objects import ManifestObject


def add_namespace(namespace: ManifestObject) -> None:
    """Add a Namespace to the assembly of its object; mistakes are reported there."""
    message = namespace.assembly.add_namespace(namespace.origin)
    message.name = namespace.name
    labels = read_labels(namespace.metadata.get("labels"), "metadata.labels", namespace.problem)
    for key, value in labels.items():
        message.labels[key] = value
