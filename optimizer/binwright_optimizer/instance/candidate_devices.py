"""Devices of every candidate, as claims and the packing of shares see them.

Candidates ``c`` are the rows of each of ``shelved`` in turn, then the existing nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.candidates import Shelved
from binwright_optimizer.instance.device_claims import ClaimedDevices, ClaimName, NodeView
from binwright_optimizer.instance.devices import Asked
from binwright_optimizer.instance.node_devices import TOLD_BY_SUMS, NodeDevices, rooms
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.model import Problem


@dataclass(frozen=True)
class CandidateDevices:
    """The devices of one problem's candidates."""

    problem: Problem
    shelf: Shelf
    shelved: Sequence[Shelved]
    claimed: ClaimedDevices

    def rooms(self, resources: tuple[str, ...], asked: Asked) -> NDArray[np.int64]:
        """What device packing has to know of every candidate: int64 array (c, 7)."""
        if not asked.any:
            return np.full((self._width, len(TOLD_BY_SUMS)), TOLD_BY_SUMS, dtype=np.int64)
        bought: list[tuple[NodeDevices, int]] = []
        for part in self.shelved:
            pool = self.problem.node_pools[part.variant.pool]
            types = self.shelf.type_of[part.rows].tolist() if self.claimed.sort_columns else []
            sorts = [self.claimed.sort(self.claimed.view_of_type(t, pool)) for t in types]
            bought += zip(part.devices, sorts or [-1] * len(part.devices), strict=True)
        return rooms(self.problem, bought, resources, asked, self.claimed)

    def meeting_claims(self) -> dict[ClaimName, NDArray[np.bool_]]:
        """Candidates that meet each claim that pods share: bool arrays (c,)."""
        claimed = self.claimed
        if not claimed.shared:
            return {}
        views = self._views
        n_nodes = len(self.problem.existing_nodes)
        bought, running = views[: len(views) - n_nodes], views[len(views) - n_nodes :]
        distinct = {id(view): view for view in bought}
        found = {}
        for name in claimed.shared:
            meets = {number: claimed.meets(name, view) for number, view in distinct.items()}
            on_nodes = [claimed.meets(name, view, n) for n, view in enumerate(running)]
            found[name] = np.array([*(meets[id(view)] for view in bought), *on_nodes], dtype=bool)
        return found

    def view_codes(self) -> NDArray[np.int64]:
        """Numbers by which candidates with different devices are told apart, if any are claimed: (c,)."""
        if self.claimed.is_empty:
            return np.zeros(self._width, dtype=np.int64)
        return np.array([self.claimed.view_code(view) for view in self._views], dtype=np.int64)

    @cached_property
    def _views(self) -> list[NodeView]:
        """Devices of every candidate, as claims see them."""
        found = []
        for part in self.shelved:
            pool = self.problem.node_pools[part.variant.pool]
            types = self.shelf.type_of[part.rows].tolist()
            found += [self.claimed.view_of_type(t, pool) for t in types]
        return found + [self.claimed.view_of_node(n) for n in range(len(self.problem.existing_nodes))]

    @property
    def _width(self) -> int:
        """Number of candidates."""
        return sum(len(part.rows) for part in self.shelved) + len(self.problem.existing_nodes)
