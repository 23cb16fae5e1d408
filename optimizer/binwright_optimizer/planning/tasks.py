"""Tasks: pieces of a plan that any process can do, each a function of its content alone.

A task's key is the digest of all that its result depends on, the versions of the engine and its libraries
included, so that a result found under the key is the task's, wherever and whenever it was made.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, Protocol

from binwright_optimizer.instance import Instance
from binwright_optimizer.model.mixes import PackedMix
from binwright_optimizer.planning.counted import Steps
from binwright_optimizer.planning.digest import digest
from binwright_optimizer.planning.family import Family, Wanted
from binwright_optimizer.planning.lessons import Lesson, instance_of, learn
from binwright_optimizer.planning.pack import pack_all
from binwright_optimizer.planning.records import (
    lesson_from_record,
    lesson_to_record,
    mixes_from_record,
    mixes_to_record,
)

REVISION = 3
"""Raised whenever a change of the code changes results of the same version."""


@functools.cache
def versions() -> tuple[str, ...]:
    """What results depend on beside their task."""
    names = ("binwright", "numpy", "numba", "highspy")
    return (f"revision {REVISION}", *(f"{name} {version(name)}" for name in names))


class Task(Protocol):
    """A piece of work; picklable.

    ``problems`` counts what is solved by it, for progress.
    """

    @property
    def key(self) -> str:
        """Digest of all that the result depends on."""
        ...

    @property
    def problems(self) -> int:
        """Demands that it answers."""
        ...

    def run(self) -> dict[str, Any]:
        """The result as plain values, such as JSON holds."""
        ...


@dataclass(frozen=True)
class LearnTask:
    """Learn from one demand of a family."""

    family: Family
    wanted: Wanted
    steps: Steps
    seed: int

    problems = 0

    @cached_property
    def key(self) -> str:
        """Digest of all that the result depends on."""
        return digest(("learn", versions(), self.family.key, self.wanted, self.steps, self.seed))

    def run(self) -> dict[str, Any]:
        """The lesson as plain values."""
        return lesson_to_record(learn(_instance(self.family), self.wanted, self.steps, self.seed))

    @staticmethod
    def read(record: Mapping[str, Any]) -> Lesson:
        """The lesson of a result."""
        return lesson_from_record(record)


@dataclass(frozen=True)
class PackTask:
    """Pack some demands of a family, in this order; ``steps`` is None for quick ones."""

    family: Family
    lessons: tuple[Lesson, ...]
    demands: tuple[Wanted, ...]
    steps: Steps | None
    seed: int

    @property
    def problems(self) -> int:
        """Demands that it answers."""
        return len(self.demands)

    @cached_property
    def key(self) -> str:
        """Digest of all that the result depends on."""
        content = (self.lessons, self.demands, self.steps, self.seed)
        return digest(("pack", versions(), self.family.key, content))

    def run(self) -> dict[str, Any]:
        """The mixes as plain values."""
        return mixes_to_record(
            pack_all(self.family, self.lessons, self.demands, self.steps, self.seed, _instance(self.family))
        )

    @staticmethod
    def read(record: Mapping[str, Any]) -> list[PackedMix]:
        """The mixes of a result."""
        return mixes_from_record(record)


_INSTANCES: dict[str, Instance] = {}
_MOST_INSTANCES = 8
"""Families whose arrays a process keeps: tasks of one family come one after another."""


def _instance(family: Family) -> Instance:
    """The family's instance, built once while tasks of it keep coming."""
    found = _INSTANCES.pop(family.key, None)
    if found is None:
        found = instance_of(family)
        while len(_INSTANCES) >= _MOST_INSTANCES:
            _INSTANCES.pop(next(iter(_INSTANCES)))
    _INSTANCES[family.key] = found
    return found
