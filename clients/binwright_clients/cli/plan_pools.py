"""What a plan spends on each pool, an instance type bought in one way, by period."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from binwright_optimizer.model.forecast import HOURS_OF_WEEK

from binwright_clients.cli.plan_forecast_view import usd
from binwright_clients.cli.plan_tables import table

if TYPE_CHECKING:
    from binwright_optimizer.planning.mix import Purchase
    from binwright_optimizer.planning.plan import Plan

MOST_POOLS = 12
"""Pools that the page names; the rest are one row."""


@dataclass(slots=True)
class Pool:
    """One instance type bought in one way: expected dollars at list prices by period, and price dates."""

    instance_type: str
    capacity_type: str
    usd: list[float]
    dates: set[str]
    is_estimate: bool = False


def pools(found: Plan) -> list[Pool]:
    """All pools, dearest first; their sum is what the nodes would cost without commitments."""
    known: dict[tuple[str, str], Pool] = {}
    for period, weight, purchase in _weighted(found):
        key = purchase.instance_type, str(purchase.capacity_type)
        pool = known.setdefault(key, Pool(*key, [0.0] * len(found.forecast.periods), set()))
        pool.usd[period] += weight * purchase.cost_microusd_per_hour / 1e6
        pool.dates.add(purchase.source.date)
        pool.is_estimate |= purchase.source.is_estimate
    return sorted(known.values(), key=lambda p: (-sum(p.usd), p.instance_type, p.capacity_type))


def _weighted(found: Plan) -> Iterator[tuple[int, float, Purchase]]:
    """Purchases with the hours of the period that they are expected to run."""
    for block in found.mixes:
        chance = found.scenarios[block.scenario].permille / 1000
        hours = found.forecast.periods[block.period].hours * found.blocks[block.block].hours / HOURS_OF_WEEK
        for mix in (block.on_demand, block.spot):
            for purchase in mix.purchases:
                yield block.period, chance * hours, purchase


def pool_table(found: Plan) -> str:
    """The pools as a table of dollars by period, each with the dates of its prices."""
    every = pools(found)
    rows = [
        (
            pool.instance_type,
            pool.capacity_type,
            *((("~" if pool.is_estimate else "") + usd(round(amount * 1e6))) for amount in pool.usd),
            ", ".join(sorted(pool.dates)),
        )
        for pool in every[:MOST_POOLS]
    ]
    rest = every[MOST_POOLS:]
    if rest:
        sums = [sum(pool.usd[at] for pool in rest) for at in range(len(found.forecast.periods))]
        rows.append((f"{len(rest)} further pools", "", *(usd(round(amount * 1e6)) for amount in sums), ""))
    totals = [sum(pool.usd[at] for pool in every) for at in range(len(found.forecast.periods))]
    rows.append(("all nodes at list prices", "", *(usd(round(amount * 1e6)) for amount in totals), ""))
    heads = (
        ("Instance type", False),
        ("Capacity", False),
        *((f"{period.name or period.start} $", True) for period in found.forecast.periods),
        ("Prices of", False),
    )
    return table(heads, rows)


def other_costs(found: Plan) -> str:
    """What the costs are called that no commitment could pay for."""
    parts = ["spot"]
    if any(cell.split.egress for cell in found.spread.values()):
        parts.append("data between regions")
    if found.churn:
        parts.append("changes of nodes")
    return ", ".join(parts)
