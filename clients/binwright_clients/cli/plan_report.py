"""A plan as one page of HTML: no script, no request to anywhere, every price with its source and date."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from binwright_clients.cli.plan_capacity import cpu_wanted_and_bought, pods_wanted
from binwright_clients.cli.plan_charts import Series, bars
from binwright_clients.cli.plan_forecast_view import (
    COMMITMENT_HEADS,
    HELD_HEADS,
    alone_text,
    backtest_lines,
    busiest_mixes,
    churn_text,
    commitment_rows,
    held_rows,
    plan_notes,
    plan_regions,
    scenario_text,
    service_text,
    sizing_text,
    usd,
)
from binwright_clients.cli.plan_pools import other_costs, pool_table
from binwright_clients.cli.plan_tables import table
from binwright_clients.cli.render.text import dollars, percent, printable
from binwright_clients.cli.today import today

if TYPE_CHECKING:
    from binwright_optimizer.planning.plan import Plan

MOST_NAMED = 4
"""Commitments that a chart tells apart; the rest are one series."""
_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: Canvas; color: CanvasText; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td { white-space: nowrap; } td:last-child:not(.n) { white-space: normal; min-width: 10rem; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.2rem 0; } figcaption { font-weight: 600; margin-bottom: .3rem; }
.scroll { overflow-x: auto; margin: .8rem 0; }
svg { width: 100%; min-width: 36rem; height: auto; display: block; }
svg text { fill: currentColor; font-size: 12px; }
svg .grid { stroke: var(--line); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .3rem 0; padding: 0;
  font-size: .85rem; }
.legend i { display: inline-block; width: .75em; height: .75em; margin-right: .4em; }
.lead { font-size: 1.1rem; } .note { opacity: .8; }
"""


def plan_page(found: Plan, title: str) -> str:
    """The page; names from the forecast are escaped."""
    periods = found.forecast.periods
    names = [period.name or f"{period.start}" for period in periods]
    sections = [
        f"<h1>{escape(printable(title))}</h1>",
        _lead(found),
        "<h2>Cost by period</h2>",
        bars("Expected cost by period", names, _costs(found), "$", stacked=True),
        "<h2>Nodes by pool, all scenarios and hours, at list prices</h2>",
        pool_table(found),
        "<h2>Commitments</h2>",
        bars(
            "On-demand value by period: what commitments pay for, and what is left",
            names,
            _coverage(found),
            "$",
            stacked=True,
        ),
        _commitments(found),
        *([table(HELD_HEADS, held_rows(found.forecast))] if held_rows(found.forecast) else []),
        _use_of_commitments(found),
        "<h2>Demand and capacity</h2>",
        bars("Pods wanted at the busiest hour, all regions", names, pods_wanted(found), "", stacked=False),
        bars(
            "vCPU wanted at the busiest hour, and vCPU bought in it",
            names,
            cpu_wanted_and_bought(found),
            "",
            stacked=False,
        ),
        *(f'<p class="note">{escape(printable(line))}</p>' for line in backtest_lines(found.forecast)),
        "<h2>Nodes at the busiest hours, in the likeliest scenario</h2>",
        _nodes(found),
        "<h2>Where the prices come from</h2>",
        table(
            (("Source", False), ("Date", False), ("", False)),
            ((s.name, s.date, "estimate" if s.is_estimate else "") for s in found.price_sources),
        ),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(printable(title))}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _lead(found: Plan) -> str:
    periods = found.forecast.periods
    span = f"from {periods[0].start} to {periods[-1].end}"
    bound = f"no plan of this form costs less than ${usd(found.bound)} (gap {percent(found.gap)})"
    lines = [
        f"<strong>${usd(found.total)}</strong> {span}; {bound}.",
        f"{alone_text(found).capitalize()}.",
    ]
    if found.churn:
        lines.append(f"{churn_text(found).capitalize()}.")
    if rule := sizing_text(found):
        lines.append(f"{escape(rule[0].upper() + rule[1:])}.")
    lines += [f"Warning: {escape(remark)}." for remark in found.warnings(today())]
    lines.append(f"Scenarios: {scenario_text(found)}; {service_text(found.forecast)}.")
    return "".join(f'<p class="lead">{line}</p>' for line in lines)


def _costs(found: Plan) -> tuple[Series, ...]:
    """Expected dollars of each period by how they are paid."""
    parts = (("commitments", "committed"), ("on demand", "on_demand"), (other_costs(found), "other"))
    return tuple(
        Series(title, tuple(max(0, getattr(account, name)) / 1e6 for account in found.accounts))
        for title, name in parts
    )


def _coverage(found: Plan) -> tuple[Series, ...]:
    """On-demand value that each commitment pays for, and what is left; at most five are told apart."""
    names = list(dict.fromkeys(c.name for account in found.accounts for c in account.coverage))
    used = {
        name: tuple(
            sum(c.used for c in account.coverage if c.name == name) / 1e6 for account in found.accounts
        )
        for name in names
    }
    names.sort(key=lambda name: -sum(used[name]))
    series = [Series(name, used[name]) for name in names[:MOST_NAMED]]
    if names[MOST_NAMED:]:
        rest = zip(*(used[name] for name in names[MOST_NAMED:]), strict=True)
        series.append(Series("other commitments", tuple(sum(values) for values in rest)))
    left = Series("on demand", tuple(max(0, account.on_demand) / 1e6 for account in found.accounts))
    return (*series, left)


def _use_of_commitments(found: Plan) -> str:
    """How much of what each commitment could pay for it does pay for, by period."""
    periods = found.forecast.periods
    names = list(dict.fromkeys(c.name for account in found.accounts for c in account.coverage))
    if not names:
        return ""
    rows = []
    for name in names:
        cells = []
        for account in found.accounts:
            mine = [c for c in account.coverage if c.name == name]
            worth = sum(c.worth for c in mine)
            cells.append(percent(sum(c.used for c in mine) / worth) if worth else "not in force")
        rows.append((name, *cells))
    heads = (("Used of what is committed", False), *((p.name or f"{p.start}", True) for p in periods))
    return table(heads, rows)


def _commitments(found: Plan) -> str:
    if not found.commitments:
        return "<p>No commitment pays.</p>"
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in plan_notes(found))
    return table(COMMITMENT_HEADS, commitment_rows(found)) + notes


def _nodes(found: Plan) -> str:
    rows = []
    for at, period in enumerate(found.forecast.periods):
        for region in plan_regions(found):
            rows += [
                (
                    period.name or f"{period.start}",
                    purchase.zone or region,
                    purchase.instance_type,
                    str(purchase.capacity_type),
                    f"{purchase.nodes:,}",
                    ("~" if purchase.source.is_estimate else "") + dollars(purchase.price_microusd_per_hour),
                    f"{purchase.source.name}, {purchase.source.date}",
                )
                for mix in busiest_mixes(found, at, region)
                for purchase in (*mix.on_demand.purchases, *mix.spot.purchases)
            ]
    heads = (
        ("Period", False), ("Zone", False), ("Instance type", False), ("Capacity", False), ("Nodes", True),
        ("each $/h", True), ("Price of", False),
    )  # fmt: skip
    return table(heads, rows)
