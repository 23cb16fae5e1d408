"""Listing the embedded catalogues."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from binwright.v1 import catalog_service_pb2
from binwright_clients.aio import AioClient
from binwright_clients.client import Client
from binwright_optimizer.errors import InvalidProblemError
from harness import serving

Query = catalog_service_pb2.ListInstanceTypesRequest


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving() as server, Client(server.address, timeout=60) as connected:
        yield connected


def query(*instance_types: str, **fields: object) -> Query:
    request = Query(**fields)  # type: ignore[arg-type]
    request.catalog.cloud = "aws"
    request.catalog.regions.append("us-east-1")
    request.catalog.instance_types.extend(instance_types)
    return request


def test_clouds_are_listed_with_regions_and_price_sources(client: Client) -> None:
    catalogs = {c.cloud: c for c in client.list_catalogs().catalogs}
    assert set(catalogs) == {"aws", "azure", "gcp"}
    assert "us-east-1" in catalogs["aws"].regions
    for catalog in catalogs.values():
        assert catalog.instance_types > 100
        assert all(source.name and source.date for source in catalog.price_sources)


def test_instance_type_carries_hardware_labels_and_sourced_prices(client: Client) -> None:
    (found,) = client.list_instance_types(query("g4dn.xlarge")).instance_types
    assert (found.gpu.model, found.gpu.count) == ("t4", 1)
    assert found.capacity["cpu"] == "4"
    assert found.allocatable["nvidia.com/gpu"] == "1"
    assert found.labels["node.kubernetes.io/instance-type"] == "g4dn.xlarge"
    on_demand = [o for o in found.offerings if o.capacity_type == "on-demand"]
    assert {o.price_microusd_per_hour for o in on_demand} == {526_000}
    assert all(o.price_source.name and o.price_source.date for o in found.offerings)


def test_capacity_types_narrow_the_offerings(client: Client) -> None:
    (found,) = client.list_instance_types(query("c5.large", capacity_types=["spot"])).instance_types
    assert {o.capacity_type for o in found.offerings} == {"spot"}


def test_filters_hold_together(client: Client) -> None:
    asked = query("g4dn.*", min_allocatable={"cpu": "16", "nvidia.com/gpu": "1"}, gpu_models=["t4"])
    names = [t.name for t in client.list_instance_types(asked).instance_types]
    assert "g4dn.xlarge" not in names  # four cores
    assert "g4dn.8xlarge" in names
    assert not client.list_instance_types(query("c5.*", gpu_models=["t4"])).instance_types


def test_pages_add_up_to_the_whole(client: Client) -> None:
    whole = [t.name for t in client.list_instance_types(query("c5.*")).instance_types]
    paged: list[str] = []
    asked = query("c5.*", page_size=3)
    while True:
        page = client.list_instance_types(asked)
        assert len(page.instance_types) <= 3
        paged += [t.name for t in page.instance_types]
        if not page.next_page_token:
            break
        asked.page_token = page.next_page_token
    assert paged == whole == sorted(whole)
    assert len(whole) > 6


def test_aio_client_lists_too() -> None:
    async def ask(address: str) -> tuple[int, int]:
        async with AioClient(address, timeout=60) as client:
            types = await client.list_instance_types(query("c5.large"))
            return len((await client.list_catalogs()).catalogs), len(types.instance_types)

    with serving() as server:
        assert asyncio.run(ask(server.address)) == (3, 1)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Query(), "catalog.cloud"),
        (query("c5.larj"), "catalog.instance_types[0]"),
        (query(page_size=-1), "page_size"),
        (query(page_size=1_001), "page_size"),
        (query(min_allocatable={"cpu": "x"}), 'min_allocatable["cpu"]'),
        (query(capacity_types=["free"]), "capacity_types[0]"),
    ],
)
def test_wrong_field_is_named(client: Client, request_: Query, field: str) -> None:
    with pytest.raises(InvalidProblemError) as caught:
        client.list_instance_types(request_)
    assert [v.field for v in caught.value.violations] == [field]
