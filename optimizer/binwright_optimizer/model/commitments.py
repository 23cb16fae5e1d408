"""Commitments already held: capacity and discounts whose price is paid whether they are used or not.

What is sunk costs nothing more, so that a decision fills commitments first where that saves money. Every
node uses at most one reservation, or a share of savings plans; whoever runs already comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.labels import CAPACITY_TYPE, INSTANCE_TYPE, REGION, ZONE
from binwright_optimizer.model.offerings import CapacityType, Catalog, InstanceType, Offering
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD
from binwright_optimizer.model.requirements import Requirement
from binwright_optimizer.model.spot import PPM

MOST_COMMITTED = 1_000 * MAX_PRICE_MICROUSD
"""Largest committed spend, micro-dollars per hour: ten billion dollars."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """``count`` nodes of one instance type that are paid already.

    Parameters
    ----------
    instance_type, region, zone
        What is reserved; an empty ``zone`` means any zone of the region, the count shared among them
        (regional reserved instances), an empty ``region`` offerings of a catalogue that names none.
    capacity_type
        ``reserved``: capacity kept for us (on-demand capacity reservations, capacity blocks), whose nodes
        carry that label. ``on-demand``: a discount on ordinary nodes (reserved instances).
    price_microusd_per_hour
        What a node used costs on top of what is sunk; nearly always 0.
    """

    name: str
    instance_type: str
    region: str
    count: int
    zone: str = ""
    capacity_type: CapacityType = CapacityType.RESERVED
    price_microusd_per_hour: int = 0

    def __post_init__(self) -> None:
        for field in ("name", "instance_type"):
            if not getattr(self, field):
                raise WrongFieldError(field, "", "must not be empty")
        if not 0 <= self.count <= 10**9:
            raise WrongFieldError("count", self.count, "must be in 0..1000000000")
        if self.capacity_type is CapacityType.SPOT:
            raise WrongFieldError("capacity_type", self.capacity_type, "spot capacity cannot be reserved")
        if not 0 <= self.price_microusd_per_hour <= MAX_PRICE_MICROUSD:
            raise WrongFieldError(
                "price_microusd_per_hour", self.price_microusd_per_hour, f"must be in 0..{MAX_PRICE_MICROUSD}"
            )

    def covers(self, instance_type: str, region: str, zone: str, capacity_type: CapacityType) -> bool:
        """Whether a node of an offering may use it."""
        return (
            instance_type == self.instance_type
            and region == self.region
            and self.zone in ("", zone)
            and capacity_type is self.capacity_type
        )


@dataclass(frozen=True, slots=True)
class SavingsPlan:
    """Spend committed per hour, at a discount: a Savings Plan or a flexible committed-use discount.

    Usage of the on-demand offerings that satisfy ``requirements`` is charged at the discounted price
    against ``microusd_per_hour``, which is sunk; what exceeds it costs the ordinary price, of a node in
    part covered a share of it (`saved`).

    Parameters
    ----------
    requirements
        On the labels of nodes: instance family, region ... Empty covers all on-demand offerings.
    discount_ppm
        Parts per million taken off the on-demand price.
    """

    name: str
    microusd_per_hour: int
    discount_ppm: int
    requirements: tuple[Requirement, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise WrongFieldError("name", "", "must not be empty")
        if not 0 <= self.microusd_per_hour <= MOST_COMMITTED:
            wanted = f"must be in 0..{MOST_COMMITTED}"
            raise WrongFieldError("microusd_per_hour", self.microusd_per_hour, wanted)
        if not 0 <= self.discount_ppm < PPM:
            raise WrongFieldError("discount_ppm", self.discount_ppm, f"must be in 0..{PPM - 1}")
        for index, requirement in enumerate(self.requirements):
            if requirement.key == CAPACITY_TYPE:
                raise WrongFieldError(
                    f"requirements[{index}]", requirement, "a savings plan covers on-demand nodes only"
                )

    def discounted(self, price_microusd_per_hour: int) -> int:
        """What an hour of a covered node takes from the commitment, rounded half up."""
        return (price_microusd_per_hour * (PPM - self.discount_ppm) + PPM // 2) // PPM

    def covers(self, node_labels: Mapping[str, str]) -> bool:
        """Whether an on-demand node counts that carries these labels of its type, region and zone."""
        return all(r.admits(node_labels.get(r.key)) for r in self.requirements)


def sold_labels(kind: InstanceType, offering: Offering) -> dict[str, str]:
    """Labels of a node bought from an offering, whatever NodePool buys it."""
    return {
        **dict(kind.labels),
        REGION: offering.region,
        ZONE: offering.zone,
        CAPACITY_TYPE: offering.capacity_type.value,
    }


def saved(price: int, draw: int, spent: int) -> int:
    """What ``spent`` micro-dollars of a savings plan save of a node's price, rounded down.

    Parameters
    ----------
    price, draw
        Ordinary price of the node, and what all of it would take from the plan.
    """
    return price * spent // draw


def left_by_running(
    catalog: Catalog,
    reservations: Sequence[Reservation],
    savings_plans: Sequence[SavingsPlan],
    running: Sequence[Mapping[str, str]],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Nodes of each reservation and micro-dollars an hour of each plan that running nodes do not use.

    A running node uses the first reservation that covers it and has a node left; an on-demand node that
    finds none uses the plans that cover it, those of larger discount first. Its price is the catalogue's
    for its type, region and zone; a node that is not sold there uses no plan.

    Parameters
    ----------
    running
        Labels of each running node.
    """
    counts = [reservation.count for reservation in reservations]
    budgets = [plan.microusd_per_hour for plan in savings_plans]
    if not counts and not budgets:
        return (), ()
    kinds = {kind.name: kind for kind in catalog.instance_types}
    by_discount = sorted(range(len(budgets)), key=lambda c: -savings_plans[c].discount_ppm)
    for carried in running:
        name, region, zone = (carried.get(key, "") for key in (INSTANCE_TYPE, REGION, ZONE))
        capacity_type = carried.get(CAPACITY_TYPE, "")
        if capacity_type not in (CapacityType.ON_DEMAND, CapacityType.RESERVED):
            continue
        bought_as = CapacityType(capacity_type)
        used = next(
            (
                c
                for c, held in enumerate(reservations)
                if counts[c] and held.covers(name, region, zone, bought_as)
            ),
            None,
        )
        if used is not None:
            counts[used] -= 1
            continue
        kind = kinds.get(name)
        sold = [
            o
            for o in (() if kind is None else kind.offerings)
            if (o.region, o.zone, o.capacity_type) == (region, zone, CapacityType.ON_DEMAND)
        ]
        if kind is None or not sold or bought_as is not CapacityType.ON_DEMAND:
            continue
        open_ppm = PPM  # share of the node that no plan covers yet
        for c in by_discount:
            if savings_plans[c].covers(sold_labels(kind, sold[0])) and open_ppm:
                whole = savings_plans[c].discounted(sold[0].price_microusd_per_hour)
                spent = min(budgets[c], -(-whole * open_ppm // PPM))
                budgets[c] -= spent
                open_ppm -= min(open_ppm, PPM * spent // whole) if whole else open_ppm
    return tuple(counts), tuple(budgets)
