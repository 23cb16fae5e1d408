"""The node mix: NodeClaims that are alike counted together, with what their pods use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from binwright.v1 import decision_pb2
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY, NVIDIA_GPU, PODS
from rich import box
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.render.text import WIDTH, bar, dollars, printable, shrunk, wrapped

MOST_UTILISATION_COLUMNS = 3
"""More would not fit 100 columns; ``-o json`` has every resource."""

_TITLES = {CPU: "CPU", MEMORY: "Memory", NVIDIA_GPU: "GPU", EPHEMERAL_STORAGE: "Disk"}
_RANK = {CPU: 0, MEMORY: 1, NVIDIA_GPU: 2}


@dataclass(slots=True)
class MixRow:
    """Nodes of one NodePool, instance type, capacity type, zone and price.

    Parameters
    ----------
    price_microusd_per_hour
        Price of one of the nodes.
    requests, allocatable
        Sums over the nodes by resource name, in milli-CPU, bytes and counts; ``requests``
        are those of the pods, without daemons.
    """

    node_pool: str
    instance_type: str
    capacity_type: str
    zone: str
    price_microusd_per_hour: int
    nodes: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    allocatable: dict[str, int] = field(default_factory=dict)

    @property
    def cost_microusd_per_hour(self) -> int:
        """What all its nodes cost together."""
        return self.nodes * self.price_microusd_per_hour


def node_mix(claims: Iterable[decision_pb2.NodeClaim]) -> list[MixRow]:
    """NodeClaims counted by what they are, dearest row first, ties by name."""
    rows: dict[tuple[str, str, str, str, int], MixRow] = {}
    for claim in claims:
        key = (
            claim.node_pool,
            claim.instance_type,
            claim.capacity_type,
            claim.zone,
            claim.price_microusd_per_hour,
        )
        row = rows.get(key)
        if row is None:
            row = rows[key] = MixRow(*key)
        row.nodes += 1
        _add(row.requests, claim.requests)
        _add(row.allocatable, claim.allocatable)
    return sorted(
        rows.values(),
        key=lambda r: (-r.cost_microusd_per_hour, r.node_pool, r.instance_type, r.capacity_type, r.zone),
    )


def utilisation(rows: Iterable[MixRow]) -> dict[str, float]:
    """Share of the allocatable amount that pods request, by resource, over all the rows.

    Only resources that pods request somewhere, pod slots left out.
    """
    requests: dict[str, int] = {}
    allocatable: dict[str, int] = {}
    for row in rows:
        for name, amount in row.requests.items():
            requests[name] = requests.get(name, 0) + amount
        for name, amount in row.allocatable.items():
            allocatable[name] = allocatable.get(name, 0) + amount
    return {
        name: amount / allocatable[name]
        for name, amount in sorted(requests.items(), key=lambda pair: (_RANK.get(pair[0], 9), pair[0]))
        if name != PODS and amount and allocatable.get(name)
    }


def mix_table(rows: Sequence[MixRow], most_rows: int = 30, width: int = WIDTH) -> Table:
    """The rows as a table of at most ``width`` columns with a total line.

    Rows beyond ``most_rows`` are summed in one line.
    """
    overall = utilisation(rows)
    resources = list(overall)[:MOST_UTILISATION_COLUMNS]
    body = [_cells(row, resources) for row in rows[:most_rows]]
    if len(rows) > most_rows:
        body.append(_rest_cells(rows[most_rows:], resources))
    nodes = f"{sum(row.nodes for row in rows):,}"
    cost = dollars(sum(row.cost_microusd_per_hour for row in rows))
    heads = ["NodePool", "Instance type", "Capacity", "Zone", "Nodes", "each", "$/h"]
    foots = ["total", "", "", "", nodes, "", cost]
    widths = [
        max(len(head), len(foot), *(len(cells.texts[k]) for cells in body))
        for k, (head, foot) in enumerate(zip(heads, foots, strict=True))
    ]
    named = [widths[k] for k in _FLEXIBLE]
    left = width - sum(widths[k] + 1 for k in _FIXED) - len(_FLEXIBLE)
    bar_width, room = _fit_bars(left, len(resources), sum(named))
    for k, fitted in zip(_FLEXIBLE, shrunk(named, room), strict=True):
        widths[k] = fitted

    # The box itself puts one blank column between two columns.
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, show_footer=True)
    for k, (head, foot) in enumerate(zip(heads, foots, strict=True)):
        is_number = k >= _FIRST_NUMBER
        table.add_column(
            wrapped(head, widths[k]),
            foot,
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
        )
    for name in resources:
        title = _TITLES.get(name) or printable(name.rsplit("/", 1)[-1])
        table.add_column(
            Text(f"{title} %"[: _column_width(bar_width)]),
            bar(overall[name], bar_width),
            justify="left" if bar_width else "right",
            no_wrap=True,
        )
    for cells in body:
        table.add_row(
            *(Text(wrapped(text, widths[k])) for k, text in enumerate(cells.texts)),
            *(_bar_or_dash(share, bar_width) for share in cells.shares),
            style="dim" if cells.is_rest else "",
        )
    return table


_FLEXIBLE = (0, 1, 3)
"""Columns with names, which may wrap: NodePool, instance type, zone."""
_FIXED = (2, 4, 5, 6)
"""Columns that never wrap: capacity type and numbers."""
_FIRST_NUMBER = 4


_BAR_WIDTHS = (6, 5, 4, 3)
_LEAST_ROOM = 30
"""Columns for the three names below which the bars go and only their numbers stay."""


def _fit_bars(left: int, n_resources: int, wanted: int) -> tuple[int, int]:
    """Width of the bars and what remains for the names, which want ``wanted`` columns."""
    for bar_width in _BAR_WIDTHS:
        room = left - n_resources * (_column_width(bar_width) + 1)
        if room >= wanted or (bar_width == _BAR_WIDTHS[-1] and room >= _LEAST_ROOM):
            return bar_width, room
    return 0, left - n_resources * (_column_width(0) + 1)


def _column_width(bar_width: int) -> int:
    """Width of a bar with its number, and of a number with room for its title."""
    return bar_width + 4 if bar_width else 6


@dataclass(frozen=True, slots=True)
class _Cells:
    """One line of the table; a share is None where the nodes do not have the resource."""

    texts: tuple[str, ...]
    shares: tuple[float | None, ...]
    is_rest: bool = False


def _cells(row: MixRow, resources: Sequence[str]) -> _Cells:
    return _Cells(
        texts=(
            printable(row.node_pool),
            printable(row.instance_type),
            printable(row.capacity_type),
            printable(row.zone),
            f"{row.nodes:,}",
            dollars(row.price_microusd_per_hour),
            dollars(row.cost_microusd_per_hour),
        ),
        shares=tuple(
            row.requests.get(name, 0) / row.allocatable[name] if row.allocatable.get(name) else None
            for name in resources
        ),
    )


def _rest_cells(rows: Sequence[MixRow], resources: Sequence[str]) -> _Cells:
    shares = utilisation(rows)
    return _Cells(
        texts=(
            f"{len(rows):,} more rows",
            "",
            "",
            "",
            f"{sum(row.nodes for row in rows):,}",
            "",
            dollars(sum(row.cost_microusd_per_hour for row in rows)),
        ),
        shares=tuple(shares.get(name) for name in resources),
        is_rest=True,
    )


def _bar_or_dash(share: float | None, width: int) -> Text:
    return Text("-".rjust(width + 4), style="dim") if share is None else bar(share, width)


def _add(total: dict[str, int], quantities: Mapping[str, str]) -> None:
    for name, text in quantities.items():
        total[name] = total.get(name, 0) + _amount(text, name)


@lru_cache(maxsize=65_536)  # nodes of one type repeat the same few texts thousands of times
def _amount(text: str, resource: str) -> int:
    return parse_quantity(text, resource)
