"""What of a live cluster cannot be used is left out and told, so that one bad object does not stop the rest.

What somebody wrote by hand for one question is another matter: there, every mistake is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from binwright.v1 import problem_pb2
from binwright_optimizer.errors import BinwrightError, InvalidProblemError

from binwright_clients.cluster.api import Json
from binwright_clients.errors import InputError
from binwright_clients.sources import Format, Source

_ITEM = re.compile(r"item (\d+)")
_POOL = re.compile(r"(?:problem\.)?node_pools\[(\d+)\]")
_ROUNDS = 20
"""Times that malformed objects are dropped; each round drops every one that is named."""

T = TypeVar("T")


class UnusablePoolsError(BinwrightError):
    """NodePools that no node can be made from, one that asks for types that nobody sells for instance.

    Parameters
    ----------
    pools
        Their names.
    remarks
        What is wrong, one line a NodePool.
    """

    def __init__(self, pools: frozenset[str], remarks: tuple[str, ...]) -> None:
        self.pools = pools
        self.remarks = remarks
        super().__init__("; ".join(remarks))


def about_pools(
    error: InvalidProblemError, pools: Sequence[problem_pb2.NodePool]
) -> UnusablePoolsError | None:
    """The same error told by NodePools; None if it is about anything beside."""
    remarks: dict[str, list[str]] = {}
    for violation in error.violations:
        match = _POOL.match(violation.field)
        if match is None or int(match[1]) >= len(pools):
            return None
        remarks.setdefault(pools[int(match[1])].name, []).append(str(violation))
    return UnusablePoolsError(
        frozenset(remarks),
        tuple(f"NodePool {name} is left out: {'; '.join(told)}" for name, told in remarks.items()),
    )


def read_around(
    name: str, objects: list[Json], read: Callable[[Source], T], on_remark: Callable[[str], None]
) -> T:
    """What ``read`` makes of the objects, without those that cannot be read.

    Parameters
    ----------
    name
        Of the cluster, in messages.
    objects
        Kubernetes objects; those that cannot be read are taken out.
    on_remark
        Called about each mistake.

    Raises
    ------
    InputError
        If anything else is wrong, if no NodePool were left, whose place a NodePool without limits and
        requirements would take, or if there is no end of objects that cannot be read.
    """
    for _ in range(_ROUNDS):
        manifest = {"apiVersion": "v1", "kind": "List", "items": objects}
        try:
            return read(Source(name, Format.JSON, json.dumps(manifest).encode()))
        except InputError as error:
            found = [_ITEM.search(p.place) if p.file == name else None for p in error.problems]
            bad = {int(match[1]) - 1 for match in found if match is not None}
            kept = [item for k, item in enumerate(objects) if k not in bad]
            had_pools, has_pools = (
                any(item.get("kind") == "NodePool" for item in items) for items in (objects, kept)
            )
            if None in found or not bad or (had_pools and not has_pools):
                raise
            for problem in error.problems:
                on_remark(f"left out: {problem}")
            objects[:] = kept
    raise InputError.of(name, "holds too many objects that cannot be read")
