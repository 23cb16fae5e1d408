"""Bin packing instances with proven optima, put to ``binwright solve`` as anyone would.

``python -m binwright_benchmarks.known_optima --data DIR`` writes every instance as a workload table (or, if
items conflict, as manifests with anti-affinity) and a catalogue with ``resource:`` columns, runs the command
on them, and compares with what is published: an answer must cost no more than the optimum, and the bound it
proves must not exceed it.
With ``--heuristics`` instances without a proven optimum and large ones run too, and are held against the
best published answers (of 351 heuristics, or of metaheuristics where there are conflicts).

The command runs in this process, so that starting Python is not part of the time; the rest of it (reading the
tables, solving, checking, printing JSON) is.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from binwright_clients.cli.main import main as binwright
from binwright_optimizer.warmup import warm_up
from rich import box
from rich.console import Console
from rich.table import Table

from binwright_benchmarks.arguments import add_data, add_output, count, duration
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.questions import MissingDataError
from binwright_benchmarks.registry import SharedData
from binwright_benchmarks.results import default_folder, markdown_table, write_dated
from binwright_benchmarks.vector_packing import (
    CONFIGS,
    SETS,
    PackingQuestion,
    conflict_questions,
    files,
    vector_questions,
)

MOST_ITEMS = 100
"""The target is stated for instances up to this size."""

TARGET = 0.95
"""Share of the instances with a proven optimum that must be solved to it."""

COMMAND_S = 0.1
"""Reading two tables and printing JSON."""

STEM = "known-optima"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one instance came to.

    Parameters
    ----------
    optimum, best_known, cost, bound
        Dollars: bins where all bins cost one dollar. ``bound`` is proven.
    seconds
        Of the whole command, in a process that is warm.
    """

    name: str
    items: int
    dimensions: int
    optimum: float | None
    best_known: float | None
    cost: float
    bound: float
    stop_reason: str
    seconds: float

    @property
    def is_optimal(self) -> bool:
        """Whether the published optimum was reached."""
        return self.cost == self.optimum

    @property
    def is_proven(self) -> bool:
        """Whether we proved our own answer optimal."""
        return self.cost == self.bound

    @property
    def is_worse(self) -> bool:
        """Whether the best published answer is better."""
        return self.best_known is not None and self.cost > self.best_known

    @property
    def contradicts(self) -> bool:
        """Whether answer or bound cannot be right if the published optimum is."""
        return self.optimum is not None and (self.cost < self.optimum or self.bound > self.optimum)


class FailedCommandError(Exception):
    """``binwright solve`` ended with a code other than 0, or left items out."""


def solve_by_command(question: PackingQuestion, deadline_s: float, folder: Path) -> Outcome:
    """Run the command on the files of an instance.

    Raises
    ------
    FailedCommandError
        If it fails or does not pack every item.
    """
    written = []
    for name, text in files(question).items():
        written.append(str(folder / name))
        (folder / name).write_text(text, encoding="utf-8")
    items, bins = written
    arguments = ["solve", "-f", items, "--catalog", bins, "--deadline", f"{deadline_s:g}s"]
    printed = io.StringIO()
    began = time.perf_counter()
    with contextlib.redirect_stdout(printed):
        # In the same process the command returns its exit code, None for 0.
        code = binwright.main([*arguments, "--quiet", "-o", "json"], "binwright", standalone_mode=False)
    seconds = time.perf_counter() - began
    if code:
        raise FailedCommandError(f"{question.name}: exit code {code}")
    answer = json.loads(printed.getvalue())
    if answer["unschedulable_pods"]:
        raise FailedCommandError(f"{question.name}: items were left out")
    return Outcome(
        name=question.name,
        items=question.n_items,
        dimensions=question.dimensions,
        optimum=question.optimum,
        best_known=question.best_known,
        cost=float(answer["hourly_cost_usd"]),
        bound=float(answer["lower_bound_usd"]),
        stop_reason=str(answer["stop_reason"]),
        seconds=seconds,
    )


def chosen(names: Iterable[str], data: SharedData, with_heuristics: bool) -> Iterator[PackingQuestion]:
    """Expressible instances of these sets: the small ones with an optimum, or all."""
    for name in names:
        found = conflict_questions(name, data) if name in CONFIGS else vector_questions(name, data)
        for question in found:
            is_small = question.optimum is not None and question.n_items <= MOST_ITEMS
            if question.is_expressible and (with_heuristics or is_small):
                yield question


def share_optimal(outcomes: Iterable[Outcome], deadline_s: float) -> float | None:
    """Share of the small instances with an optimum solved to it in time; None if there are none.

    The time is the command's, so `COMMAND_S` is allowed beyond the deadline of the solve.
    """
    judged = [o for o in outcomes if o.optimum is not None and o.items <= MOST_ITEMS]
    hits = sum(o.is_optimal and o.seconds <= deadline_s + COMMAND_S for o in judged)
    return hits / len(judged) if judged else None


ROW_HEADS = (
    "Set", "Sizes", "Items", "Runs", "Optimum known", "reached", "We prove ours", "Median", "Slowest",
    "Dearer than published", "cheaper",
)  # fmt: skip


