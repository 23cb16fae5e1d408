"""Whether files have changed since they were read."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[tuple[int, ...], ...]


def stamp_of(*paths: Path) -> Stamp:
    """What changes when one of the files does, or goes away; a Secret's mount swaps the inode."""
    found: list[tuple[int, ...]] = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            found.append(())
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)
