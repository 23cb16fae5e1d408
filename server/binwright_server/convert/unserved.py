"""Demand that no plan can serve, as violations of the fields of the message."""

from __future__ import annotations

from binwright.v1 import forecast_pb2
from binwright_optimizer.errors import InvalidProblemError, Unserved, UnservedError, Violation
from binwright_optimizer.model.forecast import Forecast

FIELDS = {
    "limits": "quotas",
    "most_latency_ms": "max_latency_ms",
    "failover_ppm": "region_failover_ppm",
}
"""Fields of the message that have another name in the domain."""


def refusal_of(
    error: UnservedError, message: forecast_pb2.Forecast, forecast: Forecast
) -> InvalidProblemError:
    """The error in terms of the message."""
    numbers = {(m.workload, m.region, m.period): at for at, m in enumerate(message.demands)}
    return InvalidProblemError([_violation(part, numbers, forecast) for part in error.parts])


def _violation(part: Unserved, numbers: dict[tuple[str, str, str], int], forecast: Forecast) -> Violation:
    path = part.field
    for name, field in FIELDS.items():
        path = path.replace(name, field)
    said = part.description
    if part.demand >= 0:
        demand = forecast.demands[part.demand]
        key = forecast.workloads[demand.workload].name, demand.region, forecast.periods[demand.period].name
        said += f" (demands[{numbers[key]}])"
    return Violation(path, part.value, said)
