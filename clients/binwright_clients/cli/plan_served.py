"""``binwright plan FORECAST --server``: the plan that a server makes, as the same document.

What the answer does not repeat, such as terms and discounts of the offers, is the forecast's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from binwright.v1 import planning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import HOURS_PER_MONTH
from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.model.quantity import MICROUSD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from binwright_clients.cli.connection import Connection
from binwright_clients.cli.engines import CALL_TIMEOUT_S, open_client
from binwright_clients.cli.failures import Failure
from binwright_clients.cli.output import stderr_console
from binwright_clients.cli.plan_forecast_view import service_level
from binwright_clients.cli.plan_progress import plan_progress
from binwright_clients.cli.plan_reference_view import plain_table
from binwright_clients.cli.render.text import literal, percent, some
from binwright_clients.forecast.holdings import held_documents, scope_document
from binwright_clients.forecast.message import demand_order, forecast_to_message, name_of

if TYPE_CHECKING:
    from binwright_optimizer.model.forecast import Forecast
    from binwright_optimizer.model.offers import CommitmentOffer, ReservationOffer

    from binwright_clients.forecast.places import Places


def plan_request(
    asked: Forecast, deadline_s: float, risk_aversion: float, tail: float, whole_term: bool, seed: int
) -> planning_service_pb2.PlanRequest:
    """The request for a forecast."""
    request = planning_service_pb2.PlanRequest(forecast=forecast_to_message(asked))
    request.params.deadline.FromMilliseconds(round(deadline_s * 1e3))
    request.params.risk_aversion_ppm = round(risk_aversion * PPM)
    request.params.tail_ppm = round(tail * PPM)
    request.params.charge_whole_term = whole_term
    request.params.seed = seed
    return request


def served(
    connection: Connection,
    request: planning_service_pb2.PlanRequest,
    asked: Forecast,
    places: Places,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """The plan of a server as the document that ``-o json`` writes.

    Raises
    ------
    InputError
        If the server refuses the forecast; places and values are those of the file.
    Failure
        If it cannot be reached, gives no plan in time, or does not know what was asked.
    """
    timeout_s = request.params.deadline.ToMilliseconds() / 1e3 + CALL_TIMEOUT_S
    began_s = time.monotonic()
    try:
        with open_client(connection) as client, plan_progress(stderr_console(), quiet=quiet) as note:
            for response in client.plan(request, timeout=timeout_s):
                if response.HasField("plan"):
                    document = document_of(response.plan, asked)
                    if request.HasField("held") and not (document["certificate"] or {}).get("churn"):
                        raise Failure("the server is of a version that does not know --churn-cost")
                    return document
                note(response.progress.solved, response.progress.problems)
    except InvalidProblemError as error:
        raise places.refused(error, demand_order(asked)) from error
    raise Failure(f"the server ended the call after {time.monotonic() - began_s:.0f} s without a plan")


def document_of(plan: planning_service_pb2.CapacityPlan, asked: Forecast) -> dict[str, Any]:
    """The plan as plain values; dollars over the horizon unless the key says otherwise."""
    has_rule = plan.HasField("sizing_rule_microusd")
    return {
        "cloud": asked.cloud,
        "total_cost_usd": plan.total_microusd / MICROUSD,
        "lower_bound_usd": plan.lower_bound_microusd / MICROUSD,
        "gap": plan.gap,
        "expected_cost_usd": plan.expected_microusd / MICROUSD,
        "without_commitments_usd": plan.without_commitments_microusd / MICROUSD,
        "churn_usd": plan.churn_microusd / MICROUSD,
        "upfront_usd": sum(bought.upfront_microusd for bought in plan.commitments) / MICROUSD,
        "service_level": service_level(asked),
        "sizing_rule_usd": plan.sizing_rule_microusd / MICROUSD if has_rule else None,
        # Of the forecast the server warns by the paths of its message.
        "warnings": [*asked.remarks, *(said for said in plan.warnings if not said.startswith("held_"))],
        "sizing_rule_note": plan.sizing_rule_note or None,
        "scenarios": [
            {"name": s.name, "probability": s.permille / 1000, "cost_usd": s.cost_microusd / MICROUSD}
            for s in plan.scenarios
        ],
        "periods": [_period(plan, asked, at) for at in range(len(asked.periods))],
        "commitments": [_commitment(bought, asked) for bought in plan.commitments],
        "held_commitments": held_documents(asked),
        "backtests": backtest_documents(asked),
        "price_sources": [
            {"name": s.name, "date": s.date, "is_estimate": s.is_estimate} for s in plan.price_sources
        ],
        "certificate": json.loads(plan.certificate_json) if plan.certificate_json else None,
    }


def backtest_documents(asked: Forecast) -> list[dict[str, Any]]:
    """How well the forecasts made of histories would have held."""
    return [
        {
            "workload": test.workload,
            "region": test.region,
            "spans": test.spans,
            "points": test.points,
            "p50": test.p50,
            "p90": test.p90,
            "p99": test.p99,
        }
        for test in asked.backtests
    ]


def _period(plan: planning_service_pb2.CapacityPlan, asked: Forecast, at: int) -> dict[str, Any]:
    own, period = plan.periods[at], asked.periods[at]
    name = name_of(period)
    mixes = [mix for mix in plan.mixes if mix.period == name]
    hours = _block_hours(mixes)
    total = own.committed_microusd + own.on_demand_microusd + own.other_microusd
    return {
        "name": name,
        "start": str(period.start),
        "end": str(period.end),
        "expected_cost_usd": total / MICROUSD,
        "paid": {
            "commitments_usd": own.committed_microusd / MICROUSD,
            "on_demand_usd": own.on_demand_microusd / MICROUSD,
            "other_usd": own.other_microusd / MICROUSD,
        },
        "coverage": [
            {
                "commitment": use.name,
                "worth_usd": use.worth_microusd / MICROUSD,
                "used_usd": use.used_microusd / MICROUSD,
            }
            for use in own.uses
        ],
        "mixes": [
            {
                "region": mix.region,
                "zone": mix.zone,
                "scenario": mix.scenario,
                "hours_of_week": len(mix.hours),
                "share_of_busiest_hour": {
                    profile.name: max(profile.ppm[hour] for hour in mix.hours) / PPM
                    for profile in asked.profiles
                },
                "on_demand": _mix(
                    [n for n in mix.nodes if n.capacity_type != "spot"],
                    mix.on_demand_bound_microusd_per_hour
                    if mix.HasField("on_demand_bound_microusd_per_hour")
                    else None,
                ),
                "spot": _mix(
                    [n for n in mix.nodes if n.capacity_type == "spot"], mix.spot_bound_microusd_per_hour
                ),
            }
            for mix in mixes
        ],
        "splits": [
            {
                "workload": split.workload,
                "wanted_in": split.wanted_in,
                "region": split.region,
                "zone": split.zone,
                "scenario": split.scenario,
                "hours_of_week": hours[split.block],
                "block": split.block,
                "pods_held": split.pods_held,
                "pods_running": split.pods_running,
            }
            for split in plan.splits
            if split.period == name
        ],
    }


def _block_hours(mixes: Iterable[planning_service_pb2.PlannedMix]) -> list[int]:
    """Length of each block of hours, in the order of the mixes."""
    blocks = dict.fromkeys(tuple(mix.hours) for mix in mixes)
    return [len(hours) for hours in blocks]


def _mix(nodes: list[planning_service_pb2.PlannedNodes], bound: int | None) -> dict[str, Any]:
    cost = sum(n.count * n.price_microusd_per_hour for n in nodes)
    return {
        "nodes": sum(n.count for n in nodes),
        "hourly_cost_usd": cost / MICROUSD,
        "monthly_cost_usd": HOURS_PER_MONTH * cost / MICROUSD,
        "lower_bound_usd": None if bound is None else bound / MICROUSD,
        "gap": None if bound is None else (cost - bound) / cost if cost else 0.0,
        "purchases": [
            {
                "instance_type": n.instance_type,
                "capacity_type": n.capacity_type,
                "zone": n.zone,
                "nodes": n.count,
                "hourly_price_usd": n.price_microusd_per_hour / MICROUSD,
                "price_source": n.source.name,
                "price_date": n.source.date,
                "is_estimate": n.source.is_estimate,
            }
            for n in nodes
        ],
    }


def _commitment(bought: planning_service_pb2.PlannedCommitment, asked: Forecast) -> dict[str, Any]:
    offers: tuple[CommitmentOffer | ReservationOffer, ...] = (*asked.offers, *asked.reservations)
    offer = next(one for one in offers if one.name == bought.offer)
    return {
        "offer": bought.offer,
        "years": offer.years,
        "upfront": str(offer.upfront),
        "covers": scope_document(offer.scope),
        "nodes": bought.nodes or None,
        "discount": None if offer.discount_ppm is None else offer.discount_ppm / PPM,
        "discount_is_estimate": bought.is_estimate,
        "start": bought.start,
        "end": bought.end,
        "usd_per_hour": bought.microusd_per_hour / MICROUSD,
        "counted_cost_usd": bought.counted_microusd / MICROUSD,
        "obligation_usd": bought.obligation_microusd / MICROUSD,
        "upfront_usd": bought.upfront_microusd / MICROUSD,
    }


def document_view(document: Mapping[str, Any]) -> RenderableType:
    """A plan's document at a glance: figures, periods, commitments, nodes of the dearest hours."""
    periods = document["periods"]
    lines: list[RenderableType] = [Panel(_summary(document), title="Plan", title_align="left")]
    lines += [Text(f"warning: {remark}", style="yellow") for remark in document["warnings"]]
    costs = plain_table(("Period", False), ("Expected $", True), ("$/h at most", True), ("Nodes then", False))
    for period in periods:
        hourly, nodes = _dearest(period, document)
        costs.add_row(
            literal(period["name"]), f"{period['expected_cost_usd']:,.0f}", f"{hourly:,.2f}", literal(nodes)
        )
    lines.append(costs)
    if document["commitments"]:
        bought = plain_table(
            ("From", False), ("Commit to", False), ("$/h", True), ("Until", False), ("$ of the term", True)
        )
        for one in document["commitments"]:
            bought.add_row(
                literal(one["start"]),
                literal(f"{one['nodes']:,} x {one['offer']}" if one["nodes"] else one["offer"]),
                f"{one['usd_per_hour']:,.2f}",
                literal(one["end"]),
                f"{one['obligation_usd']:,.0f}",
            )
        lines += ["", bought]
    else:
        lines.append(Text("No commitment pays.", style="bold"))
    return Group(*lines)


