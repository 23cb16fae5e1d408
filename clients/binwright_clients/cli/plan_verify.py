"""``binwright plan verify``: doubt a saved plan, from files alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click
from binwright_optimizer.model.forecast import Forecast
from rich.console import Group
from rich.text import Text

from binwright_clients.cli.examples import examples
from binwright_clients.cli.exit_codes import FAILED
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.output import output_option, print_table, print_yaml
from binwright_clients.cli.plan_forecast_view import usd
from binwright_clients.cli.render.text import counted, literal, percent
from binwright_clients.forecast import read_forecast
from binwright_clients.forecast.holdings import with_held
from binwright_clients.forecast.saved_plan import nodes_held, read_document, read_plan


@click.command(
    epilog=examples(
        "binwright plan examples/forecast.yaml -o json > plan.json",
        "binwright plan verify plan.json examples/forecast.yaml",
        "binwright plan verify next.json next-year.yaml --from plan.json",
    )
)
@click.argument("plan", metavar="PLAN")
@click.argument("forecast", metavar="FORECAST")
@click.option(
    "--cloud",
    type=click.Choice(["aws", "gcp", "azure"]),
    help="Whose regions a table means.  [default: aws]",
)
@click.option(
    "--from",
    "held_path",
    metavar="PLAN",
    help="The plan that it was made --from: what that held and bought before the first period is held, and "
    "its nodes are those that --churn-cost counts from.",
)
@output_option()
def verify(plan: str, forecast: str, cloud: str | None, held_path: str | None, output: str) -> None:
    """Check a saved PLAN against its FORECAST: every node, every figure and the proof of the lower bound.

    Takes what "binwright plan FORECAST -o json" wrote. The checker shares no code with the planner and
    works in whole numbers: what each period pays for what, discounts, upfront payments, prices with their
    source and date, what the plan would cost with nothing bought ahead. Pods that are split over zones or
    regions are checked against every promise and quota. A plan made with --from needs the same --from here;
    if it was made with --churn-cost, too, changes to that plan's nodes are counted again. Exit code 0 if the
    plan holds, 1 if it is refuted, 2 if a file is wrong or missing, or the plan has no certificate.
    """
    asked, nodes = read_forecast(forecast, cloud or ""), None
    if held_path is not None:
        held = read_plan(held_path)
        asked = with_held(asked, forecast, held)
        nodes = nodes_held(asked, held)
    document = read_document(plan)
    # What is sold, and to which pool of nodes, is part of the question; imported on first use.
    from binwright_optimizer.planning.mix import STEADY
    from binwright_optimizer.planning.planner import price_lists
    from binwright_optimizer.verify.plan import UnverifiableError, verify_plan

    try:
        found = verify_plan(asked, price_lists(asked), (STEADY,), document, nodes)
    except UnverifiableError as error:
        raise BadInput(f"{plan}: {error}") from error
    findings = [*_other_holdings(document, asked, held_path), *found.findings] if found.findings else []
    answer = {
        "holds": not findings,
        "findings": findings,
        "total_cost_usd": None if found.total_microusd is None else found.total_microusd / 1e6,
        "lower_bound_usd": None if found.bound_microusd is None else found.bound_microusd / 1e6,
        "mixes_checked": found.mixes,
    }
    if output == "json":
        click.echo(json.dumps(answer, indent=2))
    elif output == "yaml":
        print_yaml(answer)
    elif findings:
        print_table(
            Group(
                Text(f"refuted: {counted(len(findings), 'finding')}", style="bold red"),
                *(literal(finding) for finding in findings),
            )
        )
    else:
        assert found.total_microusd is not None, "without findings everything is worked out"
        assert found.bound_microusd is not None, "without findings everything is worked out"
        gap = (found.total_microusd - found.bound_microusd) / max(1, found.total_microusd)
        print_table(
            Group(
                Text("holds", style="bold green"),
                Text(f"cost ${usd(found.total_microusd)}, proven at least ${usd(found.bound_microusd)}"),
                Text(f"gap {percent(gap)}; {counted(found.mixes, 'packing')} checked node by node"),
            )
        )
    if findings:
        raise SystemExit(FAILED)


def _other_holdings(document: Mapping[str, Any], asked: Forecast, held_path: str | None) -> Iterator[str]:
    """What to say first where a plan was made with other commitments held than it is verified with.

    Its figures then differ everywhere, which says nothing of the plan. A certificate prices every commitment
    that is offered or held, whatever its name.
    """
    certificate = document.get("certificate")
    rows = certificate.get("commitment_prices") if isinstance(certificate, dict) else None
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], str):
        return
    priced, offered = len(rows[0].split()), len(asked.offers) + len(asked.reservations)
    held = len(asked.held) + len(asked.held_reservations)
    if priced == offered + held:
        return
    said = (
        f"the plan counts {counted(priced, 'commitment')} offered or held, the forecast"
        f"{f' with {held_path}' if held_path is not None else ''} {offered + held}"
    )
    if held_path is None and priced > offered + held:
        said += ": was it made --from an earlier plan? Then verify it with the same --from"
    elif held_path is not None and priced < offered + held:
        said += ": was it made without --from, or from another plan? Then verify it likewise"
    yield f"{said}; what follows may be due to this alone"
