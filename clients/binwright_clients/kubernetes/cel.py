"""The part of CEL that device selectors are read in: comparisons with constants, joined by ``&&``.

Understood are, with either kind of quotes and brackets around conjunctions::

    device.driver == "gpu.nvidia.com"
    device.attributes["gpu.nvidia.com"].type == "gpu"      (!=, and <, <=, >, >= with numbers)
    device.attributes["gpu.nvidia.com"].type in ["gpu", "mig"]
    device.attributes["gpu.nvidia.com"].enabled            (a truth value; ! in front negates it)
    device.capacity["gpu.nvidia.com"].memory == quantity("40Gi")
    device.capacity["gpu.nvidia.com"].memory.compareTo(quantity("40Gi")) >= 0
    device.capacity["gpu.nvidia.com"].memory.isGreaterThan(quantity("40Gi"))   (isLessThan)

Everything else (``||``, functions, regular expressions, versions) is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.claims import AttributeValue, Comparison, DeviceCondition, DeviceProperty
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.resources import MEMORY

_TEXT = r"""(?:"[^"\\]*"|'[^'\\]*')"""
_TERM = re.compile(
    rf"""^\s*(?:
        (?P<driver>device\.driver)
      | device\.(?P<kind>attributes|capacity)\[\s*(?P<domain>{_TEXT})\s*\]\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    )
    (?P<rest>.*)$""",
    re.VERBOSE | re.DOTALL,
)
_COMPARISON = re.compile(r"^\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*$", re.DOTALL)
_IN = re.compile(r"^\s*in\s*\[(.*)\]\s*$", re.DOTALL)
_QUANTITY = re.compile(rf"^quantity\(\s*({_TEXT})\s*\)$")
_COMPARE_TO = re.compile(rf"^\s*\.compareTo\(\s*quantity\(\s*({_TEXT})\s*\)\s*\)\s*(==|!=|<=|>=|<|>)\s*0\s*$")
_IS_THAN = re.compile(rf"^\s*\.is(Greater|Less)Than\(\s*quantity\(\s*({_TEXT})\s*\)\s*\)\s*$")
_INTEGER = re.compile(r"^-?\d{1,18}$", re.ASCII)
_LONGEST = 10 * 1024
"""Longest expression, as in Kubernetes."""


def parse_selector(expression: str) -> tuple[DeviceCondition, ...]:
    """Conditions that a device must pass for the expression to hold.

    Raises
    ------
    ValueError
        If the expression is beyond what is understood; it says which part.

    Examples
    --------
    >>> for condition in parse_selector('device.driver == "gpu.nvidia.com" && '
    ...         'device.capacity["gpu.nvidia.com"].memory.compareTo(quantity("40Gi")) >= 0'):
    ...     print(condition)
    driver == 'gpu.nvidia.com'
    gpu.nvidia.com/memory >= 42949672960
    """
    if len(expression) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    return tuple(_condition(term) for term in _conjuncts(expression))


def _conjuncts(expression: str) -> Iterator[str]:
    """Terms of a conjunction, without brackets around them."""
    stack = [expression]
    while stack:
        text = _without_brackets(stack.pop())
        parts = _split(text)
        if len(parts) == 1:
            yield parts[0]
        else:
            stack.extend(reversed(parts))


def _split(text: str) -> list[str]:
    """Parts between the ``&&`` that no quotes or brackets enclose."""
    parts, depth, quote, start, at = [], 0, "", 0, 0
    while at < len(text):
        character = text[at]
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif depth == 0 and text.startswith("&&", at):
            parts.append(text[start:at])
            at += 1
            start = at + 1
        elif depth == 0 and text.startswith("||", at):
            raise ValueError("|| is not understood: only comparisons joined by && are")
        at += 1
    parts.append(text[start:])
    return parts


def _without_brackets(text: str) -> str:
    """The text without brackets that enclose all of it."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")"):
        depth = 0
        for at, character in enumerate(text):
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0 and at < len(text) - 1:
                return text
        text = text[1:-1].strip()
    return text


def _condition(term: str) -> DeviceCondition:
    is_negated = term.lstrip().startswith("!") and not term.lstrip().startswith("!=")
    match = _TERM.match(term.lstrip()[1:] if is_negated else term)
    if match is None:
        raise ValueError(f"{term.strip()!r} is not understood: only comparisons joined by && are")
    rest = match["rest"]
    try:
        if match["driver"]:
            comparison, values = _comparison(rest, term)
            return DeviceCondition(DeviceProperty.DRIVER, comparison, values)
        name = f"{_text(match['domain'])}/{match['name']}"
        if match["kind"] == "attributes":
            if not rest.strip():
                return DeviceCondition(DeviceProperty.ATTRIBUTE, Comparison.EQUAL, (not is_negated,), name)
            if is_negated:
                raise ValueError(f"{term.strip()!r} is not understood: ! goes before a truth value only")
            comparison, values = _comparison(rest, term)
            return DeviceCondition(DeviceProperty.ATTRIBUTE, comparison, values, name)
        comparison, amount = _capacity_comparison(rest, term)
        return DeviceCondition(DeviceProperty.CAPACITY, comparison, (amount,), name)
    except WrongFieldError as error:
        raise ValueError(f"{term.strip()!r}: {error.description}") from None


def _comparison(rest: str, term: str) -> tuple[Comparison, tuple[AttributeValue, ...]]:
    if found := _IN.match(rest):
        return Comparison.IN, tuple(_constant(part, term) for part in found[1].split(","))
    if found := _COMPARISON.match(rest):
        return Comparison(found[1]), (_constant(found[2], term),)
    raise ValueError(f"{term.strip()!r} is not understood: only comparisons with constants are")


def _capacity_comparison(rest: str, term: str) -> tuple[Comparison, int]:
    if found := _COMPARE_TO.match(rest):
        return Comparison(found[2]), _amount(found[1])
    if found := _IS_THAN.match(rest):
        return (Comparison.GREATER if found[1] == "Greater" else Comparison.LESS), _amount(found[2])
    if found := _COMPARISON.match(rest):
        quantity = _QUANTITY.match(found[2])
        if quantity and found[1] in ("==", "!="):
            return Comparison(found[1]), _amount(quantity[1])
    raise ValueError(f"{term.strip()!r} is not understood: compare a capacity with quantity(...)")


def _amount(text: str) -> int:
    # Capacities of devices are amounts in whole units, as memory is.
    return parse_quantity(_text(text), MEMORY)


def _constant(text: str, term: str) -> AttributeValue:
    text = text.strip()
    if re.fullmatch(_TEXT, text):
        return _text(text)
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.match(text):
        return int(text)
    raise ValueError(f"{term.strip()!r} is not understood: {text!r} is no text, number or truth value")


def _text(quoted: str) -> str:
    return quoted[1:-1]
