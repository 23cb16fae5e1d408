"""One instance measured: our decision, how the gap closed, and every baseline beside it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from binwright_optimizer.incumbent import Progress
from binwright_optimizer.memory import Memory
from binwright_optimizer.model import Problem, relative_gap
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve

from binwright_benchmarks.baselines import (
    RULES,
    BaselineResult,
    Market,
    is_random,
    open_market,
    open_rules,
)

MICROUSD = 1e6
TIE_SEEDS = range(10)
"""Expanders break ties at random; the cost of one is the mean over these seeds."""


@dataclass(frozen=True, slots=True)
class Step:
    """Incumbent and bound at one moment of the search, in dollars per hour; 0 before the first."""

    elapsed_s: float
    cost_usd: float
    bound_usd: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One solve of ours.

    Parameters
    ----------
    gap
        Between the cost and the bound that the independent checker proved.
    seconds
        From the problem to the verified decision.
    first_s
        Until the first incumbent.
    steps
        Every step of incumbent and bound; the last is the decision's.
    """

    deadline_s: float
    cost_usd: float
    bound_usd: float
    gap: float
    stop_reason: str
    nodes: int
    pods_unplaced: int
    seconds: float
    first_s: float
    steps: tuple[Step, ...]


class Priced(Protocol):
    """What a baseline is compared with."""

    @property
    def cost_usd(self) -> float:
        """Dollars per hour."""
        ...

    @property
    def pods_unplaced(self) -> int:
        """Pods left out."""
        ...


