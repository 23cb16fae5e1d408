"""Where results are kept: measurements line by line in a file per day, reports in files per run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from rich.console import Console

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


def write_dated(
    folder: Path,
    stem: str,
    when: datetime,
    machine: Mapping[str, object],
    payload: Mapping[str, object],
    title: str,
    text: str,
) -> tuple[Path, Path]:
    """Keep the report of one run as JSON and as Markdown; returns both paths.

    Parameters
    ----------
    stem
        First part of the files' names; the time of the run follows.
    payload
        Everything that was measured, ready for JSON.
    text
        Markdown below the title and the note about the machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = when.isoformat(timespec="seconds")
    base = folder / f"{stem}-{when:%Y-%m-%dT%H%M%S}"
    as_json, as_markdown = base.with_suffix(".json"), base.with_suffix(".md")
    as_json.write_text(json.dumps({"run": run, "machine": machine, **payload}) + "\n", encoding="utf-8")
    note = (
        f"{run}, {machine['cores']} cores ({machine['processor']}), load before {machine['load_before']}, "
        f"Python {machine['python']}, commit {machine['commit']}"
        f"{' with local changes' if machine['has_local_changes'] else ''}."
    )
    as_markdown.write_text(f"# {title}\n\n{note}\n\n{text}\n", encoding="utf-8")
    return as_json, as_markdown


def publish(
    folder: Path | None,
    stem: str,
    when: datetime,
    machine: Mapping[str, object],
    payload: Mapping[str, object],
    title: str,
    text: str,
) -> None:
    """Print ``text``, keep it dated in ``folder`` (or the default one), and tell on standard error where."""
    Console(highlight=False, soft_wrap=True).print(text, markup=False)
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    for path in write_dated(folder or default_folder(), stem, when, machine, payload, title, text):
        notes.print(f"results written to {path}", markup=False)


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of GitHub's Markdown; all but the first column are aligned to the right."""
    lines = [heads, [" --- ", *(" ---: " for _ in heads[1:])], *rows]
    return "\n".join("| " + " | ".join(cell.strip() for cell in line) + " |" for line in lines)
