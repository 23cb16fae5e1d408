"""A plan as tables: the figures, periods, commitments, and the nodes of the busiest hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.plan_reference_view import plain_table, price_source_lines, warning_lines
from binwright_clients.cli.render.text import counted, dollars, literal, percent, some
from binwright_clients.cli.today import today

if TYPE_CHECKING:
    from binwright_optimizer.model.forecast import Forecast
    from binwright_optimizer.planning.plan import BlockMix, Plan

_MICRO = 1_000_000
MOST_SCENARIOS_SHOWN = 5


def plan_view(found: Plan) -> RenderableType:
    """The whole plan at a glance."""
    lines: list[RenderableType] = [Panel(_summary(found), title="Plan", title_align="left")]
    lines += warning_lines(found.warnings(today()))
    lines += [_periods(found), ""]
    if held_rows(found.forecast):
        lines += [_held(found.forecast), ""]
    if found.commitments:
        lines += [Text("Commit to", style="bold"), _commitments(found)]
        lines += [Text(note) for note in plan_notes(found)]
    else:
        lines.append(Text("No commitment pays.", style="bold"))
    lines += ["", Text("Nodes at the busiest hours", style="bold"), _nodes(found), ""]
    lines += [Text(line) for line in backtest_lines(found.forecast)]
    lines += price_source_lines(found.price_sources)
    return Group(*lines)


def backtest_lines(forecast: Forecast) -> list[str]:
    """How often bands made from histories held in the past."""
    return [
        f"backtest of {test.workload} in {test.region}: of {counted(test.spans, 'span')} of {test.points} "
        f"points the highest point lay at or below p50 in {percent(test.p50)}, p90 in {percent(test.p90)}, "
        f"p99 in {percent(test.p99)}"
        for test in forecast.backtests
    ]


def usd(microusd: int) -> str:
    """Whole dollars, rounded half up."""
    return f"{(microusd + _MICRO // 2) // _MICRO:,}"


def _summary(found: Plan) -> Text:
    periods = found.forecast.periods
    text = Text.assemble(
        (f"${usd(found.total)}", "bold"),
        f" from {periods[0].start} to {periods[-1].end}    lower bound ${usd(found.bound)}    "
        f"gap {percent(found.gap)}\n",
        alone_text(found),
    )
    if found.churn:
        text.append(f"\n{churn_text(found)}")
    if rule := sizing_text(found):
        text.append(f"\n{rule}")
    text.append(f"\nscenarios: {scenario_text(found)}\n{service_text(found.forecast)}")
    return text


def alone_text(found: Plan) -> str:
    """What the plan would cost with nothing bought ahead."""
    saves = 1 - found.total / found.without_commitments if found.without_commitments else 0.0
    return f"without commitments ${usd(found.without_commitments)}: the plan saves {percent(saves)}"


def churn_text(found: Plan) -> str:
    """What of the total is for changed nodes."""
    return f"of it ${usd(found.churn)} for nodes that the plan held does not have"


def sizing_text(found: Plan) -> str:
    """What the sizing rule would spend, and how that is counted, or why it is left out; may be empty."""
    if found.sizing_rule:
        saves = percent(1 - found.expected / found.sizing_rule)
        return (
            f"sizing rule ${usd(found.sizing_rule)} expected (nodes for the peak, all hours, held "
            f"commitments applied): the plan saves {saves}"
        )
    return f"no sizing rule to compare with: {found.sizing_note}" if found.sizing_note else ""


def service_level(forecast: Forecast) -> float:
    """Share of the pods wanted at p99 that the nodes hold at the busiest hour; 1 where none are wanted."""
    wanted = sum(demand.band.p99 for demand in forecast.demands)
    return sum(forecast.most_served(demand) for demand in forecast.demands) / wanted if wanted else 1.0


def service_text(forecast: Forecast) -> str:
    """How much of the demand the nodes hold."""
    level = service_level(forecast)
    if level == 1.0:
        return "all demand up to p99 is served"
    return f"service level: {percent(level)} of the pods wanted at p99 are served at the busiest hour"


def scenario_text(found: Plan) -> str:
    """What the scenarios cost: each, or where they are many the cheapest, the middle and the dearest."""
    if len(found.scenarios) <= MOST_SCENARIOS_SHOWN:
        return ", ".join(
            f"{s.name} ({s.permille / 10:g} %) ${usd(cost)}"
            for s, cost in zip(found.scenarios, found.by_scenario, strict=True)
        )
    costs = sorted(found.by_scenario)
    marks = ((0, "cheapest"), (len(costs) // 2, "median"), (-1 - len(costs) // 20, "one in twenty above"))
    parts = [f"{name} ${usd(costs[at])}" for at, name in (*marks, (-1, "dearest"))]
    return f"{len(costs)} equally likely, {', '.join(parts)}"


def plan_regions(found: Plan) -> tuple[str, ...]:
    """Regions where anything runs, those that want it first."""
    used = (mix.region for mix in found.mixes if mix.on_demand.nodes or mix.spot.nodes)
    return tuple(dict.fromkeys((*found.forecast.regions, *used)))


def busiest_mixes(found: Plan, period: int, region: str) -> tuple[BlockMix, ...]:
    """The mixes of a region, one for each of its sites, in the dearest hours of the likeliest scenario."""
    likeliest = max(range(len(found.scenarios)), key=lambda at: found.scenarios[at].permille)
    return max(
        _by_block(found, period, region, likeliest), key=lambda mixes: sum(_cost(mix) for mix in mixes)
    )


def _by_block(found: Plan, period: int, region: str, scenario: int) -> list[tuple[BlockMix, ...]]:
    here = [m for m in found.mixes if (m.period, m.region, m.scenario) == (period, region, scenario)]
    return [tuple(m for m in here if m.block == block) for block in range(len(found.blocks))]


def _periods(found: Plan) -> Table:
    regions = plan_regions(found)
    table = plain_table(
        ("Period", False),
        ("Expected $", True),
        *((f"{region} nodes", True) for region in regions),
    )
    for at, period in enumerate(found.forecast.periods):
        cells = []
        for region in regions:
            counts = [
                sum(mix.on_demand.nodes + mix.spot.nodes for mix in mixes)
                for scenario in range(len(found.scenarios))
                for mixes in _by_block(found, at, region, scenario)
            ]
            cells.append(f"{min(counts)} to {max(counts)}")
        table.add_row(literal(period.name or f"{period.start}"), usd(found.by_period[at]), *cells)
    return table


COMMITMENT_HEADS = (
    ("From", False),
    ("Offer", False),
    ("Nodes", True),
    ("$/h", True),
    ("Discount", True),
    ("Until", False),
    ("$ at once", True),
    ("$ counted", True),
    ("$ of the term", True),
)


def commitment_rows(found: Plan) -> list[tuple[str, ...]]:
    """What to buy ahead; the columns are `COMMITMENT_HEADS`."""
    rows: list[tuple[str, ...]] = []
    for bought in found.commitments:
        ppm = bought.offer.discount_ppm
        mark = "~" if bought.offer.is_estimate else ""
        rows.append(
            (
                str(bought.start),
                bought.offer.name,
                f"{bought.nodes:,}" if bought.nodes else "",
                dollars(bought.microusd_per_hour, 2),
                "quoted" if ppm is None else mark + percent(ppm / 1e6),
                str(bought.end),
                usd(bought.upfront_microusd),
                usd(bought.cost_microusd),
                usd(bought.obligation_microusd),
            )
        )
    return rows


HELD_HEADS = (("From", False), ("Held", False), ("Nodes", True), ("$/h", True), ("Until", False))


def held_rows(forecast: Forecast) -> list[tuple[str, ...]]:
    """Commitments bought before, whose cost no plan changes; the columns are `HELD_HEADS`."""
    spends = (
        (str(one.start), one.name, "", dollars(one.microusd_per_hour, 2), str(one.end))
        for one in forecast.held
    )
    nodes = (
        (str(one.start), one.name, f"{one.count:,}", "", str(one.end)) for one in forecast.held_reservations
    )
    return [*spends, *nodes]


def _held(forecast: Forecast) -> Table:
    table = plain_table(*HELD_HEADS)
    for row in held_rows(forecast):
        table.add_row(*(literal(cell) for cell in row))
    return table


def _commitments(found: Plan) -> Table:
    table = plain_table(*COMMITMENT_HEADS)
    for row in commitment_rows(found):
        table.add_row(*(literal(cell) for cell in row))
    return table


def plan_notes(found: Plan) -> list[str]:
    """What one should know about the commitments."""
    end = found.forecast.periods[-1].end
    notes = []
    later = sum(bought.obligation_microusd - bought.cost_microusd for bought in found.commitments)
    if later:
        notes.append(
            f"${usd(later)} fall after {end} and are not counted, as if demand went on; --whole-term does"
        )
    if any(bought.offer.is_estimate for bought in found.commitments):
        notes.append("~ an estimate: state the discounts that you are offered in the forecast")
    return notes


def _nodes(found: Plan) -> Table:
    """Mixes of the busiest block in the likeliest scenario."""
    table = plain_table(("Period", False), ("Region", False), ("$/h", True), ("Nodes", False))
    regions = plan_regions(found)
    for at, period in enumerate(found.forecast.periods):
        for region in regions:
            mixes = busiest_mixes(found, at, region)
            bought: dict[str, int] = {}
            for mix in mixes:
                for purchase in (*mix.on_demand.purchases, *mix.spot.purchases):
                    name = purchase.instance_type + (" spot" if str(purchase.capacity_type) == "spot" else "")
                    bought[name] = bought.get(name, 0) + purchase.nodes
            table.add_row(
                literal((period.name or f"{period.start}") if region == regions[0] else ""),
                literal(region),
                dollars(sum(_cost(mix) for mix in mixes), 2),
                literal(some([f"{count} {name}" for name, count in bought.items()], most=6)),
            )
    return table


def _cost(mix: BlockMix) -> int:
    return mix.on_demand.cost_microusd_per_hour + mix.spot.cost_microusd_per_hour
