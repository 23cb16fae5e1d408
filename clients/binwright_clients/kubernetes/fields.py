"""Fields of objects that may have any shape: what is not there, or of another shape, is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def at(value: object, *path: str) -> Any:
    """The field at ``path``; None without one.

    >>> at({"spec": {"nodeName": "n1"}}, "spec", "nodeName"), at({"spec": []}, "spec", "nodeName")
    ('n1', None)
    """
    for step in path:
        value = mapping(value).get(step)
    return value


def mapping(value: object) -> dict[str, Any]:
    """The value if it is a mapping; an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> Iterator[dict[str, Any]]:
    """The mappings in a list; none if it is no list."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())
