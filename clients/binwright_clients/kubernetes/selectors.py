"""Label selectors of manifests, and where a rule of the domain was written in one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from binwright.v1 import constraints_pb2
from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.requirements import Operator, Requirement
from binwright_optimizer.model.selectors import SELECTOR_OPERATORS, LabelSelector

from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.requirements import exact_requirements
from binwright_clients.kubernetes.schema import Report, shown
from binwright_clients.spelling import suggestion

_T = TypeVar("_T")

_OPERATORS = tuple(str(operator) for operator in SELECTOR_OPERATORS)


def manifest_field(field: str) -> str:
    """A field's name as manifests spell it.

    Examples
    --------
    >>> manifest_field("max_skew"), manifest_field("requirements[1]")
    ('maxSkew', 'requirements[1]')
    """
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), field)


def build(make: Callable[[], _T], path: str, report: Report) -> _T | None:
    """What ``make`` returns, or None with the field reported that it calls wrong."""
    try:
        return make()
    except WrongFieldError as error:
        name = manifest_field(error.field)
        report(f"{path}.{name}" if name and path else path or name, error.value, error.description)
        return None


def read_label_selector(selector: dict[str, Any], path: str, report: Report) -> LabelSelector | None:
    """The selector, or None with what is wrong reported."""
    is_sound = True

    def told(field: str, value: str, description: str) -> None:
        nonlocal is_sound
        is_sound = False
        report(field, value, description)

    labels = read_labels(selector.get("matchLabels"), f"{path}.matchLabels", told)
    requirements = list(exact_requirements(labels))
    for index, expression in enumerate(selector.get("matchExpressions") or []):
        at = f"{path}.matchExpressions[{index}]"
        name = expression.get("operator") or ""
        if name not in _OPERATORS:
            hint = suggestion(name, _OPERATORS)
            told(f"{at}.operator", name, f"must be one of {', '.join(_OPERATORS)}{hint}")
            continue
        values = tuple(expression.get("values") or ())
        try:
            requirements.append(Requirement(expression.get("key") or "", Operator(name), values))
        except ValueError as error:
            told(at, shown(expression), str(error))
    return build(lambda: LabelSelector(tuple(requirements)), path, report) if is_sound else None


def selector_message(selector: LabelSelector) -> constraints_pb2.LabelSelector:
    """The selector as a message, exact values as a map, which reads better."""
    message = constraints_pb2.LabelSelector()
    for requirement in selector.requirements:
        is_exact = requirement.operator is Operator.IN and len(requirement.values) == 1
        if is_exact and requirement.key not in message.match_labels:
            message.match_labels[requirement.key] = requirement.values[0]
        else:
            message.match_expressions.add(
                key=requirement.key, operator=str(requirement.operator), values=requirement.values
            )
    return message
