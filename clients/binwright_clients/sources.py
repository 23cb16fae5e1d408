"""Input files as bytes: which files a path means, size limits, compression, formats."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import NoReturn

from binwright_clients.errors import InputError

MAX_BYTES = 64 * 2**20
"""Largest input file, before and after decompression: 64 MiB, about a million table rows."""

STDIN = "-"


class Format(Enum):
    """How a file is to be read."""

    YAML = auto()
    JSON = auto()
    CSV = auto()
    PARQUET = auto()


@dataclass(frozen=True, slots=True)
class Source:
    """One input file.

    Parameters
    ----------
    name
        Path as it is shown to the user.
    format
        How to read it.
    data
        Its bytes, decompressed; empty for Parquet, which is read from disk.
    """

    name: str
    format: Format
    data: bytes


_SUFFIXES = {
    ".yaml": Format.YAML,
    ".yml": Format.YAML,
    ".json": Format.JSON,
    ".csv": Format.CSV,
    ".csv.gz": Format.CSV,
    ".parquet": Format.PARQUET,
}


def _format_of(name: str) -> Format | None:
    lower = name.lower()
    return next((kind for suffix, kind in _SUFFIXES.items() if lower.endswith(suffix)), None)


def expand(path: str) -> Iterator[str]:
    """Files that ``path`` means: itself, or every readable kind of file in a folder, by name.

    Raises
    ------
    InputError
        If it does not exist, or is a folder without any such file.
    """
    if path == STDIN:
        yield path
        return
    try:
        is_folder = stat.S_ISDIR(Path(path).stat().st_mode)
    except (OSError, ValueError) as error:
        raise InputError.of(path, _reason(error)) from None
    if not is_folder:
        yield path
        return
    found = False
    for folder, folders, files in os.walk(path, onerror=_refuse_folder):
        folders.sort()
        for file in sorted(files):
            if _format_of(file) is not None:
                found = True
                yield str(Path(folder) / file)
    if not found:
        raise InputError.of(path, f"the folder holds no {', '.join(_SUFFIXES)} file")


def _refuse_folder(error: OSError) -> NoReturn:
    raise InputError.of(str(error.filename), _reason(error)) from None


def read_source(path: str) -> Source:
    """The bytes and format of one file, or of standard input for ``-``.

    The format comes from the name; standard input, pipes and other names are recognised by
    how they begin.

    Raises
    ------
    InputError
        If it cannot be read or is too large.
    """
    is_regular = False
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            file = Path(path)
            status = file.stat()
            is_regular = stat.S_ISREG(status.st_mode)
            _refuse_large(path, status.st_size)
            if is_regular and _format_of(path) is Format.PARQUET:
                return Source(path, Format.PARQUET, b"")
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError.of(path, _reason(error)) from None
    _refuse_large(path, len(data))
    if data[:2] == b"\x1f\x8b":
        data = _decompress(path, data)
    return Source(path, (_format_of(path) if is_regular else None) or _sniff(path, data), data)


def text_of(source: Source) -> str:
    """Its text, without byte order mark; raises InputError if that is not UTF-8."""
    try:
        return source.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = source.data[error.start]
        raise InputError.of(
            source.name, f"is not UTF-8 text (byte 0x{byte:02x} at position {error.start})"
        ) from None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"cannot be read: {error}"


def _refuse_large(path: str, size: int) -> None:
    if size > MAX_BYTES:
        raise InputError.of(
            path, f"is larger than {MAX_BYTES >> 20} MiB; split it into several files", value=f"{size} bytes"
        )


def _decompress(path: str, data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            plain = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError.of(path, f"is not a whole gzip file: {error}") from None
    _refuse_large(path, len(plain))
    return plain


def _sniff(path: str, data: bytes) -> Format:
    """Format by how the bytes begin: Parquet's magic, a JSON bracket, a table's header."""
    if data[:4] == b"PAR1":
        raise InputError.of(path, "Parquet is read from files named *.parquet only, not from a pipe")
    start = data[:65536].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] in (b"{", b"["):
        return Format.JSON
    header = start.split(b"\n", 1)[0]
    cells = [cell.strip().strip(b'"') for cell in header.split(b",")]
    if b":" not in header.replace(b"resource:", b"") and (b"name" in cells or b"instance_type" in cells):
        return Format.CSV
    return Format.YAML
