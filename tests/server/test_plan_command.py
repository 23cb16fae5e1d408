"""``binwright plan FORECAST --server``: a server plans through the command, with token and TLS options."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from binwright.v1 import planning_service_pb2
from binwright_clients.cli.main import main
from binwright_clients.cli.plan_served import document_view
from binwright_clients.forecast import read_forecast
from binwright_clients.forecast.message import forecast_to_message
from binwright_server.config import ServerConfig
from binwright_server.convert import forecast_from_message
from binwright_server.limits import RequestLimits
from click.testing import CliRunner, Result
from harness import serving
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "let-me-plan"
PATIENT = ("--deadline", "300s")
"""No round is left out, however slow the machine, so that both answers are the same."""
FORECAST = """apiVersion: binwright.dev/v1
kind: Forecast
periods: [2027-Q1]
resilience: {zones: 1, protectedShare: 0.5}
commitments:
  held:
    - {name: old, usdPerHour: "0.05", discount: 0.3, start: 2026-01-01, end: 2027-02-01}
workloads:
  - name: api
    requests: {cpu: 500m, memory: 768Mi}
    profile: office
    demand: {us-east-2: {2027-Q1: 12}}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", *arguments])


def test_plan_of_a_server_is_the_plan_of_this_process_and_verifies(tmp_path: Path) -> None:
    """Everything but the warnings' place: commitments, splits, mixes with their prices, certificate."""
    file, token, saved = tmp_path / "f.yaml", tmp_path / "token", tmp_path / "plan.json"
    file.write_text(FORECAST, encoding="utf-8")
    token.write_text(TOKEN + "\n", encoding="utf-8")
    here = run(str(file), "-q", *PATIENT, "--workers", "1", "-o", "json")
    assert here.exit_code == 0, here.output
    config = ServerConfig(address="127.0.0.1:0", workers=2, token_file=str(token))
    with serving(config=config) as server:
        refused = run(str(file), "-q", "--server", server.address)
        there = run(
            *(str(file), "-q", *PATIENT, "--server", server.address, "--token-file", str(token), "-o", "json")
        )
    assert refused.exit_code == 1
    assert server.address in refused.stderr
    assert there.exit_code == 0, there.output
    written = there.stdout[there.stdout.index("{\n") :]  # the server in this process logs there, too
    document = json.loads(written)
    assert document == json.loads(here.stdout)
    warning, *_ages_of_prices = document["warnings"]
    assert warning.startswith("commitments.held[0].end: commitment old ends on 2027-02-01, within 2027-Q1")
    assert document["periods"][0]["splits"]
    saved.write_text(written, encoding="utf-8")
    verified = run("verify", str(saved), str(file))
    assert verified.exit_code == 0, verified.output
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(document_view(document))
    shown = console.export_text()
    assert f"${document['total_cost_usd']:,.0f}" in shown
    assert "warning: commitments.held[0].end" in shown


def test_a_server_counts_changes_to_the_plan_held(tmp_path: Path) -> None:
    """Twelve pods are planned, twenty are wanted: the plan and churn of this process, and it holds."""
    now, more, held = tmp_path / "now.yaml", tmp_path / "more.yaml", tmp_path / "held.json"
    alone = FORECAST.replace("resilience: {zones: 1, protectedShare: 0.5}\n", "")
    now.write_text(alone, encoding="utf-8")
    more.write_text(alone.replace("2027-Q1: 12", "2027-Q1: 20"), encoding="utf-8")
    held.write_text(run(str(now), "-q", *PATIENT, "--workers", "1", "-o", "json").stdout, encoding="utf-8")
    changed = (str(more), "--from", str(held), "--churn-cost", "25", "-q", *PATIENT, "-o", "json")
    here = run(*changed, "--workers", "1")
    assert here.exit_code == 0, here.output
    with serving() as server:
        there = run(*changed, "--server", server.address)
    assert there.exit_code == 0, there.output
    written = there.stdout[there.stdout.index("{\n") :]
    document = json.loads(written)
    assert document["churn_usd"] > 0
    assert document == json.loads(here.stdout)
    saved = tmp_path / "plan.json"
    saved.write_text(written, encoding="utf-8")
    verified = run("verify", str(saved), str(more), "--from", str(held))
    assert verified.exit_code == 0, verified.output


def test_servers_refusal_names_file_field_and_amounts_as_written(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(FORECAST.replace("500m", "'5000'"), encoding="utf-8")
    with serving() as server:
        refused = run(str(file), "-q", "--server", server.address)
    assert refused.exit_code == 2
    assert "f.yaml: workloads[0].requests[cpu]: a pod takes" in refused.stderr
    assert refused.stderr.endswith("(workloads[0].demand.us-east-2.2027-Q1: 12) (got '5000')\n")


def test_servers_refusal_of_a_table_names_line_column_and_amounts(tmp_path: Path) -> None:
    file = tmp_path / "demand.csv"
    rows = ["workload,region,period,cpu_milli,memory_mib,replicas", "api,us-east-2,2027-Q1,500,1024,5"]
    rows += ["big,us-east-2,2027-Q1,5000000,1024,7", "big,eu-west-1,2027-Q1,5000000,1024,3"]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with serving() as server:
        refused = run(str(file), "-q", "--server", server.address)
    assert "demand.csv, line 3: cpu_milli: a pod takes" in refused.stderr
    assert "(line 3, replicas: 7) (got '5000000')" in refused.stderr
    assert "demand.csv, line 4: cpu_milli: a pod takes" in refused.stderr


@pytest.mark.parametrize("option", [["--workers", "2"], ["--report", "page.html"], ["--checkpoint", "kept"]])
def test_options_that_a_server_does_not_take_are_refused(tmp_path: Path, option: list[str]) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(FORECAST, encoding="utf-8")
    refused = run(str(file), "--server", "localhost:1", *option)
    assert refused.exit_code == 2
    assert "not for a server" in refused.stderr


@pytest.mark.parametrize("name", ["forecast.yaml", "resilient.yaml"])
def test_message_of_a_file_reads_as_the_same_forecast(name: str) -> None:
    """Up to what only a file has: its remarks and backtests, and where a choice of GPU models stands."""
    asked = read_forecast(str(ROOT / "examples" / name))
    request = planning_service_pb2.PlanRequest(forecast=forecast_to_message(asked))
    read = forecast_from_message(request.forecast, RequestLimits())
    for field in (
        "cloud", "regions", "periods", "demands", "profiles", "offers", "held", "reservations",
        "held_reservations", "utilisation_ppm", "links", "limits", "resilience", "headroom_ppm", "sampling",
        "service_ppm", "max_node_cpu_milli",
    ):  # fmt: skip
        assert getattr(read, field) == getattr(asked, field), field
    for one, other in zip(read.workloads, asked.workloads, strict=True):
        assert one.template.requests == other.template.requests
        assert (one.name, one.profile, one.regions, one.most_latency_ms, one.egress_mib_per_hour) == (
            other.name, other.profile, other.regions, other.most_latency_ms, other.egress_mib_per_hour
        )  # fmt: skip
        assert (one.resilience, one.service_ppm) == (other.resilience, other.service_ppm)
