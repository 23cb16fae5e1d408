"""A part of an instance: some classes and candidates, as an instance of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.instance import Instance

_T = TypeVar("_T", bound=np.generic)


def restricted(
    instance: Instance, classes: NDArray[np.intp], candidates: NDArray[np.intp], demand: NDArray[np.int64]
) -> Instance:
    """The problem of so many pods of these classes on these candidates; rules about domains are left out.

    Parameters
    ----------
    classes, candidates
        intp arrays, both ascending.
    demand
        int64 array over ``classes``.

    Raises
    ------
    ValueError
        If pods have shares of GPUs, or share volumes that nodes count, which cannot be restricted.
    """
    if not instance.rules.has_parts:
        raise ValueError("an instance with shares of GPUs or shared volumes has no parts")
    return replace(
        instance,
        requests=_frozen(instance.requests[classes]),
        demand=_frozen(demand),
        priority=_frozen(instance.priority[classes]),
        compatible=_frozen(instance.compatible[np.ix_(classes, candidates)]),
        node_cap=_frozen(instance.node_cap[classes]),
        price=_frozen(instance.price[candidates]),
        supply=_frozen(instance.supply[candidates]),
        allocatable=_frozen(instance.allocatable[candidates]),
        pool_of=_frozen(instance.pool_of[candidates]),
        variant_of=_frozen(instance.variant_of[candidates]),
        row_of=_frozen(instance.row_of[candidates]),
        existing_of=tuple(instance.existing_of[j] for j in candidates),
        limit_use=_frozen(instance.limit_use[candidates]),
        rules=instance.rules.among(classes, candidates),
        linking=None,
        allocation=None,
    )


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
