"""Cells that say of a row's workload which gang it is a member of, and how much of it may be on spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from binwright.v1 import problem_pb2
from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.spot import Share

from binwright_clients.assembly import Assembly
from binwright_clients.kubernetes.labels import is_label_key
from binwright_clients.origins import Origin
from binwright_clients.tables import cells
from binwright_clients.tables.columns import Columns

_T = TypeVar("_T")
_D = TypeVar("_D")

WORKLOAD_COLUMNS = frozenset(
    {"gang", "gang_min_members", "gang_topology", "min_on_demand", "max_per_spot_pool"}
)
"""Columns that say something of the row's workload, beside its pods."""


class WorkloadCells:
    """What rows say of their workload beside its pods: gang and spot policy."""

    def __init__(self, columns: Columns, assembly: Assembly) -> None:
        self._columns = columns
        self._assembly = assembly
        self._gangs: dict[tuple[str, str], tuple[problem_pb2.Gang, Origin]] = {}

    def add(self, row: Sequence[str], origin: Origin, workload: problem_pb2.Workload) -> None:
        """Put it on the row's workload."""
        for column, field in (("min_on_demand", "min_on_demand"), ("max_per_spot_pool", "max_per_pool")):
            if text := self._parse(row, origin, column, parse_share, ""):
                setattr(workload.spot, field, text)
        name = self._cell(row, "gang")
        least = self._parse(
            row, origin, "gang_min_members", lambda text: cells.parse_count(text, cells.MAX_REPLICAS), None
        )
        keys = self._parse(row, origin, "gang_topology", parse_topology_keys, ())
        if not name:
            for column in ("gang_min_members", "gang_topology"):
                if self._cell(row, column):
                    self._fail(origin, column, self._cell(row, column), "goes with a gang")
            return
        workload.gang = name
        key = (workload.namespace or "default", name)
        known = self._gangs.get(key)
        if known is None:
            gang = problem_pb2.Gang(name=name, namespace=key[0])
            if least is not None:
                gang.min_members = least
                if not least:
                    self._fail(origin, "gang_min_members", "0", "must be at least 1")
            for topology_key in keys:
                gang.topology.add(topology_key=topology_key)
            self._gangs[key] = (gang, origin)
            return
        gang, first = known
        other = f"differs from {first.place}, of the same gang"
        if least is not None and (not gang.HasField("min_members") or gang.min_members != least):
            self._fail(origin, "gang_min_members", str(least), other)
        if keys and keys != tuple(rule.topology_key for rule in gang.topology):
            self._fail(origin, "gang_topology", "|".join(keys), other)

    def finish(self) -> None:
        """Add the gangs to the assembly; one that is short of members is told with the decision."""
        for gang, origin in self._gangs.values():
            self._assembly.add_gang(origin).CopyFrom(gang)

    def _cell(self, row: Sequence[str], column: str) -> str:
        at = self._columns.index.get(column)
        return "" if at is None else row[at].strip()

    def _parse(
        self, row: Sequence[str], origin: Origin, column: str, parse: Callable[[str], _T], default: _D
    ) -> _T | _D:
        text = self._cell(row, column)
        if not text:
            return default
        try:
            return parse(text)
        except WrongFieldError as error:
            self._fail(origin, column, text, error.description)
        except ValueError as error:
            self._fail(origin, column, text, str(error))
        return default

    def _fail(self, origin: Origin, column: str, value: str, description: str) -> None:
        self._assembly.problems.add(origin.file, description, place=origin.place, field=column, value=value)


def parse_share(text: str) -> str:
    """A share of pods, ``3`` or ``30%``, as messages spell it."""
    return str(Share.parse(text))


def parse_topology_keys(text: str) -> tuple[str, ...]:
    """Node labels of ``key|key``."""
    keys = cells.parse_choices(text)
    for key in keys:
        if not is_label_key(key):
            raise ValueError(f"{key!r} is no node label")
    return keys
