"""Bounds on a block whose nodes are compared with those of a plan held.

A node that the plan held does not have costs churn. With prices p, nodes n_j of each kind j, held nodes h_j
and a surcharge s, nodes and churn are the packing problem in which every node costs p_j + s, but h_j of a
kind are on sale at p_j: for the engine, reservations with a price. It finds the best of keeping and changing,
and what it proves is proven of both together, at other prices as well:

    sum_g f_g V_g + k sum_j max(0, n_j - h_j) >= r (sum_g V_g q_g + s sum_j max(0, n_j - h_j))

for factors f and churn k at full price, the problem's factors q, and any r with r q <= f and r s <= k.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from binwright_optimizer.model import CapacityType, Catalog, Certificate
from binwright_optimizer.model.forecast import PPM

RATIO_STEPS = 8
"""Surcharges are rounded down to eighths of the churn, so that blocks share their problems."""


@dataclass(frozen=True, slots=True)
class ChurnProof:
    """No way to run a block costs less than ``amount``, nodes at ``factors`` times list prices and churn.

    Parameters
    ----------
    surcharge
        Micro-dollars an hour that it counts of each node added.
    churn
        What such a node costs an hour at full price.
    factors
        By group; groups that are not named are at their list price.
    certificate
        Of the problem whose reservations are the nodes held.
    """

    amount: int
    surcharge: int
    churn: Fraction
    factors: Mapping[int, Fraction]
    certificate: Certificate = Certificate(0, ())

    @property
    def ppm(self) -> tuple[tuple[int, int], ...]:
        """The factors in parts per million."""
        return tuple((group, int(factor * PPM)) for group, factor in self.factors.items())

    @property
    def bound(self) -> int:
        """Of nodes alone it says nothing."""
        return 0

    def at(self, factors: Mapping[int, Fraction], full: Fraction) -> Fraction:
        """The bound at other prices; churn is paid in full.

        Examples
        --------
        Seven nodes at 10 and three more at 14 are proven; churn is 4, and prices fall by half, or not:

        >>> proof = ChurnProof(112, 4, Fraction(4), {})
        >>> proof.at({0: Fraction(1, 2)}, Fraction(1)), proof.at({0: Fraction(1)}, Fraction(1))
        (Fraction(56, 1), Fraction(112, 1))
        """
        ratio = full
        for group, factor in factors.items():
            own = self.factors.get(group, 1)
            if own:
                ratio = min(ratio, factor / own)
        if ratio * self.surcharge > full * self.churn:
            ratio = full * self.churn / self.surcharge
        return ratio * self.amount


def surcharge_of(churn: Fraction, ratio: Fraction) -> int:
    """Churn where all prices are so many times theirs, rounded down; micro-dollars an hour.

    Examples
    --------
    Nodes that a commitment pays for at 55 % make churn weigh 1.81 times as much, rounded down to 1.75:

    >>> surcharge_of(Fraction(1000), Fraction(100, 55))
    1750
    """
    return int(churn * Fraction(int(ratio * RATIO_STEPS), RATIO_STEPS))


def surcharged(catalog: Catalog, surcharge: int) -> Catalog:
    """The catalogue with so much more for each on-demand node."""
    types = []
    for kind in catalog.instance_types:
        offerings = tuple(
            replace(o, price_microusd_per_hour=o.price_microusd_per_hour + surcharge)
            if o.capacity_type is CapacityType.ON_DEMAND
            else o
            for o in kind.offerings
        )
        types.append(replace(kind, offerings=offerings))
    return Catalog(f"{catalog.name}, with churn", tuple(types))
