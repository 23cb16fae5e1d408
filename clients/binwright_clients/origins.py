"""Where each part of a Problem message was written, so that a server's complaint can name it."""

from __future__ import annotations

import re
from typing import NamedTuple

_LISTS = (
    "workloads|node_pools|existing_nodes|daemon_sets|gangs|namespaces"
    "|node_overlays|reservations|savings_plans"
)
_INDEXED = re.compile(rf"^(?:problem\.)?({_LISTS})\[(\d+)\]\.?(.*)$")


class Origin(NamedTuple):
    """A place in an input file: a table's line, or a document (and item, in a List).

    Parameters
    ----------
    document, item
        One-based numbers; 0 if there is none.
    line
        One-based line of a table; 0 in a manifest.
    subject
        What is there: ``Deployment default/web``, or the name in a table's row.
    """

    file: str
    document: int = 0
    item: int = 0
    line: int = 0
    subject: str = ""

    @property
    def place(self) -> str:
        """Place within the file: ``document 2 (Deployment default/web)`` or ``line 7``."""
        if self.line:
            place = f"line {self.line}"
        else:
            place = f"document {self.document}"
            if self.item:
                place += f", item {self.item}"
        return f"{place} ({self.subject})" if self.subject else place

    def __str__(self) -> str:
        return f"{self.file}, {self.place}"


class Origins:
    """Origin of every part that a message lists, in the order of the message."""

    def __init__(self) -> None:
        self.workloads: list[Origin] = []
        self.node_pools: list[Origin] = []
        self.existing_nodes: list[Origin] = []
        self.daemon_sets: list[Origin] = []
        self.gangs: list[Origin] = []
        self.namespaces: list[Origin] = []
        self.node_overlays: list[Origin] = []
        self.reservations: list[Origin] = []
        self.savings_plans: list[Origin] = []

    def locate(self, field_path: str) -> str:
        """The place that a field path of the message means; the path itself if it is elsewhere.

        Examples
        --------
        >>> origins = Origins()
        >>> origins.workloads.append(Origin("web.yaml", document=2, subject="Pod default/web"))
        >>> origins.locate("workloads[0].template.node_selector")
        'web.yaml, document 2 (Pod default/web): template.node_selector'
        >>> origins.locate("params.gap")
        'params.gap'
        """
        found = self.find(field_path)
        if found is None:
            return field_path
        origin, field = found
        return f"{origin}: {field}" if field else str(origin)

    def find(self, field_path: str) -> tuple[Origin, str] | None:
        """Where the part that a field path is about was written, and the path within; None if elsewhere."""
        match = _INDEXED.match(field_path)
        if match is None:
            return None
        origins: list[Origin] = getattr(self, match[1])
        index = int(match[2])
        return (origins[index], match[3]) if index < len(origins) else None
