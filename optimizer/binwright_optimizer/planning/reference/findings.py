"""Where the stated figures of the reference platform add up and where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from binwright_optimizer.catalog.zones import zones_of
from binwright_optimizer.model import HOURS_PER_MONTH
from binwright_optimizer.planning.mix import TARGET_UTILISATION
from binwright_optimizer.planning.reference.platform import (
    BUDGET,
    CLOUD,
    POOLS,
    REGIONS,
    STATED_TOTAL_USD,
    reference_mix,
)
from binwright_optimizer.planning.sizing import CONTROL_PLANE_MICROUSD_PER_HOUR

_MICRO = 1_000_000
GP3_MICROUSD_PER_GB_MONTH = 80_000
"""EBS gp3, us-east-1: 0.08 $ per GB and month (AWS price list, 2026-04)."""
CROSS_ZONE_MICROUSD_PER_GB = 20_000
"""Data between zones, us-east-1: 0.01 $ per GB in each direction (AWS price list, 2026-04)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One stated figure and what becomes of it.

    Parameters
    ----------
    holds
        Whether it adds up; None where the statement says too little to tell.
    """

    subject: str
    stated: str
    found: str
    holds: bool | None


def findings() -> tuple[Finding, ...]:
    """Every stated figure, checked against the others and against the catalogue."""
    return (
        _total(),
        _nodes(),
        _primary(),
        _node_price(),
        _control_planes(),
        _roles(),
        _zones(),
        *_unpriced(),
    )


def _usd(microusd: Fraction | int) -> str:
    return f"${float(microusd) / _MICRO:,.0f}"


def _line(name: str) -> int:
    return next(line.usd_per_month for line in BUDGET if line.name == name)


def _total() -> Finding:
    total = sum(line.usd_per_month for line in BUDGET)
    return Finding(
        "sum of the lines",
        f"${STATED_TOTAL_USD:,}",
        f"the lines sum up to ${total:,}",
        total == STATED_TOTAL_USD,
    )


def _nodes() -> Finding:
    cost = sum(reference_mix(region).cost_microusd_per_hour for region in REGIONS) * HOURS_PER_MONTH
    stated = _line("nodes")
    ratio = cost / (stated * _MICRO)
    return Finding(
        "300 nodes",
        f"${stated:,}",
        f"{_usd(cost)} at catalogue prices: {ratio:.2f} times as much",
        abs(ratio - 1) < 0.05,
    )


def _primary() -> Finding:
    """The stated sum is what one region costs: the likeliest way it came about."""
    costs = {r.name: reference_mix(r).cost_microusd_per_hour * HOURS_PER_MONTH for r in REGIONS}
    parts = ", ".join(f"{name} {_usd(cost)}" for name, cost in costs.items())
    primary = REGIONS[0]
    is_primary_alone = abs(costs[primary.name] / (_line("nodes") * _MICRO) - 1) < 0.05
    reason = (
        f"the figure is what the {primary.nodes} nodes of {primary.name} alone cost"
        if is_primary_alone
        else "no single region explains the figure"
    )
    return Finding("nodes by region", f"${_line('nodes'):,} in all", f"{parts}: {reason}", False)


def _node_price() -> Finding:
    nodes = sum(region.nodes for region in REGIONS)
    hourly = Fraction(_line("nodes") * _MICRO, nodes * HOURS_PER_MONTH)
    on_demand = {
        p.instance_type: p.price_microusd_per_hour
        for p in reference_mix(REGIONS[0]).purchases
        if str(p.capacity_type) == "on-demand"
    }
    cheapest = min(on_demand, key=lambda name: (on_demand[name], name))
    return Finding(
        "price of a node",
        f"${float(hourly) / _MICRO:.4f}/h (${_line('nodes'):,} over {nodes} nodes and {HOURS_PER_MONTH} h)",
        f"below every on-demand type of the pools; the cheapest, {cheapest}, is "
        f"${on_demand[cheapest] / _MICRO:.4f}/h in {REGIONS[0].name}, and 80 % of the nodes are on demand",
        hourly >= on_demand[cheapest],
    )


def _control_planes() -> Finding:
    cost = len(REGIONS) * CONTROL_PLANE_MICROUSD_PER_HOUR * HOURS_PER_MONTH
    stated = _line("control planes")
    return Finding(
        "control planes",
        f"${stated}",
        f"{len(REGIONS)} EKS clusters at $0.10/h and {HOURS_PER_MONTH} h are {_usd(cost)}, one a region",
        cost == stated * _MICRO,
    )


def _roles() -> Finding:
    """Nodes are not where the demand is: utilisation differs by what each region gets."""
    nodes = sum(region.nodes for region in REGIONS)
    stated = "/".join(str(region.demand_percent) for region in REGIONS)
    shares = "/".join(f"{100 * region.nodes / nodes:.0f}" for region in REGIONS)
    filled = {r.name: TARGET_UTILISATION * r.demand_percent * nodes / (100 * r.nodes) for r in REGIONS}
    loads = ", ".join(f"{name} {float(100 * share):.0f} %" for name, share in filled.items())
    return Finding(
        "demand by role",
        f"{stated} % of demand",
        f"but {shares} % of the nodes: 70 % utilisation on average means {loads}",
        False,
    )


def _zones() -> Finding:
    sold = {region.name: len(zones_of(CLOUD, region.name)) for region in REGIONS}
    used = "/".join(str(region.zones) for region in REGIONS)
    return Finding(
        "zones",
        f"{used} zones",
        "the regions have "
        + ", ".join(f"{name} {count}" for name, count in sold.items())
        + "; with two zones the loss of one takes half of the nodes, with three a third",
        all(region.zones <= sold[region.name] for region in REGIONS),
    )


def _unpriced() -> tuple[Finding, ...]:
    """Lines without quantities: what they would buy."""
    nodes = sum(region.nodes for region in REGIONS)
    disk = Fraction(_line("storage") * _MICRO, GP3_MICROUSD_PER_GB_MONTH)
    data = Fraction(_line("network") * _MICRO, CROSS_ZONE_MICROUSD_PER_GB)
    pools = len(POOLS)
    return (
        Finding(
            "storage",
            f"${_line('storage'):,}",
            f"no quantity stated; buys {float(disk):,.0f} GB of gp3 at us-east-1 prices, "
            f"{float(disk / nodes):.0f} GB a node",
            None,
        ),
        Finding(
            "network",
            f"${_line('network'):,}",
            f"no quantity stated; buys {float(data) / 1000:,.0f} TB between zones, nothing between regions",
            None,
        ),
        Finding(
            "monitoring",
            f"${_line('monitoring'):,}",
            f"no quantity stated; ${_line('monitoring') / nodes:.2f} a node over {pools} pools and "
            f"{len(REGIONS)} regions",
            None,
        ),
    )
