"""Message files are read as untrusted and written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_clients.cli import files
from binwright_clients.cli.files import check_writable, read_decision, read_request, write_message
from binwright_clients.errors import InputError
from google.protobuf.message import Message
from handmade_decisions import mixed_decision


def a_request() -> provisioning_service_pb2.SolveRequest:
    request = provisioning_service_pb2.SolveRequest()
    request.problem.workloads.add(name="web")
    request.params.gap = 0.01
    return request


@pytest.mark.parametrize("name", ["decision.json", "decision.pb"])
def test_a_decision_comes_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    write_message(tmp_path / name, mixed_decision())
    assert read_decision(tmp_path / name) == mixed_decision()


@pytest.mark.parametrize("name", ["problem.json", "problem.pb"])
def test_a_request_comes_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    write_message(tmp_path / name, a_request(), with_defaults=False)
    assert read_request(tmp_path / name) == a_request()


def test_a_bare_problem_is_taken_as_a_request(tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    write_message(path, a_request().problem)
    assert read_request(path).problem == a_request().problem


WRONG_DECISIONS = {
    "empty": (b"", "is empty"),
    "truncated": (b'{"status": "SOLUTION_STATUS_COM', "truncated"),
    "unknown field": (b'{"status": 1, "colour": "red"}', "colour"),
    "a list": (b"[]", "must hold a JSON object"),
    "not a number": (b'{"status": 1, "gap": NaN}', "NaN"),
    "wrong type": (b'{"status": 1, "gap": "wide"}', "gap"),
    "int64 overflow": (b'{"status": 1, "hourly_cost_microusd": 9223372036854775808}', "hourly_cost_microusd"),
    "int32 overflow": (b'{"status": 1, "certificate": {"scale_bits": 4294967296}}', "scale_bits"),
    "no status": (b"{}", "status"),
    "too deep": (b'{"a":' * 100_000, "nested too deeply"),
    "latin-1": (b'{"version": "\xe9"}', "is no JSON"),
    "a problem": (b'{"problem": {"workloads": []}}', "looks like a problem"),
    "endless digits": (b'{"status": ' + b"1" * 5000 + b"}", "is no JSON"),
}


@pytest.mark.parametrize("case", WRONG_DECISIONS)
def test_a_wrong_decision_file_is_named_with_the_reason(tmp_path: Path, case: str) -> None:
    content, reason = WRONG_DECISIONS[case]
    path = tmp_path / "decision.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_decision(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xff\xff", b"garbage!", a_request().SerializeToString()[:-1]])
def test_bytes_that_are_no_decision_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "decision.pb"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is no Decision|does not have|status"):
        read_decision(path)


def test_a_decision_given_as_the_problem_says_so(tmp_path: Path) -> None:
    write_message(tmp_path / "d.json", mixed_decision())
    with pytest.raises(InputError, match="looks like a decision"):
        read_request(tmp_path / "d.json")


def test_a_file_above_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "decision.json"
    write_message(path, mixed_decision())
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    with pytest.raises(InputError, match="too large"):
        read_decision(path)


@pytest.mark.parametrize("name", [".", "missing.json"])
def test_what_is_no_readable_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"is a directory|No such file"):
        read_decision(tmp_path / name)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "decision.json"
    path.write_text("old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_message(path, mixed_decision())
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["decision.json"]


def test_a_target_that_cannot_be_written_is_known_before_the_solve(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "decision.json"):
        with pytest.raises(InputError, match=r"is a directory|there is no folder"):
            check_writable(path)


def test_json_keeps_proto_names_and_empty_fields() -> None:
    message: Message = decision_pb2.Decision()
    text = files.to_json(message)
    keys = list(json.loads(text))
    assert keys[:4] == ["status", "stop_reason", "hourly_cost_usd", "monthly_cost_usd"]
    assert {"lower_bound_usd", "gap", "node_claims", "unschedulable_pods"} <= set(keys)


@pytest.mark.parametrize("with_defaults", [True, False])
def test_large_messages_are_written_line_by_line_and_mean_the_same(
    monkeypatch: pytest.MonkeyPatch, with_defaults: bool
) -> None:
    indented = files.to_json(mixed_decision(), with_defaults=with_defaults)
    monkeypatch.setattr(files, "MAX_INDENTED_BYTES", 0)
    by_line = files.to_json(mixed_decision(), with_defaults=with_defaults)
    assert json.loads(by_line) == json.loads(indented)
    assert len(by_line.splitlines()) < len(indented.splitlines()) / 10