def _summary(document: Mapping[str, Any]) -> Text:
    text = Text.assemble(
        (f"${document['total_cost_usd']:,.0f}", "bold"),
        f" from {document['periods'][0]['start']} to {document['periods'][-1]['end']}    "
        f"lower bound ${document['lower_bound_usd']:,.0f}    gap {percent(document['gap'])}\n"
        f"without commitments ${document['without_commitments_usd']:,.0f}",
    )
    if document["churn_usd"]:
        text.append(f"\nof it ${document['churn_usd']:,.0f} for nodes that the plan held does not have")
    if document["sizing_rule_usd"] is not None:
        text.append(f"\nsizing rule ${document['sizing_rule_usd']:,.0f} expected")
    elif document["sizing_rule_note"]:
        text.append(f"\nno sizing rule to compare with: {document['sizing_rule_note']}")
    return text


def _dearest(period: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[float, str]:
    """Dollars an hour and nodes of all regions in the dearest hours of the likeliest scenario."""
    likeliest = max(document["scenarios"], key=lambda scenario: scenario["probability"])["name"]
    by_block: dict[tuple[object, ...], tuple[float, dict[str, int]]] = {}
    for mix in period["mixes"]:
        if mix["scenario"] == likeliest:
            block = mix["hours_of_week"], *sorted(mix["share_of_busiest_hour"].items())
            cost, nodes = by_block.get(block, (0.0, {}))
            for kind in ("on_demand", "spot"):
                cost += mix[kind]["hourly_cost_usd"]
                for bought in mix[kind]["purchases"]:
                    name = bought["instance_type"] + (" spot" if kind == "spot" else "")
                    nodes[name] = nodes.get(name, 0) + bought["nodes"]
            by_block[block] = cost, nodes
    cost, nodes = max(by_block.values(), key=lambda found: found[0])
    return cost, some([f"{count} {name}" for name, count in nodes.items()], most=6)
