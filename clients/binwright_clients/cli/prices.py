"""Where the prices of a decision come from."""

from __future__ import annotations

from collections.abc import Iterable

from binwright.v1 import catalog_pb2, catalog_service_pb2, decision_pb2, provisioning_service_pb2

from binwright_clients.cli.engines import Engine


def bought_price_sources(
    request: provisioning_service_pb2.SolveRequest, decision: decision_pb2.Decision, engine: Engine
) -> list[catalog_pb2.PriceSource]:
    """Sources of the prices of what the decision buys, each once."""
    names = sorted({claim.instance_type for claim in decision.node_claims})
    if not names:
        return []
    catalog = request.problem.catalog
    sold: Iterable[catalog_pb2.InstanceType]
    if catalog.WhichOneof("source") == "inline":
        sold = catalog.inline.instance_types
    else:
        # Names match as globs; brackets would make them something else, and no cloud uses any.
        query = catalog_service_pb2.ListInstanceTypesRequest()
        query.catalog.cloud = catalog.embedded.cloud
        query.catalog.regions.extend(catalog.embedded.regions)
        query.catalog.instance_types.extend(names)
        sold = engine.list_instance_types(query)
    return _sources_of(decision.node_claims, sold)


def _sources_of(
    claims: Iterable[decision_pb2.NodeClaim], sold: Iterable[catalog_pb2.InstanceType]
) -> list[catalog_pb2.PriceSource]:
    bought = {(c.instance_type, c.region, c.zone, c.capacity_type) for c in claims}
    found: dict[tuple[str, str, bool], catalog_pb2.PriceSource] = {}
    for instance_type in sold:
        for offering in instance_type.offerings:
            key = (instance_type.name, offering.region, offering.zone, offering.capacity_type)
            if key in bought and offering.HasField("price_source"):
                source = offering.price_source
                found[source.name, source.date, source.is_estimate] = source
    return [found[key] for key in sorted(found)]
