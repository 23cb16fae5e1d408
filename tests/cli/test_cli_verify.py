"""``binwright verify`` on a decision a person can check.

Two pods of 1 CPU and 1 GiB; one type of 4 CPU and 8 GiB at 0.1 $/h. One node holds both, nothing is
cheaper, and a price of 0.05 $/h per pod proves it: two pods are worth what the node costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_clients.cli.files import write_message
from binwright_clients.cli.main import main
from click.testing import CliRunner, Result

PRICE = 100_000


def a_request() -> provisioning_service_pb2.SolveRequest:
    request = provisioning_service_pb2.SolveRequest()
    web = request.problem.workloads.add(name="web", replicas=2)
    web.template.containers.add().requests.update({"cpu": "1", "memory": "1Gi"})
    small = request.problem.catalog.inline.instance_types.add(name="small")
    small.allocatable.update({"cpu": "4", "memory": "8Gi"})
    small.offerings.add(region="r", zone="z", capacity_type="on-demand", price_microusd_per_hour=PRICE)
    request.problem.existing_nodes.add(name="full")  # beside which only prices prove anything of so few pods
    return request


def a_decision() -> decision_pb2.Decision:
    decision = decision_pb2.Decision(
        status=decision_pb2.SOLUTION_STATUS_COMPLETE,
        stop_reason=decision_pb2.STOP_REASON_OPTIMAL,
        hourly_cost_microusd=PRICE,
        hourly_cost_usd=0.1,
        monthly_cost_usd=73.0,
        lower_bound_microusd=PRICE,
        lower_bound_usd=0.1,
        certificate=decision_pb2.Certificate(scale_bits=0, pod_prices=[PRICE // 2]),
    )
    claim = decision.node_claims.add(
        name="default-0",
        node_pool="default",
        instance_type="small",
        region="r",
        zone="z",
        capacity_type="on-demand",
        hourly_price_usd=0.1,
        price_microusd_per_hour=PRICE,
        pods=["web-0", "web-1"],
    )
    claim.labels.update(
        {
            "karpenter.sh/capacity-type": "on-demand",
            "karpenter.sh/nodepool": "default",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "small",
            "topology.kubernetes.io/region": "r",
            "topology.kubernetes.io/zone": "z",
        }
    )
    claim.requests.update({"cpu": "2", "memory": "2Gi", "pods": "2"})
    claim.allocatable.update({"cpu": "4", "memory": "8Gi"})
    claim.instance_types.add(name="small", hourly_price_usd=0.1)
    return decision


Verify = Callable[..., Result]


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    def invoke(decision: decision_pb2.Decision, *arguments: str) -> Result:
        write_message(tmp_path / "problem.json", a_request(), with_defaults=False)
        write_message(tmp_path / "decision.json", decision)
        paths = [str(tmp_path / name) for name in ("problem.json", "decision.json")]
        return CliRunner().invoke(main, ["verify", *paths, *arguments])

    return invoke


def rows_of(table: str) -> dict[str, str]:
    """Lines of the table by their title."""
    return {line.split("  ")[0]: line.rstrip() for line in table.splitlines()}


def test_a_sound_decision_is_verified_with_recomputed_figures(verify: Verify) -> None:
    result = verify(a_decision(), "-o", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["verified"] is True
    assert document["recomputed"] == {"hourly_cost_usd": 0.1, "lower_bound_usd": 0.1, "gap": 0.0}
    assert document["pods_placed"] == 2


def test_the_table_shows_what_is_stated_and_what_is_recomputed(verify: Verify) -> None:
    result = verify(a_decision())
    assert result.stdout.startswith("VERIFIED")
    assert "$0.1000/h stated, $0.1000/h proven by the certificate" in result.stdout


def _bound_too_high(decision: decision_pb2.Decision) -> None:
    decision.certificate.pod_prices[0] = 0  # scaling prices down is repaired, forgetting them is not


def _pod_twice(decision: decision_pb2.Decision) -> None:
    decision.node_claims[0].pods[1] = "web-0"


def _pod_nobody_asked_for(decision: decision_pb2.Decision) -> None:
    decision.node_claims[0].pods[1] = "ghost"


def _cheaper_than_sold(decision: decision_pb2.Decision) -> None:
    decision.node_claims[0].price_microusd_per_hour = 1
    decision.node_claims[0].hourly_price_usd = 1e-6
    decision.hourly_cost_microusd = decision.lower_bound_microusd = 1
    decision.hourly_cost_usd = decision.lower_bound_usd = 1e-6
    decision.monthly_cost_usd = 730e-6


def _type_nobody_sells(decision: decision_pb2.Decision) -> None:
    decision.node_claims[0].instance_type = "huge"


def _sum_that_does_not_add_up(decision: decision_pb2.Decision) -> None:
    decision.hourly_cost_usd = 0.05


MUTATIONS = [
    _bound_too_high,
    _pod_twice,
    _pod_nobody_asked_for,
    _cheaper_than_sold,
    _type_nobody_sells,
    _sum_that_does_not_add_up,
]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__.strip("_"))
@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_a_wrong_decision_is_refuted_with_findings(
    verify: Verify, mutate: Callable[[decision_pb2.Decision], None], output: str
) -> None:
    decision = a_decision()
    mutate(decision)
    result = verify(decision, "-o", output)
    assert result.exit_code == 1, result.output
    assert result.stderr == ""
    if output == "table":
        assert result.stdout.startswith("REFUTED")
        assert "finding" in result.stdout
    elif output == "json":
        assert json.loads(result.stdout)["findings"]


def test_of_a_decision_that_cannot_be_read_nothing_else_is_said_to_be_checked(verify: Verify) -> None:
    decision = a_decision()
    decision.node_claims[0].pods[1] = "ghost"
    lines = rows_of(verify(decision).stdout)
    assert "FAILED, 1 finding" in lines["decision"]
    for row in ("placement", "cost", "lower bound", "gap", "statement"):
        assert lines[row].endswith("not checked"), lines[row]
    document = json.loads(verify(decision, "-o", "json").stdout)
    assert document["checks"] == {
        "decision": "failed",
        "placement": "not checked",
        "lower_bound": "not checked",
        "statement": "not checked",
    }
    assert document["pods_placed"] is None


def test_a_bound_that_is_not_proven_fails_while_the_placement_holds(verify: Verify) -> None:
    decision = a_decision()
    _bound_too_high(decision)
    lines = rows_of(verify(decision).stdout)
    assert "FAILED, 1 finding ($0.1000/h stated, $0.0000/h proven by the certificate)" in lines["lower bound"]
    assert "2 pods on 1 node" in lines["placement"]
    assert lines["statement"].endswith("agree")
    document = json.loads(verify(decision, "-o", "json").stdout)
    assert document["checks"]["lower_bound"] == "failed"
    assert document["checks"]["placement"] == "held"


def test_a_node_that_breaks_a_rule_fails_the_placement_alone(verify: Verify) -> None:
    decision = a_decision()
    decision.node_claims[0].zone = "elsewhere"
    lines = rows_of(verify(decision).stdout)
    assert "FAILED" in lines["placement"]
    assert "2 pods on 1 node" not in lines["placement"]
    assert lines["cost"].endswith("not checked: a node is not sold in the catalogue")
    assert lines["statement"].endswith("agree")


def test_the_catalogue_is_named_once(tmp_path: Path) -> None:
    request = a_request()
    request.problem.catalog.embedded.cloud = "aws"
    request.problem.catalog.embedded.regions.append("us-east-1")
    request.problem.catalog.embedded.instance_types.append("m5.large")
    [line] = [row for row in _refuted(tmp_path, request).splitlines() if row.startswith("catalogue")]
    assert line.count("us-east-1") == 1


def _refuted(folder: Path, request: provisioning_service_pb2.SolveRequest) -> str:
    write_message(folder / "problem.json", request)
    write_message(folder / "decision.json", a_decision())
    result = CliRunner().invoke(
        main, ["verify", *(str(folder / f"{n}.json") for n in ("problem", "decision"))]
    )
    assert result.exit_code == 1
    return result.stdout


def test_a_wrong_problem_is_bad_input_and_names_the_file(tmp_path: Path) -> None:
    request = a_request()
    request.problem.workloads[0].template.containers[0].requests["cpu"] = "lots"
    write_message(tmp_path / "problem.json", request)
    write_message(tmp_path / "decision.json", a_decision())
    paths = [str(tmp_path / name) for name in ("problem.json", "decision.json")]
    result = CliRunner().invoke(main, ["verify", *paths])
    assert result.exit_code == 2
    assert "problem.json: workloads[0]" in result.stderr
    assert "lots" in result.stderr


def test_a_decision_without_any_pod_is_verified_without_a_gap(verify: Verify) -> None:
    decision = decision_pb2.Decision(
        status=decision_pb2.SOLUTION_STATUS_NONE,
        stop_reason=decision_pb2.STOP_REASON_OPTIMAL,
        certificate=decision_pb2.Certificate(scale_bits=0, pod_prices=[0]),
    )
    for name in ("web-0", "web-1"):
        decision.unschedulable_pods.add(pod=name, workload="Pod default/web").reasons.add(message="no room")
    result = verify(decision)
    assert result.exit_code == 0, result.output
    assert "none: no pod is placed" in " ".join(result.output.split())
