"""CatalogService: what the embedded catalogues sell."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from binwright.v1 import catalog_service_pb2, catalog_service_pb2_grpc
from binwright_optimizer import catalog as embedded
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model.offerings import InstanceType, Offering

from binwright_server.convert import (
    catalog_query_from_message,
    instance_type_to_message,
    price_source_to_message,
)

DEFAULT_PAGE_SIZE = 500
MAX_PAGE_SIZE = 1_000

Context = grpc.aio.ServicerContext[Any, Any]


class CatalogService(catalog_service_pb2_grpc.CatalogServiceServicer):
    """Lists instance types; reading a catalogue happens in a thread, apart from the solves."""

    async def ListCatalogs(  # noqa: N802 - named by the proto
        self,
        request: catalog_service_pb2.ListCatalogsRequest,  # noqa: ARG002 - it has no fields
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> catalog_service_pb2.ListCatalogsResponse:
        """Lists clouds and regions with the sources of their prices."""
        return await asyncio.to_thread(list_catalogs)

    async def ListInstanceTypes(  # noqa: N802 - named by the proto
        self,
        request: catalog_service_pb2.ListInstanceTypesRequest,
        context: Context,  # noqa: ARG002 - named by the proto
    ) -> catalog_service_pb2.ListInstanceTypesResponse:
        """Lists instance types with their offerings, by name."""
        return await asyncio.to_thread(list_instance_types, request)


def list_catalogs() -> catalog_service_pb2.ListCatalogsResponse:
    """Every embedded catalogue."""
    response = catalog_service_pb2.ListCatalogsResponse()
    for cloud in embedded.clouds():
        summary = embedded.summary(cloud)
        response.catalogs.add(
            cloud=cloud,
            regions=summary.regions,
            instance_types=summary.instance_types,
            price_sources=[price_source_to_message(source) for source in summary.price_sources],
        )
    return response


def list_instance_types(
    request: catalog_service_pb2.ListInstanceTypesRequest,
) -> catalog_service_pb2.ListInstanceTypesResponse:
    """One page of what the request asks for.

    The page token is the name of the last type of the page before, so that pages stay whole
    however the catalogue changes between them.

    Raises
    ------
    InvalidProblemError
        With every wrong field.
    """
    catalog, least, capacity_types = catalog_query_from_message(
        request.catalog, request.min_allocatable, request.capacity_types
    )
    if not 0 <= request.page_size <= MAX_PAGE_SIZE:
        raise InvalidProblemError.of("page_size", request.page_size, f"must be in 0..{MAX_PAGE_SIZE}")
    page_size = request.page_size or DEFAULT_PAGE_SIZE
    gpu_models = frozenset(request.gpu_models)

    def offerings_of(instance_type: InstanceType) -> list[Offering]:
        offerings = instance_type.offerings
        return [o for o in offerings if not capacity_types or o.capacity_type in capacity_types]

    found = [
        (instance_type, offerings)
        for instance_type in sorted(catalog.instance_types, key=lambda t: t.name)
        if instance_type.name > request.page_token
        and least.fits_in(instance_type.allocatable)
        and (not gpu_models or instance_type.gpu_model in gpu_models)
        and (offerings := offerings_of(instance_type))
    ]
    page = found[:page_size]
    return catalog_service_pb2.ListInstanceTypesResponse(
        instance_types=[instance_type_to_message(t, offerings) for t, offerings in page],
        next_page_token=page[-1][0].name if len(found) > page_size else "",
    )
