"""The quality run: how small the proven gap is after 0.1, 1 and 10 seconds, and what others would pay.

``python -m binwright_benchmarks.quality --suite table`` solves every instance of the suite for several
seeds in one warm process, with each deadline by itself, because only a decision has a proven bound. What the
gap is in between comes from the progress of the longest solve. Each solve gets a problem of its own, so that
nothing is remembered of the one before but the catalogue, and the short deadlines come first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from binwright_optimizer.errors import BinwrightError
from binwright_optimizer.warmup import warm_up
from rich import box
from rich.console import Console
from rich.table import Table

from binwright_benchmarks.arguments import add_data, add_output, count, duration, seed_number
from binwright_benchmarks.baselines import BrokenBaselineError, open_market
from binwright_benchmarks.families import DEADLINES_S, MEMORY, SUITES, Group
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.measure import Step, pods_of, run_baselines, solve_timed
from binwright_benchmarks.memory import Memory, peak_memory
from binwright_benchmarks.pictures import draw
from binwright_benchmarks.quality_report import sections
from binwright_benchmarks.quality_result import Case, Quality
from binwright_benchmarks.questions import MissingDataError
from binwright_benchmarks.registry import BenchmarkInstance, SharedData, instances
from binwright_benchmarks.results import default_folder, write_dated
from binwright_benchmarks.warmup import warm_up_baselines

FIRST_SEED = 1000
"""The seeds from here on are used by nothing else, so no parameter was chosen on them."""

SEEDS = 10
BASELINE_SEEDS = 3
"""Seeds of an instance on which the baselines run as well: they take as long as our own answers."""

UNSEEDED_RUNS = 3
"""Runs of an instance that has one problem only; the seed goes to the solver."""

STEM = "quality"
MOST_STEPS = 60
"""Steps kept of a solve: enough for a curve."""


def run_case(
    instance: BenchmarkInstance,
    seed: int,
    data: SharedData,
    deadlines_s: Sequence[float] = DEADLINES_S,
    with_baselines: bool = True,
) -> Case:
    """Solve one instance once for each deadline and run the baselines.

    Raises
    ------
    MissingDataError
        If the instance needs a file that is not there.
    BinwrightError, BrokenBaselineError
        If an answer is wrong.
    """
    problem = instance.build(seed, data)
    # A new object each time: nothing that is kept for a problem helps the next solve.
    answers = [solve_timed(replace(problem), deadline, seed) for deadline in sorted(deadlines_s)]
    market = open_market(problem)
    return Case(
        instance=instance.name,
        seed=seed,
        pods=pods_of(problem),
        classes=market.instance.n_classes,
        offerings=market.n_bought,
        answers=(
            *(replace(answer, steps=()) for answer in answers[:-1]),
            replace(answers[-1], steps=thinned(answers[-1].steps)),
        ),
        baselines=run_baselines(market) if with_baselines else (),
    )


def thinned(steps: Sequence[Step], most: int = MOST_STEPS) -> tuple[Step, ...]:
    """At most so many of the steps with an incumbent, first and last among them, spread evenly."""
    held = [step for step in steps if step.cost_usd]
    if len(held) <= most:
        return tuple(held)
    return tuple(held[round(k * (len(held) - 1) / (most - 1))] for k in range(most))


def run_quality(
    name: str,
    groups: Sequence[Group],
    data: SharedData,
    *,
    seeds: int = SEEDS,
    first_seed: int = FIRST_SEED,
    deadlines_s: Sequence[float] = DEADLINES_S,
    baseline_seeds: int = BASELINE_SEEDS,
    memory_of: Sequence[str] = (),
    on_part: Callable[[Quality], object] = lambda _: None,
) -> Quality:
    """Measure all instances of the groups, with a line of progress each on standard error.

    Parameters
    ----------
    baseline_seeds
        Seeds of each instance on which the baselines run, too.
    on_part
        Called with what has been measured whenever an instance is done.
    """
    notes = Console(stderr=True, width=100, highlight=False)
    warm_up()
    warm_up_baselines()
    cases: list[Case] = []
    memory: list[Memory] = []
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}

    def so_far() -> Quality:
        held = tuple(sorted(deadlines_s))
        return Quality(name, held, tuple(cases), tuple(memory), dict(skipped), dict(failed))

    try:
        for chosen in (each for group in groups for each in group.instances):
            (instance,) = instances(chosen)
            runs = seeds if instance.is_seeded else min(seeds, UNSEEDED_RUNS)
            try:
                # A catalogue is read when it is first needed; a server has it.
                solve_timed(instance.build(first_seed - 1, data), min(deadlines_s), first_seed)
            except MissingDataError as reason:
                skipped[chosen] = str(reason)
                continue
            for seed in range(first_seed, first_seed + runs):
                try:
                    is_compared = seed < first_seed + baseline_seeds
                    case = run_case(instance, seed, data, deadlines_s, is_compared)
                except (BinwrightError, BrokenBaselineError) as error:
                    failed[f"{chosen} seed {seed}"] = str(error)
                    continue
                cases.append(case)
                gaps = "  ".join(f"{a.deadline_s:g} s: {a.gap:.4%}" for a in case.answers)
                notes.print(f"{chosen:<24} seed {seed}  {gaps}", markup=False)
            on_part(so_far())
        for chosen in memory_of:
            measured = peak_memory(chosen, first_seed, max(deadlines_s))
            memory.append(measured)
            notes.print(f"{chosen:<24} peak memory {measured.peak_mib:,.0f} MiB", markup=False)
    except KeyboardInterrupt:
        # An hour of measurements is worth keeping.
        failed["the rest"] = "interrupted"
    return so_far()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a suite and keep the report; 1 if a solve failed, else 0."""
    parser = _parser()
    options = parser.parse_args(arguments)
    groups = _chosen(SUITES[options.suite], options.instances)
    if not groups:
        parser.error(f"no instance of the suite matches {' '.join(options.instances)}")
    machine, started = machine_note(), datetime.now(UTC)
    folder = options.output or default_folder()

    def keep(quality: Quality) -> tuple[Path, Path]:
        text = "\n\n".join(part.as_markdown() for part in sections(quality))
        title = f"Quality, suite {quality.suite}"
        return write_dated(folder, STEM, started, machine, asdict(quality), title, text)

    quality = run_quality(
        options.suite,
        groups,
        SharedData(options.data),
        seeds=options.seeds,
        first_seed=options.first_seed,
        deadlines_s=options.deadlines,
        baseline_seeds=0 if options.no_baselines else options.baseline_seeds,
        memory_of=() if options.no_memory else MEMORY,
        on_part=keep,
    )
    console = Console(width=120, highlight=False)
    parts = sections(quality)
    for part in parts:
        table = Table(title=part.title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
        for k, head in enumerate(part.heads):
            table.add_column(head.replace(",", ",\n"), justify="right" if k else "left")
        for row in part.rows:
            table.add_row(*row)
        console.print(table)
        console.print(part.note + "\n", markup=False)
    written = keep(quality)
    notes = Console(stderr=True, soft_wrap=True, highlight=False)
    for path in written:
        notes.print(f"results written to {path}", markup=False)
    if options.pictures is not None and quality.cases:
        for path in draw(written[0], options.pictures):
            notes.print(f"picture written to {path}", markup=False)
    return 1 if quality.failed else 0


def _chosen(groups: Sequence[Group], globs: Sequence[str] | None) -> tuple[Group, ...]:
    """The groups cut down to the instances that match; all of them without any pattern."""
    if globs is None:
        return tuple(groups)
    cut = (
        replace(group, instances=tuple(i for i in group.instances if any(fnmatchcase(i, g) for g in globs)))
        for group in groups
    )
    return tuple(group for group in cut if group.instances)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.quality", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument(
        "--suite", choices=SUITES, default="table", help="which groups (default: %(default)s)"
    )
    parser.add_argument("--seeds", metavar="N", type=count, default=SEEDS, help="default: %(default)s")
    parser.add_argument(
        "--first-seed", metavar="N", type=seed_number, default=FIRST_SEED, help="default: %(default)s"
    )
    parser.add_argument(
        "--deadlines",
        metavar="S",
        type=duration,
        nargs="+",
        default=DEADLINES_S,
        help="default: 100ms 1s 10s",
    )
    parser.add_argument(
        "--instances",
        metavar="GLOB",
        nargs="+",
        help="only instances of the suite that match (default: all)",
    )
    parser.add_argument(
        "--baseline-seeds",
        metavar="N",
        type=count,
        default=BASELINE_SEEDS,
        help="seeds on which the baselines run as well (default: %(default)s)",
    )
    parser.add_argument("--pictures", metavar="DIR", type=Path, help="draw the result into this folder")
    parser.add_argument("--no-baselines", action="store_true", help="only our own answers")
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory, a process for each")
    add_data(parser)
    add_output(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
