"""Snapshots on disk: one file, or a folder with files small enough to be read back."""

from __future__ import annotations

import json
import re
from pathlib import Path

from binwright_clients.cluster.api import Json
from binwright_clients.errors import InputError
from binwright_clients.snapshot.take import Snapshot
from binwright_clients.sources import MAX_BYTES, Format, read_source

OBJECTS_PER_FILE = 5_000
"""Of a folder: some 10 MB of pods, where readers take `MAX_BYTES`."""

_HEAD = re.compile(
    rb'\{"apiVersion": "v1", "kind": "List", "metadata": \{"resourceVersion": "[^"]+"\}, "items": \[\n'
)
_HEAD_BYTES = 4_096


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write all objects to ``path``: a JSON file, or a folder if it is one.

    Raises
    ------
    InputError
        If it cannot be written, or the file would be too large to be read back.
    """
    try:
        if not path.is_dir():
            data = snapshot_bytes(snapshot)
            if len(data) > MAX_BYTES:
                raise InputError.of(
                    str(path),
                    f"would be larger than {MAX_BYTES >> 20} MiB, which is not read back; name a folder",
                )
            path.write_bytes(data)
            return
        for old in path.glob("*.json"):
            if _is_ours(old):
                old.unlink()
        by_kind: dict[str, list[Json]] = {}
        for item in snapshot.objects:
            by_kind.setdefault(str(item["kind"]), []).append(item)
        for kind, items in by_kind.items():
            for first in range(0, len(items), OBJECTS_PER_FILE):
                part = {"apiVersion": "v1", "kind": "List", "items": items[first : first + OBJECTS_PER_FILE]}
                name = f"snapshot-{kind.lower()}-{first // OBJECTS_PER_FILE:04d}.json"
                (path / name).write_bytes(_bytes(part))
    except OSError as error:
        raise InputError.of(str(path), f"cannot be written: {error.strerror}") from error


def objects_of_snapshot(path: str) -> list[Json] | None:
    """Objects of a file that `write_snapshot` wrote; None for any other path, whatever is wrong with it."""
    file = Path(path)
    try:
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            if _HEAD.match(stream.read(_HEAD_BYTES)) is None:
                return None
        source = read_source(path)
        if source.format is not Format.JSON:
            return None
        items = json.loads(source.data)["items"]
    except (OSError, InputError, ValueError, KeyError, TypeError):
        return None  # readers of files say what is wrong with it
    return items if isinstance(items, list) and all(isinstance(item, dict) for item in items) else None


def source_name(snapshot: Snapshot) -> str:
    """What messages call a snapshot that was never on disk."""
    return f"cluster {snapshot.cluster}"


def snapshot_bytes(snapshot: Snapshot) -> bytes:
    """One JSON ``List``, an object a line."""
    return _bytes(snapshot.manifest())


def _bytes(manifest: Json) -> bytes:
    head = {key: value for key, value in manifest.items() if key != "items"}
    items = ",\n".join(json.dumps(item, ensure_ascii=False) for item in manifest["items"])
    return f'{json.dumps(head)[:-1]}, "items": [\n{items}\n]}}\n'.encode()


def _is_ours(file: Path) -> bool:
    """Whether an earlier snapshot wrote it; an object that is gone must not stay in its folder."""
    return file.name.startswith("snapshot-")
