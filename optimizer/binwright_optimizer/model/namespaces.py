"""Namespaces, which pod affinity terms may select by label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

NAME_LABEL = "kubernetes.io/metadata.name"
"""Label that the API server puts on every namespace: its name."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace with its labels, as sorted pairs."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


def labels_by_namespace(known: Iterable[Namespace], names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Labels of the known namespaces and of those in ``names``, each with its `NAME_LABEL`.

    Examples
    --------
    >>> labels_by_namespace([Namespace("shop", (("team", "a"),))], ["default"])["shop"]["team"]
    'a'
    """
    labels = {name: {NAME_LABEL: name} for name in names}
    for namespace in known:
        labels[namespace.name] = {**dict(namespace.labels), NAME_LABEL: namespace.name}
    return labels
