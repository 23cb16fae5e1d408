"""Which columns a table has: known names, other names for them, and `resource:` columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU, PODS

from binwright_clients.errors import InputError
from binwright_clients.spelling import suggestion
from binwright_clients.tables.rows import Table

RESOURCE_PREFIX = "resource:"

_OWN_COLUMN = {CPU: "cpu_milli", MEMORY: "memory_mib", NVIDIA_GPU: "gpu_count"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions of the columns that are used.

    Parameters
    ----------
    index
        Position by name; other spellings of a column are brought to one.
    written
        The name in the file's header by the name used here, for messages.
    resources
        Pairs (resource name, position) of the `resource:` columns.
    """

    index: Mapping[str, int]
    written: Mapping[str, str]
    resources: tuple[tuple[str, int], ...]


def required_columns(
    table: Table, needed: Sequence[str], known: frozenset[str], path: str, *, has_resources: bool = False
) -> Columns:
    """Columns of a table of which some must be there; none has another spelling.

    Parameters
    ----------
    has_resources
        Whether the table may have ``resource:`` columns.

    Raises
    ------
    InputError
        If one is missing, unknown, or says the same as another.
    """
    columns = find_columns(table, known | frozenset(needed), {}, frozenset())
    if columns.resources and not has_resources:
        raise InputError.of(
            path,
            "unknown column: the table is not one of pods",
            place=table.header_place,
            field=RESOURCE_PREFIX + columns.resources[0][0],
        )
    missing = [name for name in needed if name not in columns.index]
    if missing:
        raise InputError.of(
            path, f"the header lacks the column {', '.join(missing)}", place=table.header_place
        )
    return columns


def find_columns(
    table: Table, known: frozenset[str], aliases: Mapping[str, str], unused: frozenset[str]
) -> Columns:
    """Columns of a table by name.

    Parameters
    ----------
    known
        Names that are used.
    aliases
        Other spellings of known names.
    unused
        Names that are expected and carry nothing we need.

    Raises
    ------
    InputError
        If a column is unknown or says the same as another.
    """
    index: dict[str, int] = {}
    written: dict[str, str] = {}
    resources: dict[str, int] = {}
    for position, column in enumerate(table.header):
        if column.startswith(RESOURCE_PREFIX):
            resources[_resource_name(table, column)] = position
            continue
        name = aliases.get(column, column)
        if name in index:
            raise InputError.of(
                table.file,
                f"says the same as column {written[name]!r}",
                place=table.header_place,
                field=column,
            )
        if name in known:
            index[name] = position
            written[name] = column
        elif column not in unused:
            words = (*known, *aliases, *unused, RESOURCE_PREFIX + NVIDIA_GPU)
            raise InputError.of(
                table.file,
                f"unknown column{suggestion(column, words)} (further resources are columns "
                f"named {RESOURCE_PREFIX}<name>)",
                place=table.header_place,
                field=column,
            )
    for resource, own in _OWN_COLUMN.items():
        if resource in resources and own in index:
            raise InputError.of(
                table.file,
                f"says the same as column {written[own]!r}",
                place=table.header_place,
                field=RESOURCE_PREFIX + resource,
            )
    return Columns(index, written, tuple(resources.items()))


def _resource_name(table: Table, column: str) -> str:
    name = column.removeprefix(RESOURCE_PREFIX)
    if not name or name != name.strip():
        raise InputError.of(
            table.file, "names no resource; write resource:<name>", place=table.header_place, field=column
        )
    if name == PODS:
        raise InputError.of(
            table.file,
            "pod slots are counted by the number of pods and the column max_pods",
            place=table.header_place,
            field=column,
        )
    return name
