"""What of a live cluster cannot be used is left out and told, so that one bad object does not stop the rest.

What somebody wrote by hand for one question is another matter: there, every mistake is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from binwright.v1 import problem_pb2
from binwright_optimizer.errors import BinwrightError, InvalidProblemError, Violation

from binwright_clients.cluster.api import Json
from binwright_clients.errors import InputError, InputProblem
from binwright_clients.origins import Origins
from binwright_clients.sources import Format, Source

_ITEM = re.compile(r"item (\d+)")
_POOL = re.compile(r"(?:problem\.)?node_pools\[(\d+)\]")
_ROUNDS = 20
"""Times that malformed objects are dropped; each round drops every one that is named."""
_ROOM = ("containers", "initContainers", "overhead", "resources", "nodeName")
"""What of a pod's spec says how much room it takes, and where."""

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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A pod that waits and cannot be understood, and why."""

    namespace: str
    name: str
    uid: str
    why: str


class LiveObjects:
    """Objects of a live cluster, fewer and fewer as some turn out to be of no use.

    A pod that waits is left out, by name. Of a pod that runs the room counts and its rules do not; where not
    even that can be told, nothing is placed on its node.

    Parameters
    ----------
    name
        Of the cluster, in messages.
    objects
        Kubernetes objects.
    on_remark
        Called about each mistake.

    Attributes
    ----------
    left_out
        Pods that wait and are not part of any question.
    """

    def __init__(self, name: str, objects: Iterable[Json], on_remark: Callable[[str], None]) -> None:
        self.name = name
        self.objects = list(objects)
        self.left_out: list[LeftOut] = []
        self._on_remark = on_remark
        self._problems: list[InputProblem] = []
        self._bare: set[tuple[str, str]] = set()

    def read(self, read: Callable[[Source], T]) -> T:
        """What ``read`` makes of the objects, without those that cannot be read.

        Raises
        ------
        InputError
            If anything else is wrong, if no NodePool were left, whose place a NodePool without limits and
            requirements would take, or if there is no end of objects that cannot be read.
        """
        for _ in range(_ROUNDS):
            manifest = {"apiVersion": "v1", "kind": "List", "items": self.objects}
            try:
                return read(Source(self.name, Format.JSON, json.dumps(manifest).encode()))
            except InputError as error:
                if not self._without(error.problems):
                    # What was left out before may be why nothing is left.
                    raise InputError((*self._problems, *error.problems)) from error
        raise InputError.of(self.name, "holds too many objects that cannot be read")

    def without(self, error: InvalidProblemError, origins: Origins) -> InvalidProblemError | None:
        """Leave out the objects that a refusal is about.

        Parameters
        ----------
        origins
            Where the parts of the question come from that was refused.

        Returns
        -------
        What the refusal says of anything else, NodePools among it; None if it says nothing of it.
        """
        problems: list[InputProblem] = []
        rest: list[Violation] = []
        for violation in error.violations:
            found = origins.find(violation.field)
            if found is None or found[0].file != self.name or _POOL.match(violation.field):
                rest.append(violation)
                continue
            origin, field = found
            problems.append(
                InputProblem(origin.file, origin.place, field, violation.value, violation.description)
            )
        if problems:  # how many more there are is no mistake: they are named once these are gone
            rest = [violation for violation in rest if violation.field]
        if problems and not self._without(problems):
            return error
        return InvalidProblemError(rest) if rest else None

    def _without(self, problems: Sequence[InputProblem]) -> bool:
        """Leave out the objects that have these problems; False, and nothing done, if that cannot be."""
        reasons: dict[int, list[str]] = {}
        for problem in problems:
            match = _ITEM.search(problem.place) if problem.file == self.name else None
            if match is None:
                return False
            reasons.setdefault(int(match[1]) - 1, []).append(_without_place(problem))
        kept = [item for k, item in enumerate(self.objects) if k not in reasons]
        had_pools, has_pools = (
            any(item.get("kind") == "NodePool" for item in items) for items in (self.objects, kept)
        )
        if not reasons or (had_pools and not has_pools):
            return False
        consequences = {k: self._consequence(self.objects[k], kept, reasons[k]) for k in sorted(reasons)}
        for problem in problems:
            match = _ITEM.search(problem.place)
            assert match is not None
            self._on_remark(f"left out: {problem}{consequences[int(match[1]) - 1]}")
        self._problems += problems
        self.objects = kept
        return True

    def _consequence(self, item: Json, kept: list[Json], reasons: list[str]) -> str:
        """What becomes of an object that is left out, for people; ``kept`` and the pods left out change."""
        metadata, spec = item.get("metadata") or {}, item.get("spec") or {}
        if item.get("kind") != "Pod" or not isinstance(metadata, dict) or not isinstance(spec, dict):
            return ""
        namespace, name = str(metadata.get("namespace") or "default"), str(metadata.get("name"))
        node = spec.get("nodeName")
        if not node:
            uid = str(metadata.get("uid") or "")
            self.left_out.append(LeftOut(namespace, name, uid, "; ".join(reasons)))
            return ""
        if (namespace, name) not in self._bare:
            self._bare.add((namespace, name))
            kept.append(_bare(item, metadata, spec))
            return "; the room that it takes counts, its rules do not"
        for k, other in enumerate(kept):
            if other.get("kind") == "Node" and (other.get("metadata") or {}).get("name") == node:
                kept[k] = _full(other)
        return f"; nothing is placed on its node {node}"


def _without_place(problem: InputProblem) -> str:
    """What is wrong with an object, where the object is named beside it."""
    return str(Violation(problem.field, problem.value, problem.description))


def _bare(pod: Json, metadata: Json, spec: Json) -> Json:
    """A running pod as one without rules that takes the same room."""
    known = {key: metadata[key] for key in ("name", "namespace", "uid", "labels") if key in metadata}
    room = {key: spec[key] for key in _ROOM if key in spec}
    for field in ("containers", "initContainers"):
        if isinstance(room.get(field), list):
            room[field] = [
                {key: each[key] for key in ("name", "resources", "restartPolicy") if key in each}
                for each in room[field]
                if isinstance(each, dict)
            ]
    return {"apiVersion": pod.get("apiVersion"), "kind": "Pod", "metadata": known, "spec": room}


def _full(node: Json) -> Json:
    """A node that takes no more pods."""
    status = node.get("status") or {}
    return {**node, "status": {**status, "allocatable": {**(status.get("allocatable") or {}), "pods": "0"}}}
