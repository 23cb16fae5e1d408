"""Node selectors and tolerations of workloads in a forecast document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from binwright.v1 import planning_service_pb2
from binwright_clients.cli.main import main
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast
from binwright_clients.forecast.message import forecast_to_message
from binwright_optimizer.model.taints import TaintEffect, Toleration
from binwright_server.convert import forecast_from_message
from binwright_server.limits import RequestLimits
from click.testing import CliRunner

DOCUMENT = """apiVersion: binwright.dev/v1
kind: Forecast
periods: [2027-Q1]
workloads:
  - name: api
    requests: {cpu: 500m, memory: 768Mi}
    nodeSelector: {node.kubernetes.io/instance-type: m5.large}
    tolerations: [{key: dedicated, value: api, effect: NoSchedule}, {operator: Exists}]
    demand: {us-east-2: {2027-Q1: 9}}
"""


def written(tmp_path: Path, text: str = DOCUMENT) -> str:
    file = tmp_path / "f.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("promise", ["", "resilience: {zones: 1}\n"])
def test_pods_run_on_nodes_that_their_selector_names_and_the_plan_verifies(
    tmp_path: Path, promise: str
) -> None:
    """A pod of 500m takes 595m with headroom at 70 %; 1730m of an m5.large hold two: nine pods need five."""
    file, saved = written(tmp_path, DOCUMENT + promise), tmp_path / "plan.json"
    result = CliRunner().invoke(main, ["plan", file, "-q", "--deadline", "3s", "-o", "json"])
    assert result.exit_code == 0, result.output
    saved.write_text(result.stdout, encoding="utf-8")
    (period,) = json.loads(result.stdout)["periods"]
    bought = [p for mix in period["mixes"] for p in mix["on_demand"]["purchases"]]
    assert {p["instance_type"] for p in bought} == {"m5.large"}
    assert sum(p["nodes"] for p in bought) >= 5
    verified = CliRunner().invoke(main, ["plan", "verify", str(saved), file])
    assert verified.exit_code == 0, verified.output


def test_message_to_a_server_carries_them(tmp_path: Path) -> None:
    asked = read_forecast(written(tmp_path))
    request = planning_service_pb2.PlanRequest(forecast=forecast_to_message(asked))
    (read,) = forecast_from_message(request.forecast, RequestLimits()).workloads
    assert read.template.tolerations == (
        Toleration("dedicated", "api", effect=TaintEffect.NO_SCHEDULE),
        Toleration(exists=True),
    )
    assert set(read.template.node_selector) == set(asked.workloads[0].template.node_selector)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("node.kubernetes.io/instance-type: m5.large", "topology.kubernetes.io/zone: us-east-2a",
         "workloads[0].nodeSelector[topology.kubernetes.io/zone]: is the plan's to choose"),
        ("node.kubernetes.io/instance-type: m5.large", "karpenter.sh/capacity-type: spot",
         "workloads[0].nodeSelector[karpenter.sh/capacity-type]: is what capacityType says (got 'spot')"),
        ("m5.large", "''", "workloads[0].nodeSelector[node.kubernetes.io/instance-type]: must be a label"),
        ("m5.large", "5", "nodeSelector"),
        ("NoSchedule", "noSchedule", "workloads[0].tolerations[0].effect: must be one of NoSchedule,"),
        ("operator: Exists", "operator: exists", "workloads[0].tolerations[1].operator: must be one of Equ"),
        ("{operator: Exists}", "{operator: Exists, value: a}", "workloads[0].tolerations[1]: a toleration"),
        ("    tolerations:", "    labels: {a: b}\n    tolerations:", "workloads[0].labels: unknown field"),
    ],
)  # fmt: skip
def test_mistake_is_named_by_its_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_forecast(written(tmp_path, DOCUMENT.replace(old, new)))
    assert message in str(caught.value)


def test_selector_that_no_node_satisfies_is_refused_with_its_field(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["plan", written(tmp_path, DOCUMENT.replace("m5.large", "m5.huge"))])
    assert result.exit_code == 2
    said = " ".join(result.stderr.split())
    assert "workloads[0].nodeSelector: no node sold in us-east-2 is of this kind" in said
    assert "m5.huge" in said


def test_periods_that_are_over_are_told(tmp_path: Path) -> None:
    file = written(tmp_path, DOCUMENT.replace("[2027-Q1]", "[2020-Q1]").replace("2027-Q1: 9", "2020-Q1: 9"))
    result = CliRunner().invoke(main, ["plan", file, "-q", "--deadline", "2s", "-o", "json"])
    assert result.exit_code == 0, result.output
    assert any(
        "periods up to 2020-Q1, 1 of 1, are past on" in line for line in json.loads(result.stdout)["warnings"]
    )
