"""Commitments already held: capacity and discounts whose price is paid whether they are used or not.

What is sunk costs nothing more, so that a decision fills commitments first where that saves money.
"""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.labels import CAPACITY_TYPE
from binwright_optimizer.model.offerings import CapacityType
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
        (regional reserved instances).
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
        for field in ("name", "instance_type", "region"):
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
    against ``microusd_per_hour``, which is sunk; what exceeds it costs the ordinary price.

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
