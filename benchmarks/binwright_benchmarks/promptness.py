"""Promptness: how soon there is an answer, how late a deadline is kept, how soon a cancelled solve has ended.

``python -m binwright_benchmarks.promptness`` asks, in a warm process, for the first answer to each question,
whole and verified; then for answers by deadlines; then cancels solves at random moments, as a caller that
hangs up does, and waits for them to end.

Other work on the machine makes all of that later by the clock on the wall. With ``--clock cpu`` everything,
deadlines included, goes by the time that the process computes: what an idle machine would show, or a little
more where two threads compute at once.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from binwright_optimizer.model import Problem
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.warmup import warm_up
from binwright_server.answer import UntilAbandoned
from binwright_server.errors import AbandonedError
from rich.console import Console

from binwright_benchmarks.arguments import add_data, add_output, count
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.measure import pods_of
from binwright_benchmarks.registry import SharedData, instances
from binwright_benchmarks.results import markdown_table, publish

INSTANCES = (
    "gpu-trace-1000",
    "micro-1k-25c-eu",
    "micro-1k-300c-eu",
    "measured-1k-eu",
    "measured-3k-eu",
    "gpu-trace-10000",
    "micro-10k-25c-cmr",
    "micro-10k-300c-eu",
    "micro-100k-300c-eu",
    "constrained-2000",
    "constrained-2000-wishes",
    "gpu-trace-shared",
)
DEADLINES_S = (0.1, 1.0, 10.0)
FIRST_SEED, SEEDS = 3000, 5
CANCELLATIONS = 20
LEAST_CANCEL_S, MOST_CANCEL_S = 0.002, 4.0
"""Cancellations come between these seconds after the start, as many in each tenfold span."""
PERIOD_S = 0.002
"""Seconds between two looks whether it is time to cancel."""
ENOUGH_S = 60.0
STEM = "promptness"

Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}

STAGES = (
    ("check_placement", "verification"),
    ("prove", "proof"),
    ("most_parts", "proof"),
    ("conflicts_of", "conflicts"),
    ("extract", "naming"),
    ("_choose", "integer programme"),
    ("_branch", "branching"),
    ("dive", "dives"),
    ("improve", "neighbourhoods"),
    ("pack_parts", "parts"),
    ("pack_groups", "groups"),
    ("pack_domains", "domains"),
    ("first_answers", "first answer"),
    ("first_columns", "first columns"),
    ("_generate", "column generation"),
    ("build_instance", "instance"),
    ("prepare", "instance"),
)
"""Functions by the stage that a solve is in while they are on its stack; the first that is there counts."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """Seconds after a deadline at which the answer was there; negative if before."""

    deadline_s: float
    late_s: float
    gap: float


@dataclass(frozen=True, slots=True)
class Cancelled:
    """One cancelled solve.

    Parameters
    ----------
    at_s
        Seconds after its start at which it was cancelled.
    stage
        What it was doing then.
    ended_s
        Seconds until nothing of it ran any more.
    """

    at_s: float
    stage: str
    ended_s: float


@dataclass(frozen=True, slots=True)
class Promptness:
    """What was measured of one question.

    Parameters
    ----------
    first_s
        Seconds to the first answer of each seed.
    """

    instance: str
    pods: int
    first_s: tuple[float, ...]
    deadlines: tuple[Lateness, ...]
    cancelled: tuple[Cancelled, ...]


def first_answer_s(problem: Problem, clock: Clock) -> float:
    """Seconds to an answer to this question when the search may do next to nothing."""
    question = replace(problem)  # a new object: nothing is kept of it from before
    gc.collect()
    began = clock()
    solve(question, SolveParams(deadline_s=ENOUGH_S, work_limit=1))
    return clock() - began


def lateness(problem: Problem, deadline_s: float, seed: int, clock: Clock) -> Lateness:
    """How late an answer by a deadline is."""
    question = replace(problem)
    gc.collect()
    began = clock()
    params = SolveParams(deadline_s=deadline_s, seed=seed)
    decision = solve(question, params, Deadline(deadline_s, clock=clock))
    return Lateness(deadline_s, clock() - began - deadline_s, decision.gap)


def cancelled(problem: Problem, at_s: float, clock: Clock) -> Cancelled | None:
    """A solve that is cancelled after so many seconds; None if it had ended by then."""
    question, cancel = replace(problem), threading.Event()
    ended_at: list[float] = []

    def run() -> None:
        try:
            solve(question, SolveParams(deadline_s=ENOUGH_S), UntilAbandoned(ENOUGH_S, cancel, clock))
        except AbandonedError:
            ended_at.append(clock())

    thread = threading.Thread(target=run)
    began = clock()
    thread.start()
    while thread.is_alive() and clock() - began < at_s:
        time.sleep(PERIOD_S)
    stage = _stage(thread)
    cancel_at = clock()
    cancel.set()
    thread.join()
    return Cancelled(cancel_at - began, stage, ended_at[0] - cancel_at) if ended_at else None


def _stage(thread: threading.Thread) -> str:
    """The stage that the solve of a thread is in."""
    frame = sys._current_frames().get(thread.ident or 0)
    names = {entry.name for entry in traceback.extract_stack(frame)} if frame is not None else set()
    return next((stage for name, stage in STAGES if name in names), "between stages")


def moments(number: int, seed: int) -> list[float]:
    """Seconds after which to cancel, early and late ones."""
    draw = random.Random(seed)
    span = MOST_CANCEL_S / LEAST_CANCEL_S
    return [LEAST_CANCEL_S * span ** draw.random() for _ in range(number)]


def measure_promptness(
    name: str, data: SharedData, seeds: int, deadlines_s: Sequence[float], cancellations: int, clock: Clock
) -> Promptness:
    """Everything about one question; the market is read before anything is timed."""
    (instance,) = instances(name)
    first_answer_s(instance.build(FIRST_SEED - 1, data), clock)
    problems = [instance.build(FIRST_SEED + k, data) for k in range(seeds)]
    late = [lateness(p, limit, k, clock) for limit in deadlines_s for k, p in enumerate(problems)]
    ended = (cancelled(problems[0], at_s, clock) for at_s in moments(cancellations, FIRST_SEED))
    return Promptness(
        name,
        pods_of(problems[0]),
        tuple(first_answer_s(problem, clock) for problem in problems),
        tuple(late),
        tuple(found for found in ended if found is not None),
    )


def rows(measured: Sequence[Promptness]) -> Iterator[tuple[str, ...]]:
    """Cells under the heads of the first table: medians and worst cases in milliseconds."""
    for found in measured:
        deadlines_s = sorted({late.deadline_s for late in found.deadlines})
        worst = [
            max(late.late_s for late in found.deadlines if late.deadline_s == limit) for limit in deadlines_s
        ]
        ends = sorted(one.ended_s for one in found.cancelled)
        yield (
            found.instance,
            f"{found.pods:,}",
            f"{_ms(sorted(found.first_s)[len(found.first_s) // 2])}",
            f"{_ms(max(found.first_s))}",
            *(_ms(late_s) for late_s in worst),
            _ms(ends[len(ends) // 2]) if ends else "",
            _ms(ends[-1]) if ends else "",
        )


def stage_rows(measured: Sequence[Promptness]) -> Iterator[tuple[str, ...]]:
    """Stages with how many solves were cancelled in them, and the longest that one took to end."""
    ends: dict[str, list[float]] = {}
    for found in measured:
        for one in found.cancelled:
            ends.setdefault(one.stage, []).append(one.ended_s)
    for stage, seconds in sorted(ends.items(), key=lambda item: -max(item[1])):
        middle = sorted(seconds)[len(seconds) // 2]
        yield stage, str(len(seconds)), _ms(middle), _ms(max(seconds))


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and keep the report."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.promptness", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--seeds", metavar="N", type=count, default=SEEDS, help="default: %(default)s")
    parser.add_argument("--instances", metavar="NAME", nargs="+", default=INSTANCES)
    parser.add_argument("--deadlines", metavar="S", nargs="*", type=float, default=DEADLINES_S)
    parser.add_argument("--cancellations", metavar="N", type=count, default=CANCELLATIONS)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    add_data(parser)
    add_output(parser)
    options = parser.parse_args(arguments)
    machine, started = machine_note(), datetime.now(UTC)
    notes = Console(stderr=True, width=120, highlight=False, soft_wrap=True)
    warm_up()
    measured = []
    for name in options.instances:
        measured.append(
            measure_promptness(
                name,
                SharedData(options.data),
                options.seeds,
                options.deadlines,
                options.cancellations,
                CLOCKS[options.clock],
            )
        )
        notes.print("  ".join(next(rows(measured[-1:]))), markup=False)
    late = [f"Late by {limit:g} s, worst" for limit in options.deadlines]
    heads = ("Instance", "Pods", "First answer", "worst", *late, "Cancelled, ended after", "worst")
    stages = markdown_table(("Cancelled in", "times", "ended after", "worst"), stage_rows(measured))
    text = f"By the {options.clock} clock.\n\n{markdown_table(heads, rows(measured))}\n\n{stages}"
    payload = {"clock": options.clock, "measured": [asdict(found) for found in measured]}
    publish(options.output, STEM, started, machine, payload, "Promptness", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
