"""All nodes rated for kinds of pods, with versions, so that a caller hears only what changed.

Most questions of a scheduler are about a kind of pods that it asked about a moment ago, on a cluster of
which a node or two have changed since. Positions refer to the nodes in the order of their names, which the
caller keeps as well.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

import numpy as np
from binwright.v1 import scheduling_service_pb2

from binwright_server.scheduling.score import PodScores
from binwright_server.scheduling.table import UNKNOWN, NodeTable, Rows
from binwright_server.scheduling.view import PASSED, PodView

_VERSION = struct.Struct("<8sQQQ")


@dataclass(frozen=True, slots=True)
class NamedRows:
    """The nodes of a table by name, with a version that no other list of names has."""

    version: bytes
    names: tuple[str, ...]
    rows: Rows


class Rater:
    """Ratings and their versions; versions of one rater mean nothing to another."""

    def __init__(self) -> None:
        self._token = secrets.token_bytes(8)
        self._table: NodeTable | None = None
        self._tables = 0
        self._members = UNKNOWN
        self._named = NamedRows(b"", (), np.zeros(0, dtype=np.intp))

    def named(self, table: NodeTable) -> NamedRows:
        """The nodes of a table, read anew only after some came or went."""
        if table is not self._table:
            self._table = table
            self._tables += 1
            self._members = UNKNOWN
        if table.members != self._members:
            self._members = table.members
            rows = table.rows()
            names = tuple(table.names[row] for row in rows)
            self._named = NamedRows(self._version(self._members, 0), names, rows)
        return self._named

    def rate(
        self,
        named: NamedRows,
        view: PodView,
        scores: PodScores,
        held: bytes,
        own_row: int,
        into: scheduling_service_pb2.NodeRatings,
    ) -> None:
        """Write the ratings for one pod.

        Parameters
        ----------
        named
            The nodes of the view's table.
        held
            Version of the ratings that the caller has; empty if none.
        own_row
            Row where the pod is counted already, or `UNKNOWN`.
        """
        if own_row == UNKNOWN:
            into.version = self._version(view.table.clock, scores.plan.number)
            if into.version == held:
                into.is_unchanged = True
                return
        verdicts = view.verdicts(named.rows, own_row)
        for reason, positions in view.reasons(named.rows, verdicts):
            into.refused.add(
                constraint=reason.constraint,
                message=reason.message,
                is_unresolvable=reason.is_unresolvable,
                positions=positions.tolist(),
            )
        found = scores.scores(named.rows).astype(np.uint8)
        found[verdicts != PASSED] = 0
        into.scores = found.tobytes()
        into.plan = scores.plan.number

    def _version(self, first: int, second: int) -> bytes:
        return _VERSION.pack(self._token, self._tables, first, second)
