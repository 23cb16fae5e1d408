"""The nodes of an earlier plan from messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binwright.v1 import planning_service_pb2
from binwright_optimizer.model.forecast import PPM, Forecast

from binwright_server.convert.violations import Violations, entry

if TYPE_CHECKING:  # the planner loads the compiled kernels, which reading needs not
    from binwright_optimizer.planning.rolling import HeldPlan

MOST_MICROUSD = 10**15
"""A billion dollars; more is a mistake, and would overflow sums."""
MOST_NODES = 10**9


def held_plan_from_message(message: planning_service_pb2.HeldPlan, forecast: Forecast) -> HeldPlan:
    """The nodes held, and what each further one costs.

    Raises
    ------
    InvalidProblemError
        With every wrong field.
    """
    # Imported on first use: it loads the solver.
    from binwright_optimizer.planning.rolling import HeldPlan

    out = Violations()
    periods = {period.name: at for at, period in enumerate(forecast.periods)}
    if not 0 <= message.churn_microusd <= MOST_MICROUSD:
        out.add("held.churn_microusd", message.churn_microusd, f"must be in 0..{MOST_MICROUSD}")
    nodes = {}
    for at, mix in enumerate(message.mixes):
        path = f"held.mixes[{at}]"
        if mix.period not in periods:
            out.add(f"{path}.period", mix.period, "is none of the forecast's periods")
            continue
        for profile, share in mix.shares_ppm.items():
            if not 0 <= share <= PPM:
                out.add(entry(f"{path}.shares_ppm", profile), share, f"must be in 0..{PPM}")
        shares = tuple(sorted(mix.shares_ppm.items()))
        block = mix.region, mix.zone, periods[mix.period], mix.scenario, shares
        if block in nodes:
            out.add(path, f"{mix.region} {mix.period} {mix.scenario}", "names hours for the second time")
        own: dict[tuple[str, str], int] = {}
        for number, some in enumerate(mix.nodes):
            if not 0 <= some.count <= MOST_NODES:
                out.add(f"{path}.nodes[{number}].count", some.count, f"must be in 0..{MOST_NODES}")
            kind = some.instance_type, some.zone
            own[kind] = own.get(kind, 0) + some.count
        nodes[block] = own
    out.check()
    return HeldPlan(nodes, message.churn_microusd)
