"""Names of the server's nodes, and where they stand."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from itertools import repeat


class NodeNames:
    """Names at the positions that the server's ratings refer to.

    Attributes
    ----------
    spelled
        Names as JSON.
    position_of
        Positions by name; -1, which is the last of any sequence, for names that are not there.
    """

    def __init__(self, version: bytes, names: Sequence[str]) -> None:
        self.version = version
        self.names = tuple(names)
        self.spelled = tuple(map(json.dumps, names))
        self.position_of = _Positions(zip(names, range(len(names)), strict=True))
        self._position_of_text = {text[1:-1].encode(): k for k, text in enumerate(self.spelled)}

    def plain_positions(self, text: bytes) -> tuple[int, ...] | None:
        """Positions of the names in a JSON list without spaces, all of which are there; else None.

        Names in it that JSON could spell otherwise are not found here.

        >>> nodes = NodeNames(b"", ("a", "b"))
        >>> nodes.plain_positions(b'["b","a"]'), nodes.plain_positions(b'["b", "a"]')
        ((1, 0), None)
        """
        if text[:2] != b'["' or text[-2:] != b'"]':
            return None
        # A text between two of these marks that is one of our names is that name, and nothing else.
        found = tuple(map(self._position_of_text.get, text[2:-2].split(b'","'), repeat(-1)))
        return None if -1 in found else found

    def chosen(self, positions: Sequence[int]) -> bytes | None:
        """A byte for each node, 1 for those at the positions; None if one is there twice, or is -1."""
        mask = bytearray(len(self.names) + 1)
        deque(map(mask.__setitem__, positions, repeat(1)), maxlen=0)
        if mask[-1] or mask.count(1) < len(positions):
            return None
        return bytes(mask[:-1])


class _Positions(dict[str, int]):
    def __missing__(self, name: str) -> int:
        return -1
