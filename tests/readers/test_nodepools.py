# ruff: noqa: E501  (one case a line: the cases read as a table)
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from binwright.v1 import problem_pb2
from binwright_clients.errors import InputError
from binwright_clients.inputs import read_inputs

TABLE = "name,resource:d\np,1\n"


@pytest.fixture
def read_pool(tmp_path: Path) -> Callable[[str], problem_pb2.NodePool]:
    """Reads one NodePool."""

    def read(text: str) -> problem_pb2.NodePool:
        (tmp_path / "pods.csv").write_text(TABLE)
        (tmp_path / "pools.yaml").write_text(text)
        inputs = read_inputs([str(tmp_path / "pods.csv")], nodepools=[str(tmp_path / "pools.yaml")])
        [pool] = inputs.problem.node_pools
        return pool

    return read


def pool(spec: str = "{}", more: str = "", metadata: str = "name: gpu", version: str = "v1") -> str:
    """A NodePool manifest from the YAML of its template's spec."""
    return (
        f"{{apiVersion: karpenter.sh/{version}, kind: NodePool, metadata: {{{metadata}}}, "
        f"spec: {{{more} template: {{metadata: {{labels: {{workload: gpu}}}}, spec: {spec}}}}}}}"
    )


ANY = "{requirements: []}"


def test_a_whole_karpenter_node_pool_is_read(read_pool: Callable[[str], problem_pb2.NodePool]) -> None:
    """The example of https://karpenter.sh/docs/concepts/nodepools/, shortened."""
    message = read_pool("""
apiVersion: karpenter.sh/v1
kind: NodePool
metadata:
  name: default
  annotations: {binwright.dev/min-nodes: "2"}
  creationTimestamp: "2025-01-01T00:00:00Z"
spec:
  template:
    metadata:
      labels: {billing-team: my-team}
      annotations: {example.com/owner: my-team}
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      taints:
      - {key: example.com/special-taint, effect: NoSchedule}
      startupTaints:
      - {key: example.com/another-taint, value: x, effect: NoExecute}
      expireAfter: 720h
      terminationGracePeriod: 48h
      requirements:
      - {key: karpenter.k8s.aws/instance-category, operator: In, values: [c, m, r], minValues: 2}
      - {key: karpenter.k8s.aws/instance-cpu, operator: Gt, values: ["4"]}
      - {key: kubernetes.io/arch, operator: Exists}
  disruption:
    consolidationPolicy: WhenEmptyOrUnderutilized
    consolidateAfter: 1m
    budgets:
    - nodes: 10%
    - {schedule: "0 9 * * mon-fri", duration: 8h, nodes: "0", reasons: [Drifted]}
  limits: {cpu: "1000", memory: 1000Gi, nodes: 20}
  weight: 10
status: {nodes: 3}
""")
    assert (message.name, message.weight, message.min_nodes, message.max_nodes) == ("default", 10, 2, 20)
    assert [(r.key, r.operator, list(r.values), r.min_values) for r in message.requirements] == [
        ("karpenter.k8s.aws/instance-category", "In", ["c", "m", "r"], 2),
        ("karpenter.k8s.aws/instance-cpu", "Gt", ["4"], 0),
        ("kubernetes.io/arch", "Exists", [], 0),
    ]
    assert dict(message.labels) == {"billing-team": "my-team"}
    assert dict(message.limits) == {"cpu": "1000", "memory": "1000Gi"}
    assert [(t.key, t.value, t.effect) for t in message.taints] == [
        ("example.com/special-taint", "", "NoSchedule")
    ]
    assert [(t.key, t.value, t.effect) for t in message.startup_taints] == [
        ("example.com/another-taint", "x", "NoExecute")
    ]


def test_the_beta_version_is_read(read_pool: Callable[[str], problem_pb2.NodePool]) -> None:
    text = pool(
        "{nodeClassRef: {apiVersion: x/v1, kind: EC2NodeClass, name: d}, kubelet: {maxPods: 20}, requirements: []}",
        "disruption: {expireAfter: 720h},",
        version="v1beta1",
    )
    assert read_pool(text).name == "gpu"


