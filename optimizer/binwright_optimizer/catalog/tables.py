"""The committed data files, read."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources

CLOUDS = ("aws", "azure", "gcp")
"""Clouds with an embedded catalogue."""

INSTANCE_TYPES = "{cloud}_instance_types.csv.gz"
OFFERINGS = "{cloud}_offerings.csv.gz"
ZONES = "zones.csv.gz"
PRICE_SOURCES = "price_sources.csv.gz"


def read_bytes(file: str) -> bytes:
    """Contents of a data file, still compressed."""
    return (resources.files(__package__) / "data" / file).read_bytes()


def read_lines(file: str) -> list[str]:
    """Lines of a data file without its header row."""
    return gzip.decompress(read_bytes(file)).decode("ascii").splitlines()[1:]


def read_rows(file: str) -> Iterator[dict[str, str]]:
    """Rows of a data file by column name."""
    return csv.DictReader(gzip.decompress(read_bytes(file)).decode("ascii").splitlines())


@cache
def data_digest(cloud: str) -> str:
    """Twelve hexadecimal digits that change with any data of ``cloud``."""
    digest = hashlib.sha256()
    for file in (INSTANCE_TYPES, OFFERINGS, ZONES, PRICE_SOURCES):
        digest.update(read_bytes(file.format(cloud=cloud)))
    return digest.hexdigest()[:12]
