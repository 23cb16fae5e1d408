"""What holds for every command, and the small ones in full."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest
import yaml
from binwright.v1 import decision_pb2
from binwright_clients.cli import benchmark as benchmark_module
from binwright_clients.cli.main import main
from binwright_clients.cli.progress import LiveProgress, PlainProgress, ProgressDisplay, progress_display
from binwright_clients.cli.serve import SETTINGS
from click.testing import CliRunner
from rich.console import Console


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and group, as the words that call it."""
    found = [path]
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
        else:
            found.append((*path, name))
    return found


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_help_shows_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"binwright {' '.join(path)}".strip() in result.stdout.partition("Example")[2]


@pytest.mark.parametrize("path", [path for path in commands() if path], ids=" ".join)
def test_the_examples_of_a_command_are_its_own(path: tuple[str, ...]) -> None:
    """And not, say, the line for shell completion, which is an example of the whole programme."""
    shown = CliRunner().invoke(main, [*path, "--help"]).stdout.partition("Example")[2]
    lines = [line.strip() for line in shown.splitlines()[1:] if line.strip()]
    assert all(line.startswith("binwright ") for line in lines), lines
    assert lines[-1].startswith(f"binwright {' '.join(path)}")


def answering() -> list[tuple[str, ...]]:
    """Commands that answer something: groups only hold commands, and the extender answers over HTTP."""

    def is_group(path: tuple[str, ...]) -> bool:
        command: click.Command = main
        for word in path:
            assert isinstance(command, click.Group)
            command = command.commands[word]
        return isinstance(command, click.Group)

    return [path for path in commands() if path != ("extender",) and not is_group(path)]


@pytest.mark.parametrize("path", answering(), ids=" ".join)
def test_every_command_writes_tables_json_and_yaml(path: tuple[str, ...]) -> None:
    usage = CliRunner().invoke(main, [*path, "--help"]).stdout
    assert "[table|json|yaml" in usage


def test_the_version_is_that_of_the_distribution() -> None:
    short = CliRunner().invoke(main, ["--version"]).stdout.split()
    long = json.loads(CliRunner().invoke(main, ["version", "-o", "json"]).stdout)
    assert short == ["binwright", long["binwright"]]
    assert long["python"] == ".".join(map(str, sys.version_info[:3]))


