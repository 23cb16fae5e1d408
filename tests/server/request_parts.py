"""Parts of requests that conversion tests change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from binwright.v1 import problem_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_server.convert import request_to_problem
from binwright_server.limits import RequestLimits

Request = provisioning_service_pb2.SolveRequest


Change = Callable[[Request], object]


def violations_of(request: Request, limits: RequestLimits = RequestLimits()) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidProblemError) as caught:
        request_to_problem(request, limits)
    return [(v.field, v.value, v.description) for v in caught.value.violations]


def first_template(request: Request) -> problem_pb2.PodTemplate:
    return request.problem.workloads[0].template


def first_container(request: Request) -> problem_pb2.Container:
    return first_template(request).containers[0]


def requirement(key: str, operator: str, *values: str, min_values: int = 0) -> problem_pb2.Requirement:
    return problem_pb2.Requirement(key=key, operator=operator, values=values, min_values=min_values)


def require(request: Request, *requirements: problem_pb2.Requirement) -> None:
    first_template(request).node_affinity.required.add(match_expressions=requirements)


def pool(request: Request, **fields: object) -> problem_pb2.NodePool:
    return request.problem.node_pools.add(**({"name": "pool"} | fields))  # type: ignore[arg-type]


def small(request: Request):  # type: ignore[no-untyped-def]
    return request.problem.catalog.inline.instance_types[0]


def embed(
    request: Request, cloud: str = "aws", regions: tuple[str, ...] = ("us-east-1",), **more: object
) -> None:
    embedded = request.problem.catalog.embedded
    embedded.cloud = cloud
    embedded.regions.extend(regions)
    for name, values in more.items():
        getattr(embedded, name).extend(values)
