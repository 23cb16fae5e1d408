"""What the simple sizing rule (see `sizing`) would spend on a forecast, for comparison with its plan.

The comparison is on equal terms: expected over the plan's scenarios, at most the demand that the plan serves,
and held commitments pay for the rule's nodes as they do for the plan's. The rule buys for the busiest hour of
each period, keeps these nodes in all of its hours, buys nothing ahead and moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.errors import CatalogError, PlanningError
from binwright_optimizer.model import CapacityType, Workload, labels
from binwright_optimizer.model.forecast import Demand, Forecast
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.planning.coverage import covered
from binwright_optimizer.planning.mix import DAEMONS, Mix, most_that_fit
from binwright_optimizer.planning.scenarios import PERMILLE, Scenario
from binwright_optimizer.planning.scopes import Scopes
from binwright_optimizer.planning.sizing import SizingNodes, size


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the rule spends.

    Parameters
    ----------
    microusd
        Expected over the horizon, rounded up; None where the rule is left out.
    why_not
        Why it is left out.
    """

    microusd: int | None
    why_not: str = ""


def baseline(forecast: Forecast, futures: Sequence[Scenario], scopes: Scopes) -> Baseline:
    """The rule's nodes for a forecast, or why it has none."""
    if forecast.cloud != "aws":
        return Baseline(None, "it knows the machines of aws only")
    total = Fraction(0)
    try:
        for demand in forecast.demands:
            _check_served(forecast, demand)
        for at, period in enumerate(forecast.periods):
            held = scopes.market.held_units(at)
            for future in futures:
                cost = _hourly(forecast, at, future, scopes, held)
                total += cost * period.hours * Fraction(future.permille, PERMILLE)
    except (CatalogError, PlanningError) as error:
        # The rule is a comparison beside the plan: where it has no answer the plan still has one.
        return Baseline(None, str(error))
    return Baseline(-(-total // 1))


def _hourly(
    forecast: Forecast, period: int, future: Scenario, scopes: Scopes, held: Sequence[Fraction]
) -> Fraction:
    """Micro-dollars an hour of one period and future, less what held commitments pay for."""
    wanted = []
    for region in forecast.regions:
        mine = [d for d in forecast.demands if (d.region, d.period) == (region, period)]
        wanted.append((region, [_workload(forecast, d, future) for d in mine]))
    values: dict[int, int] = {}
    spot = 0
    for (region, _), mix in zip(wanted, size(wanted).mixes, strict=True):
        _check_bought(forecast, region, mix, scopes)
        for group, value in scopes.values(region, mix.purchases).items():
            values[group] = values.get(group, 0) + value
        spot += _spot(mix)
    return sum(values.values()) - sum(covered(scopes.market.instruments, held, values), Fraction(0)) + spot


def _check_bought(forecast: Forecast, region: str, mix: Mix, scopes: Scopes) -> None:
    """Raise PlanningError if the rule wants a node that plans for the forecast do not buy."""
    sold = {name for where, name, _ in scopes.group_of if where == region}
    for purchase in mix.purchases:
        if purchase.instance_type not in sold:
            raise PlanningError(
                f"its node {purchase.instance_type} is larger than the {forecast.max_node_cpu_milli // 1000} "
                "CPU that nodes of this forecast have at most"
            )


def _workload(forecast: Forecast, demand: Demand, future: Scenario) -> Workload:
    workload = forecast.workloads[demand.workload]
    pods = min(future.replicas(demand), forecast.most_served(demand))
    return Workload(workload.name, workload.template, pods)


def _spot(mix: Mix) -> int:
    spot = (p for p in mix.purchases if p.capacity_type is CapacityType.SPOT)
    return sum(purchase.cost_microusd_per_hour for purchase in spot)


def _check_served(forecast: Forecast, demand: Demand) -> None:
    """Raise PlanningError if a pod that is wanted does not fit the rule's node for it."""
    workload = forecast.workloads[demand.workload]
    if not demand.band.p99:
        return
    nodes, template = SizingNodes(), workload.template
    name = nodes.gpu if template.requests[NVIDIA_GPU] else nodes.general
    (kind,) = embedded_catalog(forecast.cloud, [demand.region], [name]).instance_types
    room = kind.allocatable.minus(DAEMONS)
    if not most_that_fit(template.requests, room):
        raise PlanningError(f"its node {name} is too small for a pod of {workload.name}")
    for requirement in template.node_selector:
        own = dict(kind.labels).get(requirement.key)
        if requirement.key != labels.CAPACITY_TYPE and not requirement.admits(own):
            raise PlanningError(f"its node {name} is none that {workload.name} may run on: {requirement}")