@pytest.mark.parametrize(
    ("more", "metadata", "bounds"),
    [
        ("", "name: gpu", (0, None)),
        ("limits: {nodes: 5},", "name: gpu", (0, 5)),
        ("", "name: gpu, annotations: {binwright.dev/max-nodes: '7'}", (0, 7)),
        ("limits: {nodes: 5},", "name: gpu, annotations: {binwright.dev/max-nodes: '7'}", (0, 5)),
        ("", "name: gpu, annotations: {binwright.dev/min-nodes: '3', binwright.dev/max-nodes: '3'}", (3, 3)),
        ("replicas: 4,", "name: gpu", (4, 4)),
        ("limits: {nodes: 0},", "name: gpu", (0, 0)),
    ],
)
def test_bounds_on_nodes_come_from_limits_annotations_and_replicas(
    read_pool: Callable[[str], problem_pb2.NodePool], more: str, metadata: str, bounds: tuple[int, int | None]
) -> None:
    message = read_pool(pool(ANY, more, metadata))
    assert (message.min_nodes, message.max_nodes if message.HasField("max_nodes") else None) == bounds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (pool("{requirement: []}"), "spec.template.spec.requirement: unknown field; did you mean 'requirements'?"),
        (pool(ANY, "weigth: 1,"), "spec.weigth: unknown field; did you mean 'weight'?"),
        (pool(ANY).replace("workload: gpu", "a//b: gpu"), "spec.template.metadata.labels[a//b]: is no label key"),
        (pool(ANY, "weight: 101,"), "spec.weight: must be from 1 to 100 (got '101')"),
        (pool(ANY, "limits: {cpu: -1},"), "spec.limits[cpu]: must not be negative (got '-1')"),
        (pool(ANY, "limits: {nodes: 1.5},"), "spec.limits[nodes]: must be a whole number"),
        (pool(ANY, "limits: {nodes: 3000000000},"), "spec.limits[nodes]: is too large (at most 2147483647)"),
        (pool(ANY, "replicas: -1,"), "spec.replicas: must be from 0"),
        (pool(ANY, metadata="name: gpu, annotations: {binwright.dev/min-nodes: many}"), "metadata.annotations[binwright.dev/min-nodes]: must be a whole number from 0 to 2147483647 (got 'many')"),
        (pool(ANY, metadata="name: gpu, annotations: {binwright.dev/min-nodes: 3}"), "metadata.annotations[binwright.dev/min-nodes]: must be a string; put it in quotes (got '3')"),
        (pool(ANY, "limits: {nodes: 2},", "name: gpu, annotations: {binwright.dev/min-nodes: '3'}"), "must not be above the most nodes, 2 (got '3')"),
        (pool(ANY, metadata="name: gpu, annotations: {binwright.dev/min-node: '3'}"), "document 1 (NodePool gpu): metadata.annotations[binwright.dev/min-node]: unknown annotation; did you mean 'binwright.dev/min-nodes'?"),
        (pool(ANY, metadata="name: gpu, annotations: {Binwright.dev/max-Nodes: '3'}"), "metadata.annotations[Binwright.dev/max-Nodes]: unknown annotation; did you mean 'binwright.dev/max-nodes'?"),
        (pool(ANY).replace("labels: {workload: gpu}", "annotations: {binwright.dev/max-nodes: '3'}"), "spec.template.metadata.annotations[binwright.dev/max-nodes]: is read on the NodePool's own metadata only"),
        (pool("{requirements: [{key: a, operator: Is, values: [b]}]}"), "requirements[0].operator: must be one of In,"),
        (pool("{requirements: [{key: a, operator: In, values: [b, c], minValues: 3}]}"), "requirements[0].minValues: must be from 1 to 2, the number of values (got '3')"),
        (pool("{requirements: [{key: a, operator: Exists, minValues: 1000000000000}]}"), "minValues: must be from 1 to 50"),
        (pool("{requirements: [{key: a, operator: Exists, minValues: 51}]}"), "minValues: must be from 1 to 50 (got '51')"),
        (pool("{requirements: [{key: a, operator: In, values: [b]}, {key: a, operator: In, values: [c]}]}"), "spec.template.spec.requirements: contradicts itself or the template's labels: no node can match (got 'a In [b] and a In [c]')"),
        (pool("{requirements: [{key: workload, operator: In, values: [cpu]}]}"), "(got 'workload In [gpu] and workload In [cpu]')"),
        (pool("{taints: [{key: a, effect: NoSched}]}"), "spec.template.spec.taints[0].effect: must be one of NoSchedule"),
        (pool("{taints: [{value: a, effect: NoSchedule}]}"), "spec.template.spec.taints[0].key: must not be empty"),
        (pool("{taints: [{key: a, effect: NoSchedule}, {key: a, value: b, effect: NoSchedule}]}"), "taints[1]: repeats key and effect of another taint"),
        (pool("{}"), "spec.template.spec: is missing"),
        ("{apiVersion: karpenter.sh/v1alpha5, kind: NodePool, metadata: {name: x}}", "kind NodePool is read in apiVersion karpenter.sh/v1 or karpenter.sh/v1beta1 only"),
        (pool(ANY) + "\n---\n" + pool(ANY), "document 2 (NodePool gpu): metadata.name: duplicate name"),
    ],
)  # fmt: skip
def test_a_wrong_node_pool_is_reported(
    read_pool: Callable[[str], problem_pb2.NodePool], text: str, expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_pool(text)
    assert expected in str(caught.value)
    assert "pools.yaml, document " in str(caught.value)


def test_only_node_pools_are_taken_from_the_node_pool_file(tmp_path: Path) -> None:
    pods = tmp_path / "pods.csv"
    pods.write_text(TABLE)
    pools = tmp_path / "pools.yaml"
    pools.write_text(f"{pool(ANY)}\n---\n{{apiVersion: v1, kind: Pod, metadata: {{name: x}}}}")
    inputs = read_inputs([str(pods)], nodepools=[str(pools)])
    assert [w.name for w in inputs.problem.workloads] == ["p"]
    assert inputs.notes == (f"{pools}: skipped: kind Pod (v1) is not read here",)


def test_a_node_pool_file_inside_the_input_folder_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_text(TABLE)
    (tmp_path / "pools.yaml").write_text(pool(ANY))
    inputs = read_inputs([str(tmp_path)], nodepools=[str(tmp_path / "pools.yaml")])
    assert len(inputs.problem.node_pools) == 1


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("more.csv", TABLE, "is a table; NodePools are read from YAML or JSON manifests of kind NodePool"),
        ("pods.csv", TABLE, "holds no NodePool; NodePools are read from"),  # the input file itself
        ("job.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: x}}", "holds no NodePool;"),
        ("list.yaml", "{apiVersion: v1, kind: List, items: []}", "holds no NodePool;"),
    ],
)
def test_a_node_pool_file_must_hold_a_node_pool(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / "pods.csv").write_text(TABLE)
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_inputs([str(tmp_path / "pods.csv")], nodepools=[str(tmp_path / name)])
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{tmp_path / name}: {reason}")


def test_node_pools_may_be_in_one_file_with_the_pods_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_text(TABLE)
    (tmp_path / "pools.yaml").write_text(pool(ANY))
    (tmp_path / "link.yaml").symlink_to(tmp_path / "pools.yaml")
    paths = [str(tmp_path / "pods.csv"), str(tmp_path / "pools.yaml")]
    assert len(read_inputs(paths, nodepools=[str(tmp_path / "link.yaml")]).problem.node_pools) == 1


def test_soft_taints_are_carried(tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_text(TABLE)
    (tmp_path / "pools.yaml").write_text(pool("{taints: [{key: a, effect: PreferNoSchedule}]}"))
    inputs = read_inputs([str(tmp_path)])
    assert inputs.problem.node_pools[0].taints[0].effect == "PreferNoSchedule"
    assert inputs.notes == ()
