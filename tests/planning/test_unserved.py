"""Demand that no plan can serve: one error that names file, place, field and the amounts as written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from binwright_clients.cli.main import main
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.errors import UnservedError
from binwright_optimizer.model import CapacityType, Requirement, labels
from binwright_optimizer.model.forecast import Band, RegionLimit, Resilience
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.servable import free_of
from click.testing import CliRunner
from plan_cases import forecast, sold

HOME, AWAY = "region-1", "region-2"
HEAD = """apiVersion: binwright.dev/v1
kind: Forecast
periods: [2027-Q1, 2027-Q2]
"""


def complaint(tmp_path: Path, text: str, command: str = "forecast") -> str:
    file = tmp_path / "f.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", command, str(file), "--deadline", "1s"])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return str(result.stderr).replace(str(file), "f.yaml")


def test_pod_larger_than_any_node_is_told_with_its_request_and_demand_as_written(tmp_path: Path) -> None:
    said = complaint(
        tmp_path,
        """workloads:
  - name: small
    requests: {cpu: 500m}
    demand: {eu-west-1: {2027-Q1: 5, 2027-Q2: 5}}
  - name: huge
    requests: {cpu: "500", memory: 1Gi}
    demand: {eu-west-1: {2027-Q1: 0, 2027-Q2: {p50: 3, p90: 4, p99: 9}}}
""",
    )
    assert said.startswith("Error: f.yaml: workloads[1].requests[cpu]: a pod takes 595239m of a node")
    assert "3 to 9 pods of huge are wanted in eu-west-1 in 2027-Q2" in said
    assert "(workloads[1].demand.eu-west-1.2027-Q2: {" in said
    assert said.endswith("(got '500')\n")


def test_largest_node_named_is_the_largest_sold_however_large_nodes_a_plan_buys(tmp_path: Path) -> None:
    """Plans buy nodes of at most 32 vCPU unless a pod needs more; eu-west-1 sells far larger ones."""
    said = complaint(
        tmp_path,
        """workloads:
  - name: huge
    requests: {cpu: "1000"}
    demand: {eu-west-1: {2027-Q1: 1, 2027-Q2: 1}}
  - name: many
    requests: {cpu: "1", nvidia.com/gpu: 64}
    demand: {eu-west-1: {2027-Q1: 1, 2027-Q2: 1}}
""",
    )
    bare = {labels.BARE_METAL, labels.BURSTABLE}
    kinds = [
        kind
        for kind in embedded_catalog("aws", ["eu-west-1"]).instance_types
        if bare.isdisjoint(dict(kind.labels))
    ]
    cpu, gpus = (max(free_of(kind)[name] for kind in kinds) for name in ("cpu", "nvidia.com/gpu"))
    assert cpu > 100_000
    assert f"has {format_quantity(cpu, 'cpu')}, but" in said
    assert gpus == 8
    assert "has 8, but" in said


def test_every_workload_that_fits_nothing_is_named_at_once(tmp_path: Path) -> None:
    said = complaint(
        tmp_path,
        """workloads:
  - {name: one, requests: {memory: 90Ti}, demand: {eu-west-1: {2027-Q1: 1, 2027-Q2: 1}}}
  - name: two
    requests: {cpu: 1, nvidia.com/gpu: 1}
    gpuModels: [h100]
    demand: {ap-southeast-4: {2027-Q1: 2, 2027-Q2: 2}}
""",
        command="failover",
    )
    assert "f.yaml: workloads[0].requests[memory]:" in said
    assert "(got '90Ti')" in said
    assert "f.yaml: workloads[1].gpuModels: no node sold in ap-southeast-4 is of this kind" in said


def test_quota_that_is_too_small_is_named_with_what_it_would_take(tmp_path: Path) -> None:
    """A pod takes half a CPU of the 84 % that are filled: 48 pods, headroom included, take 28.6 CPUs."""
    said = complaint(
        tmp_path,
        """quotas: {eu-west-1: {cpu: "20"}}
workloads:
  - {name: web, requests: {cpu: 500m}, demand: {eu-west-1: {2027-Q1: 20, 2027-Q2: 40}}}
""",
    )
    assert said.startswith("Error: f.yaml: quotas.eu-west-1.cpu: leaves no room in 2027-Q2, scenario certain")
    assert "requests 28608m CPU" in said
    assert "40 pods of web wanted in eu-west-1 (workloads[0].demand.eu-west-1.2027-Q2: 40)" in said
    assert said.endswith("(got '20')\n")


def test_quota_counts_pods_on_spot_and_on_demand_together() -> None:
    """Ten pods of three CPUs on demand and four of one on spot take 34 of the region's CPUs."""
    both = forecast([Band.exactly(10)], profile="flat", cpu=(3000, 1000))
    spot = Requirement(labels.CAPACITY_TYPE, Operator.IN, (str(CapacityType.SPOT),))
    small = replace(both.workloads[1], template=replace(both.workloads[1].template, node_selector=(spot,)))
    asked = replace(
        both,
        workloads=(both.workloads[0], small),
        demands=(both.demands[0], replace(both.demands[1], band=Band.exactly(4))),
    )
    kinds = sold(HOME, 1, c4=0.10).instance_types + sold(HOME, 1, kind="spot", c8=0.10).instance_types
    lists = {HOME: replace(sold(HOME, 1, c4=0.10), instance_types=kinds)}
    enough = replace(asked, limits=(RegionLimit(HOME, 34_000),))
    assert make_plan(enough, PlanParams(5.0), catalogs=lists).total > 0
    tight = replace(asked, limits=(RegionLimit(HOME, 33_000),))
    with pytest.raises(UnservedError, match=r"limits\[0\].cpu_milli: .* requests 34 CPU") as caught:
        make_plan(tight, PlanParams(5.0), catalogs=lists)
    assert caught.value.parts[0].demand == 0


def test_movable_pods_run_where_a_node_is_large_enough() -> None:
    """Away sells nodes of four CPUs only, at half the price; the pods of five have to stay at home."""
    asked = forecast([Band.exactly(3)], profile="flat", cpu=(5000,))
    movable = replace(asked, workloads=(replace(asked.workloads[0], regions=(HOME, AWAY)),))
    lists = {HOME: sold(HOME, 1, c8=0.20), AWAY: sold(AWAY, 1, c4=0.05)}
    found = make_plan(movable, PlanParams(5.0), catalogs=lists)
    assert {m.region: m.on_demand.nodes for m in found.mixes} == {HOME: 3, AWAY: 0}
    assert found.total == 600_000 * 2160
    assert found.bound >= found.total - 1


def test_promise_that_a_region_of_one_zone_cannot_keep_names_the_promise() -> None:
    asked = replace(forecast([Band.exactly(3)]), resilience=Resilience(zones=1))
    with pytest.raises(UnservedError, match=r"resilience\.zones: region-1 has a single zone"):
        make_plan(asked, PlanParams(5.0), catalogs={HOME: sold(HOME, 1, c4=0.10)})
