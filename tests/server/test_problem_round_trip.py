"""A problem written as a message reads as an equal problem, in binary and in the JSON of files."""

from __future__ import annotations

from dataclasses import fields

from binwright.v1 import problem_pb2
from binwright_optimizer.model import Problem
from binwright_server.convert import problem_from_message, problem_to_message
from constrained_problems import constrained_problems
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings


def contents(problem: Problem) -> dict[str, object]:
    """Everything a problem says; catalogues compare by identity, so their types are taken."""
    found = {field.name: getattr(problem, field.name) for field in fields(problem)}
    return found | {"catalog": (problem.catalog.name, problem.catalog.instance_types)}


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(problem=constrained_problems())
def test_problem_survives_the_wire_and_the_file(problem: Problem) -> None:
    message = problem_to_message(problem)
    again = problem_from_message(problem_pb2.Problem.FromString(message.SerializeToString()))
    assert contents(again) == contents(problem)
    text = json_format.MessageToJson(message, preserving_proto_field_name=True)
    from_file = problem_from_message(json_format.Parse(text, problem_pb2.Problem()))
    assert contents(from_file) == contents(problem)
