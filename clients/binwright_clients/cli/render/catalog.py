"""Instance types and their offerings as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from binwright.v1 import catalog_pb2
from binwright_optimizer.model.quantity import format_quantity, parse_quantity
from binwright_optimizer.model.resources import CPU, MEMORY, PODS, is_byte_resource
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.render.decision import price_lines
from binwright_clients.cli.render.text import counted, dollars, literal, printable

_GIB = 2**30
ESTIMATE_MARK = "~"
"""In front of a price that is derived rather than published."""


def instance_types_view(
    types: Sequence[catalog_pb2.InstanceType], title: str, warnings: Iterable[str] = ()
) -> RenderableType:
    """One line per type: its size and its cheapest price of each kind."""
    if not types:
        return Text("no instance type matches")
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, title_justify="left")
    table.add_column("Instance type", overflow="fold")
    table.add_column("vCPU", justify="right", no_wrap=True)
    table.add_column("Memory", justify="right", no_wrap=True)
    table.add_column("GPU", overflow="fold")
    table.add_column("Arch", no_wrap=True)
    table.add_column("Pods", justify="right", no_wrap=True)
    table.add_column("Zones", justify="right", no_wrap=True)
    table.add_column("on-demand $/h", justify="right", no_wrap=True)
    table.add_column("spot $/h", justify="right", no_wrap=True)
    for sold in types:
        capacity = sold.capacity or sold.allocatable
        table.add_row(
            literal(sold.name),
            _cores(capacity.get(CPU, "0")),
            _gibibytes(capacity.get(MEMORY, "0")),
            literal(gpu_text(sold.gpu)),
            literal(sold.arch or "amd64"),
            literal(sold.allocatable.get(PODS, "-")),
            str(len({(offering.region, offering.zone) for offering in sold.offerings})),
            cheapest_price(sold.offerings, "on-demand"),
            cheapest_price(sold.offerings, "spot"),
        )
    sources = (offering.price_source for sold in types for offering in sold.offerings)
    heading = Text(f"{counted(len(types), 'instance type')}, {title}", style="bold")
    return Group(heading, "", table, "", price_notes(sources), *_warnings(warnings))


def instance_type_view(sold: catalog_pb2.InstanceType, warnings: Iterable[str] = ()) -> RenderableType:
    """Everything about one type: amounts, labels, offerings."""
    heading = Text(printable(sold.name), style="bold")
    facts = [printable(sold.cloud), printable(sold.arch) or "amd64", printable(sold.os) or "linux"]
    if sold.gpu.count:
        facts.append(gpu_text(sold.gpu))
    heading.append("  " + ", ".join(fact for fact in facts if fact), style="not bold")

    amounts = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    amounts.add_column("Resource")
    amounts.add_column("Capacity", justify="right")
    amounts.add_column("Allocatable", justify="right")
    for name in sorted({*sold.capacity, *sold.allocatable}, key=lambda n: ({CPU: 0, MEMORY: 1}.get(n, 2), n)):
        amounts.add_row(
            literal(name), _shown(sold.capacity.get(name), name), _shown(sold.allocatable.get(name), name)
        )

    offerings = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for head in ("Region", "Zone", "Capacity"):
        offerings.add_column(head, overflow="fold")
    offerings.add_column("$/h", justify="right", no_wrap=True)
    offerings.add_column("Available", justify="right")
    for offering in sorted(sold.offerings, key=lambda o: (o.region, o.capacity_type, o.zone)):
        offerings.add_row(
            literal(offering.region),
            literal(offering.zone),
            literal(offering.capacity_type),
            _price(offering),
            f"{offering.available:,}" if offering.HasField("available") else "no known limit",
        )

    labels = Table.grid(padding=(0, 2, 0, 0))
    labels.add_column(overflow="fold")
    labels.add_column(overflow="fold")
    for key in sorted(sold.labels):
        labels.add_row(literal(key, "cyan"), literal(sold.labels[key]))
    parts: list[RenderableType] = [heading, "", amounts, "", offerings, ""]
    if sold.labels:
        parts += [Text("Labels", style="bold"), labels, ""]
    parts.append(price_notes(offering.price_source for offering in sold.offerings))
    return Group(*parts, *_warnings(warnings))


def _warnings(lines: Iterable[str]) -> list[Text]:
    return [literal(f"warning: {line}", "yellow") for line in lines]


def price_notes(sources: Iterable[catalog_pb2.PriceSource]) -> Table:
    """Sources of prices, one a line, and what the estimate mark means if there is one."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column()
    described = price_lines(sources)
    for line in described:
        grid.add_row("prices", literal(line))
    if any(line.endswith("(estimate)") for line in described):
        grid.add_row(ESTIMATE_MARK, "an estimate: check before you rely on it")
    return grid


def cheapest_price(offerings: Iterable[catalog_pb2.Offering], capacity_type: str) -> str:
    """The lowest price under a capacity type, marked if estimated; ``-`` if it is not sold so."""
    of_type = [offering for offering in offerings if offering.capacity_type == capacity_type]
    return _price(min(of_type, key=lambda o: o.price_microusd_per_hour)) if of_type else "-"


def gpu_text(gpu: catalog_pb2.Gpu) -> str:
    """Count, model and memory of a type's accelerators; empty without any.

    Examples
    --------
    >>> gpu_text(catalog_pb2.Gpu(model="t4", count=4, memory_bytes=16 * 2**30))
    '4 x t4 16Gi'
    """
    if not gpu.count:
        return ""
    memory = f" {gpu.memory_bytes / _GIB:.0f}Gi" if gpu.memory_bytes else ""
    return f"{gpu.count} x {printable(gpu.model)}{memory}"


def _price(offering: catalog_pb2.Offering) -> str:
    mark = ESTIMATE_MARK if offering.price_source.is_estimate else ""
    return mark + dollars(offering.price_microusd_per_hour)


def _cores(text: str) -> str:
    return f"{parse_quantity(text, CPU) / 1000:g}"


def _gibibytes(text: str) -> str:
    return f"{parse_quantity(text, MEMORY) / _GIB:,.4g}Gi"


def _shown(text: str | None, resource: str) -> str:
    if text is None:
        return "-"
    amount = parse_quantity(text, resource)
    if is_byte_resource(resource):
        return f"{amount / _GIB:,.2f}Gi"
    return format_quantity(amount, resource)
