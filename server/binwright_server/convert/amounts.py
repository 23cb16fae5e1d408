"""Maps of Kubernetes quantities to exact amounts, and back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from binwright_optimizer.model.quantity import MICROUSD, format_quantity, parse_quantity
from binwright_optimizer.model.resources import MAX_AMOUNT, PODS, Resources

from binwright_server.convert.violations import Violations, entry

# Requests repeat a few thousand texts over a hundred thousand pods. Errors are not cached.
_parse = lru_cache(maxsize=65_536)(parse_quantity)
_format = lru_cache(maxsize=65_536)(format_quantity)


def amounts_from_map(quantities: Mapping[str, str], path: str, out: Violations) -> dict[str, int]:
    """Amounts by resource name, zeros kept; wrong entries are recorded and left out."""
    amounts: dict[str, int] = {}
    if not quantities:
        return amounts
    for name in sorted(quantities):
        if not name:
            out.add(entry(path, name), quantities[name], "a resource needs a name")
            continue
        try:
            amounts[name] = _parse(quantities[name], name)
        except ValueError as error:
            out.add(entry(path, name), quantities[name], str(error))
    return amounts


def resources_from_map(quantities: Mapping[str, str], path: str, out: Violations) -> Resources:
    """The map as `Resources`."""
    return Resources.of(amounts_from_map(quantities, path, out))


def requests_from_map(quantities: Mapping[str, str], path: str, out: Violations) -> dict[str, int]:
    """Amounts that a container may ask for: anything but pod slots, which are counted apart."""
    amounts = amounts_from_map(quantities, path, out)
    if amounts.pop(PODS, None) is not None:
        out.add(entry(path, PODS), quantities[PODS], "cannot be requested: every pod takes one slot")
    return amounts


def resources_to_map(resources: Resources) -> dict[str, str]:
    """Quantities by resource name in their shortest exact form."""
    return {name: _format(amount, name) for name, amount in resources.amounts}


def largest_excess(resources: Resources) -> tuple[str, int] | None:
    """The first resource above `MAX_AMOUNT` and its amount, or None."""
    return next(((name, amount) for name, amount in resources.amounts if amount > MAX_AMOUNT), None)


def dollars(microusd: int) -> float:
    """The double nearest to an exact amount; it prints with at most six decimals.

    >>> dollars(1_052_000)
    1.052
    """
    return microusd / MICROUSD
