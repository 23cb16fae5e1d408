"""Demand against capacity, both in the hour of the week in which most is wanted: workloads peak in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from binwright_optimizer.model.forecast import HOURS_OF_WEEK, PPM

from binwright_clients.cli.plan_charts import Series

if TYPE_CHECKING:
    from binwright_optimizer.model.forecast import Demand
    from binwright_optimizer.planning.plan import Plan

    Worth = Callable[[Demand], float]
    """What a pod of a demand counts for."""


def pods_wanted(found: Plan) -> tuple[Series, ...]:
    """Pods of all regions by quantile, in each period's busiest hour."""
    weeks = [_weeks(found, quantile, lambda _: 1.0) for quantile in ("p50", "p90", "p99")]
    hours = _busiest(weeks[-1])
    return tuple(
        Series(quantile, tuple(week[hour] for week, hour in zip(own, hours, strict=True)))
        for quantile, own in zip(("p50", "p90", "p99"), weeks, strict=True)
    )


def cpu_wanted_and_bought(found: Plan) -> tuple[Series, ...]:
    """Requested vCPU by quantile, and what the nodes of the same hour have where demand is highest."""

    def cpu(demand: Demand) -> float:
        return found.forecast.workloads[demand.workload].template.requests["cpu"] / 1000

    usual, extreme = _weeks(found, "p50", cpu), _weeks(found, "p99", cpu)
    hours, highest = _busiest(extreme), len(found.scenarios) - 1
    wanted = (
        Series(f"wanted {quantile}", tuple(week[hour] for week, hour in zip(own, hours, strict=True)))
        for quantile, own in (("p50", usual), ("p99", extreme))
    )
    bought = Series(
        f"bought in scenario {found.scenarios[highest].name}",
        tuple(_bought_cpu(found, at, highest, hour) for at, hour in enumerate(hours)),
    )
    return (*wanted, bought)


def _weeks(found: Plan, quantile: str, worth: Worth) -> list[list[float]]:
    """What is wanted in each hour of the week, of each period."""
    forecast = found.forecast
    by_profile: list[dict[str, float]] = [{} for _ in forecast.periods]
    for demand in forecast.demands:
        own, name = by_profile[demand.period], forecast.workloads[demand.workload].profile
        own[name] = own.get(name, 0.0) + worth(demand) * getattr(demand.band, quantile)
    ppm = {profile.name: profile.ppm for profile in forecast.profiles}
    return [
        [sum(most * ppm[name][hour] for name, most in own.items()) / PPM for hour in range(HOURS_OF_WEEK)]
        for own in by_profile
    ]


def _busiest(weeks: list[list[float]]) -> list[int]:
    """The first hour in which most is wanted, of each period."""
    return [max(range(HOURS_OF_WEEK), key=week.__getitem__) for week in weeks]


def _bought_cpu(found: Plan, period: int, scenario: int, hour: int) -> float:
    """The vCPU of all nodes in one hour of the week."""
    block = next(at for at, block in enumerate(found.blocks) if hour in block.members)
    return sum(
        purchase.nodes * purchase.cpu_milli / 1000
        for mixes in found.mixes
        if (mixes.period, mixes.scenario, mixes.block) == (period, scenario, block)
        for mix in (mixes.on_demand, mixes.spot)
        for purchase in mix.purchases
    )
