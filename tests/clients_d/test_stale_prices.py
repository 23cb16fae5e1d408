"""Old prices are flagged in the decision itself, by the day on which it is made."""

from __future__ import annotations

import datetime
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from binwright.v1 import provisioning_service_pb2
from binwright_clients.cli import catalog as catalog_module
from binwright_clients.cli.main import main
from binwright_optimizer.catalog.staleness import stale_price_warnings
from binwright_optimizer.model.decision import NodeClaim
from binwright_optimizer.model.offerings import (
    CapacityType,
    Catalog,
    InstanceType,
    Offering,
    PriceSource,
)
from binwright_optimizer.model.resources import Resources
from click.testing import CliRunner

TODAY = datetime.date(2026, 11, 23)


def sold(date: str, capacity_type: CapacityType = CapacityType.ON_DEMAND) -> tuple[Catalog, NodeClaim]:
    offering = Offering("r", "z", capacity_type, 1_000, PriceSource("list", date))
    shape = InstanceType("t", "aws", "amd64", Resources(), Resources(), (), (offering,))
    claim = NodeClaim(
        "n", "p", "t", "r", "z", capacity_type, 1_000, (), Resources(), Resources(), Resources(), ()
    )
    return Catalog("c", (shape,)), claim


@pytest.mark.parametrize(
    ("date", "capacity_type", "is_stale"),
    [
        ("2026-10-24", CapacityType.ON_DEMAND, False),  # 30 days
        ("2026-10-23", CapacityType.ON_DEMAND, True),  # 31 days
        ("2026-10-23T08:00:00Z", CapacityType.RESERVED, True),
        ("2026-11-16", CapacityType.SPOT, False),  # 7 days
        ("2026-11-15", CapacityType.SPOT, True),  # 8 days
        ("", CapacityType.SPOT, False),  # a table of one's own tells no date
        ("yesterday", CapacityType.SPOT, False),
    ],
)
def test_the_limit_depends_on_how_the_node_is_bought(
    date: str, capacity_type: CapacityType, is_stale: bool
) -> None:
    catalog, claim = sold(date, capacity_type)
    assert bool(stale_price_warnings([claim], catalog, TODAY)) is is_stale


def test_the_warning_tells_age_source_and_remedy() -> None:
    catalog, claim = sold("2026-07-20")
    (line,) = stale_price_warnings([claim], catalog, TODAY)
    assert line.startswith("on-demand prices are up to 126 days old (list, 2026-07-20); ")
    assert line.endswith("over 30 days is stale: binwright catalog refresh")


def test_prices_not_paid_do_not_matter() -> None:
    catalog, claim = sold("2020-01-01")
    assert stale_price_warnings([replace(claim, zone="elsewhere")], catalog, TODAY) == ()


def test_the_limit_can_be_set() -> None:
    catalog, claim = sold("2026-07-20")
    assert stale_price_warnings([claim], catalog, TODAY, max_age_days=126) == ()


def solved_warnings(tmp_path: Path, *options: str) -> list[str]:
    pods = tmp_path / "pods.csv"
    pods.write_text("name,replicas,cpu_milli,memory_mib\nweb,1,1000,1024\n")
    arguments = ["solve", "-f", str(pods), "-o", "json", "--deadline", "1s", *options]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    warnings: list[str] = json.loads(result.stdout)["warnings"]
    return warnings


def test_every_answer_on_old_embedded_prices_says_so(tmp_path: Path) -> None:
    """The embedded prices are of July 2026 and before."""
    if datetime.date.today() <= datetime.date(2026, 8, 20):
        pytest.skip("the embedded prices are still fresh on this machine's calendar")
    assert any("on-demand prices are up to" in line for line in solved_warnings(tmp_path))


def test_the_command_takes_another_limit(tmp_path: Path) -> None:
    lines = solved_warnings(tmp_path, "--max-price-age", "36500")
    assert not any("prices are up to" in line for line in lines)


@pytest.mark.parametrize("shown", [["list", "--instance-types", "m5.large"], ["show", "m5.large"]])
@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize(
    ("day", "told"),
    [("2026-07-21", ["spot"]), ("2026-08-20", ["on-demand", "spot"]), ("2025-06-28", [])],
)
def test_price_lists_say_so_too(
    monkeypatch: pytest.MonkeyPatch, shown: list[str], output: str, day: str, told: list[str]
) -> None:
    """On-demand prices of July 20, 2026, and spot prices of June 28, 2025."""
    monkeypatch.setattr(catalog_module, "today", lambda: datetime.date.fromisoformat(day))
    result = CliRunner().invoke(main, ["catalog", *shown, "-o", output])
    assert result.exit_code == 0, result.output
    where = result.stdout if output == "table" else result.stderr
    warnings = [line for line in where.splitlines() if line.startswith("warning: ")]
    assert [line.split()[1] for line in warnings] == told


def test_a_client_of_the_server_sets_the_limit_in_its_request() -> None:
    from binwright_server.local import solve_locally

    request = provisioning_service_pb2.SolveRequest()
    web = request.problem.workloads.add(name="web")
    web.template.containers.add(name="c", requests={"cpu": "1"})
    request.problem.catalog.embedded.cloud = "aws"
    request.problem.catalog.embedded.regions.append("us-east-1")
    request.params.deadline.FromSeconds(1)
    request.params.max_price_age_days = 0
    stale = solve_locally(request, lambda _progress: None, threading.Event())
    request.params.max_price_age_days = 36_500
    fresh = solve_locally(request, lambda _progress: None, threading.Event())
    assert len(stale.warnings) == len(fresh.warnings) + 1
