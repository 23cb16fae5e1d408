"""The verifier's reading of device selectors: a walk through the tree, with errors where CEL has them."""

from __future__ import annotations

from fractions import Fraction

from binwright_optimizer.model import Device, DeviceSelector
from binwright_optimizer.model.cel import Constant, Expression, Op, Version
from binwright_optimizer.model.cel.patterns import checked_pattern


class _EvaluationError(Exception):
    """There is no value: something is missing, or of the wrong type."""


def passes(device: Device, selector: DeviceSelector) -> bool:
    """Whether a selector holds for a device; an error counts as no."""
    try:
        return _value(selector.expression, device) is True
    except _EvaluationError:
        return False


def _value(node: Expression, device: Device) -> Constant:
    if node.op is Op.CONSTANT:
        return node.value
    if node.op is Op.DRIVER:
        return device.driver
    if node.op in (Op.ATTRIBUTE, Op.CAPACITY):
        return _part(node, device)
    if node.op in (Op.HAS_ATTRIBUTE, Op.HAS_CAPACITY):
        return node.value in (device.attributes if node.op is Op.HAS_ATTRIBUTE else device.capacity)
    if node.op in (Op.AND, Op.OR):
        return _both_or_either(node, device)
    if node.op is Op.CHOICE:
        condition, first, second = node.args
        return _value(first if _truth(condition, device) else second, device)
    if node.op is Op.NOT:
        return not _truth(node.args[0], device)
    if node.op in (Op.LOWER, Op.UPPER):
        letters = _text(node.args[0], device)
        shift = str.maketrans(_UPPER, _LOWER) if node.op is Op.LOWER else str.maketrans(_LOWER, _UPPER)
        return letters.translate(shift)
    if node.op in (Op.STARTS_WITH, Op.ENDS_WITH, Op.CONTAINS, Op.MATCHES):
        return _text_test(node.op, *(_text(arg, device) for arg in node.args))
    left, right = (_value(arg, device) for arg in node.args)
    if node.op is Op.IN:
        assert isinstance(right, tuple)
        return any(_same(left, member) for member in right)
    if node.op is Op.EQUAL:
        return _same(left, right)
    if node.op is Op.NOT_EQUAL:
        return not _same(left, right)
    sign = _sign(left, right)
    match node.op:
        case Op.ORDER:
            return sign
        case Op.LESS:
            return sign < 0
        case Op.AT_MOST:
            return sign <= 0
        case Op.GREATER:
            return sign > 0
    return sign >= 0


_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()


def _part(node: Expression, device: Device) -> Constant:
    name = str(node.value)
    if node.op is Op.ATTRIBUTE and name in device.attributes:
        return device.attributes[name]
    if node.op is Op.CAPACITY and name in device.capacity:
        return Fraction(device.capacity[name])
    raise _EvaluationError


def _both_or_either(node: Expression, device: Device) -> bool:
    """``&&`` and ``||``: an error on one side is forgotten if the other side decides."""
    settles = node.op is Op.OR
    is_open = False
    for arg in node.args:
        try:
            if _truth(arg, device) is settles:
                return settles
        except _EvaluationError:
            is_open = True
    if is_open:
        raise _EvaluationError
    return not settles


def _truth(node: Expression, device: Device) -> bool:
    value = _value(node, device)
    if not isinstance(value, bool):
        raise _EvaluationError
    return value


def _text(node: Expression, device: Device) -> str:
    value = _value(node, device)
    if not isinstance(value, str):
        raise _EvaluationError
    return value


def _text_test(op: Op, text: str, other: str) -> bool:
    match op:
        case Op.STARTS_WITH:
            return text[: len(other)] == other
        case Op.ENDS_WITH:
            return text[max(0, len(text) - len(other)) :] == other
        case Op.CONTAINS:
            return text.find(other) >= 0
    return checked_pattern(other).search(text) is not None


def _sort_of(value: object) -> type:
    for sort in (bool, Version, str, Fraction, int):
        if isinstance(value, sort):
            return sort
    return tuple


def _same(left: object, right: object) -> bool:
    return _sort_of(left) is _sort_of(right) and left == right


def _sign(left: Constant, right: Constant) -> int:
    """-1, 0 or 1 as the left value is smaller, equal or larger."""
    if _sort_of(left) is not _sort_of(right) or _sort_of(left) is tuple:
        raise _EvaluationError
    return (left > right) - (left < right)  # type: ignore[operator]
