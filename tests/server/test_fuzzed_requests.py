"""Whatever arrives, the answer is a decision or INVALID_ARGUMENT, and the server stays up.

Messages are generated from the descriptors of the protos, so that a field added later is fuzzed
without a change here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from binwright.v1 import (
    catalog_service_pb2,
    decision_pb2,
    provisioning_service_pb2,
)
from binwright_clients.client import Client
from binwright_clients.rpc_errors import RpcError
from binwright_optimizer.errors import InvalidProblemError
from binwright_server.convert import (
    decision_from_message,
    decision_to_message,
    problem_from_message,
    request_to_problem,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from harness import one_pod_per_node, serving, solve_request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Texts that some field understands, so that fuzzing gets past the first check.
WORDS = (
    "", "a", "web", "web-0", "default", "cpu", "memory", "pods", "nvidia.com/gpu", "1", "500m", "2Gi",
    "-1", "1e400", "9223372036854775807", "NaN", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lte",
    "Equal", "Always", "NoSchedule", "NoExecute", "spot", "on-demand", "reserved", "aws", "us-east-1",
    "c5.large", "g4dn.*", "kubernetes.io/arch", "karpenter.sh/capacity-type", "\x00", "\U0001f984",
)  # fmt: skip

TEXT = st.sampled_from(WORDS) | st.text(max_size=20)
INTEGER = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
MAX_DEPTH = 7


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.cpp_type in INTEGER:
        low, high = INTEGER[field.cpp_type]
        return st.integers(0, 3) | st.integers(low, high)
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return TEXT.map(lambda text: text.encode("utf-8", "ignore").decode())
        case FieldDescriptor.CPPTYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return st.floats()
        case FieldDescriptor.CPPTYPE_ENUM:
            return st.integers(0, 9)
    raise AssertionError(f"no strategy for {field.full_name}")


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Message:
    """A message with some of its fields set to anything."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if not draw(st.booleans()):
            continue
        if is_map(field):
            values = draw(st.dictionaries(TEXT, TEXT, max_size=2))
            for key, value in values.items():
                getattr(message, field.name)[clean(key)] = clean(value)
        elif field.message_type is not None:
            if depth >= MAX_DEPTH:
                continue
            inner = messages(field.message_type, depth + 1)
            if field.is_repeated:
                getattr(message, field.name).extend(draw(st.lists(inner, max_size=2)))
            else:
                getattr(message, field.name).CopyFrom(draw(inner))
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(scalars(field), max_size=2)))
        else:
            setattr(message, field.name, draw(scalars(field)))
    return message


def clean(text: str) -> str:
    """Protobuf takes no lone surrogates."""
    return text.encode("utf-8", "ignore").decode()


def refusal(call: Callable[[], object]) -> InvalidProblemError | None:
    """Why the call was refused, or None if it was not; any other exception is a failure."""
    try:
        call()
    except InvalidProblemError as error:
        return error
    return None


FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving() as server, Client(server.address, timeout=60) as connected:
        yield connected


@FUZZ
@given(request=messages(provisioning_service_pb2.SolveRequest.DESCRIPTOR))
def test_any_solve_request_is_solved_or_refused(client: Client, request: Message) -> None:
    assert isinstance(request, provisioning_service_pb2.SolveRequest)
    refused = refusal(lambda: client.solve(request))
    assert refused is None or all(violation.description for violation in refused.violations)
    assert client.is_serving()


@FUZZ
@given(request=messages(catalog_service_pb2.ListInstanceTypesRequest.DESCRIPTOR))
def test_any_listing_is_answered_or_refused(client: Client, request: Message) -> None:
    assert isinstance(request, catalog_service_pb2.ListInstanceTypesRequest)
    refused = refusal(lambda: client.list_instance_types(request))
    assert refused is None or refused.violations


@FUZZ
@given(change=messages(provisioning_service_pb2.SolveRequest.DESCRIPTOR))
def test_request_that_is_nearly_right_is_solved_or_refused(client: Client, change: Message) -> None:
    """Merged into a valid request, so that more of the fuzz gets past the checks."""
    assert isinstance(change, provisioning_service_pb2.SolveRequest)
    request = solve_request()
    request.MergeFrom(change)
    refused = refusal(lambda: client.solve(request))
    assert refused is None or refused.violations


@FUZZ
@given(message=messages(decision_pb2.Decision.DESCRIPTOR))
def test_any_decision_is_read_or_refused(message: Message) -> None:
    assert isinstance(message, decision_pb2.Decision)
    problem = problem_from_message(solve_request(pods=2).problem)
    refused = refusal(lambda: decision_from_message(problem, message))
    assert refused is None or refused.violations


@FUZZ
@given(data=st.binary(max_size=200))
def test_any_bytes_are_answered_by_a_status(client: Client, data: bytes) -> None:
    raw = client._channel.unary_unary("/binwright.v1.ProvisioningService/Solve")
    with suppress(grpc.RpcError):
        raw(data, timeout=60)
    assert client.is_serving()


@FUZZ
@given(change=messages(provisioning_service_pb2.SolveRequest.DESCRIPTOR))
def test_accepted_question_survives_with_its_answer(change: Message) -> None:
    """Names, counts and amounts of whatever is accepted come back from the wire as they were."""
    assert isinstance(change, provisioning_service_pb2.SolveRequest)
    request = solve_request(pods=2)
    request.MergeFrom(change)
    try:
        problem, params = request_to_problem(request)
    except InvalidProblemError:
        return
    if sum(workload.replicas for workload in problem.workloads) > 1_000:
        return
    decision = one_pod_per_node(problem, params)
    again = decision_from_message(problem, decision_to_message(problem, decision))
    assert again.node_claims == decision.node_claims
    assert again.certificate == decision.certificate
    assert sum(u.pods.count for u in again.unschedulable) == sum(u.pods.count for u in decision.unschedulable)


def test_fuzzed_calls_left_no_solve_behind(client: Client) -> None:
    with pytest.raises(RpcError):
        client.check_health("nothing")
    assert client.solve(solve_request()).node_claims
