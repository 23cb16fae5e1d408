"""Equal nodes of a decision become groups: their names, sizes, labels and disks."""

from __future__ import annotations

import pytest
from binwright.v1 import problem_pb2
from binwright_clients.node_groups import NodeGroup, disk_gib, fitted_name, node_groups
from decided import TWO_AND_ONE, decided, gpu_problem


def test_equal_nodes_become_one_group_with_its_pool_s_bounds() -> None:
    """Two GPU nodes of a pool with 1 to 3 nodes; the spot pool without bounds may double."""
    gpu, batch = node_groups(TWO_AND_ONE, gpu_problem())
    assert (gpu.name, gpu.min_size, gpu.desired, gpu.max_size) == (
        "gpu-g4dn-xlarge-us-east-1b-on-demand",
        1,
        2,
        3,
    )
    assert (batch.name, batch.min_size, batch.desired, batch.max_size) == (
        "batch-c5-2xlarge-us-east-1b-spot",
        0,
        1,
        2,
    )


@pytest.mark.parametrize(
    ("most", "standing", "largest"),
    [
        (None, 0, [4, 2, 2]),  # all double
        (6, 0, [3, 2, 1]),  # 4 nodes and 2 to spare: one each for the first two groups
        (6, 1, [3, 1, 1]),
        (4, 0, [2, 1, 1]),
        (100, 0, [4, 2, 2]),
    ],
)
def test_groups_of_a_node_pool_keep_to_its_limit_together(
    most: int | None, standing: int, largest: list[int]
) -> None:
    problem = problem_pb2.Problem()
    problem.node_pools.add(name="web", max_nodes=most)
    for number in range(standing):
        problem.existing_nodes.add(name=f"n{number}", node_pool="web")
    zones = ("us-east-1a", "us-east-1a", "us-east-1b", "us-east-1c")
    groups = node_groups(decided(*(("web", "c5.2xlarge", zone, "on-demand") for zone in zones)), problem)
    assert [group.max_size for group in groups] == largest


@pytest.mark.parametrize(
    ("limits", "standing", "largest"),
    [
        ({"cpu": "24"}, 0, [3, 2, 1]),  # 16 of 24 CPU are bought: two nodes more
        ({"cpu": "24"}, 1, [3, 1, 1]),
        ({"cpu": "24", "memory": "80Gi"}, 0, [3, 1, 1]),  # the memory of one node more
        ({"cpu": "16"}, 0, [2, 1, 1]),
        ({"nvidia.com/gpu": "0"}, 0, [4, 2, 2]),  # they have none
    ],
)
def test_groups_of_a_node_pool_keep_to_its_limits_on_resources_together(
    limits: dict[str, str], standing: int, largest: list[int]
) -> None:
    """Four nodes of 4 CPU and 16 GiB in three groups."""
    problem = problem_pb2.Problem()
    problem.node_pools.add(name="web", limits=limits)
    for number in range(standing):
        problem.existing_nodes.add(
            name=f"n{number}", node_pool="web", capacity={"cpu": "4", "memory": "16Gi"}
        )
    zones = ("us-east-1a", "us-east-1a", "us-east-1b", "us-east-1c")
    groups = node_groups(decided(*(("web", "c5.2xlarge", zone, "on-demand") for zone in zones)), problem)
    assert [group.max_size for group in groups] == largest


def test_a_minimum_that_standing_nodes_meet_binds_no_group() -> None:
    problem = gpu_problem()
    problem.existing_nodes.add(name="n1", node_pool="gpu")
    gpu, _ = node_groups(TWO_AND_ONE, problem)
    assert gpu.min_size == 0


def test_a_group_has_labels_of_its_pool_and_those_pods_ask_for_but_none_the_cloud_sets() -> None:
    gpu, batch = node_groups(TWO_AND_ONE, gpu_problem())
    assert dict(gpu.labels) == {
        "karpenter.sh/capacity-type": "on-demand",
        "karpenter.sh/nodepool": "gpu",
        "team": "a",
        "workload": "gpu",
    }
    assert "workload" not in dict(batch.labels)


def test_the_disk_leaves_what_the_decision_counted_on() -> None:
    """450 GiB for pods: (450 + 1) / 0.9 = 501.1 GiB."""
    group = NodeGroup("g", "p", "m5.large", "r", "z", "spot", 1, 1, 0, 2, disk_bytes=450 * 2**30)
    assert disk_gib(group, 80) == 502


def test_names_that_are_cut_stay_distinct() -> None:
    names = {fitted_name(f"{'very-' * 20}{k}", 40) for k in range(50)}
    assert len(names) == 50
    assert all(len(name) <= 40 for name in names)


def test_pools_whose_names_differ_by_a_dot_stay_two_groups() -> None:
    decision = decided(("a.b", "m5.large", "us-east-1a", "spot"), ("a-b", "m5.large", "us-east-1a", "spot"))
    first, second = node_groups(decision, problem_pb2.Problem())
    assert first.name != second.name
