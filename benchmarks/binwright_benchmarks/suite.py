"""The quality suite behind ``binwright benchmark``: instances x seeds against the baselines."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from binwright_optimizer.errors import BinwrightError
from binwright_optimizer.warmup import warm_up
from rich.console import Console

from binwright_benchmarks.arguments import add_data, add_output, count, duration
from binwright_benchmarks.baselines import BrokenBaselineError
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.measure import Measurement, measure
from binwright_benchmarks.questions import MissingDataError
from binwright_benchmarks.registry import BenchmarkInstance, SharedData, instances
from binwright_benchmarks.report import as_json, instance_list, report
from binwright_benchmarks.results import append_results, default_folder
from binwright_benchmarks.warmup import warm_up_baselines

WIDTH = 100
DEFAULT_SEEDS = 3


@dataclass(slots=True)
class Run:
    """What came out: measurements, and reasons for instances without any."""

    measurements: list[Measurement] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite; returns the exit code: 0, 1 if an instance failed, 2 for a wrong option."""
    parser = _parser()
    options = parser.parse_args(arguments)
    found = instances(options.instances)
    if not found:
        parser.error(f"argument --instances: no instance matches {options.instances!r}")
    console = Console(width=WIDTH, highlight=False)
    if options.list:
        if options.output_format == "json":
            described = [{"name": i.name, "description": i.description} for i in found]
            console.print_json(json.dumps({"instances": described}))
        else:
            console.print(instance_list(found))
        return 0
    machine = machine_note()
    started = datetime.now(UTC)
    run = run_suite(found, SharedData(options.data), options.seeds, options.deadline)
    if options.output_format == "json":
        console.file.write(json.dumps(as_json(machine, run.measurements, run.skipped, run.failed)) + "\n")
    else:
        console.print(report(run.measurements, run.skipped, run.failed))
    notes = Console(stderr=True, width=WIDTH, highlight=False, soft_wrap=True)
    if run.measurements:
        path = append_results(options.output or default_folder(), started, machine, run.measurements)
        notes.print(f"results appended to {path}", markup=False)
        if options.plots is not None:
            # Imported here: it takes a second, and only pictures need it.
            from binwright_benchmarks.plots import write_plots

            for picture in write_plots(run.measurements, options.plots):
                notes.print(f"picture written to {picture}", markup=False)
    return 1 if run.failed else 0


def run_suite(
    found: Sequence[BenchmarkInstance], data: SharedData, seeds: int, deadline_s: float | None
) -> Run:
    """Measure instances one after the other, with a line of progress each on standard error.

    Parameters
    ----------
    seeds
        How many seeds a seeded instance gets; the others get one.
    deadline_s
        Time for each solve; None takes the instance's own.
    """
    notes = Console(stderr=True, width=WIDTH, highlight=False)
    # No measurement pays for compiling.
    warm_up()
    warm_up_baselines()
    run = Run()
    for instance in found:
        for seed in range(seeds if instance.is_seeded else 1):
            try:
                problem = instance.build(seed, data)
                measured = measure(instance.name, seed, problem, deadline_s or instance.deadline_s)
            except MissingDataError as reason:
                run.skipped[instance.name] = str(reason)
                break
            except (BinwrightError, BrokenBaselineError) as error:
                run.failed[f"{instance.name} seed {seed}"] = str(error)
                continue
            run.measurements.append(measured)
            notes.print(
                f"{instance.name:<26} seed {seed}  {measured.cost_usd:>12,.4f} $/h  "
                f"gap {measured.gap:.4%}  {measured.seconds:.2f} s",
                markup=False,
            )
    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="binwright benchmark", description=__doc__)
    parser.add_argument("--instances", metavar="GLOB", default="*", help="names to run (default: all)")
    parser.add_argument("--list", action="store_true", help="list the instances and stop")
    parser.add_argument("--deadline", metavar="DURATION", type=duration, help="time for each solve")
    parser.add_argument(
        "--seeds",
        metavar="N",
        type=count,
        default=DEFAULT_SEEDS,
        help="seeds per generated instance (default: %(default)s)",
    )
    add_data(parser)
    add_output(parser)
    parser.add_argument("--plots", metavar="DIR", type=Path, help="folder for pictures (PNG)")
    parser.add_argument(
        "-o", dest="output_format", choices=("table", "json"), default="table", help="format of the result"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
