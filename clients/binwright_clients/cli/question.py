"""Options of ``binwright solve`` to one SolveRequest, and field paths back to options and files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from binwright.v1 import catalog_pb2, problem_pb2, provisioning_service_pb2
from binwright_optimizer.model import labels

from binwright_clients.errors import InputError
from binwright_clients.inputs import read_catalog, read_inputs
from binwright_clients.karpenter.lifetimes import NodeLifetime
from binwright_clients.karpenter.nodeclasses import NodeClassRef
from binwright_clients.origins import Origins
from binwright_clients.sources import Source

DEFAULT_CLOUD = "aws"
DEFAULT_REGIONS = {"aws": "us-east-1", "azure": "eastus", "gcp": "us-central1"}
"""Region used where none is named: each cloud's oldest and widest one."""

CAPACITY_TYPES = ("on-demand", "spot", "reserved")
ANY_CAPACITY_TYPE = "any"

_OPTION_OF_FIELD = {
    "catalog.embedded.cloud": "--catalog",
    "catalog.embedded.regions": "--region",
    "catalog.embedded.instance_types": "--instance-types",
    "catalog.embedded.exclude": "--exclude",
    "params.deadline": "--deadline",
    "params.gap": "--gap",
    "params.seed": "--seed",
    "params.work_limit": "--work-limit",
    "params.capacity_types": "--capacity-type",
    "policies.microusd_per_weight_hour": "--preference-price",
    "policies.restart_cost_microusd": "--restart-cost",
}
_INDEX = re.compile(r"\[\d+\]$")


@dataclass(frozen=True, slots=True)
class Question:
    """A request with what to tell the user about it.

    Parameters
    ----------
    notes
        What was assumed, skipped or read without effect.
    locate
        Where the user wrote the field that a path such as ``workloads[3].replicas`` means.
    node_classes
        Node class by NodePool, where the manifests name one.
    node_lifetimes
        How long nodes live, by NodePool.
    live_node_pools
        NodePools that were taken from a cluster, rather than written for this question.
    origins
        Where the parts of the problem come from.
    """

    request: provisioning_service_pb2.SolveRequest
    notes: tuple[str, ...]
    locate: Callable[[str], str]
    node_classes: Mapping[str, NodeClassRef]
    node_lifetimes: Mapping[str, NodeLifetime]
    live_node_pools: frozenset[str] = frozenset()
    origins: Origins = field(default_factory=Origins)


def build_question(
    paths: Sequence[str],
    *,
    nodepools: Sequence[str] = (),
    catalog: str | None = None,
    regions: Sequence[str] = (),
    instance_types: Sequence[str] = (),
    exclude: Sequence[str] = (),
    deadline_s: float | None = None,
    gap: float | None = None,
    seed: int = 0,
    work_limit: int | None = None,
    capacity_types: Sequence[str] = (),
    max_price_age_days: int | None = None,
    max_spot_price_age_days: int | None = None,
    preference_price: int | None = None,
    restart_cost: int | None = None,
    snapshot: Source | None = None,
    without_node_pools: Container[str] = (),
) -> Question:
    """The request that files and options ask for.

    Parameters
    ----------
    preference_price
        Micro-dollars an hour of a weight point, instead of what manifests say.
    restart_cost
        Micro-dollars of an interruption of pods that do not say, instead of what manifests say.
    snapshot
        A live cluster's objects, beside the files.
    without_node_pools
        Names of NodePools that are passed over.

    Raises
    ------
    InputError
        With every mistake in the files, or with an option that does not fit them.
    """
    # A catalogue file that is wrong is told before anything else is read.
    sold, catalog_note = _catalog_source(catalog, regions, instance_types, exclude)
    inputs = read_inputs(paths, nodepools=nodepools, snapshot=snapshot, without_node_pools=without_node_pools)
    if not catalog and not regions:
        home = _home_of(inputs.problem)
        if home is not None:
            sold, _ = _catalog_source(home[0], home[1:2], instance_types, exclude)
            catalog_note = (
                f"catalogue {home[0]}, {home[1]} (where {home[2]}; --catalog and --region to change)"
            )
    request = provisioning_service_pb2.SolveRequest(problem=inputs.problem)
    request.problem.catalog.CopyFrom(sold)
    params = request.params
    params.seed = seed
    if work_limit is not None:
        params.work_limit = work_limit
    params.capacity_types.extend(
        CAPACITY_TYPES if ANY_CAPACITY_TYPE in capacity_types else dict.fromkeys(capacity_types)
    )
    if deadline_s is not None:
        params.deadline.FromMicroseconds(round(deadline_s * 1e6))
    if gap is not None:
        params.gap = gap
    policies = request.problem.policies
    if preference_price is not None:
        policies.microusd_per_weight_hour = preference_price
    if restart_cost is not None:
        policies.restart_cost_microusd = restart_cost
    if max_price_age_days is not None:
        params.max_price_age_days = max_price_age_days
    if max_spot_price_age_days is not None:
        params.max_spot_price_age_days = max_spot_price_age_days
    notes = ((catalog_note,) if catalog_note else ()) + inputs.notes

    def locate(path: str) -> str:
        path = path.removeprefix("problem.")
        option = _OPTION_OF_FIELD.get(_INDEX.sub("", path))
        if option is not None:
            return option
        if path.startswith("catalog.inline") and catalog is not None:
            return f"{catalog}: {path.removeprefix('catalog.inline').lstrip('.')}"
        return inputs.locate(path)

    return Question(
        request,
        notes,
        locate,
        inputs.node_classes,
        inputs.node_lifetimes,
        inputs.live_node_pools,
        inputs.origins,
    )


