"""Capacity and allocatable against published and worked values."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from binwright_optimizer.catalog import aws, azure, embedded_catalog, gcp
from binwright_optimizer.model.reserved import KUBELET_CPU, tiered_share
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS
from hypothesis import given
from hypothesis import strategies as st

PUBLISHED = Path(__file__).parents[1] / "data" / "aws_published_allocatable.csv"
MIB = 2**20
GIB = 2**30


def published() -> Iterator[dict[str, str]]:
    lines = PUBLISHED.read_text(encoding="ascii").splitlines()
    return csv.DictReader(line for line in lines if not line.startswith("#"))


def test_formula_reproduces_every_allocatable_that_karpenter_publishes() -> None:
    checked = 0
    for row in published():
        nominal, pods = int(row["memory_mib"]), int(row["pods"])
        memory = aws.allocatable_memory_mib(nominal, row["arch"], pods)
        cpu = aws.allocatable_cpu_milli(int(row["vcpu"]))
        expected = row["instance_type"], int(row["cpu_milli"]), int(row["allocatable_memory_mib"])
        assert (row["instance_type"], cpu, memory) == expected
        checked += 1
    assert checked == 1_363


def test_embedded_types_have_the_published_allocatable() -> None:
    embedded = {t.name: t for t in embedded_catalog("aws", ["us-east-1"]).instance_types}
    checked = 0
    for row in published():
        found = embedded.get(row["instance_type"])
        if found is None:
            continue  # not sold in us-east-1
        assert found.allocatable[CPU] == int(row["cpu_milli"])
        assert found.allocatable[MEMORY] == int(row["allocatable_memory_mib"]) * MIB
        assert found.allocatable[PODS] == int(row["pods"])
        assert row["ephemeral_storage"] == "17Gi"
        assert found.allocatable[EPHEMERAL_STORAGE] == 17 * GIB
        checked += 1
    assert checked > 1_300


def test_gke_worked_values() -> None:
    """n1-standard-4 has 15,360 MiB: 7 % off leaves 14,284.8; kept are 1,024 + 819.2 + 716.8 and 100."""
    capacity = 15_360 * MIB - 15_360 * MIB * 7 // 100
    assert gcp.memory_capacity_bytes(15_360) == capacity
    assert gcp.allocatable_memory_bytes(15_360) == capacity - (2_560 + 100) * MIB
    assert gcp.allocatable_cpu_milli(4) == 4_000 - 80 - 100
    assert gcp.allocatable_cpu_milli(2, shared_core=True) == 2_000 - 1_060 - 100
    assert gcp.disk_gib(0) == (100, 49)  # 10 for eviction, 35 + 6 for the system
    assert gcp.disk_gib(375) == (375, 375 - 37 - 50)
    assert gcp.disk_gib(6_000) == (6_000, 6_000 - 600 - 100)


def test_gke_keeps_a_flat_share_of_the_smallest_machines() -> None:
    assert gcp.allocatable_memory_bytes(1_024) == gcp.memory_capacity_bytes(1_024) - (255 + 100) * MIB


def test_aks_worked_values() -> None:
    """D4s_v5 has 16 GiB: 7.5 % off leaves 15,155.2; kept are 1,024 + 819.2 + 819.2 MiB and 750."""
    assert azure.memory_capacity_bytes(16_384) // MIB == 15_155
    assert azure.allocatable_memory_bytes(16_384) // MIB == 11_743
    assert azure.allocatable_cpu_milli(4) == 4_000 - 60 - 40 - 40
    assert azure.allocatable_cpu_milli(16) == 16_000 - 60 - 40 - 40 - 120
    assert azure.memory_capacity_bytes(3_584) == azure.memory_capacity_bytes(3_072)  # whole GiB count


@pytest.mark.parametrize(("cores", "kept"), [(1, 60), (2, 70), (4, 80), (8, 90), (9, 92), (96, 310)])
def test_kubelet_cpu_tiers(cores: int, kept: int) -> None:
    assert tiered_share(1_000 * cores, KUBELET_CPU) == kept


MEMORY_MIB = st.integers(512, 32 * 2**20)
CORES = st.integers(1, 1_920)


@given(MEMORY_MIB, st.integers(0, 64 * 1024), st.integers(2, 737), st.sampled_from(["amd64", "arm64"]))
def test_aws_memory_is_within_capacity_and_grows_with_it(
    nominal: int, more: int, pods: int, arch: str
) -> None:
    allocatable = aws.allocatable_memory_mib(nominal, arch, pods)
    assert 0 <= allocatable <= aws.memory_capacity_mib(nominal, arch) < nominal
    assert allocatable <= aws.allocatable_memory_mib(nominal + more, arch, pods)
    assert allocatable >= aws.allocatable_memory_mib(nominal, arch, pods + 1)


@pytest.mark.parametrize("cloud", [gcp, azure])
@given(nominal=MEMORY_MIB, more=st.integers(0, 64 * 1024))
def test_memory_is_within_capacity_and_grows_with_it(cloud: object, nominal: int, more: int) -> None:
    module = gcp if cloud is gcp else azure
    # AKS counts whole GiB of capacity but keeps a share of every MiB: compare at whole GiB.
    small, large = (nominal // 1024 + 1) * 1024, ((nominal + more) // 1024 + 1) * 1024
    allocatable = module.allocatable_memory_bytes(small)
    assert 0 <= allocatable <= module.memory_capacity_bytes(small) < small * MIB
    if small > 1024:  # GKE keeps less, not more, just above its flat share for 1 GiB and below
        assert allocatable <= module.allocatable_memory_bytes(large)


@given(CORES, st.integers(0, 64))
def test_cpu_is_within_capacity_and_grows_with_it(cores: int, more: int) -> None:
    for allocatable in (aws.allocatable_cpu_milli, gcp.allocatable_cpu_milli, azure.allocatable_cpu_milli):
        assert 0 < allocatable(cores) < 1_000 * cores
        assert allocatable(cores) <= allocatable(cores + more)
