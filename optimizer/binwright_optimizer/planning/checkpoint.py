"""A folder with the results of tasks that have ended, so that a plan can be resumed after a kill.

Each result is a file named by the key of its task, which is the digest of all that the result depends on:
whatever is found there is right for the task or, by its own checksum, recognised as damaged and done again.
Files appear whole or not at all, because they are written beside and then renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from binwright_optimizer.errors import PlanningError

SUFFIX = ".task.json"


class Checkpoint:
    """A folder of results; it is made if there is none.

    Raises
    ------
    PlanningError
        If the folder cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise PlanningError(f"checkpoint {folder}: {error.strerror}") from error

    def load(self, key: str) -> dict[str, Any] | None:
        """The result of a task; None if there is none, or only a damaged one."""
        try:
            first, _, content = self._path(key).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PlanningError(f"checkpoint {self._path(key)}: {error.strerror}") from error
        if first.decode("ascii", "replace") != _checksum(key, content):
            return None
        result: dict[str, Any] = json.loads(content)
        return result

    def save(self, key: str, result: dict[str, Any]) -> None:
        """Keep the result of a task.

        Raises
        ------
        PlanningError
            If it cannot be written: a plan that cannot be resumed should not seem so.
        """
        content = json.dumps(result, separators=(",", ":")).encode()
        path = self._path(key)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as file:
                file.write(_checksum(key, content).encode() + b"\n" + content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise PlanningError(f"checkpoint {path}: {error.strerror}") from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{SUFFIX}"


def _checksum(key: str, content: bytes) -> str:
    return hashlib.sha256(key.encode() + b"\n" + content).hexdigest()
