"""The reference platform: what it costs, what does not add up, what would do."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from binwright_clients.cli.main import main
from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model import CapacityType, PodTemplate, Resources, Workload
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.mix import (
    STEADY,
    cheapest_mix,
    cheapest_offering,
    with_headroom,
    without_giants,
)
from binwright_optimizer.planning.reference import (
    BUDGET,
    POOLS,
    REGIONS,
    Split,
    compare,
    findings,
    reference_mix,
    reference_workloads,
)
from binwright_optimizer.planning.reference.demand import pods_of, pods_per_node
from binwright_optimizer.planning.reference.platform import STATED_TOTAL_USD, region_catalog
from binwright_optimizer.planning.sizing import Faults, size
from click.testing import CliRunner


def test_primary_region_costs_what_the_whole_platform_is_said_to_cost() -> None:
    """60 * 0.34 + 30 * 0.504 + 30 * 0.752 + 30 * 0.1496 = 62.568 $/h, 45,674.64 $ a month of 730 h."""
    assert reference_mix(REGIONS[0]).cost_microusd_per_hour == 62_568_000
    assert reference_mix(REGIONS[0]).nodes == 150


def test_shares_of_the_platform_are_whole() -> None:
    assert sum(line.usd_per_month for line in BUDGET) == STATED_TOTAL_USD
    assert sum(pool.node_percent for pool in POOLS) == 100
    assert sum(region.demand_percent for region in REGIONS) == 100
    assert [reference_mix(region).nodes for region in REGIONS] == [150, 100, 50]


def test_every_stated_figure_has_a_verdict() -> None:
    verdicts = {finding.subject: finding.holds for finding in findings()}
    assert verdicts == {
        "sum of the lines": True,
        "300 nodes": False,
        "nodes by region": False,
        "price of a node": False,
        "control planes": True,
        "demand by role": False,
        "zones": True,
        "storage": None,
        "network": None,
        "monitoring": None,
    }
    assert all(finding.found and finding.stated for finding in findings())


def test_demand_is_what_the_nodes_hold_at_seventy_per_cent() -> None:
    """Beside 200m of daemons a c5.2xlarge has 7,710m: 10 pods of 500m / 0.7 = 715m; 5 of 1,429m; one T4."""
    assert pods_per_node() == {
        "general-purpose": 10,
        "memory-optimized": 5,
        "gpu-compute": 1,
        "spot-batch": 5,
    }
    by_nodes = reference_workloads(REGIONS[0], Split.NODES)
    assert [w.replicas for w in by_nodes] == [600, 150, 30, 150]


def test_split_by_role_keeps_every_pod() -> None:
    for index in range(len(POOLS)):
        total = sum(reference_workloads(region, Split.NODES)[index].replicas for region in REGIONS)
        assert sum(reference_workloads(region)[index].replicas for region in REGIONS) == total
    assert [w.replicas for w in reference_workloads(REGIONS[0])] == [720, 180, 36, 180]


@pytest.mark.parametrize("nodes", [1, 2, 3, 7, 100, 300])
def test_pods_of_any_number_of_nodes_add_up_to_these_nodes(nodes: int) -> None:
    pods = pods_of(nodes)
    assert sum(pods[pool.name] // pods_per_node()[pool.name] for pool in POOLS) == nodes


def test_headroom_inflates_cpu_and_memory_but_not_devices() -> None:
    pod = Workload("m", PodTemplate(Resources.of({"cpu": 700, "memory": 7, "nvidia.com/gpu": 1})))
    roomy = with_headroom(pod, Fraction(7, 10)).template.requests
    assert roomy.amounts == (("cpu", 1000), ("memory", 10), ("nvidia.com/gpu", 1))
    with pytest.raises(ValueError, match="target utilisation"):
        with_headroom(pod, Fraction(0))


def test_mix_of_one_gpu_pod_is_the_cheapest_gpu_node() -> None:
    """A T4 pod of 3 vCPU and 12 GiB beside the daemons: g4dn.xlarge at 0.526 $/h."""
    inference = reference_workloads(REGIONS[0])[2]
    pod = Workload("inference", inference.template, 1)
    mix = cheapest_mix([pod], region_catalog("us-east-1"), SolveParams(deadline_s=5))
    assert [(p.instance_type, p.nodes) for p in mix.purchases] == [("g4dn.xlarge", 1)]
    assert (mix.cost_microusd_per_hour, mix.gap) == (526_000, 0)


def test_pods_that_nothing_can_serve_are_an_error_and_no_partial_mix() -> None:
    huge = Workload("huge", PodTemplate(Resources.of({"cpu": 10**6})), 3)
    with pytest.raises(PlanningError, match="can serve 3 pods of huge"):
        cheapest_mix([huge], region_catalog("us-east-1", pools_only=True), SolveParams(deadline_s=2))


def test_nothing_costs_nothing() -> None:
    assert cheapest_mix([], region_catalog("us-east-1")).nodes == 0


def test_plans_buy_no_giants_and_no_burstable_types() -> None:
    catalog = without_giants(region_catalog("us-east-1"))
    assert max(t.capacity["cpu"] for t in catalog.instance_types) == 32_000
    assert without_giants(region_catalog("us-east-1")) is catalog
    small = Workload("small", PodTemplate(Resources.of({"cpu": 500, "memory": 2**30})), 4)
    mix = cheapest_mix([small], catalog, SolveParams(deadline_s=3))
    assert not any(p.instance_type.startswith("t") for p in mix.purchases)
    assert STEADY.overhead["cpu"] == 200


def test_unknown_capacity_type_of_a_type_is_an_error() -> None:
    with pytest.raises(PlanningError, match=r"does not sell c5\.2xlarge as reserved"):
        cheapest_offering(region_catalog("us-east-1"), "c5.2xlarge", CapacityType.RESERVED)


def test_sizing_rule_by_hand_with_and_without_its_faults() -> None:
    """us-east-1: 100 web pods of 1 vCPU and 2 GiB, 10 batch pods likewise on spot, 5 T4 pods; eu-west-1: 5.

    web 100 * 1.2 / 8 = 15 nodes, batch 12 / 8 -> 2 on spot, GPU 5 * 1.2 = 6; eu-west-1 6. As written:
    10 * 1.2 = 12 GPU nodes in each region, batch on demand, one control plane.
    """
    shape = Resources.of({"cpu": 1000, "memory": 2 * 2**30})
    batch = reference_workloads(REGIONS[0])[3].template.node_selector
    gpu = PodTemplate(Resources.of({"cpu": 1000, "nvidia.com/gpu": 1}))
    demand = [
        (
            "us-east-1",
            [
                Workload("web", PodTemplate(shape), 100),
                Workload("batch", PodTemplate(shape, node_selector=batch), 10),
                Workload("model", gpu, 5),
            ],
        ),
        ("eu-west-1", [Workload("model", gpu, 5)]),
    ]
    right = size(demand)
    assert [
        [(p.instance_type, str(p.capacity_type), p.nodes) for p in mix.purchases] for mix in right.mixes
    ] == [
        [("r5.2xlarge", "on-demand", 15), ("r5.2xlarge", "spot", 2), ("g4dn.2xlarge", "on-demand", 6)],
        [("g4dn.2xlarge", "on-demand", 6)],
    ]
    assert right.control_planes == 2
    wrong = size(demand, Faults.ALL)
    assert [mix.nodes for mix in wrong.mixes] == [17 + 12, 12]
    assert wrong.control_planes == 1
    hourly = 15 * 504_000 + 2 * 196_560 + 6 * 752_000 + 6 * 838_000
    assert right.nodes_microusd_per_month == hourly * 730
    assert right.control_planes_microusd_per_month == 2 * 100_000 * 730


def test_optimal_mixes_cost_less_than_the_rule_and_never_less_than_their_bounds() -> None:
    found = compare(params=SolveParams(deadline_s=120.0, gap=0.01, work_limit=1_500_000))
    for r in found.regions:
        assert r.whole_catalog.cost_microusd_per_hour < r.same_types.cost_microusd_per_hour
        assert r.whole_catalog.bound_microusd_per_hour <= r.whole_catalog.cost_microusd_per_hour
        assert r.whole_catalog.gap < 0.03
    total = sum(r.whole_catalog.cost_microusd_per_hour for r in found.regions)
    assert total * 730 < 0.8 * found.sizing.nodes_microusd_per_month
    assert found.sizing.nodes_microusd_per_month < found.sizing_as_written.nodes_microusd_per_month


def test_command_prints_json_that_adds_up() -> None:
    arguments = ["plan", "reference", "--deadline", "1s", "-q", "-o", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["catalog_nodes_usd"] == pytest.approx(99_318.544)
    assert answer["whole_catalog_lower_bound_usd"] <= answer["whole_catalog_usd"]
    hourly = sum(r["whole_catalog"]["hourly_cost_usd"] for r in answer["regions"])
    assert hourly * 730 == pytest.approx(answer["whole_catalog_usd"])
    for r in answer["regions"]:
        mix = r["whole_catalog"]
        paid = sum(p["nodes"] * p["hourly_price_usd"] for p in mix["purchases"])
        assert paid == pytest.approx(mix["hourly_cost_usd"])


def test_impossible_utilisation_is_bad_input() -> None:
    result = CliRunner().invoke(main, ["plan", "reference", "--utilisation", "1.4"])
    assert result.exit_code == 2
    assert "--utilisation" in result.stderr
