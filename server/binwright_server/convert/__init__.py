"""Messages to domain types and back: the only place that knows both.

A message is checked completely before anything is solved: every wrong field becomes one
`Violation` with its path in the message, such as
``workloads[3].template.containers[0].requests["cpu"]``, and all of them are raised together.
Paths of a solve request are relative to its ``problem``; those of its parameters start with
``params.``.
"""

from binwright_server.convert.catalogs import (
    catalog_from_message,
    catalog_query_from_message,
    instance_type_to_message,
    price_source_to_message,
)
from binwright_server.convert.decisions import decision_to_message
from binwright_server.convert.forecasts import forecast_from_message
from binwright_server.convert.held_plans import held_plan_from_message
from binwright_server.convert.placed import decision_from_message
from binwright_server.convert.plans import plan_params_from_message, plan_to_message
from binwright_server.convert.problem_messages import catalog_to_message, problem_to_message
from binwright_server.convert.problems import AnySolveRequest, problem_from_message, request_to_problem
from binwright_server.convert.search import params_from_message, progress_to_message
from binwright_server.convert.unserved import refusal_of

__all__ = [
    "AnySolveRequest",
    "catalog_from_message",
    "catalog_query_from_message",
    "catalog_to_message",
    "decision_from_message",
    "decision_to_message",
    "forecast_from_message",
    "held_plan_from_message",
    "instance_type_to_message",
    "params_from_message",
    "plan_params_from_message",
    "plan_to_message",
    "price_source_to_message",
    "problem_from_message",
    "problem_to_message",
    "progress_to_message",
    "refusal_of",
    "request_to_problem",
]