@dataclass(frozen=True, slots=True)
class BaselineFigures:
    """What one rule costs, over the seeds that break its ties.

    Parameters
    ----------
    mean_usd, least_usd, most_usd
        Dollars per hour.
    seconds
        Time of one run, without the checks.
    """

    name: str
    mean_usd: float
    least_usd: float
    most_usd: float
    nodes: float
    pods_unplaced: int
    runs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """Our answer to one instance and seed, with the baselines.

    Parameters
    ----------
    offerings
        NodePool x offering pairs on which all rules worked.
    seconds
        From the problem to the verified decision.
    first_s
        Until the first incumbent.
    """

    instance: str
    seed: int
    pods: int
    classes: int
    offerings: int
    deadline_s: float
    cost_usd: float
    bound_usd: float
    gap: float
    stop_reason: str
    nodes: int
    pods_unplaced: int
    seconds: float
    first_s: float
    steps: tuple[Step, ...]
    baselines: tuple[BaselineFigures, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Our cost beside a baseline's.

    Parameters
    ----------
    ratio
        Mean cost of the baseline over ours; None where it leaves other pods out than we do, because
        then the two costs buy different things.
    saving
        Share of the baseline's cost that is saved; None likewise.
    is_loss
        Whether the baseline is cheaper for some seed, or as cheap and places more pods.
    """

    baseline: str
    ratio: float | None
    saving: float | None
    is_loss: bool


def compare(measurement: Priced, figures: BaselineFigures) -> Comparison:
    """How we did against one baseline."""
    if figures.pods_unplaced != measurement.pods_unplaced:
        return Comparison(figures.name, None, None, figures.pods_unplaced < measurement.pods_unplaced)
    is_loss = round(figures.least_usd * MICROUSD) < round(measurement.cost_usd * MICROUSD)
    if not measurement.cost_usd or not figures.mean_usd:
        return Comparison(figures.name, None, None, is_loss)
    ratio = figures.mean_usd / measurement.cost_usd
    return Comparison(figures.name, ratio, 1 - 1 / ratio, is_loss)


def median_savings(measurements: Iterable[Measurement]) -> dict[str, float]:
    """Median saving against each baseline over all comparable measurements."""
    savings: dict[str, list[float]] = {}
    for measurement in measurements:
        for figures in measurement.baselines:
            saving = compare(measurement, figures).saving
            if saving is not None:
                savings.setdefault(figures.name, []).append(saving)
    return {name: statistics.median(found) for name, found in savings.items()}


def solve_timed(
    problem: Problem, deadline_s: float, seed: int, gap: float = 0.0, memory: Memory | None = None
) -> Answer:
    """Our answer with every step on the way; raises BinwrightError as `solve` does.

    Parameters
    ----------
    gap
        Gap at which the search may stop.
    memory
        What solves before have left behind; nothing by default.
    """
    steps: list[Step] = []

    def note(progress: Progress) -> None:
        cost = (progress.cost_microusd_per_hour or 0) / MICROUSD
        steps.append(Step(progress.elapsed_s, cost, progress.bound_microusd_per_hour / MICROUSD))

    params = SolveParams(deadline_s=deadline_s, gap=gap, seed=seed)
    began = time.perf_counter()
    decision = solve(problem, params, on_progress=note, memory=memory)
    seconds = time.perf_counter() - began
    cost, bound = decision.cost_microusd_per_hour, decision.bound_microusd_per_hour
    steps.append(Step(seconds, cost / MICROUSD, bound / MICROUSD))
    return Answer(
        deadline_s=deadline_s,
        cost_usd=cost / MICROUSD,
        bound_usd=bound / MICROUSD,
        gap=relative_gap(cost, bound),
        stop_reason=decision.stop_reason.value,
        nodes=len(decision.node_claims),
        pods_unplaced=sum(entry.pods.count for entry in decision.unschedulable),
        seconds=seconds,
        first_s=next((step.elapsed_s for step in steps if step.cost_usd), seconds),
        steps=tuple(steps),
    )


def measure(name: str, seed: int, problem: Problem, deadline_s: float) -> Measurement:
    """Solve, run the baselines, and have the independent checker look at all of them.

    Raises
    ------
    BinwrightError
        If the problem cannot be represented, or our own answer fails the checker.
    BrokenBaselineError
        If a baseline's answer does.
    """
    answer = solve_timed(problem, deadline_s, seed)
    market = open_market(problem)
    return Measurement(
        instance=name,
        seed=seed,
        pods=pods_of(problem),
        classes=market.instance.n_classes,
        offerings=market.n_bought,
        deadline_s=deadline_s,
        cost_usd=answer.cost_usd,
        bound_usd=answer.bound_usd,
        gap=answer.gap,
        stop_reason=answer.stop_reason,
        nodes=answer.nodes,
        pods_unplaced=answer.pods_unplaced,
        seconds=answer.seconds,
        first_s=answer.first_s,
        steps=answer.steps,
        baselines=run_baselines(market),
    )


def pods_of(problem: Problem) -> int:
    """Pods of all workloads."""
    return sum(workload.replicas for workload in problem.workloads)


def run_baselines(market: Market, names: Iterable[str] = RULES) -> tuple[BaselineFigures, ...]:
    """Baselines, their extremes checked; those that draw between equals over `TIE_SEEDS`."""
    return tuple(
        _figures(name, [partial(run, seed) for seed in (TIE_SEEDS if is_random(name) else (0,))])
        for name, run in open_rules(market, names).items()
    )


def _figures(name: str, runs: Sequence[Callable[[], BaselineResult]]) -> BaselineFigures:
    began = time.perf_counter()
    results = [run() for run in runs]
    seconds = (time.perf_counter() - began) / len(runs)
    # Checking names every pod, which costs more than drawing: the luckiest and the unluckiest draw.
    by_cost = sorted(results, key=lambda result: result.cost_microusd_per_hour)
    for extreme in by_cost[:1] + [r for r in by_cost[-1:] if r is not by_cost[0]]:
        extreme.checked()
    costs = [result.cost_microusd_per_hour / MICROUSD for result in results]
    return BaselineFigures(
        name=name,
        mean_usd=statistics.fmean(costs),
        least_usd=min(costs),
        most_usd=max(costs),
        nodes=statistics.fmean(result.nodes for result in results),
        pods_unplaced=min(result.pods_unplaced for result in results),
        runs=len(results),
        seconds=seconds,
    )