def check_catalog(catalog: str | None) -> None:
    """Read a catalogue file, to fail early if it is wrong; the clouds' own are always there.

    Raises
    ------
    InputError
        With every mistake in the file.
    """
    _catalog_source(catalog, (), (), ())


def _home_of(problem: problem_pb2.Problem) -> tuple[str, str, str] | None:
    """Cloud and region of running nodes, or of the zones that NodePools buy in, and which of both it is.

    None unless all lie in one region of a known cloud.
    """
    # Imported on first use, as everything of the optimizer but its model.
    from binwright_optimizer.catalog import zones

    regions = {node.labels.get(labels.REGION, "") for node in problem.existing_nodes}
    if not regions:
        found = zones.region_with(_zones_bought_in(problem))
        return (*found, "the NodePools buy") if found is not None else None
    if len(regions) != 1:
        return None
    (region,) = regions
    for cloud in DEFAULT_REGIONS:
        with contextlib.suppress(KeyError):
            if zones.zones_of(cloud, region):
                return cloud, region, "the nodes are"
    return None


def _zones_bought_in(problem: problem_pb2.Problem) -> frozenset[str]:
    """Zones that the NodePools name; none if one of them names none."""
    found: set[str] = set()
    for pool in problem.node_pools:
        named = {
            zone
            for requirement in pool.requirements
            if requirement.key == labels.ZONE and requirement.operator == "In"
            for zone in requirement.values
        }
        if not named:
            return frozenset()
        found |= named
    return frozenset(found)


def _catalog_source(
    catalog: str | None, regions: Sequence[str], instance_types: Sequence[str], exclude: Sequence[str]
) -> tuple[catalog_pb2.CatalogSource, str]:
    """Where the offerings come from, and what was assumed about it."""
    cloud = catalog or DEFAULT_CLOUD
    source = catalog_pb2.CatalogSource()
    if cloud in DEFAULT_REGIONS:
        source.embedded.cloud = cloud
        source.embedded.regions.extend(dict.fromkeys(regions) or [DEFAULT_REGIONS[cloud]])
        source.embedded.instance_types.extend(instance_types)
        source.embedded.exclude.extend(exclude)
        assumed = [name for name, given in (("--catalog", catalog), ("--region", regions)) if not given]
        where = ", ".join(source.embedded.regions)
        note = f"catalogue {cloud}, {where} (default; {' and '.join(assumed)} to change)" if assumed else ""
        return source, note
    if not Path(cloud).exists():
        known = ", ".join(DEFAULT_REGIONS)
        raise InputError.of(cloud, f"is no catalogue: neither one of {known} nor a file", field="--catalog")
    sold = _in_regions(cloud, read_catalog(cloud), regions)
    source.inline.CopyFrom(_narrowed(cloud, sold, instance_types, exclude))
    return source, ""


def _in_regions(
    path: str, catalog: catalog_pb2.InlineCatalog, regions: Sequence[str]
) -> catalog_pb2.InlineCatalog:
    """The catalogue of a file with the offerings of some regions only; of all if none is named."""
    if not regions:
        return catalog
    known = {offering.region for sold in catalog.instance_types for offering in sold.offerings}
    for region in regions:
        if region not in known:
            raise InputError.of(path, "is no region of the file", field="--region", value=region)
    narrowed = catalog_pb2.InlineCatalog(name=catalog.name)
    for sold in catalog.instance_types:
        offerings = [offering for offering in sold.offerings if offering.region in regions]
        if offerings:
            kept = narrowed.instance_types.add()
            kept.CopyFrom(sold)
            del kept.offerings[:]
            kept.offerings.extend(offerings)
    return narrowed


def _narrowed(
    path: str, catalog: catalog_pb2.InlineCatalog, instance_types: Sequence[str], exclude: Sequence[str]
) -> catalog_pb2.InlineCatalog:
    """The catalogue of a file, cut down to the globs as the server does for a cloud's."""
    names = [sold.name for sold in catalog.instance_types]
    for option, globs in (("--instance-types", instance_types), ("--exclude", exclude)):
        for glob in globs:
            if not any(_matches(name, glob) for name in names):
                raise InputError.of(path, "matches no instance type of the file", field=option, value=glob)
    kept = [
        sold
        for sold in catalog.instance_types
        if (not instance_types or any(_matches(sold.name, glob) for glob in instance_types))
        and not any(_matches(sold.name, glob) for glob in exclude)
    ]
    if not kept:
        raise InputError.of(path, "every instance type is excluded", field="--exclude")
    return catalog_pb2.InlineCatalog(name=catalog.name, instance_types=kept)


def _matches(name: str, glob: str) -> bool:
    return fnmatchcase(name.lower(), glob.lower())
