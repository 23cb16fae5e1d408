"""Custom catalogue files: a table of offerings, or the JSON form of InlineCatalog."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from binwright.v1 import catalog_pb2
from google.protobuf import json_format

from binwright_clients.errors import InputError, Problems
from binwright_clients.kubernetes.schema import shown
from binwright_clients.kubernetes.single import only_document
from binwright_clients.sources import Format, read_source
from binwright_clients.tables.catalog import catalog_of_table
from binwright_clients.tables.rows import Table, read_table


def read_catalog(path: str) -> catalog_pb2.InlineCatalog:
    """The catalogue of a CSV, Parquet, YAML or JSON file.

    YAML and JSON hold either a list of mappings from the CSV's columns to values, or one
    mapping with ``instanceTypes``: the JSON form of the InlineCatalog message.

    Raises
    ------
    InputError
        If anything in it is wrong; it lists every mistake that was found.
    """
    source = read_source(path)
    problems = Problems()
    if source.format in (Format.CSV, Format.PARQUET):
        table = read_table(source, problems)
    else:
        document = only_document(source)
        if isinstance(document, dict):
            return _catalog_of_message(document, path)
        table = _table_of_list(document, path, problems)
    # Cells that are no text at all would only be reported a second time, as other mistakes.
    problems.raise_if_any()
    catalog = catalog_of_table(table, problems)
    problems.raise_if_any()
    return catalog


def _catalog_of_message(document: dict[str, Any], path: str) -> catalog_pb2.InlineCatalog:
    try:
        catalog = json_format.ParseDict(document, catalog_pb2.InlineCatalog())
    except json_format.ParseError as error:
        description = str(error).splitlines()[0]
        raise InputError.of(path, f"is no catalogue: {description}") from None
    if not catalog.instance_types:
        raise InputError.of(path, "must not be empty", field="instanceTypes")
    if not catalog.name:
        catalog.name = PurePath(path).name.encode(errors="replace").decode()
    return catalog


def _table_of_list(document: Any, path: str, problems: Problems) -> Table:
    if not isinstance(document, list):
        raise InputError.of(
            path,
            "is no catalogue: it must be a list of offerings or a mapping with instanceTypes",
            value=shown(document),
        )
    header: dict[str, None] = {}
    for offering in document:
        if isinstance(offering, dict):
            header.update(dict.fromkeys(offering))
    rows = []
    for number, offering in enumerate(document, start=1):
        if not isinstance(offering, dict):
            problems.add(path, "must be a mapping", place=f"item {number}", value=shown(offering))
            continue
        for column, value in offering.items():
            if isinstance(value, (bool, list, dict)):
                problems.add(
                    path,
                    "must be a text or a number",
                    place=f"item {number}",
                    field=column,
                    value=shown(value),
                )
        rows.append((number, [_cell(offering.get(column)) for column in header]))
    return Table(path, tuple(header), tuple(rows), unit="item")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else repr(value)
