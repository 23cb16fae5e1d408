"""Options that several of the suite's commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from binwright_clients.cli.values import parse_duration

from binwright_benchmarks.registry import DATA_VARIABLE

MOST = 1_000_000


def duration(text: str) -> float:
    """Seconds of a duration such as ``200ms`` or ``10``; an argparse type."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def count(text: str) -> int:
    """A number from 1 to 1000; an argparse type."""
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def seed_number(text: str) -> int:
    """A seed from 1 to a million; an argparse type. The seed before the first warms up."""
    if not text.isdigit() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST}")
    return int(text)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=os.environ.get(DATA_VARIABLE) or None,
        help=f"folder of further data sets (default: ${DATA_VARIABLE})",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add ``--output``."""
    parser.add_argument("--output", metavar="DIR", type=Path, help="folder for the dated result files")