def test_help_loads_no_solver_and_no_grpc() -> None:
    script = (
        "import sys\nfrom binwright_clients.cli.main import main\n"
        "try:\n    main(['--help'], prog_name='binwright')\nexcept SystemExit:\n    pass\n"
        "heavy = {'grpc', 'numpy', 'numba', 'ortools', 'highspy', 'duckdb'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_every_setting_of_the_server_has_a_flag() -> None:
    from binwright_server.config import ServerConfig

    assert [name for name, _, _ in SETTINGS] == [field.name for field in fields(ServerConfig)]


def test_settings_come_from_file_variable_and_flag_in_this_order(tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("workers: 3\nmax_queue: 5\nmax_pods: 7\n")
    result = CliRunner().invoke(
        main,
        ["serve", "--check", "--config", str(file), "--max-pods", "11", "-o", "yaml"],
        env={"BINWRIGHT_MAX_QUEUE": "6", "BINWRIGHT_MAX_PODS": "9"},
    )
    settings = yaml.safe_load(result.stdout)
    assert (settings["workers"], settings["max_queue"], settings["max_pods"]) == (3, 6, 11)


def test_a_variable_with_a_wrong_value_is_named() -> None:
    result = CliRunner().invoke(main, ["serve", "--check"], env={"BINWRIGHT_WORKERS": "-2"})
    assert result.exit_code == 2
    assert "BINWRIGHT_WORKERS" in result.stderr


def test_a_t4_is_found_with_its_price_source() -> None:
    result = CliRunner().invoke(main, ["catalog", "list", "--gpu", "T4", "--min-cpu", "15", "-o", "json"])
    types = json.loads(result.stdout)["instance_types"]
    assert "g4dn.4xlarge" in [sold["name"] for sold in types]
    assert all(sold["gpu"]["model"] == "t4" for sold in types)
    assert all(offering["price_source"]["date"] for sold in types for offering in sold["offerings"])


@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure"])
def test_catalogue_tables_fit_100_columns(cloud: str) -> None:
    listed = CliRunner().invoke(main, ["catalog", "list", "--cloud", cloud])
    assert listed.exit_code == 0, listed.output
    assert max(map(len, listed.stdout.splitlines())) <= 100
    found = json.loads(CliRunner().invoke(main, ["catalog", "list", "--cloud", cloud, "-o", "json"]).stdout)
    name = max((sold["name"] for sold in found["instance_types"]), key=len)
    shown = CliRunner().invoke(main, ["catalog", "show", name, "--cloud", cloud])
    assert shown.exit_code == 0, shown.output
    assert max(map(len, shown.stdout.splitlines())) <= 100


def test_estimated_prices_are_marked() -> None:
    shown = CliRunner().invoke(main, ["catalog", "show", "g4dn.2xlarge"]).stdout
    assert "~0." in shown
    assert "estimate" in shown


def test_sorting_by_price_puts_the_cheapest_first() -> None:
    result = CliRunner().invoke(
        main, ["catalog", "list", "--gpu", "t4", "--capacity-type", "on-demand", "--sort", "price"]
    )
    names = [line.split()[0] for line in result.stdout.splitlines() if line.startswith("g4dn.")]
    assert names[:2] == ["g4dn.xlarge", "g4dn.2xlarge"]


def test_the_benchmark_suite_gets_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    class Suite:
        @staticmethod
        def main(arguments: list[str]) -> int:
            calls.append(arguments)
            return 0

    monkeypatch.setattr(benchmark_module.importlib, "import_module", lambda _name: Suite)
    result = CliRunner().invoke(
        main, ["benchmark", "--instances", "gpu*", "--deadline", "200ms", "--seeds", "3", "--output", "out"]
    )
    assert result.exit_code == 0, result.output
    assert calls == [
        [*("--instances", "gpu*", "--deadline", "0.2s", "--seeds", "3", "--output", "out", "-o", "table")]
    ]


def test_a_missing_benchmark_suite_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(benchmark_module.importlib, "import_module", missing)
    result = CliRunner().invoke(main, ["benchmark", "--list"])
    assert result.exit_code == 1
    assert "not installed" in result.stderr


def test_progress_in_a_log_is_a_line_now_and_then() -> None:
    """Steps every half second for ten seconds: lines after 1, 2, 4 and 8 seconds."""
    now = [0.0]
    stream = io.StringIO()
    display = PlainProgress(Console(file=stream, width=100), clock=lambda: now[0])
    for half_seconds in range(1, 21):
        now[0] = half_seconds / 2
        display.update(decision_pb2.Progress(phase="columns", lower_bound_usd=1.0))
    elapsed = [float(line.split()[0]) for line in stream.getvalue().splitlines()]
    assert elapsed == [1.0, 2.0, 4.0, 8.0]


def test_the_display_suits_standard_error() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    log = Console(file=io.StringIO())
    assert isinstance(progress_display(terminal, quiet=False), LiveProgress)
    assert isinstance(progress_display(log, quiet=False), PlainProgress)
    assert type(progress_display(terminal, quiet=True)) is ProgressDisplay


def test_a_live_display_shows_the_latest_step() -> None:
    stream = io.StringIO()
    with LiveProgress(Console(file=stream, force_terminal=True, width=100)) as display:
        display.update(
            decision_pb2.Progress(
                phase="columns", hourly_cost_usd=1.5, lower_bound_usd=1.125, gap=0.25, nodes=3
            )
        )
    assert "columns  $1.5000/h  bound $1.1250/h  gap 25 %  3 nodes" in stream.getvalue()


def test_the_last_of_printed_lines_says_where_the_solve_ended() -> None:
    """A first line after 1.2 s, without a bound and so without a gap; at 1.3 s all is proven."""
    now = [0.0]
    stream = io.StringIO()
    with PlainProgress(Console(file=stream, width=100), clock=lambda: now[0]) as display:
        now[0] = 1.2
        display.update(decision_pb2.Progress(phase="greedy", hourly_cost_usd=1.5, gap=1.0, nodes=3))
        now[0] = 1.3
        display.update(
            decision_pb2.Progress(phase="fluid", hourly_cost_usd=1.5, lower_bound_usd=1.5, gap=0.0, nodes=3)
        )
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        "1.2 s  greedy  $1.5000/h  3 nodes",
        "1.3 s  fluid  $1.5000/h  bound $1.5000/h  gap 0 %  3 nodes",
    ]


def test_output_into_a_closed_pipe_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        process = subprocess.run(
            [sys.executable, "-m", "binwright_clients.cli.main", "catalog", "list", "-o", "json"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
