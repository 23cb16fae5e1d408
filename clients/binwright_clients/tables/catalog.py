"""Tables of instance types: one row is one offering of a custom catalogue.

Columns: ``instance_type`` and ``price_usd_h``; capacities ``cpu_milli``, ``memory_mib``,
``gpu_count``, ``max_pods`` and ``resource:<name>``, taken as allocatable; ``gpu_model``, ``arch``,
``os``, ``region``, ``zone``, ``capacity_type`` (on-demand), ``available``, the nodes left to buy, and
``interruption_percent``, the expected share of spot nodes that are taken back within a month.
Rows of one instance type are its offerings and agree in everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TypeVar

from binwright.v1 import catalog_pb2
from binwright_optimizer.model.gpus import canonical_gpu_models
from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.quantity import format_quantity, parse_price, parse_quantity
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU, PODS

from binwright_clients.errors import InputError, Problems
from binwright_clients.tables import cells
from binwright_clients.tables.columns import RESOURCE_PREFIX, Columns, find_columns
from binwright_clients.tables.rows import Table

_T = TypeVar("_T")
_D = TypeVar("_D")

_REQUIRED = ("instance_type", "price_usd_h")
_SHAPE = ("cpu_milli", "memory_mib", "gpu_count", "gpu_model", "arch", "max_pods", "os")
_OFFERING = ("zone", "capacity_type", "available", "region", "interruption_percent")
_CAPACITY_TYPES = tuple(str(capacity_type) for capacity_type in CapacityType)


def catalog_of_table(table: Table, problems: Problems) -> catalog_pb2.InlineCatalog:
    """The catalogue of a table; wrong rows are left out and reported to ``problems``.

    Raises
    ------
    InputError
        If columns are missing or unknown, or there is no row.
    """
    columns = find_columns(table, frozenset({*_REQUIRED, *_SHAPE, *_OFFERING}), {}, frozenset())
    missing = [name for name in _REQUIRED if name not in columns.index]
    if not columns.resources:
        missing.extend(name for name in ("cpu_milli", "memory_mib") if name not in columns.index)
    if missing:
        raise InputError.of(
            table.file, f"the header lacks the column {', '.join(missing)}", place=table.header_place
        )
    if not table.rows:
        raise InputError.of(table.file, "the table has no rows")
    # A file's name may hold bytes that are no text; a message cannot.
    name_of_file = PurePath(table.file).name.encode(errors="replace").decode()
    catalog = catalog_pb2.InlineCatalog(name=name_of_file)
    types: dict[str, _InstanceType] = {}
    for line, cells_of_row in table.rows:
        row = _Row(table, columns, line, cells_of_row, problems)
        name = row.text("instance_type")
        before = len(problems)
        if not name:
            row.fail("instance_type", "must not be empty")
        shape = row.shape(name)
        offering = row.offering(catalog.name)
        if len(problems) > before:
            continue
        known = types.get(name)
        if known is None:
            known = types[name] = _InstanceType(catalog.instance_types.add(), row.place)
            known.message.CopyFrom(shape)
        known.add(shape, offering, row)
    return catalog


class _InstanceType:
    """An instance type of the catalogue and what its first row said."""

    def __init__(self, message: catalog_pb2.InstanceType, place: str) -> None:
        self.message = message
        self._place = place
        self._offerings: dict[tuple[str, str, str], str] = {}

    def add(self, shape: catalog_pb2.InstanceType, offering: catalog_pb2.Offering, row: _Row) -> None:
        """Take one more offering; its row must repeat the shape and name another market."""
        mine = self.message
        same = (mine.allocatable, mine.gpu, mine.arch, mine.os) == (
            shape.allocatable,
            shape.gpu,
            shape.arch,
            shape.os,
        )
        if not same:
            row.fail(
                "instance_type",
                f"has other capacities, gpu_model, arch or os than in {self._place}; "
                "rows of one instance type differ in market and price only",
            )
            return
        market = (offering.region, offering.zone, offering.capacity_type)
        first = self._offerings.setdefault(market, row.place)
        if first != row.place:
            row.fail("instance_type", f"is offered in this zone and capacity type already, in {first}")
            return
        mine.offerings.append(offering)


class _Row:
    """One row while it is read."""

    def __init__(
        self, table: Table, columns: Columns, line: int, row: Sequence[str], problems: Problems
    ) -> None:
        self.place = table.place(line)
        self._file = table.file
        self._columns = columns
        self._row = row
        self._problems = problems

    def text(self, column: str) -> str:
        """The cell without surrounding space; empty without the column."""
        at = self._columns.index.get(column)
        return "" if at is None else self._row[at].strip()

    def fail(self, column: str, description: str, value: str | None = None) -> None:
        """Report a wrong cell."""
        self._problems.add(
            self._file,
            description,
            place=self.place,
            field=column,
            value=self.text(column) if value is None else value,
        )

    def shape(self, name: str) -> catalog_pb2.InstanceType:
        """Everything that the rows of an instance type have in common."""
        message = catalog_pb2.InstanceType(name=name, arch=self.text("arch"), os=self.text("os"))
        gpus = self._parse("gpu_count", lambda text: cells.parse_count(text, cells.MAX_REPLICAS), 0)
        amounts = {
            CPU: self._parse("cpu_milli", cells.parse_amount, 0),
            MEMORY: self._parse("memory_mib", lambda text: cells.parse_amount(text, cells.MIB), 0),
            NVIDIA_GPU: gpus,
        }
        for resource, at in self._columns.resources:
            if text := self._row[at].strip():
                try:
                    amounts[resource] = parse_quantity(text, resource)
                except ValueError as error:
                    self.fail(RESOURCE_PREFIX + resource, str(error), text)
        if not any(amounts.values()):
            self.fail("instance_type", "has no capacity at all")
        for resource, amount in amounts.items():
            if amount:
                message.allocatable[resource] = format_quantity(amount, resource)
        slots = self._parse("max_pods", cells.parse_count, None)
        if slots is not None:
            message.allocatable[PODS] = str(slots)
        model = self._parse("gpu_model", _parse_gpu_model, "")
        if model and not gpus:
            self.fail("gpu_model", "names a GPU model where gpu_count is 0")
        if gpus:
            message.gpu.count = gpus
            message.gpu.model = model
        return message

    def offering(self, source: str) -> catalog_pb2.Offering:
        """The market and price of the row."""
        message = catalog_pb2.Offering(
            region=self.text("region"),
            zone=self.text("zone"),
            capacity_type=self._parse("capacity_type", _parse_capacity_type, str(CapacityType.ON_DEMAND)),
            price_source=catalog_pb2.PriceSource(name=source),
        )
        if not self.text("price_usd_h"):
            self.fail("price_usd_h", "must not be empty")
        price = self._parse("price_usd_h", parse_price, 0)
        message.price_microusd_per_hour = price
        available = self._parse("available", cells.parse_count, None)
        if available is not None:
            message.available = available
        rate = self._parse("interruption_percent", _parse_percent, None)
        if rate is not None:
            message.interruption_ppm_per_month = rate
            if message.capacity_type != CapacityType.SPOT:
                self.fail("interruption_percent", "is understood of spot offerings only")
        return message

    def _parse(self, column: str, parse: Callable[[str], _T], default: _D) -> _T | _D:
        text = self.text(column)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.fail(column, str(error))
            return default


def _parse_percent(text: str) -> int:
    """Parts per million of a percentage, with or without its sign."""
    value = cells.parse_number(text.removesuffix("%").strip())
    if value > 100:
        raise ValueError("must be at most 100")
    return round(value * 10_000)


def _parse_capacity_type(text: str) -> str:
    if text not in _CAPACITY_TYPES:
        raise ValueError(f"must be one of {', '.join(_CAPACITY_TYPES)}")
    return text


def _parse_gpu_model(text: str) -> str:
    models = canonical_gpu_models(text)
    if len(models) > 1:
        raise ValueError(f"may mean {' or '.join(models)}; name one")
    return models[0]
