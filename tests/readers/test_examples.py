"""The shipped examples, as the messages they become (golden JSON under tests/data/readers)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from binwright_clients.inputs import read_catalog, read_inputs
from google.protobuf import json_format
from google.protobuf.message import Message

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GOLDEN = ROOT / "tests" / "data" / "readers"


def as_json(message: Message) -> object:
    return json.loads(json_format.MessageToJson(message, preserving_proto_field_name=True))


@pytest.mark.parametrize("name", ["web.yaml", "workloads.csv", "constraints.yaml", "device-claims.yaml"])
def test_an_example_input_becomes_its_golden_message(name: str) -> None:
    problem = read_inputs([str(EXAMPLES / name)]).problem
    assert as_json(problem) == json.loads((GOLDEN / f"{name}.json").read_text())


def test_the_example_catalogue_becomes_its_golden_message() -> None:
    catalog = read_catalog(str(EXAMPLES / "catalog.csv"))
    assert as_json(catalog) == json.loads((GOLDEN / "catalog.csv.json").read_text())


@pytest.mark.parametrize(
    ("name", "workload", "instance_type", "capacity_type", "fewest", "most"),
    [
        ("general-purpose", "general", "c5.2xlarge", "on-demand", 10, 100),
        ("memory-optimized", "memory", "r5.2xlarge", "on-demand", 5, 50),
        ("gpu-compute", "gpu", "g4dn.2xlarge", "on-demand", 5, 50),
        ("storage-optimized", "storage", "i3.2xlarge", "on-demand", 3, 30),
        ("spot-batch", "batch", "c5.2xlarge", "spot", 20, 200),
    ],
)
def test_the_reference_node_pools_are_those_of_the_reference_platform(
    name: str, workload: str, instance_type: str, capacity_type: str, fewest: int, most: int
) -> None:
    inputs = read_inputs([str(EXAMPLES / "workloads.csv")], nodepools=[str(EXAMPLES / "nodepools.yaml")])
    assert inputs.notes == ()
    assert len(inputs.problem.node_pools) == 5
    [pool] = [pool for pool in inputs.problem.node_pools if pool.name == name]
    assert dict(pool.labels) == {"workload": workload}
    assert [(t.key, t.value, t.effect) for t in pool.taints] == [("workload", workload, "NoSchedule")]
    assert {r.key: list(r.values) for r in pool.requirements} == {
        "node.kubernetes.io/instance-type": [instance_type],
        "karpenter.sh/capacity-type": [capacity_type],
    }
    assert (pool.min_nodes, pool.max_nodes) == (fewest, most)
