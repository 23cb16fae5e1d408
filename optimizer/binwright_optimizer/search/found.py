"""What a search ends with, and what is asked of the instance around it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from binwright_optimizer.columns.rows import Duals
from binwright_optimizer.columns.tree import Part
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing

MOST_PARTS = 200
"""Parts into which the solutions may be split."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search ends with: the packing, and the bounds of all parts of the solutions.

    It is exhausted if it ended before its time was up.

    Parameters
    ----------
    simple
        Dual feasible prices that are proven at a glance, from the fluid relaxation; None where it was not
        solved.
    """

    packing: Packing
    proof: Part
    is_exhausted: bool
    warnings: tuple[str, ...] = ()
    simple: Duals | None = None


def price_step(instance: Instance) -> int:
    """Largest amount that divides every price and charge, in micro-dollars; 0 if all are free."""
    if instance.problem.savings_plans:
        return 1  # they may pay any part of a node
    prices = [instance.shelf.price[part.rows] for part in instance.origin.shelved]
    if instance.linking is not None and instance.linking.charge.any():
        prices.append(instance.linking.charge)
    return int(np.gcd.reduce(np.concatenate(prices))) if prices else 0


def with_demand_of(instance: Instance, packing: Packing) -> Instance:
    """The instance that asks only for the pods this packing places."""
    linking = instance.linking
    if linking is None or packing.allocation is None:
        demand = instance.demand - packing.left_out
    else:
        linking = linking.placing(packing.allocation)
        demand = np.minimum(instance.demand, instance.allocated(packing.allocation).demand - packing.left_out)
        demand[linking.class_of] = instance.demand[linking.class_of]
    demand.flags.writeable = False
    return replace(instance, demand=demand, linking=linking)