def rows(outcomes: Sequence[Outcome]) -> Sequence[tuple[str, ...]]:
    """Cells under `ROW_HEADS`, one row for each set, number of sizes and range of items."""
    groups: dict[tuple[str, int, bool], list[Outcome]] = {}
    for outcome in outcomes:
        name = outcome.name.partition("/")[0]
        key = (name, outcome.dimensions, outcome.items > MOST_ITEMS)
        groups.setdefault(key, []).append(outcome)
    table = []
    for (name, dimensions, _), group in sorted(groups.items()):
        times = sorted(o.seconds for o in group)
        items = sorted({o.items for o in group})
        known = [o for o in group if o.optimum is not None]
        table.append(
            (
                name,
                str(dimensions),
                f"{items[0]}-{items[-1]}" if len(items) > 1 else str(items[0]),
                str(len(group)),
                str(len(known)),
                str(sum(o.is_optimal for o in known)),
                str(sum(o.is_proven for o in group)),
                f"{times[len(times) // 2]:.2f} s",
                f"{times[-1]:.2f} s",
                str(sum(o.is_worse for o in group)),
                str(sum(o.best_known is not None and o.cost < o.best_known for o in group)),
            )
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0, or 1 if the target is missed, an answer contradicts an optimum or loses to a heuristic."""
    parser = _parser()
    options = parser.parse_args(arguments)
    data = SharedData(options.data)
    notes = Console(stderr=True, width=100, highlight=False)
    try:
        found = list(chosen(options.sets, data, options.heuristics))[:: options.every]
    except MissingDataError as reason:
        parser.error(str(reason))
    deadline_s = options.deadline or (5.0 if options.heuristics else 2.0)
    machine, started = machine_note(), datetime.now(UTC)
    warm_up()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for number, instance in enumerate(found, 1):
            outcome = solve_by_command(instance, deadline_s, Path(folder))
            outcomes.append(outcome)
            if number % 25 == 0 or not outcome.is_proven:
                notes.print(
                    f"{number}/{len(found)} {outcome.name}: {outcome.cost:g}, bound {outcome.bound:g}, "
                    f"optimum {_or_unknown(outcome.optimum)}, {outcome.seconds:.2f} s",
                    markup=False,
                )
    shown = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for head in ROW_HEADS:
        is_set = head == "Set"
        shown.add_column(head, justify="left" if is_set else "right", no_wrap=is_set)
    for row in rows(outcomes):
        shown.add_row(*row)
    console = Console(width=110, highlight=False)
    console.print(shown)
    verdict = _verdict(outcomes, deadline_s)
    console.print(*verdict, sep="\n", markup=False)
    payload = {"deadline_s": deadline_s, "outcomes": [asdict(o) for o in outcomes], "verdict": verdict}
    text = "\n\n".join([markdown_table(ROW_HEADS, rows(outcomes)), *verdict])
    title = f"Bin packing instances with known optima, {deadline_s:g} s each"
    folder_of_results = options.output or default_folder()
    for path in write_dated(folder_of_results, STEM, started, machine, payload, title, text):
        notes.print(f"results written to {path}", markup=False)
    share = share_optimal(outcomes, deadline_s)
    is_lost = options.heuristics and any(o.is_worse for o in outcomes)
    failed = is_lost or any(o.contradicts for o in outcomes) or (share is not None and share < TARGET)
    return 1 if failed else 0


def _verdict(outcomes: Sequence[Outcome], deadline_s: float) -> list[str]:
    lines = []
    share = share_optimal(outcomes, deadline_s)
    if share is not None:
        lines.append(
            f"Up to {MOST_ITEMS} items with a proven optimum: {share:.1%} solved to it within "
            f"{deadline_s:g} s (target {TARGET:.0%})."
        )
    contradictions = [o.name for o in outcomes if o.contradicts]
    lines.append(f"Contradictions to published optima: {', '.join(contradictions) or 'none'}.")
    worse = [f"{o.name} ({o.cost:g}, best {_or_unknown(o.best_known)})" for o in outcomes if o.is_worse]
    lines.append(f"Worse than the best published answer: {', '.join(worse) or 'none'}.")
    better = sum(o.best_known is not None and o.cost < o.best_known for o in outcomes)
    lines.append(f"Better than the best published answer: {better} of {len(outcomes)}.")
    return lines


def _or_unknown(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.known_optima", description=__doc__.split("\n\n")[0]
    )
    add_data(parser)
    parser.add_argument(
        "--sets",
        nargs="+",
        choices=(*SETS, *CONFIGS),
        default=(*SETS, *CONFIGS),
        help="which sets (default: all)",
    )
    parser.add_argument("--every", metavar="N", type=count, default=1, help="only every N-th instance")
    parser.add_argument(
        "--heuristics", action="store_true", help="all sizes, held against the best published answers in 5 s"
    )
    parser.add_argument("--deadline", metavar="DURATION", type=duration, help="time for each solve")
    add_output(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
