"""Where results are kept: one JSON object a line, a file per day."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from binwright_benchmarks.measure import Measurement


def default_folder() -> Path:
    """``benchmarks/results`` of the checkout this package is in, else a folder of the working directory."""
    checkout = Path(__file__).parents[1]
    if (checkout.parent / "pyproject.toml").is_file():
        return checkout / "results"
    return Path("binwright-benchmark-results")


def append_results(
    folder: Path, when: datetime, machine: dict[str, object], measurements: Iterable[Measurement]
) -> Path:
    """Append the measurements of one run to the file of its day; returns the file.

    Each line stands alone: it carries the time of the run and the note about the machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{when:%Y-%m-%d}.jsonl"
    run = when.isoformat(timespec="seconds")
    lines = [
        json.dumps({"run": run, **asdict(measurement), "machine": machine}) for measurement in measurements
    ]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    return path
