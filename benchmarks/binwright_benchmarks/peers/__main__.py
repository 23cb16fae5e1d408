"""Ask the real Karpenter scheduler the questions of the benchmark, beside us and its imitation."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from binwright_clients.cli.render.text import percent
from binwright_optimizer.warmup import warm_up
from rich import box
from rich.console import Console
from rich.table import Table

from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.peers.components import ComponentUnavailableError
from binwright_benchmarks.peers.question import UnsaidError
from binwright_benchmarks.peers.side_by_side import SideBySide, side_by_side
from binwright_benchmarks.questions import MissingDataError
from binwright_benchmarks.registry import DATA_VARIABLE, SharedData, instances
from binwright_benchmarks.results import default_folder

WIDTH = 110
DEFAULT_GLOB = "*"
_EXAMPLES = """
examples:
  python -m binwright_benchmarks.peers --instances 'worked-*'
  python -m binwright_benchmarks.peers --instances 'gpu-trace-1000' --seeds 3 --orders 10
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; 0, 1 if the real program cannot be had, 2 for a wrong option."""
    options = _options(arguments)
    notes = Console(stderr=True, width=WIDTH, highlight=False, soft_wrap=True)
    found = instances(options.instances)
    if not found:
        notes.print(f"no instance matches {options.instances!r}", markup=False)
        return 2
    warm_up()
    rows: list[SideBySide] = []
    skipped: dict[str, str] = {}
    for instance in found:
        for seed in range(options.seeds if instance.is_seeded else 1):
            try:
                problem = instance.build(seed, SharedData(options.data))
                row = side_by_side(instance.name, seed, problem, instance.deadline_s, options.orders)
            except (MissingDataError, UnsaidError) as reason:
                skipped[instance.name] = str(reason)
                break
            except ComponentUnavailableError as missing:
                notes.print(str(missing), markup=False)
                return 1
            rows.append(row)
            notes.print(_line(row), markup=False)
    if rows:
        path = _append(options.output or default_folder(), rows)
        Console(width=WIDTH, highlight=False).print(table(rows))
        notes.print(f"results appended to {path}", markup=False)
    for name, why in skipped.items():
        notes.print(f"skipped {name}: {why}", markup=False)
    return 0


def table(rows: Sequence[SideBySide]) -> Table:
    """Our cost beside the original's and the imitation's; a cost that buys fewer pods is marked."""
    found = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, width=WIDTH)
    found.add_column("Instance", no_wrap=True, ratio=1)
    for head in ("Seed", "Binwright $/h", "Karpenter $/h", "spread", "We save", "Imitation $/h", "Equal"):
        found.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        spread = row.peer_most_usd - row.peer_least_usd
        found.add_row(
            row.instance,
            str(row.seed),
            _cost(row.cost_usd, row.unplaced),
            _cost(row.peer_mean_usd, row.peer_unplaced),
            f"{spread / row.peer_mean_usd:.1%}" if spread else "",
            _saving(row),
            _cost(row.baseline_usd, row.baseline_unplaced),
            "yes" if row.is_equal else "NO",
        )
    return found


def _cost(usd: float, unplaced: int) -> str:
    return f"{usd:,.3f}" + (f" -{unplaced} pods" if unplaced else "")


def _saving(row: SideBySide) -> str:
    if row.unplaced != row.peer_unplaced or not row.peer_mean_usd:
        return f"{row.peer_unplaced - row.unplaced:+,} pods out"
    is_loss = round(row.peer_least_usd * 1e6) < round(row.cost_usd * 1e6)
    return percent(1 - row.cost_usd / row.peer_mean_usd) + (" LOSS" if is_loss else "")


def _line(row: SideBySide) -> str:
    differs = "; ".join(f"{count:+d} {name}" for name, count in row.difference.items())
    cost = f"karpenter {row.peer_mean_usd:,.4f} $/h in {row.peer_seconds:.1f} s"
    return (
        f"{row.instance:<26} seed {row.seed}  {cost}"
        + ("" if row.is_equal else f"  imitation differs: {differs or 'other pods are left out'}")
        + ("  TIMED OUT" if row.peer_timed_out else "")
    )


def _append(folder: Path, rows: Sequence[SideBySide]) -> Path:
    """Append to the day's file of comparisons, one JSON object a line."""
    folder.mkdir(parents=True, exist_ok=True)
    when = datetime.now(UTC)
    path = folder / f"peers-{when:%Y-%m-%d}.jsonl"
    machine = machine_note()
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            file.write(
                json.dumps({"run": when.isoformat(timespec="seconds"), **asdict(row), "machine": machine})
            )
            file.write("\n")
    return path


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.peers",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--instances", metavar="GLOB", default=DEFAULT_GLOB, help="names to run (default: all)"
    )
    parser.add_argument("--seeds", metavar="N", type=_count, default=1, help="seeds per generated instance")
    parser.add_argument(
        "--orders",
        metavar="N",
        type=_count,
        default=1,
        help="orders of pods that Karpenter's queue takes for equal",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=os.environ.get(DATA_VARIABLE) or None,
        help=f"folder of further data sets (default: ${DATA_VARIABLE})",
    )
    parser.add_argument("--output", metavar="DIR", type=Path, help="folder for the dated result file")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
