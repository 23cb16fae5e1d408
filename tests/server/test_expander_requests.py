"""The Cluster Autoscaler expander: questions that are wrong, odd or no questions at all."""

from __future__ import annotations

import pytest
from autoscaler import (
    Options,
    k8s_node,
    k8s_pod,
    scale_up,
    t4_options,
)
from binwright.vendor.autoscaler import expander_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_server.expansion.scanned import ScannedRequest
from expanding import chosen, scale_up_question_from_bytes
from hypothesis import given, settings
from hypothesis import strategies as st


def test_no_options_is_no_scale_up() -> None:
    assert chosen(expander_pb2.BestOptionsRequest()) is None


def test_option_without_template_node_is_left_out_and_named() -> None:
    pods = [k8s_pod("web")]
    options: Options = {"a": (1, None, pods), "b": (1, k8s_node("m5.4xlarge"), pods)}
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "b"
    assert "a is left out: it has no template node" in choice.reason


def test_options_of_which_none_can_be_judged_are_an_error_with_the_reasons() -> None:
    """No answer would tell Cluster Autoscaler that nothing is to be scaled up."""
    pods = [k8s_pod("web")]
    empty = k8s_node("m5.4xlarge")
    empty.status.ClearField("allocatable")
    empty.status.ClearField("capacity")
    request = scale_up({"a": (1, None, pods), "b": (1, empty, pods)})
    with pytest.raises(InvalidProblemError) as caught:
        chosen(request)
    assert [(v.field, v.value, v.description) for v in caught.value.violations] == [
        ("options[0]", "a", "cannot be judged: it has no template node"),
        ("options[1]", "b", "cannot be judged: its template node has no resources"),
    ]


def test_pod_whose_fields_contradict_each_other_is_left_out_and_named() -> None:
    bad = k8s_pod("bad", cpu="lots")
    good = k8s_pod("good")
    options: Options = {
        "a": (1, k8s_node("m5.xlarge"), [bad, good]),
        "b": (1, k8s_node("m5.4xlarge"), [bad, good]),
    }
    choice = chosen(scale_up(options))
    assert choice is not None
    assert choice.option.node_group == "a"
    assert "pods like default/bad are left out: .containers[0].requests" in choice.reason


@pytest.mark.parametrize("version", ["1.33", "1.35"])
def test_undecodable_pod_is_refused_by_its_place(version: str) -> None:
    request = scale_up(t4_options(), version)
    name = "pod" if version == "1.33" else "podBytes"
    getattr(request.options[1], name).append(b"\xff\xff\xff")
    with pytest.raises(InvalidProblemError) as caught:
        scale_up_question_from_bytes(request.SerializeToString())
    assert [v.field for v in caught.value.violations] == [f"options[1].{name}[2]"]
    assert "is no serialized Pod" in str(caught.value)


def test_undecodable_node_is_refused_by_its_place() -> None:
    request = scale_up(t4_options())
    request.nodeBytesMap["small"] = b"\xff\xff\xff"
    with pytest.raises(InvalidProblemError, match=r'nodeBytesMap\["small"\]: is no serialized Node'):
        scale_up_question_from_bytes(request.SerializeToString())


def test_text_that_is_not_utf8_is_refused_by_its_place() -> None:
    request = scale_up(t4_options())
    good = request.options[0].podBytes[0]
    for wanted in (b"cpu", b"t4-0"):
        request.options[0].podBytes[0] = good.replace(wanted, b"\xff" * len(wanted))
        with pytest.raises(InvalidProblemError, match=r"options\[0\].podBytes\[0\]: is no serialized Pod"):
            scale_up_question_from_bytes(request.SerializeToString())


def test_node_group_named_twice_is_refused() -> None:
    request = scale_up(t4_options())
    request.options[1].nodeGroupId = "large"
    with pytest.raises(
        InvalidProblemError, match=r"options\[1\].nodeGroupId: is already that of options\[0\]"
    ):
        scale_up_question_from_bytes(request.SerializeToString())


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_question_or_refused(data: bytes) -> None:
    try:
        expected = expander_pb2.BestOptionsRequest.FromString(data)
    except Exception:
        expected = None
    try:
        question = scale_up_question_from_bytes(data)
    except InvalidProblemError:
        return
    assert expected is not None, "what protobuf refuses is refused"
    assert len(question.options) <= len(expected.options)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_corrupted_request_is_a_question_or_refused(data: st.DataObject) -> None:
    content = bytearray(scale_up(t4_options(), "1.34").SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for corrupted in (bytes(content), bytes(content[:cut])):
        try:
            question = scale_up_question_from_bytes(corrupted)
        except InvalidProblemError:
            continue
        assert sum(kind.count for kind in question.kinds) <= 8


pods_of_options = st.lists(
    st.lists(st.binary(max_size=20), max_size=6), max_size=4
)  # as protobuf sees them, whatever is in them


@given(pods_of_options, st.booleans())
@settings(max_examples=200, deadline=None)
def test_pods_are_told_apart_as_protobuf_reads_them(options: list[list[bytes]], is_old: bool) -> None:
    request = expander_pb2.BestOptionsRequest()
    for k, pods in enumerate(options):
        name = "pod" if is_old else "podBytes"
        request.options.add(nodeGroupId=str(k), nodeCount=k, debug="x" * k, **{name: pods})
    data = request.SerializeToString()
    for scanned in (ScannedRequest.of(data), ScannedRequest.unpacked(ScannedRequest.of(data).packed())):
        assert [o.nodeGroupId for o in scanned.options()] == [o.nodeGroupId for o in request.options]
        distinct = [scanned.pod_bytes(pod) for pod in range(scanned.n_pods)]
        assert [[distinct[p] for p in scanned.pods_of(k)] for k in range(len(options))] == options
        assert len(set(distinct)) == len(distinct)
