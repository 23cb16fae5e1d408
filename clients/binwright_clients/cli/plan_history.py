"""``binwright plan history``: a forecast table from what was, with the rate at which its bands held."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import click
from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model.forecast import Period, quarter
from rich.console import Group
from rich.text import Text

from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.output import output_option, print_table, print_yaml
from binwright_clients.cli.plan_reference_view import plain_table
from binwright_clients.cli.render.text import counted, literal, percent
from binwright_clients.forecast.bands import HistoryBand, history_bands
from binwright_clients.forecast.history import read_histories

if TYPE_CHECKING:
    from binwright_optimizer.planning.history import Coverage


@click.command(
    epilog=examples(
        "binwright plan history daily.csv --season 7",
        "binwright plan history daily.csv --season 7 --quarters 2 -o csv > forecast.csv",
        "binwright plan history daily.csv --season 7 --backtest 28",
    )
)
@click.argument("path", metavar="HISTORY")
@click.option(
    "--season",
    type=click.IntRange(0, 400),
    default=0,
    show_default=True,
    help="Points after which the pattern repeats, such as 7 days; 0 for none.",
)
@click.option(
    "--quarters",
    type=click.IntRange(1, 12),
    default=4,
    show_default=True,
    help="Whole quarters after the history to forecast.",
)
@click.option(
    "--backtest",
    "test_points",
    type=click.IntRange(1, 400),
    metavar="POINTS",
    help="Forecast the last spans of so many points, each from those before it, and say how often the bands "
    "held.",
)
@output_option("csv")
def history(path: str, season: int, quarters: int, test_points: int | None, output: str) -> None:
    """Turn histories (CSV, Parquet) into bands for the coming quarters.

    Seasonal exponential smoothing gives the middle; the errors that forecasts of the same distance would
    have made within the history give the width. A quarter's band holds the quantiles of its highest point,
    whichever that will be, over simulated paths of the model; --backtest says how often such bands held.

    Columns: workload, region, date (2026-05-01), replicas (at the busiest hour of the day or week that begins
    then); optional ones are carried over to the forecast: cpu_milli, memory_mib, gpu_count, gpu_models,
    capacity_type, profile, resource:NAME.
    """
    # Imported on first use: the statistics take more than a second.
    from binwright_optimizer.planning.history import pooled
    from binwright_optimizer.planning.peaks import backtest_peaks

    histories = read_histories(path)
    lines = [
        line
        for known in histories
        for line in history_bands(path, known, season, _next_quarters(known.days[-1], quarters))
    ]
    coverage = None
    if test_points is not None:
        try:
            coverage = pooled([backtest_peaks(known.values, test_points, season) for known in histories])
        except PlanningError as error:
            raise BadInput(f"{path}: {error}") from error
    if output == "csv":
        click.echo(_forecast_table(lines), nl=False)
        if coverage is not None:
            click.echo(_backtest_line(coverage, test_points), err=True)
        return
    document = {
        "demands": [
            {
                "workload": line.history.workload,
                "region": line.history.region,
                "period": line.period.name,
                "p50": line.band.p50,
                "p90": line.band.p90,
                "p99": line.band.p99,
            }
            for line in lines
        ],
        "backtest": None
        if coverage is None
        else {
            "spans": coverage.points,
            "points": test_points,
            "p50": coverage.p50,
            "p90": coverage.p90,
            "p99": coverage.p99,
        },
    }
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    elif output == "yaml":
        print_yaml(document)
    else:
        table = plain_table(
            ("Workload", False),
            ("Region", False),
            ("Period", False),
            ("p50", True),
            ("p90", True),
            ("p99", True),
        )
        for line in lines:
            table.add_row(
                literal(line.history.workload),
                literal(line.history.region),
                line.period.name,
                *(f"{value:,}" for value in _amounts(line)),
            )
        said = "" if coverage is None else f"\n{_backtest_line(coverage, test_points)}"
        print_table(Group(table, Text(said)))


def _backtest_line(coverage: Coverage, points: int | None) -> str:
    return (
        f"backtest: of {counted(coverage.points, 'span')} of {points} points the highest point lay at "
        f"or below p50 in {percent(coverage.p50)}, p90 in {percent(coverage.p90)}, p99 in "
        f"{percent(coverage.p99)}"
    )


def _amounts(line: HistoryBand) -> tuple[int, int, int]:
    return line.band.p50, line.band.p90, line.band.p99


def _next_quarters(last: date, count: int) -> list[Period]:
    """Whole quarters that begin after a day."""
    found: list[Period] = []
    year, number = last.year, (last.month - 1) // 3 + 1
    while len(found) < count:
        number += 1
        if number > 4:
            year, number = year + 1, 1
        found.append(quarter(f"{year}-Q{number}"))
    return found


def _forecast_table(lines: Sequence[HistoryBand]) -> str:
    """A table that ``binwright plan`` reads, where the history has the shapes of the pods."""
    shape = list(lines[0].history.shape)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["workload", "region", "period", *shape, "p50", "p90", "p99"])
    for line in lines:
        known = line.history
        cells = [known.shape[name] for name in shape]
        writer.writerow([known.workload, known.region, line.period.name, *cells, *_amounts(line)])
    return buffer.getvalue()
