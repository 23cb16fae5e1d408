"""What NodeClaims have in common is told once to those who ask for it."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from binwright.v1 import decision_pb2, provisioning_service_pb2_grpc
from binwright_clients.client import Client
from binwright_optimizer.errors import InvalidProblemError, Violation
from binwright_optimizer.model import Decision, PodRange, Problem
from binwright_server.convert import decision_from_message, decision_to_message
from binwright_server.shapes import make_whole
from harness import as_stream, serving, solve_request
from test_convert_decision import held, question


def two_alike_and_one_dearer() -> Decision:
    """Two nodes of one kind for ``web``, and one of another price."""
    first = held().node_claims[0]
    second = replace(first, name="default-1", pods=(PodRange(0, 2, 2),))
    dearer = replace(first, name="default-2", pods=(PodRange(2, 0, 3),), price_microusd_per_hour=200_000)
    return replace(held(), node_claims=(first, second, dearer), existing_placements=(), unschedulable=())


def told_apart() -> tuple[Problem, decision_pb2.Decision]:
    return question(), decision_to_message(question(), two_alike_and_one_dearer(), wants_node_shapes=True)


def test_nodes_of_one_kind_share_a_shape_and_keep_names_and_pods() -> None:
    _, sent = told_apart()
    assert [claim.shape for claim in sent.node_claims] == [1, 1, 2]
    assert [claim.name for claim in sent.node_claims] == ["default-0", "default-1", "default-2"]
    assert list(sent.node_claims[1].pods) == ["web-2", "web-3"]
    assert not any(claim.labels or claim.instance_type for claim in sent.node_claims)
    assert [shape.hourly_price_usd for shape in sent.node_shapes] == [0.123457, 0.2]
    assert not any(shape.name or shape.pods or shape.devices or shape.shape for shape in sent.node_shapes)


def test_merging_its_shape_makes_a_node_what_it_is_without_shapes() -> None:
    problem, sent = told_apart()
    make_whole(sent)
    assert sent == decision_to_message(problem, two_alike_and_one_dearer())


def test_making_whole_what_is_whole_changes_nothing() -> None:
    whole = decision_to_message(question(), two_alike_and_one_dearer())
    again = decision_pb2.Decision()
    again.CopyFrom(whole)
    make_whole(again)
    assert again == whole


def test_decision_told_with_shapes_is_read_like_any_other() -> None:
    problem, sent = told_apart()
    before = sent.SerializeToString(deterministic=True)
    assert decision_from_message(problem, sent) == two_alike_and_one_dearer()
    assert sent.SerializeToString(deterministic=True) == before, "the message is the caller's"


@pytest.mark.parametrize("shape", [-1, 3])
def test_shape_that_is_not_there_is_named_and_nothing_is_merged(shape: int) -> None:
    problem, sent = told_apart()
    sent.node_claims[1].shape = shape
    before = sent.SerializeToString(deterministic=True)
    with pytest.raises(InvalidProblemError) as caught:
        make_whole(sent)
    assert caught.value.violations == (Violation("node_claims[1].shape", str(shape), "must be in 0..2"),)
    with pytest.raises(InvalidProblemError) as read:
        decision_from_message(problem, sent)
    assert read.value.violations == caught.value.violations
    assert sent.SerializeToString(deterministic=True) == before


def test_client_returns_whole_nodes_and_leaves_the_request_alone() -> None:
    request = solve_request(pods=3)
    with serving() as server, Client(server.address) as client:
        solved = client.solve(request, timeout=30)
        *_, last = client.solve_stream(as_stream(request), timeout=30)
    assert request == solve_request(pods=3)
    for decision in (solved, last.decision):
        assert len(decision.node_claims) == 3
        assert all(claim.instance_type and claim.labels and not claim.shape for claim in decision.node_claims)
        assert not decision.node_shapes


def test_server_tells_shapes_apart_only_if_asked() -> None:
    request = solve_request(pods=3)
    with serving() as server, grpc.insecure_channel(server.address) as channel:
        stub = provisioning_service_pb2_grpc.ProvisioningServiceStub(channel)
        whole = stub.Solve(request, timeout=30).decision
        request.params.wants_node_shapes = True
        apart = stub.Solve(request, timeout=30).decision
    assert not whole.node_shapes
    assert [claim.shape for claim in apart.node_claims] == [1, 1, 1]
    make_whole(apart)
    assert list(apart.node_claims) == list(whole.node_claims)
