"""Warm start: how soon a slightly changed question is answered, with and without what the last one taught.

``python -m binwright_benchmarks.warm_start`` solves a question of 10,000 pods, changes 1 to 5 % of its pods,
and solves what results cold and warm in the same process, one after the other, in turn.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from binwright_optimizer.memory import Memory
from binwright_optimizer.model import Problem
from binwright_optimizer.warmup import warm_up
from rich.console import Console

from binwright_benchmarks.arguments import add_data, add_output, count, duration
from binwright_benchmarks.growth import reached_at
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.measure import Answer, pods_of, solve_timed
from binwright_benchmarks.registry import SharedData, instances
from binwright_benchmarks.results import markdown_table, publish

INSTANCES = ("gpu-trace-10000", "micro-10k-25c-cmr", "micro-10k-300c-cmr")
SHARES = (0.01, 0.05)
"""Shares of the pods that leave or come."""
GAPS = (0.01, 0.001)
LIMIT_S = 10.0
TEACHING = 2.0
"""Time of the first question, as a multiple of the limit: a controller's was asked long ago."""
FIRST_SEED, SEEDS = 3000, 3
STEM = "warm-start"


@dataclass(frozen=True, slots=True)
class Pair:
    """One changed question, solved cold and warm.

    Parameters
    ----------
    cold_s, warm_s
        Seconds to each of `GAPS`; None where it was not reached.
    """

    instance: str
    seed: int
    share: float
    pods: int
    cold_s: tuple[float | None, ...]
    warm_s: tuple[float | None, ...]
    cold_gap: float
    warm_gap: float


def changed(problem: Problem, share: float, seed: int) -> Problem:
    """The problem with this share of its pods gone or come, as many one way as the other on average."""
    draw = random.Random(seed)
    workloads = []
    for workload in problem.workloads:
        drift = sum(draw.choice((-1, 1)) for _ in range(workload.replicas) if draw.random() < share)
        workloads.append(replace(workload, replicas=max(0, workload.replicas + drift)))
    return replace(problem, workloads=tuple(w for w in workloads if w.replicas))


def measure_pair(name: str, seed: int, share: float, data: SharedData, limit_s: float) -> Pair:
    """Teach the memory one question, and time the next with and without it."""
    (instance,) = instances(name)
    problem = instance.build(seed, data)
    memory = Memory()
    solve_timed(problem, TEACHING * limit_s, seed, gap=min(GAPS), memory=memory)
    second = changed(problem, share, seed)
    cold = solve_timed(replace(second), limit_s, seed, gap=min(GAPS))
    warm = solve_timed(replace(second), limit_s, seed, gap=min(GAPS), memory=memory)
    return Pair(name, seed, share, pods_of(second), _times(cold), _times(warm), cold.gap, warm.gap)


def _times(answer: Answer) -> tuple[float | None, ...]:
    return tuple(reached_at(answer, gap) for gap in GAPS)


def pairs(names: Sequence[str], seeds: Sequence[int], data: SharedData, limit_s: float) -> Iterator[Pair]:
    """All pairs; what the markets sell is read before anything is timed."""
    for name in names:
        (instance,) = instances(name)
        solve_timed(instance.build(FIRST_SEED - 1, data), 0.1, 0)
        for share in SHARES:
            for seed in seeds:
                yield measure_pair(name, seed, share, data, limit_s)


HEADS = (
    "Instance",
    "Pods changed",
    "To 1 % cold",
    "warm",
    "To 0.1 % cold",
    "warm",
    "Gap at the end, cold",
    "warm",
)


def rows(measured: Sequence[Pair], limit_s: float) -> list[tuple[str, ...]]:
    """Cells under `HEADS`: medians over the seeds; a gap that was not reached counts with the limit."""
    groups: dict[tuple[str, float], list[Pair]] = {}
    for pair in measured:
        groups.setdefault((pair.instance, pair.share), []).append(pair)
    table = []
    for (name, share), group in groups.items():
        cells = [name, f"{share:.0%}"]
        for k in range(len(GAPS)):
            for times in ([pair.cold_s[k] for pair in group], [pair.warm_s[k] for pair in group]):
                missed = sum(seconds is None for seconds in times)
                median = statistics.median(limit_s if seconds is None else seconds for seconds in times)
                cells.append(f"{median:.2f} s" + (f" ({missed} of {len(times)} not)" if missed else ""))
        cells.append(f"{statistics.median(pair.cold_gap for pair in group):.3%}")
        cells.append(f"{statistics.median(pair.warm_gap for pair in group):.3%}")
        table.append(tuple(cells))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and keep the report."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.warm_start", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--seeds", metavar="N", type=count, default=SEEDS, help="default: %(default)s")
    parser.add_argument(
        "--instances", metavar="NAME", nargs="+", default=INSTANCES, help="default: three of 10,000 pods"
    )
    parser.add_argument(
        "--limit",
        metavar="S",
        type=duration,
        default=LIMIT_S,
        help="seconds for each solve (default: %(default)s)",
    )
    add_data(parser)
    add_output(parser)
    options = parser.parse_args(arguments)
    machine, started = machine_note(), datetime.now(UTC)
    notes = Console(stderr=True, width=100, highlight=False, soft_wrap=True)
    warm_up()
    measured = []
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    for pair in pairs(options.instances, seeds, SharedData(options.data), options.limit):
        measured.append(pair)
        notes.print(
            f"{pair.instance:<20} {pair.share:.0%} seed {pair.seed}  cold {pair.cold_s}  warm {pair.warm_s}",
            markup=False,
        )
    text = markdown_table(HEADS, rows(measured, options.limit))
    payload = {"gaps": GAPS, "limit_s": options.limit, "pairs": [asdict(pair) for pair in measured]}
    publish(options.output, STEM, started, machine, payload, "Warm start", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
