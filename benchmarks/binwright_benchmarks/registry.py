"""The register of benchmark instances; each is a small file in ``instances/`` that adds itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from binwright_optimizer.model import Problem

from binwright_benchmarks.questions import MissingDataError

DATA_VARIABLE = "BINWRIGHT_SHARED_DATA"
"""Environment variable with the folder of the data sets that cannot be bundled."""


@dataclass(frozen=True, slots=True)
class SharedData:
    """The folder of further data sets; None if there is none."""

    folder: Path | None = None

    def file(self, name: str) -> Path:
        """Path of one file below the folder; raises MissingDataError if it is not there."""
        if self.folder is None:
            raise MissingDataError(f"needs {name}: set {DATA_VARIABLE} or --data")
        path = self.folder / name
        if not path.is_file():
            raise MissingDataError(f"{path} does not exist")
        return path


Build = Callable[[int, SharedData], Problem]
"""Makes the problem for a seed; raises MissingDataError where a file is missing."""


@dataclass(frozen=True, slots=True)
class BenchmarkInstance:
    """One named question of the suite.

    Parameters
    ----------
    is_seeded
        Whether seeds give different problems; others are solved once.
    deadline_s
        Time for the solve unless the user says otherwise.
    """

    name: str
    description: str
    build: Build
    is_seeded: bool = False
    deadline_s: float = 5.0


_REGISTER: dict[str, BenchmarkInstance] = {}


def register(
    name: str, description: str, *, is_seeded: bool = False, deadline_s: float = 5.0
) -> Callable[[Build], Build]:
    """Decorator that adds the instance whose problem the function builds.

    Raises
    ------
    ValueError
        If the name is taken.
    """

    def add(build: Build) -> Build:
        if name in _REGISTER:
            raise ValueError(f"two instances are called {name}")
        _REGISTER[name] = BenchmarkInstance(name, description, build, is_seeded, deadline_s)
        return build

    return add


def instances(glob: str = "*") -> tuple[BenchmarkInstance, ...]:
    """Registered instances whose name matches, by name."""
    package = importlib.import_module("binwright_benchmarks.instances")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(_REGISTER[name] for name in sorted(_REGISTER) if fnmatchcase(name, glob))
