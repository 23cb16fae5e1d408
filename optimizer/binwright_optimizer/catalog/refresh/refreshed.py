"""What a refresh gives, and how it fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from binwright_optimizer.errors import BinwrightError
from binwright_optimizer.model.offerings import Catalog, InstanceType, Offering


class RefreshError(BinwrightError):
    """A cloud did not answer, refused, or answered with something else than documented."""


@dataclass(frozen=True, slots=True)
class RefreshedCatalog:
    """A catalogue as a cloud told it.

    Parameters
    ----------
    notes
        What was left out and why, for the user.
    """

    catalog: Catalog
    notes: tuple[str, ...]


def assemble(
    cloud: str,
    regions: Sequence[str],
    types: Iterable[InstanceType],
    offerings: Mapping[str, Sequence[Offering]],
    date: str,
) -> Catalog:
    """The types that are sold, by name, with their offerings in the order given.

    Raises
    ------
    RefreshError
        If no type has an offering.
    """
    sold = tuple(
        replace(kept, offerings=tuple(offerings[kept.name]))
        for kept in sorted(types, key=lambda each: each.name)
        if offerings.get(kept.name)
    )
    if not sold:
        raise RefreshError(f"{cloud} told no price of any known instance type in {', '.join(regions)}")
    name = f"{cloud} {', '.join(regions)} {date}"
    return Catalog(name=name, instance_types=sold, digest=name)


def count_note(left_out: Sequence[str], why: str) -> tuple[str, ...]:
    """One line about types left out, with a few of their names; nothing if there are none.

    Examples
    --------
    >>> count_note(["b", "a"], "without a price")
    ('left out: 2 instance types without a price (a, b)',)
    """
    if not left_out:
        return ()
    names = sorted(left_out)
    more = ", ..." if len(names) > 3 else ""
    plural = "s" if len(names) > 1 else ""
    return (f"left out: {len(names)} instance type{plural} {why} ({', '.join(names[:3])}{more})",)
