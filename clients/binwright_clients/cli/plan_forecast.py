"""``binwright plan FORECAST``: node mixes and commitments for a forecast, with a proven bound."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from binwright_optimizer.errors import PlanningError, UnservedError

from binwright_clients.cli.answer_stdout import answer_only_on_stdout
from binwright_clients.cli.connection import Connection, server_options
from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.files import check_writable
from binwright_clients.cli.output import output_option, print_table, print_yaml, stderr_console
from binwright_clients.cli.plan_engines import EngineChoice, engine_options
from binwright_clients.cli.plan_forecast_view import plan_view, service_level
from binwright_clients.cli.plan_progress import plan_progress
from binwright_clients.cli.plan_reference import mix_document, source_document
from binwright_clients.cli.plan_report import plan_page
from binwright_clients.cli.plan_served import backtest_documents, document_view, plan_request, served
from binwright_clients.cli.today import today
from binwright_clients.cli.values import DURATION, FiniteRange
from binwright_clients.forecast import read_with_places
from binwright_clients.forecast.held_message import held_to_message
from binwright_clients.forecast.holdings import held_documents, scope_document, with_held
from binwright_clients.forecast.saved_plan import SavedPlan, nodes_held, read_plan

if TYPE_CHECKING:
    from binwright_optimizer.model.forecast import Forecast
    from binwright_optimizer.planning.mix import Mix
    from binwright_optimizer.planning.plan import Plan
    from binwright_optimizer.planning.planner import PlanParams
    from binwright_optimizer.planning.rolling import HeldPlan


@click.command(
    epilog=examples(
        "binwright plan examples/forecast.yaml --report plan.html",
        "binwright plan next-year.yaml --from plan.json --churn-cost 50",
        "binwright plan examples/forecast.yaml --risk-aversion 0.5 --tail 0.9",
        "binwright plan forecast demand.csv --cloud gcp --deadline 20s -o json > plan.json",
        "binwright plan forecast large.yaml --engine dask --dask-address tcp://10.0.0.5:8786",
        "binwright plan forecast large.yaml --server planner.example:8443 --tls-ca ca.pem --token-file token",
    )
)
@click.argument("path", metavar="FORECAST")
@click.option(
    "--cloud",
    type=click.Choice(["aws", "gcp", "azure"]),
    help="Whose regions a table means.  [default: aws]",
)
@click.option(
    "--deadline",
    type=DURATION,
    default="50s",
    show_default=True,
    help="Time for the plan, start-up included: a round of improvement that would probably end later is "
    "left out. What is needed for a whole plan is done in any case.",
)
@click.option(
    "--risk-aversion",
    type=FiniteRange(0, 1),
    default=0.0,
    show_default=True,
    help="Weight of the tail in the objective: 0 plans for the expected cost, 1 for the tail's mean.",
)
@click.option(
    "--tail",
    type=FiniteRange(0, 1, max_open=True),
    default=0.95,
    show_default=True,
    help="Probability at which the tail begins.",
)
@click.option(
    "--whole-term",
    is_flag=True,
    help="Count what commitments cost after the last period; without it, demand is taken to go on.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, help="Seed of everything random.")
@click.option(
    "--from",
    "held_path",
    metavar="PLAN",
    help="A plan saved with -o json: what it held, and bought before the first period, is held.",
)
@click.option(
    "--churn-cost",
    type=FiniteRange(0, 1_000_000),
    default=0.0,
    show_default=True,
    metavar="USD",
    help="With --from: dollars for each on-demand node that the plan held does not have, once a period.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write a page with charts, which needs no network; its name ends in .html.",
)
@engine_options
@server_options
@output_option()
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
def forecast(
    path: str,
    cloud: str | None,
    deadline: float,
    risk_aversion: float,
    tail: float,
    whole_term: bool,
    seed: int,
    held_path: str | None,
    churn_cost: float,
    report: Path | None,
    output: str,
    quiet: bool,
    engine: EngineChoice,
    connection: Connection | None,
) -> None:
    """Plan for a forecast (YAML, JSON, CSV, Parquet): what to commit to now, which nodes to run then.

    Every region, period, scenario and block of hours gets its cheapest mix of nodes; commitments are
    chosen over all of them. The plan serves all demand of every scenario, p99 included unless the
    forecast's serviceLevel says less, and its bound is proven: no plan of this form is cheaper. Nodes have
    at most 32 vCPU (the forecast's maxNodeCpu; a pod that needs more raises it), burstable types are not
    bought, and 200m CPU and 256Mi of every node are left to daemons.

    A table (examples/forecast.csv) has a row for each workload, region and period. Columns: workload, region,
    period (2027-Q1; or period_start and period_end, the first day after it), cpu_milli, memory_mib, replicas
    at the busiest hour (or p50 and, where known, p90 and p99); optional gpu_count, gpu_models (alternatives
    between |), capacity_type (on-demand, spot), profile (flat, office, evening, night), currency (USD).
    """
    began_s = time.monotonic()
    if report is not None:
        _check_report(report, [path, *([held_path] if held_path is not None else [])])
    asked, places = read_with_places(path, cloud or "")
    if churn_cost and held_path is None:
        raise BadInput("--churn-cost: means nothing without --from")
    saved = None if held_path is None else read_plan(held_path)
    if saved is not None:
        asked = with_held(asked, path, saved)
    if connection is not None:
        if engine != EngineChoice() or report is not None:
            raise BadInput("--server: engine options and --report are not for a server")
        request = plan_request(asked, deadline, risk_aversion, tail, whole_term, seed)
        if saved is not None and churn_cost:
            request.held.CopyFrom(held_to_message(asked, saved, round(churn_cost * 1e6)))
        document = served(connection, request, asked, places, quiet=quiet)
        if output == "table":
            print_table(document_view(document))
        elif output == "json":
            click.echo(json.dumps(document, indent=2))
        else:
            print_yaml(document)
        return
    # Imported on first use: it loads the solver.
    from binwright_optimizer.planning.commit import Risk
    from binwright_optimizer.planning.planner import PlanParams

    risk = Risk(Fraction(str(risk_aversion)), Fraction(str(tail)))
    try:
        with answer_only_on_stdout():
            left_s = max(0.0, deadline - (time.monotonic() - began_s))
            params = PlanParams(left_s, risk, seed, whole_term)
            found = _planned(asked, params, quiet, saved, round(churn_cost * 1e6), engine)
    except UnservedError as error:
        raise places.unserved(error) from error
    except PlanningError as error:
        raise BadInput(f"{path}: {error}") from error
    if output == "table":
        print_table(plan_view(found))
    elif output == "json":
        click.echo(json.dumps(plan_document(found), indent=2))
    else:
        print_yaml(plan_document(found))
    if report is not None:
        report.write_text(plan_page(found, f"Capacity plan for {path}"), encoding="utf-8")


def _check_report(report: Path, read: Sequence[str]) -> None:
    """Refuse to write a page over what is read, or where nobody would look for one."""
    if report.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"--report: a page's name must end in .html (got {str(report)!r})")
    for name in read:
        if report.exists() and Path(name).exists() and report.samefile(name):
            raise BadInput(f"--report: {name} is read, and would be written over (got {str(report)!r})")
    check_writable(report)


def _planned(
    asked: Forecast,
    params: PlanParams,
    quiet: bool,
    saved: SavedPlan | None,
    churn_microusd: int,
    engine: EngineChoice,
) -> Plan:
    from binwright_optimizer.planning.planner import make_plan

    with engine.opened() as (does, checkpoint), plan_progress(stderr_console(), quiet=quiet) as note:
        return make_plan(
            asked,
            params,
            note,
            held=None if saved is None else held_plan(asked, saved, churn_microusd),
            engine=does,
            checkpoint=checkpoint,
        )


def held_plan(asked: Forecast, saved: SavedPlan, churn_microusd: int) -> HeldPlan:
    """The on-demand nodes that a plan has for the forecast's periods."""
    from binwright_optimizer.planning.rolling import HeldPlan

    return HeldPlan(nodes_held(asked, saved), churn_microusd)


def plan_document(found: Plan) -> dict[str, Any]:
    """The plan as plain values; dollars over the horizon unless the key says otherwise."""
    # Imported on first use: it loads the solver.
    from binwright_optimizer.planning.certificate import certificate_document

    periods = found.forecast.periods
    return {
        "cloud": found.forecast.cloud,
        "total_cost_usd": found.total / 1e6,
        "lower_bound_usd": found.bound / 1e6,
        "gap": found.gap,
        "expected_cost_usd": found.expected / 1e6,
        "without_commitments_usd": found.without_commitments / 1e6,
        "churn_usd": found.churn / 1e6,
        "upfront_usd": found.upfront_microusd / 1e6,
        "service_level": service_level(found.forecast),
        "sizing_rule_usd": None if found.sizing_rule is None else found.sizing_rule / 1e6,
        "warnings": list(found.warnings(today())),
        "sizing_rule_note": found.sizing_note or None,
        "scenarios": [
            {"name": s.name, "probability": s.permille / 1000, "cost_usd": cost / 1e6}
            for s, cost in zip(found.scenarios, found.by_scenario, strict=True)
        ],
        "periods": [
            {
                "name": period.name or f"{period.start}",
                "start": str(period.start),
                "end": str(period.end),
                "expected_cost_usd": found.by_period[at] / 1e6,
                "paid": {
                    "commitments_usd": found.accounts[at].committed / 1e6,
                    "on_demand_usd": found.accounts[at].on_demand / 1e6,
                    "other_usd": found.accounts[at].other / 1e6,
                },
                "coverage": [
                    {"commitment": c.name, "worth_usd": c.worth / 1e6, "used_usd": c.used / 1e6}
                    for c in found.accounts[at].coverage
                ],
                "mixes": [
                    {
                        "region": mix.region,
                        "zone": mix.zone,
                        "scenario": found.scenarios[mix.scenario].name,
                        "hours_of_week": found.blocks[mix.block].hours,
                        "share_of_busiest_hour": {
                            profile.name: ppm / 1e6
                            for profile, ppm in zip(
                                found.forecast.profiles, found.blocks[mix.block].ppm, strict=True
                            )
                        },
                        "on_demand": _mix_document(mix.on_demand),
                        "spot": _mix_document(mix.spot),
                    }
                    for mix in found.mixes
                    if mix.period == at
                ],
                "splits": list(split_documents(found, at)),
            }
            for at, period in enumerate(periods)
        ],
        "commitments": [
            {
                "offer": bought.offer.name,
                "years": bought.offer.years,
                "upfront": str(bought.offer.upfront),
                "covers": scope_document(bought.offer.scope),
                "nodes": bought.nodes or None,
                "discount": None if bought.offer.discount_ppm is None else bought.offer.discount_ppm / 1e6,
                "discount_is_estimate": bought.offer.is_estimate,
                "start": str(bought.start),
                "end": str(bought.end),
                "usd_per_hour": bought.microusd_per_hour / 1e6,
                "counted_cost_usd": bought.cost_microusd / 1e6,
                "obligation_usd": bought.obligation_microusd / 1e6,
                "upfront_usd": bought.upfront_microusd / 1e6,
            }
            for bought in found.commitments
        ],
        "held_commitments": held_documents(found.forecast),
        "backtests": backtest_documents(found.forecast),
        "price_sources": [source_document(source) for source in found.price_sources],
        "certificate": certificate_document(found),
    }


def _mix_document(mix: Mix) -> dict[str, Any]:
    """A mix as plain values; nothing is said to be proven of one that was chosen by other prices."""
    # Imported on first use: it loads the solver.
    from binwright_optimizer.planning.certificate import is_proven

    return mix_document(mix) | ({} if is_proven(mix) else {"lower_bound_usd": None, "gap": None})


def split_documents(found: Plan, period: int) -> Iterator[dict[str, Any]]:
    """Where the pods of a period run and stand by, if they are split over several places."""
    for ((at, scenario, block), _), cell in sorted(found.spread.items()):
        if at != period:
            continue
        for (i, site), pods in sorted(cell.split.pods.items()):
            item = cell.split.proof.question.items[i]
            yield {
                "workload": found.forecast.workloads[item.workload].name,
                "wanted_in": item.home,
                "region": found.sites[site].region,
                "zone": found.sites[site].zone,
                "scenario": found.scenarios[scenario].name,
                "hours_of_week": found.blocks[block].hours,
                "block": block,
                "pods_held": pods,
                "pods_running": cell.split.running.get((i, site), 0),
            }
