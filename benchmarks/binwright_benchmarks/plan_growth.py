"""How the work of a plan grows with its size, and what more workers would do.

Run as ``python -m binwright_benchmarks.plan_growth``. Every task of a plan is done in this process, one after
another, and its processor time noted; what is left is the driver's: reading, choosing commitments, proving. A
task is a function of its content alone, so from these times follows how long any number of workers takes,
handing tasks out in order as the engines do (`schedule`), on workers as fast as this one. Sending a task is
counted at `LINK_MB_S`; what a cluster loses beyond that is not.
"""

from __future__ import annotations

import argparse
import heapq
import json
import pickle
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from binwright_clients.forecast import read_forecast
from binwright_optimizer.planning.checkpoint import Checkpoint
from binwright_optimizer.planning.engine import Check
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.tasks import Task
from binwright_optimizer.warmup import warm_up

from binwright_benchmarks.arguments import add_output
from binwright_benchmarks.large_plan import large_forecast
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.results import markdown_table, publish

SIZES = (
    (3, 1, 10, 25),
    (3, 1, 10, 50),
    (3, 1, 10, 100),
    (3, 1, 10, 200),
    (3, 1, 20, 50),
    (3, 1, 40, 50),
    (6, 1, 10, 50),
    (12, 1, 10, 50),
    (3, 2, 10, 50),
)
"""Quarters, regions, scenarios, workloads: one of them grows at a time."""
WORKERS = (1, 2, 16, 128, 1_000)
LINK_MB_S = 100.0
"""What the driver sends to workers in a second, MB: a gigabit of network."""
HEADS = (
    "quarters x regions x scenarios x workloads", "problems", "tasks", "CPU s of tasks", "longest task s",
    "CPU s of the driver", "sent MB", "checkpoint MB", "peak MiB", "gap", *(f"s on {n}" for n in WORKERS),
)  # fmt: skip


@dataclass
class TimedEngine:
    """Does tasks in this process and notes what they cost.

    Parameters
    ----------
    waves
        For each call, (CPU seconds, megabytes sent) of its tasks in order: one call's tasks wait for those of
        the call before.
    """

    waves: list[list[tuple[float, float]]] = field(default_factory=list)

    def run(self, tasks: Sequence[Task], check: Check) -> Iterator[tuple[int, dict[str, Any]]]:
        """Index and result of each task."""
        self.waves.append([])
        for at, task in enumerate(tasks):
            check()
            sent = len(pickle.dumps(task)) / 1e6
            began = time.process_time()
            result = task.run()
            self.waves[-1].append((time.process_time() - began, sent))
            yield at, result

    def close(self) -> None:
        """Nothing to end."""


@dataclass(frozen=True, slots=True)
class Growth:
    """One plan; ``seconds_on`` are those that follow for each number of workers."""

    quarters: int
    regions: int
    scenarios: int
    workloads: int
    problems: int
    tasks: int
    task_cpu_s: float
    longest_task_s: float
    driver_cpu_s: float
    sent_mb: float
    checkpoint_mb: float
    peak_mib: float
    gap: float
    seconds_on: dict[int, float]


def schedule(waves: Sequence[Sequence[tuple[float, float]]], driver_s: float, workers: int) -> float:
    """Seconds that a plan takes where tasks go to whichever worker is free first.

    Examples
    --------
    Three tasks of 2 s on two workers, then one of 1 s that waits for them, and a second of the driver's:

    >>> schedule([[(2.0, 0.0)] * 3, [(1.0, 0.0)]], 1.0, 2)
    6.0
    """
    total = driver_s
    for wave in waves:
        free = [0.0] * workers
        sent = ended = 0.0
        for seconds, megabytes in wave:
            sent += megabytes / LINK_MB_S if workers > 1 else 0.0
            at = max(heapq.heappop(free), sent) + seconds
            heapq.heappush(free, at)
            ended = max(ended, at)
        total += ended
    return total


def measured(size: tuple[int, int, int, int]) -> Growth:
    """Plan for a generated forecast of one size."""
    quarters, regions, scenarios, workloads = size
    engine, problems = TimedEngine(), [0]
    with tempfile.TemporaryDirectory() as folder:
        path, kept = Path(folder) / "forecast.json", Path(folder) / "checkpoint"
        path.write_text(json.dumps(large_forecast(quarters, regions, scenarios, workloads)), "utf-8")
        began = time.process_time()

        def note(_solved: int, of: int) -> None:
            problems[0] = of

        plan = make_plan(
            read_forecast(str(path)),
            PlanParams(deadline_s=float("inf")),
            note,
            engine=engine,
            checkpoint=Checkpoint(kept),
        )
        spent = time.process_time() - began
        size_mb = sum(file.stat().st_size for file in kept.iterdir()) / 1e6
    times = [seconds for wave in engine.waves for seconds, _ in wave]
    driver = spent - sum(times)
    return Growth(
        *size,
        problems[0],
        len(times),
        sum(times),
        max(times),
        driver,
        sum(megabytes for wave in engine.waves for _, megabytes in wave),
        size_mb,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        plan.gap,
        {n: schedule(engine.waves, driver, n) for n in WORKERS},
    )


def row(found: Growth) -> tuple[str, ...]:
    """The cells of `HEADS`."""
    return (
        f"{found.quarters} x {found.regions} x {found.scenarios} x {found.workloads}",
        f"{found.problems:,}",
        f"{found.tasks:,}",
        f"{found.task_cpu_s:.1f}",
        f"{found.longest_task_s:.1f}",
        f"{found.driver_cpu_s:.1f}",
        f"{found.sent_mb:.1f}",
        f"{found.checkpoint_mb:.1f}",
        f"{found.peak_mib:.0f}",
        f"{100 * found.gap:.2f} %",
        *(f"{found.seconds_on[n]:.1f}" for n in WORKERS),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and keep the report."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.plan_growth", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument(
        "--size",
        metavar="N",
        type=int,
        nargs=4,
        action="append",
        help="quarters, regions, scenarios, workloads; may be given again  [default: nine sizes]",
    )
    add_output(parser)
    options = parser.parse_args(arguments)
    machine, started = machine_note(), datetime.now(UTC)
    warm_up()
    results = [measured(tuple(size)) for size in options.size or SIZES]
    text = markdown_table(HEADS, [row(result) for result in results])
    payload = {"link_mb_s": LINK_MB_S, "plans": [asdict(result) for result in results]}
    publish(options.output, "plan-growth", started, machine, payload, "Growth of plans", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
