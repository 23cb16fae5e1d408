"""How the time to a gap of 1 % grows: with classes x offerings, and with replicas.

``python -m binwright_benchmarks.growth`` solves generated micro-services until the gap is 1 %, for a grid of
numbers of classes and of offerings, and for ever more replicas of the same classes. The time is that of the
search's own bound; the decision that follows proves it, and costs time for every pod it names, which is told
beside. A solve that does not get there within the limit counts with the limit.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from binwright_optimizer.warmup import warm_up
from rich.console import Console

from binwright_benchmarks.arguments import add_output, count, duration
from binwright_benchmarks.baselines import open_market
from binwright_benchmarks.instances.micro_services import MEANS, micro_services
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.measure import Answer, solve_timed
from binwright_benchmarks.results import markdown_table, publish

GAP = 0.01
LIMIT_S = 30.0
CLASSES = (25, 50, 100, 200, 400)
"""Crossed with all of `MEANS`, at `PODS` pods."""

PODS = 10_000
REPLICA_CLASSES = 100
REPLICA_MEANS = "cmr"
REPLICAS = (10, 30, 100, 300, 1_000, 3_000)
"""Pods per class, on average."""

FIRST_SEED = 2000
SEEDS = 3
STEM = "growth"


@dataclass(frozen=True, slots=True)
class Point:
    """One solve.

    Parameters
    ----------
    series
        ``size`` for the grid of classes and offerings, ``replicas`` for more pods of the same classes.
    reached_s
        Until the search's gap was `GAP`; None if it was not within the limit.
    decision_s
        Until the verified decision.
    gap
        Proven by the decision.
    """

    series: str
    market: str
    seed: int
    pods: int
    classes: int
    offerings: int
    reached_s: float | None
    decision_s: float
    gap: float


def reached_at(answer: Answer, gap: float = GAP) -> float | None:
    """Seconds until incumbent and bound of the search were this close; None if they never were."""
    for step in answer.steps:
        if step.cost_usd and step.cost_usd - step.bound_usd <= gap * step.cost_usd:
            return step.elapsed_s
    return None


def measure_point(series: str, market: str, pods: int, classes: int, seed: int, limit_s: float) -> Point:
    """Solve one instance until its gap is `GAP`; raises BinwrightError as `solve` does."""
    problem = micro_services(seed, pods, classes, MEANS[market])
    answer = solve_timed(problem, limit_s, seed, gap=GAP)
    opened = open_market(problem)
    return Point(
        series=series,
        market=market,
        seed=seed,
        pods=pods,
        classes=opened.instance.n_classes,
        offerings=opened.n_bought,
        reached_s=reached_at(answer),
        decision_s=answer.seconds,
        gap=answer.gap,
    )


def grid(seeds: Sequence[int], limit_s: float) -> Iterator[Point]:
    """All points, small ones first; what each market sells is read before it is timed."""
    for market in MEANS:
        solve_timed(micro_services(FIRST_SEED - 1, PODS, CLASSES[0], MEANS[market]), 0.1, 0)
        for classes in CLASSES:
            for seed in seeds:
                yield measure_point("size", market, PODS, classes, seed, limit_s)
    for replicas in REPLICAS:
        for seed in seeds:
            pods = replicas * REPLICA_CLASSES
            yield measure_point("replicas", REPLICA_MEANS, pods, REPLICA_CLASSES, seed, limit_s)


def points_of(payload: dict[str, Any]) -> tuple[Point, ...]:
    """What a result file holds; raises KeyError or TypeError if it is none."""
    return tuple(Point(**entry) for entry in payload["points"])


HEADS = (
    "Series",
    "Market",
    "Pods",
    "Classes",
    "Offerings",
    "To 1 %, median",
    "most",
    "To the decision, median",
)


def rows(points: Sequence[Point], limit_s: float) -> Sequence[tuple[str, ...]]:
    """Cells under `HEADS`, medians over the seeds."""
    groups: dict[tuple[str, str, int, int], list[Point]] = {}
    for point in points:
        key = (point.series, point.market, point.pods, point.classes)
        groups.setdefault(key, []).append(point)
    table = []
    for (series, market, pods, classes), group in groups.items():
        times = [point.reached_s if point.reached_s is not None else limit_s for point in group]
        missed = sum(point.reached_s is None for point in group)
        table.append(
            (
                series,
                market,
                f"{pods:,}",
                f"{classes:,}",
                f"{group[0].offerings:,}",
                f"{statistics.median(times):.2f} s",
                f"{max(times):.2f} s" + (f", {missed} not reached" if missed else ""),
                f"{statistics.median(point.decision_s for point in group):.2f} s",
            )
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and keep the report."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.growth", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--seeds", metavar="N", type=count, default=SEEDS, help="default: %(default)s")
    parser.add_argument(
        "--limit",
        metavar="S",
        type=duration,
        default=LIMIT_S,
        help="seconds for each solve (default: %(default)s)",
    )
    add_output(parser)
    options = parser.parse_args(arguments)
    machine, started = machine_note(), datetime.now(UTC)
    notes = Console(stderr=True, width=100, highlight=False, soft_wrap=True)
    warm_up()
    points = []
    for point in grid(range(FIRST_SEED, FIRST_SEED + options.seeds), options.limit):
        points.append(point)
        reached = "not reached" if point.reached_s is None else f"{point.reached_s:.3f} s"
        notes.print(
            f"{point.series:<8} {point.market:<4} {point.pods:>9,} pods {point.classes:>4} classes "
            f"{point.offerings:>7,} offerings  1 %: {reached}  decision {point.decision_s:.2f} s",
            markup=False,
        )
    text = markdown_table(HEADS, rows(points, options.limit))
    payload = {"gap": GAP, "limit_s": options.limit, "points": [asdict(point) for point in points]}
    publish(options.output, STEM, started, machine, payload, "Growth: time to a gap of 1 %", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
