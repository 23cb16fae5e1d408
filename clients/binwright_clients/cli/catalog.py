"""``binwright catalog``: what the clouds sell, with the source and date of every price."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import click
from binwright.v1 import catalog_pb2, catalog_service_pb2
from binwright_optimizer.model.gpus import canonical_gpu_models
from binwright_optimizer.model.offerings import CapacityType, PriceSource

from binwright_clients.cli.connection import Connection, server_options
from binwright_clients.cli.engines import open_engine
from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput, CommandGroup, located
from binwright_clients.cli.output import output_option, print_message, print_table, stderr_console
from binwright_clients.cli.question import CAPACITY_TYPES, DEFAULT_CLOUD, DEFAULT_REGIONS
from binwright_clients.cli.refresh import refresh
from binwright_clients.cli.render.catalog import instance_type_view, instance_types_view
from binwright_clients.cli.today import today

_TYPES_FIELD = "catalog.instance_types"
_OPTION_OF_FIELD = {
    "catalog.cloud": "--cloud",
    "catalog.regions": "--region",
    _TYPES_FIELD: "--instance-types",
    'min_allocatable["cpu"]': "--min-cpu",
    'min_allocatable["memory"]': "--min-memory",
}

_INDEX = re.compile(r"\[\d+\]$")

_cloud_option = click.option(
    "--cloud",
    type=click.Choice(sorted(DEFAULT_REGIONS)),
    default=DEFAULT_CLOUD,
    show_default=True,
    help="Whose catalogue.",
)
_region_option = click.option(
    "--region",
    "regions",
    metavar="REGION",
    multiple=True,
    help="Region; repeat for more.  [default: us-east-1 (aws), us-central1 (gcp), eastus (azure)]",
)


@click.group(cls=CommandGroup, epilog=examples("binwright catalog list --gpu t4 --region us-east-1"))
def catalog() -> None:
    """Look up instance types, their offerings and prices, or bring them up to date."""


catalog.add_command(refresh)


@catalog.command(
    "list",
    epilog=examples(
        "binwright catalog list --gpu t4 --gpu a10g --sort price",
        "binwright catalog list --cloud gcp --region europe-west4 --min-cpu 8 --min-memory 32Gi",
        "binwright catalog list --instance-types 'c5.*' -o json",
    ),
)
@_cloud_option
@_region_option
@click.option("--instance-types", metavar="GLOB", multiple=True, help="Only these types; repeat for more.")
@click.option("--gpu", "gpu_models", metavar="MODEL", multiple=True, help="Only with this GPU, such as t4.")
@click.option("--min-cpu", metavar="QUANTITY", help="Least allocatable CPU, such as 8 or 7500m.")
@click.option("--min-memory", metavar="QUANTITY", help="Least allocatable memory, such as 32Gi.")
@click.option(
    "--capacity-type",
    "capacity_types",
    type=click.Choice(CAPACITY_TYPES),
    multiple=True,
    help="Only offerings of this kind; repeat for more.",
)
@click.option(
    "--sort",
    type=click.Choice(["name", "price"]),
    default="name",
    show_default=True,
    help="Order of the table; price is the cheapest of any kind.",
)
@server_options
@output_option()
def list_types(
    cloud: str,
    regions: tuple[str, ...],
    instance_types: tuple[str, ...],
    gpu_models: tuple[str, ...],
    min_cpu: str | None,
    min_memory: str | None,
    capacity_types: tuple[str, ...],
    sort: str,
    connection: Connection | None,
    output: str,
) -> None:
    """List instance types with their cheapest prices."""
    request = _query(cloud, regions, instance_types)
    request.gpu_models.extend(dict.fromkeys(name for model in gpu_models for name in _gpu_names(model)))
    request.capacity_types.extend(capacity_types)
    for resource, least in (("cpu", min_cpu), ("memory", min_memory)):
        if least is not None:
            request.min_allocatable[resource] = least
    found = _look_up(request, connection)
    if sort == "price":
        found.sort(key=lambda sold: (min(o.price_microusd_per_hour for o in sold.offerings), sold.name))
    stale = _stale(found)
    if output == "table":
        print_table(instance_types_view(found, f"{cloud} {', '.join(request.catalog.regions)}", stale))
    else:
        print_message(catalog_service_pb2.ListInstanceTypesResponse(instance_types=found), output)
        _warn(stale)
        if not found:
            stderr_console().print("no instance type matches", markup=False)


@catalog.command(
    "show",
    epilog=examples(
        "binwright catalog show g4dn.2xlarge",
        "binwright catalog show n1-standard-8 --cloud gcp --region us-central1 -o yaml",
    ),
)
@click.argument("instance_type", metavar="TYPE")
@_cloud_option
@_region_option
@server_options
@output_option()
def show_type(
    instance_type: str,
    cloud: str,
    regions: tuple[str, ...],
    connection: Connection | None,
    output: str,
) -> None:
    """Show one instance type: amounts, labels and every offering."""
    if any(mark in instance_type for mark in "*?["):
        raise BadInput(f"TYPE: must be one instance type, not a glob (got {instance_type!r})")
    found = _look_up(_query(cloud, regions, (instance_type,)), connection, {_TYPES_FIELD: "TYPE"})
    stale = _stale(found)
    if output == "table":
        print_table(instance_type_view(found[0], stale))
    else:
        print_message(found[0], output)
        _warn(stale)


def _stale(types: Iterable[catalog_pb2.InstanceType]) -> tuple[str, ...]:
    """What to know about the age of the prices, as a decision that pays them would tell it."""
    from binwright_optimizer.catalog.staleness import stale_source_warnings

    sources = (
        (
            CapacityType.SPOT if offering.capacity_type == CapacityType.SPOT else CapacityType.ON_DEMAND,
            PriceSource(offering.price_source.name, offering.price_source.date),
        )
        for sold in types
        for offering in sold.offerings
    )
    return stale_source_warnings(sources, today())


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        stderr_console().print(f"warning: {line}", markup=False)


def _gpu_names(model: str) -> tuple[str, ...]:
    try:
        return canonical_gpu_models(model)
    except ValueError as error:
        raise BadInput(f"--gpu: {error} (got {model!r})") from error


def _query(
    cloud: str, regions: Sequence[str], instance_types: Sequence[str]
) -> catalog_service_pb2.ListInstanceTypesRequest:
    embedded = catalog_pb2.EmbeddedCatalog(
        cloud=cloud, regions=regions or [DEFAULT_REGIONS[cloud]], instance_types=instance_types
    )
    return catalog_service_pb2.ListInstanceTypesRequest(catalog=embedded)


def _look_up(
    request: catalog_service_pb2.ListInstanceTypesRequest,
    connection: Connection | None,
    own_names: Mapping[str, str] | None = None,
) -> list[catalog_pb2.InstanceType]:
    def locate(field: str) -> str:
        path = _INDEX.sub("", field)
        return (own_names or {}).get(path) or _OPTION_OF_FIELD.get(path, field)

    with open_engine(connection) as engine, located(locate):
        return engine.list_instance_types(request)
