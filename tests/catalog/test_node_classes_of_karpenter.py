"""What an EC2NodeClass leaves to pods, against Karpenter's own ``NewInstanceType``."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model.nodeclasses import (
    GIB,
    MIB,
    PLAIN,
    AmiFamily,
    EvictionThreshold,
    NodeClass,
)
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS

KARPENTER = Path(__file__).parents[1] / "data" / "karpenter_node_classes.csv"
TYPES = {kind.name: kind for kind in embedded_catalog("aws", ["us-east-1"]).instance_types}
AMOUNTS = (CPU, MEMORY, EPHEMERAL_STORAGE, PODS)


def below(**thresholds: str) -> tuple[tuple[str, EvictionThreshold], ...]:
    names = {"memory": MEMORY, "disk": EPHEMERAL_STORAGE}
    return tuple((names[k], EvictionThreshold.parse(text, names[k])) for k, text in thresholds.items())


CASES = {
    "plain": PLAIN,
    "max-pods": NodeClass(max_pods=110),
    "bottlerocket-max-pods": NodeClass(AmiFamily.BOTTLEROCKET, max_pods=110),
    "bottlerocket-pods-per-core": NodeClass(AmiFamily.BOTTLEROCKET, pods_per_core=4),
    "pods-per-core": NodeClass(pods_per_core=4),
    "al2-both": NodeClass(AmiFamily.AL2, max_pods=20, pods_per_core=20),
    "reserved": NodeClass(
        kube_reserved=((CPU, 200), (MEMORY, GIB)),
        system_reserved=((CPU, 100), (MEMORY, 100 * MIB), (EPHEMERAL_STORAGE, GIB)),
    ),
    "eviction-percent": NodeClass(evicts_below=below(memory="7.5%", disk="15%")),
    "eviction-amount": NodeClass(evicts_below=below(memory="500Mi")),  # beside a soft one of 1 GiB
    "eviction-off": NodeClass(evicts_below=below(memory="100%", disk="3.3%")),
    "local-disks": NodeClass(root_disk_bytes=100 * GIB, uses_local_disks=True),
    "custom-odd-disk": NodeClass(AmiFamily.CUSTOM, kube_reserved=((MEMORY, 0),), root_disk_bytes=53687091201),
    "windows": NodeClass(AmiFamily.WINDOWS_2022),
    "windows-max-pods": NodeClass(AmiFamily.WINDOWS_2022, max_pods=60, root_disk_bytes=80 * GIB),
}


def karpenter() -> list[dict[str, str]]:
    lines = KARPENTER.read_text(encoding="ascii").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("case", CASES)
def test_amounts_are_those_that_karpenter_computes(case: str) -> None:
    node_class, checked = CASES[case], 0
    for row in karpenter():
        if row["case"] != case:
            continue
        kind = TYPES[row["instance_type"]]
        capacity, allocatable = node_class.capacity(kind), node_class.allocatable(kind)
        # Karpenter lets what is left fall below zero, where nothing fits either.
        wanted = [max(0, int(row[f"allocatable_{name}"])) for name in AMOUNTS]
        assert [capacity[name] for name in AMOUNTS] == [int(row[name]) for name in AMOUNTS], row
        assert [allocatable[name] for name in AMOUNTS] == wanted, row
        checked += 1
    assert checked == 5
