"""The nodes of a saved plan as a message, for a server to plan on from."""

from __future__ import annotations

from binwright.v1 import planning_service_pb2
from binwright_optimizer.model.forecast import Forecast

from binwright_clients.forecast.message import name_of
from binwright_clients.forecast.saved_plan import SavedPlan, nodes_held


def held_to_message(asked: Forecast, saved: SavedPlan, churn_microusd: int) -> planning_service_pb2.HeldPlan:
    """The on-demand nodes that a plan has for the forecast's periods, and what each further one costs."""
    return planning_service_pb2.HeldPlan(
        churn_microusd=churn_microusd,
        mixes=[
            planning_service_pb2.HeldMix(
                region=region,
                zone=zone,
                period=name_of(asked.periods[period]),
                scenario=scenario,
                shares_ppm=dict(shares),
                nodes=[
                    planning_service_pb2.HeldNodes(instance_type=name, zone=own_zone, count=count)
                    for (name, own_zone), count in nodes.items()
                ],
            )
            for (region, zone, period, scenario, shares), nodes in nodes_held(asked, saved).items()
        ],
    )
