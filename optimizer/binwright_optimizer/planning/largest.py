"""How large the nodes are that a plan may buy: as the forecast says, or as one of its pods needs."""

from __future__ import annotations

from binwright_optimizer.model import Catalog
from binwright_optimizer.model.forecast import Forecast
from binwright_optimizer.model.resources import CPU
from binwright_optimizer.planning.servable import holds, packed_pod


def most_node_cpu(forecast: Forecast, catalog: Catalog) -> int:
    """Milli-CPU of the largest node to buy from a price list.

    A pod that fits no node of the forecast's limit raises it to the smallest that it fits.
    """
    most = forecast.max_node_cpu_milli
    types = sorted(catalog.instance_types, key=lambda kind: kind.capacity[CPU])
    for at in range(len(forecast.workloads)):
        pod = packed_pod(forecast, at)
        most = max(most, next((kind.capacity[CPU] for kind in types if holds(kind, pod)), most))
    return most
