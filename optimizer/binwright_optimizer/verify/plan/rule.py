"""What the simple sizing rule would spend for a forecast, worked out anew: demand x 1.2 over whole nodes.

In each region the pods without GPUs, on demand and on spot apart, get r5.2xlarge nodes by 8 vCPU and 64 GiB,
those with GPUs a g4dn.2xlarge for each GPU, for the busiest hour of each period and all of its hours. Held
commitments pay for on-demand nodes as they do in a plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from binwright_optimizer.model import CapacityType, Catalog
from binwright_optimizer.model.forecast import Forecast
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.demand import Future
from binwright_optimizer.verify.plan.places import is_spot

GENERAL, WITH_GPU = "r5.2xlarge", "g4dn.2xlarge"
CPU_MILLI, MEMORY_BYTES = 8_000, 64 * 2**30


def sizing_rule(
    forecast: Forecast, catalogs: Mapping[str, Catalog], futures: Sequence[Future], instruments: Instruments
) -> int | None:
    """Expected micro-dollars over the horizon, rounded up; None if a region does not sell the nodes."""
    total = Fraction(0)
    for at, period in enumerate(forecast.periods):
        held = [one.held.get(at, Fraction(0)) for one in instruments.all]
        for future in futures:
            values: dict[int, int] = {}
            spot = 0
            for region in forecast.regions:
                for name, kind, nodes in _nodes(forecast, region, at, future):
                    sold = _cheapest(catalogs[region], name, kind)
                    if sold is None:
                        return None
                    price, zone = sold
                    if kind is CapacityType.SPOT:
                        spot += nodes * price
                    else:
                        group = instruments.group_of[region, name, zone]
                        values[group] = values.get(group, 0) + nodes * price
            paid = sum(instruments.paid_for(held, values), Fraction(0))
            cost = sum(values.values()) - paid + spot
            total += cost * period.hours * Fraction(future.permille, 1000)
    return -(-total // 1)


def _nodes(
    forecast: Forecast, region: str, period: int, future: Future
) -> list[tuple[str, CapacityType, int]]:
    """Types, ways to buy and numbers of nodes of a region."""
    cpu = dict.fromkeys(CapacityType, 0)
    memory = dict.fromkeys(CapacityType, 0)
    gpus = 0
    for demand in forecast.demands:
        if (demand.region, demand.period) != (region, period):
            continue
        workload = forecast.workloads[demand.workload]
        pods = min(future.replicas(demand), forecast.most_served(demand))
        requests = workload.template.requests
        if requests[NVIDIA_GPU]:
            gpus += pods * requests[NVIDIA_GPU]
            continue
        kind = CapacityType.SPOT if is_spot(workload) else CapacityType.ON_DEMAND
        cpu[kind] += pods * requests[CPU]
        memory[kind] += pods * requests[MEMORY]
    found = [
        (GENERAL, kind, max(-(-cpu[kind] * 6 // (5 * CPU_MILLI)), -(-memory[kind] * 6 // (5 * MEMORY_BYTES))))
        for kind in (CapacityType.ON_DEMAND, CapacityType.SPOT)
    ]
    found.append((WITH_GPU, CapacityType.ON_DEMAND, -(-gpus * 6 // 5)))
    return [entry for entry in found if entry[2]]


def _cheapest(catalog: Catalog, name: str, kind: CapacityType) -> tuple[int, str] | None:
    """Price and zone."""
    offers = [
        (o.price_microusd_per_hour, o.zone)
        for sold in catalog.instance_types
        if sold.name == name
        for o in sold.offerings
        if o.capacity_type is kind
    ]
    return min(offers, default=None)
