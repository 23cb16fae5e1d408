"""MIG profiles that nobody offers are refused by name: a misspelt one would never find a place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from binwright.v1 import problem_pb2
from binwright_optimizer.model.cluster import ExistingNode
from binwright_optimizer.model.mig import known_profiles, mig_models_with, mig_profile
from binwright_optimizer.model.offerings import Catalog
from binwright_optimizer.model.pods import Workload

from binwright_server.convert.violations import Violations, entry


def refuse_unknown_profiles(
    messages: Sequence[problem_pb2.Workload],
    workloads: Iterable[Workload],
    catalog: Catalog,
    nodes: Iterable[ExistingNode],
    out: Violations,
) -> None:
    """Record requests for MIG profiles that no GPU model has and no node of ours advertises."""
    unknown = {
        resource
        for template in {id(workload.template): workload.template for workload in workloads}.values()
        for resource, _ in template.requests
        if (profile := mig_profile(resource)) is not None and not mig_models_with(profile)
    }
    if not unknown:
        return
    advertised = {resource for kind in catalog.instance_types for resource, _ in kind.allocatable}
    advertised.update(resource for node in nodes for resource, _ in node.free)
    unknown -= advertised
    for index, message in enumerate(messages):
        for list_name in ("containers", "init_containers"):
            for k, container in enumerate(getattr(message.template, list_name)):
                for resource in sorted(unknown & {*container.requests, *container.limits}):
                    field = "requests" if resource in container.requests else "limits"
                    path = f"workloads[{index}].template.{list_name}[{k}].{field}"
                    out.add(
                        entry(path, resource),
                        mig_profile(resource),
                        f"no GPU offers this MIG profile; known are {', '.join(known_profiles())}",
                    )
