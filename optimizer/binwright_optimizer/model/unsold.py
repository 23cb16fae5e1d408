"""What is on sale at the moment: offerings that are sold out, and whether a NodePool can buy anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from binwright_optimizer.model.commitments import sold_labels
from binwright_optimizer.model.labels import CAPACITY_TYPE, REGION, ZONE
from binwright_optimizer.model.nodepools import NodePool
from binwright_optimizer.model.offerings import CapacityType, Catalog, InstanceType, Offering
from binwright_optimizer.model.requirements import Operator, Requirement


@dataclass(frozen=True, slots=True)
class SoldOut:
    """An instance type that cannot be bought; an empty zone and no capacity type mean all of them."""

    instance_type: str
    zone: str = ""
    capacity_type: CapacityType | None = None

    def concerns(self, kind: InstanceType, offering: Offering) -> bool:
        """Whether it is this offering that is sold out."""
        return (
            kind.name == self.instance_type
            and self.zone in ("", offering.zone)
            and self.capacity_type in (None, offering.capacity_type)
        )


@lru_cache(maxsize=16)
def without_sold_out(catalog: Catalog, sold_out: frozenset[SoldOut]) -> Catalog:
    """The catalogue without some offerings; the same arguments give the same object.

    Solvers keep what they derive from a catalogue by its identity. Types of which nothing is left stay,
    for reservations and nodes that exist.
    """
    if not sold_out:
        return catalog
    by_type: dict[str, list[SoldOut]] = {}
    for each in sold_out:
        by_type.setdefault(each.instance_type, []).append(each)
    kinds = tuple(
        replace(
            kind,
            offerings=tuple(
                offering
                for offering in kind.offerings
                if not any(each.concerns(kind, offering) for each in by_type[kind.name])
            ),
        )
        if kind.name in by_type
        else kind
        for kind in catalog.instance_types
    )
    names = ",".join(
        sorted(f"{each.instance_type}/{each.zone}/{each.capacity_type or ''}" for each in sold_out)
    )
    return Catalog(catalog.name, kinds, f"{catalog.digest} without {names}")


def unsold_pool_warnings(pools: Iterable[NodePool], catalog: Catalog, sold_out: int = 0) -> tuple[str, ...]:
    """One line for each NodePool whose requirements nothing on sale meets together.

    Parameters
    ----------
    sold_out
        Number of offerings and types that were left out of the catalogue as sold out, to be mentioned.
    """
    found = []
    for pool in pools:
        fixed = tuple(Requirement(key, Operator.IN, (value,)) for key, value in pool.labels)
        if not _is_any_sold(catalog, (*pool.requirements, *fixed)):
            wanted = "; ".join(map(str, pool.requirements))
            beside = f" beside what is sold out ({sold_out})" if sold_out else ""
            found.append(
                f"NodePool {pool.name} can buy nothing: catalogue {catalog.name} sells nothing{beside} that "
                f"meets its requirements together ({wanted})"
            )
    return tuple(found)


@lru_cache(maxsize=256)
def _is_any_sold(catalog: Catalog, requirements: tuple[Requirement, ...]) -> bool:
    """Whether an offering meets all requirements on labels that the catalogue knows.

    The labels that it does not know are a NodePool's to give.
    """
    known = {key for kind in catalog.instance_types for key, _ in kind.labels} | {REGION, ZONE, CAPACITY_TYPE}
    asked = [each for each in requirements if each.key in known]
    of_offering = {REGION, ZONE, CAPACITY_TYPE}
    of_type = [each for each in asked if each.key not in of_offering]
    for kind in catalog.instance_types:
        own = dict(kind.labels)
        if not all(each.admits(own.get(each.key)) for each in of_type):
            continue
        for offering in kind.offerings:
            node = sold_labels(kind, offering)
            if all(each.admits(node.get(each.key)) for each in asked):
                return True
    return False
