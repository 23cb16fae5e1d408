"""Which fields a Kubernetes object has and of which type: unknown fields are mistakes.

The schema of built-in kinds is read off the model classes of the official `kubernetes`
client (their ``openapi_types`` and ``attribute_map``), imported only when a manifest of such
a kind is read. Kinds of our own reading (Karpenter) are spelt as nested dictionaries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from binwright_clients.spelling import suggestion

Report = Callable[[str, str, str], None]
"""Takes a mistake: field path, value, description."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value of a JSON type: string, integer, number, boolean, quantity or any."""

    type: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one schema."""

    item: Schema


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from any text to values of one schema."""

    value: Schema


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """An object with known fields."""

    fields: Mapping[str, Schema]


@dataclass(frozen=True, slots=True)
class Model:
    """An object of a model class of the client, by the name of the class."""

    name: str


Schema = Scalar | ListOf | MapOf | Record | Model

STRING = Scalar("string")
INTEGER = Scalar("integer")
ANY = Scalar("any")
QUANTITY = Scalar("quantity")
STRINGS = MapOf(STRING)
QUANTITIES = MapOf(QUANTITY)

_TYPES: dict[str, Scalar] = {
    "str": STRING,
    "int": INTEGER,
    "float": Scalar("number"),
    "bool": Scalar("boolean"),
    "datetime": STRING,
    "bytes": STRING,
    "object": ANY,
}
_CONTAINER_TYPE = re.compile(r"^(List|list|Dict|dict)[\[(](?:str, ?)?(.*)[\])]$")

_QUANTITY_FIELDS = frozenset(
    {"requests", "limits", "overhead", "capacity", "allocatable", "sizeLimit", "divisor"}
)
"""Fields of type quantity, which the client's models call strings; numbers are allowed."""

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "quantity": (str, int, float),
}
_ARTICLES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "quantity": "a quantity",
}


class MissingClientError(ImportError):
    """The `kubernetes` client is not installed."""


@cache
def _fields_of_model(name: str) -> Mapping[str, Schema]:
    try:
        from kubernetes.client import models
    except ImportError as error:
        raise MissingClientError(str(error)) from error
    model = getattr(models, name)
    fields = {
        json_name: _schema_of(model.openapi_types[attribute], json_name)
        for attribute, json_name in model.attribute_map.items()
    }
    # What the cluster says of an object differs by its version and is not ours to judge; the
    # readers check the few parts they use.
    if "status" in fields:
        fields["status"] = ANY
    return fields


def _schema_of(openapi_type: str, field: str) -> Schema:
    if match := _CONTAINER_TYPE.match(openapi_type):
        inner = _schema_of(match[2], field)
        return ListOf(inner) if match[1].lower() == "list" else MapOf(inner)
    scalar = _TYPES.get(openapi_type)
    if scalar is None:
        return Model(openapi_type)
    return QUANTITY if scalar is STRING and field in _QUANTITY_FIELDS else scalar


def check(value: Any, schema: Schema, report: Report, path: str = "") -> None:
    """Report every unknown field and every value of a wrong type; a null field is unset."""
    if value is None:
        return
    if isinstance(schema, Scalar):
        _check_scalar(value, schema.type, report, path)
    elif isinstance(schema, ListOf):
        if not isinstance(value, list):
            report(path, shown(value), "must be a list")
            return
        for index, item in enumerate(value):
            here = f"{path}[{index}]"
            if item is None:
                report(here, "null", "must not be null")
            check(item, schema.item, report, here)
    elif not isinstance(value, dict):
        report(path, shown(value), "must be a mapping")
    elif isinstance(schema, MapOf):
        for key, item in value.items():
            here = f"{path}[{key}]"
            if item is None:
                report(here, "null", "must not be null")
            check(item, schema.value, report, here)
    else:
        fields = _fields_of_model(schema.name) if isinstance(schema, Model) else schema.fields
        for key, item in value.items():
            inner = fields.get(key)
            here = f"{path}.{key}" if path else key
            if inner is None:
                report(here, shown(item), f"unknown field{suggestion(key, fields)}")
            elif isinstance(inner, Scalar):
                if item is not None:
                    _check_scalar(item, inner.type, report, here)
            else:
                check(item, inner, report, here)


def _check_scalar(value: Any, wanted: str, report: Report, path: str) -> None:
    if wanted == "any":
        return
    if isinstance(value, _PYTHON_TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool)):
        return
    hint = "; put it in quotes" if wanted == "string" and isinstance(value, (bool, int, float)) else ""
    report(path, shown(value), f"must be {_ARTICLES[wanted]}{hint}")


def shown(value: Any) -> str:
    """A value as short JSON, for messages."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) > 4:
        return "a mapping"
    if isinstance(value, list) and len(value) > 4:
        return "a list"
    return json.dumps(value, default=str)[:200]
