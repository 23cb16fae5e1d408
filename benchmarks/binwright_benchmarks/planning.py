"""What a plan of the shipped forecasts costs, beside the sizing rule and each quarter alone, and its gap.

Run as ``python -m binwright_benchmarks.planning``. The quarters alone buy nothing ahead: no term of one or
three years pays for itself within one of them. That small plans are optimal is shown by the tests, which
solve them again in extensive form.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from binwright_clients.cli.plan_progress import plan_progress
from binwright_clients.forecast import read_forecast
from binwright_optimizer.planning.engine import LocalEngine
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.warmup import warm_up
from rich.console import Console

from binwright_benchmarks.arguments import add_output, count, duration
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.results import markdown_table, publish

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FORECASTS = ("forecast.yaml", "resilient.yaml", "autoscaled.yaml")
HEADS = ("forecast", "plan $", "bound $", "gap", "sizing rule $", "quarters alone $", "saves", "seconds")


@dataclass(frozen=True, slots=True)
class PlanResult:
    """One plan; money in dollars over its horizon.

    Parameters
    ----------
    quarters_alone_usd
        The same demand with nothing bought ahead.
    """

    forecast: str
    total_usd: float
    bound_usd: float
    gap: float
    sizing_rule_usd: float | None
    quarters_alone_usd: float
    seconds: float


def measured(path: Path, deadline_s: float) -> PlanResult:
    """Plan for one forecast on all processors, reading and the start of processes included in the time."""
    console = Console(stderr=True, highlight=False)
    console.print(path.name, style="bold", markup=False)
    began = time.perf_counter()
    with (
        LocalEngine(os.cpu_count() or 1) as engine,
        plan_progress(console, quiet=False) as note,
    ):
        plan = make_plan(read_forecast(str(path)), PlanParams(deadline_s), note, engine=engine)
    seconds = time.perf_counter() - began
    rule = plan.sizing_rule
    return PlanResult(
        path.name,
        plan.total / 1e6,
        plan.bound / 1e6,
        plan.gap,
        None if rule is None else rule / 1e6,
        plan.without_commitments / 1e6,
        seconds,
    )


def row(result: PlanResult) -> tuple[str, ...]:
    """The cells of `HEADS`."""
    rule = result.sizing_rule_usd
    saves = [] if rule is None else [f"{100 * (1 - result.total_usd / rule):.1f} % of the rule"]
    saves.append(f"{100 * (1 - result.total_usd / result.quarters_alone_usd):.1f} % of quarters alone")
    return (
        result.forecast,
        f"{result.total_usd:,.0f}",
        f"{result.bound_usd:,.0f}",
        f"{100 * result.gap:.2f} %",
        "" if rule is None else f"{rule:,.0f}",
        f"{result.quarters_alone_usd:,.0f}",
        ", ".join(saves),
        f"{result.seconds:.1f}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and keep the report."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.planning", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--repeats", metavar="N", type=count, default=1, help="default: %(default)s")
    parser.add_argument("--only", metavar="NAME", choices=FORECASTS, help="one of the forecasts")
    parser.add_argument(
        "--deadline",
        metavar="S",
        type=duration,
        default=45.0,
        help="seconds for all solves",
    )
    add_output(parser)
    options = parser.parse_args(arguments)
    machine, started = machine_note(), datetime.now(UTC)
    warm_up()
    results = [
        measured(EXAMPLES / name, options.deadline)
        for name in ((options.only,) if options.only else FORECASTS)
        for _ in range(options.repeats)
    ]
    text = markdown_table(HEADS, [row(result) for result in results])
    payload = {"deadline_s": options.deadline, "plans": [asdict(result) for result in results]}
    title = "Plans of the shipped forecasts"
    publish(options.output, "planning", started, machine, payload, title, text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
