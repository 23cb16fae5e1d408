"""What selectors of devices mean: expressions made into functions of a device.

A function returns a value, or `UNKNOWN` where CEL would raise an error: the device lacks an attribute, or
values of two types are compared. ``&&`` and ``||`` do without an unknown side if the other decides. In
Kubernetes an error ends the allocation; here, too, only a device on which the expression is true suits.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from binwright_optimizer.model import Device, DeviceSelector
from binwright_optimizer.model.cel import Constant, Expression, Op
from binwright_optimizer.model.cel.patterns import checked_pattern


class _Unknown:
    """The type of `UNKNOWN`."""


UNKNOWN: Final = _Unknown()
"""No value."""

Value = Constant | _Unknown
_Meaning = Callable[[Device], Value]

_ORDERED: dict[Op, Callable[[object, object], bool]] = {
    Op.LESS: operator.lt,  # type: ignore[dict-item]
    Op.AT_MOST: operator.le,  # type: ignore[dict-item]
    Op.GREATER: operator.gt,  # type: ignore[dict-item]
    Op.AT_LEAST: operator.ge,  # type: ignore[dict-item]
}
_TEXT_TESTS: dict[Op, Callable[[str, str], bool]] = {
    Op.STARTS_WITH: str.startswith,
    Op.ENDS_WITH: str.endswith,
    Op.CONTAINS: operator.contains,
    Op.MATCHES: lambda text, pattern: checked_pattern(pattern).search(text) is not None,
}


def admits(selectors: tuple[DeviceSelector, ...], device: Device) -> bool:
    """Whether every selector is true of a device."""
    return all(_compiled(selector.text)(device) is True for selector in selectors)


@lru_cache(maxsize=1_000)
def _compiled(text: str) -> _Meaning:
    return _meaning(DeviceSelector(text).expression)


def _meaning(expression: Expression) -> _Meaning:
    args = [_meaning(arg) for arg in expression.args]
    constant = expression.value
    name = str(constant)
    match expression.op:
        case Op.CONSTANT:
            return lambda _: constant
        case Op.DRIVER:
            return lambda device: device.driver
        case Op.ATTRIBUTE:
            return lambda device: device.attributes.get(name, UNKNOWN)
        case Op.CAPACITY:
            return lambda device: device.capacity.get(name, UNKNOWN)
        case Op.HAS_ATTRIBUTE:
            return lambda device: name in device.attributes
        case Op.HAS_CAPACITY:
            return lambda device: name in device.capacity
        case Op.NOT:
            return lambda device: _negated(args[0](device))
        case Op.AND | Op.OR as op:
            return lambda device: _joined([arg(device) for arg in args], decides=op is Op.OR)
        case Op.CHOICE:
            return lambda device: _chosen(args[0](device), args[1:], device)
        case Op.EQUAL:
            return lambda device: _equal(args[0](device), args[1](device))
        case Op.NOT_EQUAL:
            return lambda device: _negated(_equal(args[0](device), args[1](device)))
        case Op.IN:
            return lambda device: _within(args[0](device), args[1](device))
        case Op.ORDER:
            return lambda device: _order(args[0](device), args[1](device))
        case Op.LOWER | Op.UPPER as op:
            return lambda device: _folded(args[0](device), op)
        case op if op in _ORDERED:
            return lambda device: _compared(args[0](device), args[1](device), op)
    test = _TEXT_TESTS[expression.op]
    return lambda device: _tested(args[0](device), args[1](device), test)


def _negated(value: Value) -> Value:
    return not value if isinstance(value, bool) else UNKNOWN


def _joined(sides: list[Value], *, decides: bool) -> Value:
    if any(side is decides for side in sides):
        return decides
    return not decides if all(isinstance(side, bool) for side in sides) else UNKNOWN


def _chosen(condition: Value, ways: list[_Meaning], device: Device) -> Value:
    return ways[0 if condition else 1](device) if isinstance(condition, bool) else UNKNOWN


def _kind(value: Value) -> str:
    """Type of a value: truth values are no numbers, and amounts of capacities are whole or not."""
    return "number" if type(value).__name__ in ("int", "Fraction") else type(value).__name__


def _equal(first: Value, second: Value) -> Value:
    if UNKNOWN in (first, second):
        return UNKNOWN
    return _kind(first) == _kind(second) and first == second


def _within(value: Value, values: Value) -> Value:
    assert isinstance(values, tuple)
    return UNKNOWN if value is UNKNOWN else any(_equal(value, other) for other in values)


def _compared(first: Value, second: Value, op: Op) -> Value:
    is_comparable = UNKNOWN not in (first, second) and _kind(first) == _kind(second)
    return _ORDERED[op](first, second) if is_comparable else UNKNOWN


def _order(first: Value, second: Value) -> Value:
    if UNKNOWN in (first, second) or _kind(first) != _kind(second) or isinstance(first, str | bool):
        return UNKNOWN
    return int(_ORDERED[Op.GREATER](first, second)) - int(_ORDERED[Op.LESS](first, second))


def _folded(value: Value, op: Op) -> Value:
    """ASCII letters in one case; others stay as they are."""
    if not isinstance(value, str):
        return UNKNOWN
    fold = str.lower if op is Op.LOWER else str.upper
    return "".join(fold(letter) if letter.isascii() else letter for letter in value)


def _tested(value: Value, other: Value, test: Callable[[str, str], bool]) -> Value:
    return test(value, other) if isinstance(value, str) and isinstance(other, str) else UNKNOWN
