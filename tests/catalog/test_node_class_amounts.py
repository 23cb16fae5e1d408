"""What an EC2NodeClass leaves to pods, in worked values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.nodeclasses import (
    GIB,
    MIB,
    PLAIN,
    AmiFamily,
    EvictionThreshold,
    NodeClass,
)
from binwright_optimizer.model.offerings import InstanceType
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, Resources

TYPES = {kind.name: kind for kind in embedded_catalog("aws", ["us-east-1"]).instance_types}


def test_a_node_class_that_says_nothing_leaves_every_type_as_the_catalogue_states_it() -> None:
    for kind in TYPES.values():
        assert (PLAIN.capacity(kind), PLAIN.allocatable(kind)) == (kind.capacity, kind.allocatable)


def test_110_pods_a_node_keep_no_more_memory_than_the_network_interfaces_ask_for() -> None:
    """m5.large: 29 pods by its interfaces. AL2023 keeps memory for those 29, Bottlerocket for all 110."""
    kind = TYPES["m5.large"]
    assert NodeClass(max_pods=110).allocatable(kind)[MEMORY] == kind.allocatable[MEMORY]
    rocket = NodeClass(AmiFamily.BOTTLEROCKET, max_pods=110)
    assert kind.allocatable[MEMORY] - rocket.allocatable(kind)[MEMORY] == 11 * (110 - 29) * MIB


def test_windows_nodes_have_110_slots_and_the_disk_of_their_image() -> None:
    kind = TYPES["m5.large"]
    windows = NodeClass(AmiFamily.WINDOWS_2022)
    assert windows.capacity(kind)[PODS] == 110
    assert windows.capacity(kind)[EPHEMERAL_STORAGE] == 50 * GIB
    assert windows.allocatable(kind)[EPHEMERAL_STORAGE] == (50 - 5 - 1) * GIB


def test_local_disks_take_the_place_of_the_root_volume_where_there_are_any() -> None:
    """i3.2xlarge has 1,900 GB of NVMe, m5.large none."""
    striped = NodeClass(root_disk_bytes=100 * GIB, uses_local_disks=True)
    assert striped.capacity(TYPES["i3.2xlarge"])[EPHEMERAL_STORAGE] == 1_900 * 10**9
    assert striped.allocatable(TYPES["i3.2xlarge"])[EPHEMERAL_STORAGE] == 1_710 * 10**9 - GIB
    assert striped.capacity(TYPES["m5.large"])[EPHEMERAL_STORAGE] == 100 * GIB


def test_hard_eviction_replaces_the_default_and_comes_after_what_is_reserved() -> None:
    """m5.large has 7,577 MiB: 574 for the kubelet, 200 for the system, 5 % of all for eviction."""
    kind = TYPES["m5.large"]
    node_class = NodeClass(
        system_reserved=((CPU, 100), (MEMORY, 200 * MIB)),
        evicts_below=((MEMORY, EvictionThreshold.parse("5%", MEMORY)),),
    )
    left = node_class.allocatable(kind)
    assert kind.capacity[MEMORY] == 7_577 * MIB
    eviction = -(-7_577 * MIB * 5 // 100)
    assert left[MEMORY] == (7_577 - 574 - 200) * MIB - eviction
    assert left[CPU] == 2_000 - 70 - 100


def test_other_clouds_types_are_left_alone() -> None:
    kind = replace(TYPES["m5.large"], cloud="gcp")
    node_class = NodeClass(max_pods=5, root_disk_bytes=GIB)
    assert node_class.allocatable(kind) is kind.allocatable
    assert node_class.capacity(kind) is kind.capacity


def test_what_a_type_states_beside_the_formula_stays() -> None:
    """A measured type with 300 MiB more than the formula gives keeps them, less what is reserved beside."""
    kind = TYPES["m5.large"]
    measured: InstanceType = replace(
        kind, allocatable=kind.allocatable + Resources.of({MEMORY: 300 * MIB, "example.com/card": 2})
    )
    left = NodeClass(system_reserved=((MEMORY, 100 * MIB),)).allocatable(measured)
    assert left[MEMORY] == kind.allocatable[MEMORY] + 200 * MIB
    assert left["example.com/card"] == 2


def test_a_node_that_keeps_more_than_it_has_leaves_nothing() -> None:
    kind = TYPES["t3.nano"]
    left = NodeClass(kube_reserved=((MEMORY, 64 * GIB),), max_pods=0).allocatable(kind)
    assert (left[MEMORY], left[PODS]) == (0, 0)
    assert NodeClass(max_pods=0).capacity(kind)[PODS] == 1  # without any its slots would be unlimited


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("5%", 50), ("100%", 0), ("0%", 0), ("0.1%", 1), ("33.3%", 333), ("1Ki", 1024), ("7", 7)],
)
def test_eviction_thresholds_are_percentages_or_amounts(text: str, wanted: int) -> None:
    threshold = EvictionThreshold.parse(text, MEMORY)
    assert threshold.of(1_000) == wanted
    assert EvictionThreshold.parse(threshold.text(MEMORY), MEMORY) == threshold


@pytest.mark.parametrize("text", ["101%", "-5%", "5%%", "%", "five", "1e2%", ""])
def test_thresholds_that_are_neither_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|is not"):
        EvictionThreshold.parse(text, MEMORY)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: NodeClass(max_pods=-1), "max_pods"),
        (lambda: NodeClass(pods_per_core=2**31), "pods_per_core"),
        (lambda: NodeClass(kube_reserved=(("nvidia.com/gpu", 1),)), "kube_reserved[nvidia.com/gpu]"),
        (lambda: NodeClass(evicts_below=((CPU, EvictionThreshold()),)), "evicts_below[cpu]"),
        (lambda: NodeClass(root_disk_bytes=0), "root_disk_bytes"),
    ],
)
def test_wrong_node_classes_name_the_field(made: object, field: str) -> None:
    with pytest.raises(WrongFieldError) as caught:
        made()  # type: ignore[operator]
    assert caught.value.field == field
