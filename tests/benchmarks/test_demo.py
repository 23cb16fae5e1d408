"""The demonstration, with short solves: a real server process, both kinds of questions, clean exit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from binwright.v1 import decision_pb2
from binwright_benchmarks import demo, server_process
from binwright_benchmarks.server_process import ServerProcessError, running_server
from binwright_benchmarks.versus import versus_table
from binwright_clients.client import Client
from rich.console import Console
from test_suite import figures


@pytest.mark.slow
def test_the_demonstration_runs_and_shows_what_it_must(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, "-m", "binwright_benchmarks.demo", "--deadline", "2s", "--picture", str(picture)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "8,152 of 8,152 pods placed" in done.stdout
    assert "50 of 115 pods placed" in done.stdout
    assert "830 of 830 pods placed" in done.stdout
    assert "lower bound" in done.stdout
    assert "least-waste" in done.stdout
    assert "karpenter-like" in done.stdout
    assert "The server has stopped cleanly." in done.stdout
    assert "gap" in done.stderr  # lines of progress
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_server_serves_while_the_block_lasts_and_then_is_gone() -> None:
    with running_server() as server, Client(server.address, timeout=10) as client:
        assert client.is_serving()
    assert not Path(f"/proc/{server.process_id}").exists()


def test_a_server_that_does_not_start_is_a_failure_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import sys; sys.stderr.write('no port is free\\n'); sys.exit(3)"
    real = subprocess.Popen

    def broken(command: list[str], **options: object) -> subprocess.Popen[str]:
        return real([sys.executable, "-c", program], **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(server_process.subprocess, "Popen", broken)
    with pytest.raises(ServerProcessError, match=r"ended with code 3; it said:\nno port is free"):
        running_server().__enter__()
    assert demo.main(["--deadline", "1s"]) == 1
    assert "the demonstration failed: the server ended with code 3" in capsys.readouterr().err


def test_a_wrong_duration_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        demo.main(["--deadline", "never"])
    assert ended.value.code == 2
    assert "'never' is not a duration" in capsys.readouterr().err


def test_a_cheaper_rule_is_shown_with_a_negative_saving() -> None:
    decision = decision_pb2.Decision(hourly_cost_microusd=4_000_000, lower_bound_microusd=3_000_000)
    console = Console(width=100)
    rules = [figures(3.2), figures(8.0, name="dear"), figures(2.0, unplaced=5, name="lazy")]
    with console.capture() as captured:
        console.print(versus_table(decision, rules))
    text = captured.get()
    assert "-25 %" in text
    assert "50 %" in text
    assert "+5 pods out" in text
