"""Offerings that are sold out, and NodePools that can buy nothing."""

from __future__ import annotations

import pytest
from binwright_optimizer.model import (
    Catalog,
    InstanceType,
    NodePool,
    Offering,
    Operator,
    Requirement,
    Resources,
)
from binwright_optimizer.model.offerings import CapacityType, PriceSource
from binwright_optimizer.model.unsold import SoldOut, unsold_pool_warnings, without_sold_out

ARCH = "kubernetes.io/arch"
TYPE = "node.kubernetes.io/instance-type"


def kind(name: str, arch: str) -> InstanceType:
    """Sold on demand and as spot in zones r-a and r-b."""
    room = Resources.of({"cpu": 1000})
    offerings = tuple(
        Offering("r", zone, bought, 1, PriceSource("test", ""))
        for zone in ("r-a", "r-b")
        for bought in (CapacityType.ON_DEMAND, CapacityType.SPOT)
    )
    labels = ((ARCH, arch), (TYPE, name))
    return InstanceType(name, "aws", arch, room, room, labels, offerings)


CATALOG = Catalog("test", (kind("intel", "amd64"), kind("arm", "arm64")), "digest")


@pytest.mark.parametrize(
    ("sold_out", "left"),
    [
        (
            SoldOut("intel", "r-a", CapacityType.SPOT),
            {("r-a", "on-demand"), ("r-b", "on-demand"), ("r-b", "spot")},
        ),
        (SoldOut("intel", "r-a"), {("r-b", "on-demand"), ("r-b", "spot")}),
        (SoldOut("intel", "", CapacityType.SPOT), {("r-a", "on-demand"), ("r-b", "on-demand")}),
        (SoldOut("intel"), set()),
    ],
)
def test_what_is_sold_out_is_left_out_and_nothing_else(sold_out: SoldOut, left: set[tuple[str, str]]) -> None:
    intel, arm = without_sold_out(CATALOG, frozenset({sold_out})).instance_types
    assert {(each.zone, each.capacity_type) for each in intel.offerings} == left
    assert arm is CATALOG.instance_types[1]


def test_the_same_catalogue_comes_back_for_the_same_things_sold_out() -> None:
    first, second = (without_sold_out(CATALOG, frozenset({SoldOut("arm")})) for _ in range(2))
    assert first is second
    assert without_sold_out(CATALOG, frozenset()) is CATALOG


def test_a_pool_is_named_whose_requirements_nobody_meets_together() -> None:
    """Each requirement is met by something, but no intel machine is arm64; team is the pool's own label."""
    team = Requirement("team", Operator.IN, ("x",))
    arm = Requirement(ARCH, Operator.IN, ("arm64",))
    nobody = NodePool("nobody", (Requirement(TYPE, Operator.IN, ("intel",)), arm))
    (told,) = unsold_pool_warnings((NodePool("some", (arm, team)), nobody), CATALOG)
    assert told.startswith("NodePool nobody can buy nothing: catalogue test ")
    assert "kubernetes.io/arch In [arm64]" in told
    assert "node.kubernetes.io/instance-type In [intel]" in told
