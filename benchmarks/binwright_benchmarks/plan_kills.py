"""A large plan, undisturbed and with its processes killed: the time both take, and whether they agree.

Run as ``python -m binwright_benchmarks.plan_kills``. The command plans once from nothing. Then it plans again
from nothing: a worker is killed (SIGKILL) when a third of the tasks are done, the driver when two thirds are,
and the same command goes on from the checkpoint. Both answers must be the same document, digit by digit. What
the command says of its progress, time left included, is passed on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from binwright_optimizer.warmup import warm_up
from rich.console import Console

from binwright_benchmarks.arguments import add_output, count, duration
from binwright_benchmarks.large_plan import large_forecast
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.results import markdown_table, publish

HEADS = ("run", "seconds", "tasks", "peak MiB", "plan $", "bound $", "gap", "same answer")
LOOK_EVERY_S = 0.2
"""How often the checkpoint and the memory of the processes are looked at."""
ALL = {"name": "all", "years": 1, "upfront": "none", "discount": 0.27}
SCOPED = {"name": "one region", "years": 1, "upfront": "none", "discount": 0.4, "region": "us-east-1"}
"""An offer for everything, and one for some nodes only, whose prices take further rounds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer.

    Parameters
    ----------
    tasks
        Results in the checkpoint at the end.
    peak_mib
        Most memory of driver and workers together, shared pages counted once for each.
    kills
        Seconds after the start at which a process was killed, by what it was.
    """

    seconds: float
    tasks: int
    peak_mib: float
    total_usd: float
    bound_usd: float
    gap: float
    kills: dict[str, float]


class Planning:
    """The command over one forecast, begun anew as often as it takes."""

    def __init__(self, forecast: Path, checkpoint: Path, workers: int, deadline_s: float) -> None:
        self._command = [
            *(sys.executable, "-m", "binwright_clients.cli.main", "plan", "forecast", str(forecast)),
            *("-o", "json", "--workers", str(workers), "--deadline", f"{deadline_s:g}s"),
            *("--checkpoint", str(checkpoint)),
        ]
        self._checkpoint = checkpoint
        self._answer = checkpoint.with_suffix(".json")
        self._peak_bytes = 0
        self._began_s = time.monotonic()
        self.kills: dict[str, float] = {}

    @property
    def tasks(self) -> int:
        """Tasks done so far."""
        return sum(1 for _ in self._checkpoint.glob("*.task.json"))

    def run(self, kills: Sequence[tuple[int, str]] = ()) -> bool:
        """Begin or go on; whether the command came to its end.

        Parameters
        ----------
        kills
            Pairs of tasks done and what is killed then: "worker", and the command goes on, or "driver".

        Raises
        ------
        RuntimeError
            If the command fails by itself.
        """
        left = list(kills)
        with self._answer.open("wb") as answer:
            driver = subprocess.Popen(self._command, stdout=answer)
            try:
                while driver.poll() is None:
                    family = _family(driver.pid)
                    self._peak_bytes = max(self._peak_bytes, sum(_memory(process) for process in family))
                    if left and self.tasks >= left[0][0]:
                        _, victim = left.pop(0)
                        self._kill(driver, family, victim)
                        if victim == "driver":
                            return False
                    time.sleep(LOOK_EVERY_S)
            finally:
                driver.kill()
                driver.wait()
        if driver.returncode:
            raise RuntimeError(f"the command ended with exit code {driver.returncode}")
        if left:
            raise RuntimeError(f"the command ended before {left[0][0]} tasks were done: nothing was killed")
        return True

    def _kill(self, driver: subprocess.Popen[bytes], family: Sequence[psutil.Process], victim: str) -> None:
        self.kills[victim] = time.monotonic() - self._began_s
        _note(f"killing the {victim} after {self.tasks} tasks")
        if victim == "driver":
            driver.kill()
            driver.wait()
            psutil.wait_procs(family, timeout=60)
        else:
            next(process for process in family if _is_worker(process)).kill()

    def document(self) -> dict[str, Any]:
        """The answer."""
        found: dict[str, Any] = json.loads(self._answer.read_text(encoding="utf-8"))
        return found

    def kept(self) -> Kept:
        """The run that has just ended."""
        plan = self.document()
        return Kept(
            time.monotonic() - self._began_s,
            self.tasks,
            self._peak_bytes / 2**20,
            plan["total_cost_usd"],
            plan["lower_bound_usd"],
            plan["gap"],
            self.kills,
        )


def measured(forecast: Path, folder: Path, workers: int, deadline_s: float) -> tuple[Kept, Kept, bool]:
    """The undisturbed run, the one whose processes are killed, and whether both gave the same answer."""
    undisturbed = Planning(forecast, folder / "undisturbed", workers, deadline_s)
    _note("undisturbed")
    undisturbed.run()
    first = undisturbed.kept()
    disturbed = Planning(forecast, folder / "killed", workers, deadline_s)
    _note("with a worker and the driver killed")
    disturbed.run([(first.tasks // 3, "worker"), (2 * first.tasks // 3, "driver")])
    _note("going on from the checkpoint")
    disturbed.run()
    return first, disturbed.kept(), undisturbed.document() == disturbed.document()


def _family(driver: int) -> list[psutil.Process]:
    """A driver that runs and all of its processes; those that have just ended are left out."""
    try:
        own = psutil.Process(driver)
        return [own, *own.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _note(text: str) -> None:
    Console(stderr=True, highlight=False).print(text, markup=False, style="bold")


def row(run: str, kept: Kept, is_same: str) -> tuple[str, ...]:
    """The cells of `HEADS`."""
    return (
        run,
        f"{kept.seconds:,.0f}",
        f"{kept.tasks:,}",
        f"{kept.peak_mib:,.0f}",
        f"{kept.total_usd:,.0f}",
        f"{kept.bound_usd:,.0f}",
        f"{100 * kept.gap:.2f} %",
        is_same,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and keep the report; exit code 1 if the answers differ."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.plan_kills", description=__doc__.split("\n\n")[0]
    )
    for name, default in (("quarters", 12), ("regions", 5), ("scenarios", 100), ("workloads", 200)):
        parser.add_argument(
            f"--{name}", metavar="N", type=count, default=default, help="default: %(default)s"
        )
    parser.add_argument("--workers", metavar="N", type=count, default=2, help="default: %(default)s")
    parser.add_argument(
        "--deadline",
        metavar="S",
        type=duration,
        default=3_600.0,
        help="seconds of each run; answers agree only if it does not bind (default: %(default)s)",
    )
    parser.add_argument("--scoped", action="store_true", help="offer a commitment for some types only, too")
    add_output(parser)
    options = parser.parse_args(arguments)
    machine, started = machine_note(), datetime.now(UTC)
    warm_up()
    size = options.quarters, options.regions, options.scenarios, options.workloads
    with tempfile.TemporaryDirectory(prefix="binwright-plan-") as name:
        folder = Path(name)
        document = large_forecast(*size)
        if options.scoped:
            document["commitments"] = {"offers": [ALL, SCOPED]}
        forecast = folder / "forecast.json"
        forecast.write_text(json.dumps(document), encoding="utf-8")
        first, second, is_same = measured(forecast, folder, options.workers, options.deadline)
    killed = ", ".join(f"{victim} at {at:,.0f} s" for victim, at in second.kills.items())
    rows = [row("undisturbed", first, ""), row(f"killed: {killed}", second, "yes" if is_same else "NO")]
    what = f"{size[0]} quarters x {size[1]} regions x {size[2]} scenarios x {size[3]} workloads"
    payload = {
        "size": size,
        "workers": options.workers,
        "undisturbed": asdict(first),
        "killed": asdict(second),
        "is_same": is_same,
    }
    text = f"{what}, {options.workers} workers.\n\n{markdown_table(HEADS, rows)}"
    publish(options.output, "plan-large", started, machine, payload, "A large plan, and its kills", text)
    return 0 if is_same else 1


if __name__ == "__main__":
    raise SystemExit(main())
