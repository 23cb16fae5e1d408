"""Whole problems: workloads, NodePools, nodes and daemons, on a catalogue."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace

from binwright.v1 import catalog_pb2, problem_pb2, provisioning_service_pb2
from binwright_optimizer.catalog import clouds
from binwright_optimizer.model import labels as label_keys
from binwright_optimizer.model.cluster import DaemonSet
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, IMPLICIT_NODE_POOL
from binwright_optimizer.model.namespaces import Namespace
from binwright_optimizer.model.nodepools import NodePool
from binwright_optimizer.model.offerings import CapacityType, Catalog
from binwright_optimizer.model.problem import Problem
from binwright_optimizer.model.requirements import Operator, Requirement
from binwright_optimizer.model.resources import Resources
from binwright_optimizer.model.unsold import without_sold_out
from binwright_optimizer.params import SolveParams

from binwright_server.convert.amounts import amounts_from_map, requests_from_map
from binwright_server.convert.catalogs import catalog_from_message, sold_out_from_messages
from binwright_server.convert.commitments import (
    reservations_from_messages,
    savings_plans_from_messages,
    with_overlays,
)
from binwright_server.convert.devices import gpu_sharing_from_message
from binwright_server.convert.gangs import check_members, gangs_from_messages
from binwright_server.convert.node_classes import node_class_from_message
from binwright_server.convert.nodes import existing_nodes_from_messages, refuse_repeated_names
from binwright_server.convert.policies import policies_from_message
from binwright_server.convert.search import capacity_types_from_message, params_from_message
from binwright_server.convert.selection import (
    labels_from_map,
    refuse_contradiction,
    requirement_from_message,
    taints_from_messages,
)
from binwright_server.convert.templates import TemplateReader
from binwright_server.convert.violations import Violations
from binwright_server.convert.volumes import attach_limits_from_messages
from binwright_server.convert.workloads import DEFAULT_NAMESPACE, workloads_from_messages
from binwright_server.limits import MOST_MINIMUM_NODES, RequestLimits

AnySolveRequest = provisioning_service_pb2.SolveRequest | provisioning_service_pb2.SolveStreamRequest


def request_to_problem(
    request: AnySolveRequest, limits: RequestLimits = RequestLimits()
) -> tuple[Problem, SolveParams]:
    """The question of a request and how to search for its answer.

    Raises
    ------
    InvalidProblemError
        With every wrong field of problem and parameters.
    """
    out = Violations()
    capacity_types = capacity_types_from_message(request.params, out)
    params = params_from_message(request.params, limits, out)
    problem = _problem(request.problem, capacity_types, limits, out)
    out.check()
    assert problem is not None, "a problem is missing only where a violation was recorded"
    return problem, params


def problem_from_message(
    message: problem_pb2.Problem,
    capacity_types: tuple[CapacityType, ...] = (),
    limits: RequestLimits = RequestLimits(),
) -> Problem:
    """The problem that a message spells.

    Parameters
    ----------
    capacity_types
        What may be bought; empty leaves it to the NodePools.

    Raises
    ------
    InvalidProblemError
        With every wrong field.
    """
    out = Violations()
    problem = _problem(message, capacity_types, limits, out)
    out.check()
    assert problem is not None, "a problem is missing only where a violation was recorded"
    return problem


def _problem(
    message: problem_pb2.Problem,
    capacity_types: tuple[CapacityType, ...],
    limits: RequestLimits,
    out: Violations,
) -> Problem | None:
    catalog = catalog_from_message(message.catalog, "catalog", out)
    templates = TemplateReader(_pod_defaults(message, capacity_types))
    if not message.workloads:
        out.add("workloads", "", "the problem is empty: there must be at least one workload")
    workloads = workloads_from_messages(message.workloads, templates, limits.max_pods, out)
    node_pools = _node_pools(message.node_pools, out) if message.node_pools else (IMPLICIT_NODE_POOL,)
    existing_nodes = existing_nodes_from_messages(message.existing_nodes, out)
    daemon_sets = _daemon_sets(message.daemon_sets, out)
    gangs = gangs_from_messages(message.gangs, out)
    check_members(message.gangs, message.workloads, existing_nodes, out)
    namespaces = _namespaces(message.namespaces, out)
    reserved = [reservation.name for reservation in message.reservations]
    savings_plans = savings_plans_from_messages(message.savings_plans, reserved, out)
    policies = policies_from_message(message.policies, "policies", out)
    sold_out = sold_out_from_messages(message.catalog.sold_out, "catalog.sold_out", out)
    if catalog is None:
        return None
    reservations = reservations_from_messages(catalog, message.reservations, out)
    catalog = with_overlays(catalog, message.node_overlays, out)
    if message.node_pools:
        _refuse_unsold_values(node_pools, catalog, out)
    catalog = without_sold_out(catalog, sold_out)
    return Problem(
        workloads=workloads,
        node_pools=tuple(_selling_only(pool, capacity_types) for pool in node_pools),
        catalog=catalog,
        existing_nodes=existing_nodes,
        daemon_sets=daemon_sets,
        gangs=gangs,
        namespaces=namespaces,
        reservations=reservations,
        savings_plans=savings_plans,
        policies=policies,
    )


def _pod_defaults(
    message: problem_pb2.Problem, capacity_types: tuple[CapacityType, ...]
) -> tuple[Requirement, ...]:
    """What pods that are silent get: nothing once the user says what may be bought."""
    if message.node_pools or not _is_of_a_cloud(message.catalog):
        return ()
    if capacity_types:
        return tuple(r for r in EMBEDDED_CATALOG_DEFAULTS if r.key != label_keys.CAPACITY_TYPE)
    if message.reservations:
        return tuple(_or_reserved(r) for r in EMBEDDED_CATALOG_DEFAULTS)
    return EMBEDDED_CATALOG_DEFAULTS


def _or_reserved(default: Requirement) -> Requirement:
    """What is held is used without being asked for: it is on-demand capacity that is paid already."""
    if default.key != label_keys.CAPACITY_TYPE:
        return default
    return replace(default, values=(*default.values, CapacityType.RESERVED.value))


def _is_of_a_cloud(message: catalog_pb2.CatalogSource) -> bool:
    """Whether it is embedded, or a refreshed one: a cloud's whole offer, arm64 and spot included."""
    if message.WhichOneof("source") == "embedded":
        return True
    known = clouds()
    return all(sold.cloud in known for sold in message.inline.instance_types)


def _selling_only(pool: NodePool, capacity_types: tuple[CapacityType, ...]) -> NodePool:
    """The pool, restricted to the capacity types that the request allows."""
    if not capacity_types:
        return pool
    policy = Requirement(label_keys.CAPACITY_TYPE, Operator.IN, tuple(c.value for c in capacity_types))
    return replace(pool, requirements=(*pool.requirements, policy))


_SOLD: weakref.WeakKeyDictionary[Catalog, dict[str, frozenset[str]]] = weakref.WeakKeyDictionary()


def _sold_values(catalog: Catalog) -> dict[str, frozenset[str]]:
    """Instance types, regions and zones on sale, by label key; kept as long as the catalogue."""
    sold = _SOLD.get(catalog)
    if sold is None:
        types = catalog.instance_types
        offerings = [offering for kind in types for offering in kind.offerings]
        sold = _SOLD[catalog] = {
            label_keys.INSTANCE_TYPE: frozenset(
                dict(kind.labels).get(label_keys.INSTANCE_TYPE, kind.name) for kind in types
            ),
            label_keys.REGION: frozenset(offering.region for offering in offerings),
            label_keys.ZONE: frozenset(offering.zone for offering in offerings),
        }
    return sold


def _refuse_unsold_values(pools: Sequence[NodePool], catalog: Catalog, out: Violations) -> None:
    """A pool that asks only for types, regions or zones that nobody sells has a misspelt value."""
    sold = _sold_values(catalog)
    for k, pool in enumerate(pools):
        for m, requirement in enumerate(pool.requirements):
            known = sold.get(requirement.key)
            if (
                known is None
                or requirement.operator is not Operator.IN
                or known.intersection(requirement.values)
            ):
                continue
            out.add(
                f"node_pools[{k}].requirements[{m}].values",
                ", ".join(requirement.values),
                f"NodePool {pool.name}: catalogue {catalog.name} sells nothing with this {requirement.key}",
            )


def _node_pools(messages: Sequence[problem_pb2.NodePool], out: Violations) -> tuple[NodePool, ...]:
    refuse_repeated_names([message.name for message in messages], "node_pools", out)
    return tuple(_node_pool(message, f"node_pools[{k}]", out) for k, message in enumerate(messages))


def _node_pool(message: problem_pb2.NodePool, path: str, out: Violations) -> NodePool:
    found = (
        requirement_from_message(r, f"{path}.requirements[{k}]", out, is_for_node_pool=True)
        for k, r in enumerate(message.requirements)
    )
    requirements = tuple(r for r in found if r is not None)
    labels = labels_from_map(message.labels, f"{path}.labels", out)
    fixed = tuple(Requirement(key, Operator.IN, (value,)) for key, value in labels)
    if not refuse_contradiction(requirements, f"{path}.requirements", out):
        refuse_contradiction(requirements + fixed, f"{path}.labels", out)
    if not 0 <= message.weight <= 100:
        out.add(f"{path}.weight", message.weight, "must be in 0..100")
    if not 0 <= message.min_nodes <= MOST_MINIMUM_NODES:
        out.add(f"{path}.min_nodes", message.min_nodes, f"must be in 0..{MOST_MINIMUM_NODES}")
    max_nodes = message.max_nodes if message.HasField("max_nodes") else None
    if max_nodes is not None and max_nodes < 0:
        out.add(f"{path}.max_nodes", max_nodes, "must not be negative")
    elif max_nodes is not None and message.min_nodes > max_nodes:
        out.add(f"{path}.min_nodes", message.min_nodes, f"must be at most max_nodes, {max_nodes}")
    limits = amounts_from_map(message.limits, f"{path}.limits", out)
    return NodePool(
        name=message.name,
        requirements=requirements,
        labels=labels,
        taints=taints_from_messages(message.taints, f"{path}.taints", out),
        startup_taints=taints_from_messages(message.startup_taints, f"{path}.startup_taints", out),
        weight=message.weight,
        limits=tuple(sorted(limits.items())),
        min_nodes=message.min_nodes,
        max_nodes=max_nodes,
        overhead=Resources.of(requests_from_map(message.daemon_overhead, f"{path}.daemon_overhead", out)),
        gpu_sharing=gpu_sharing_from_message(message.gpu_sharing, f"{path}.gpu_sharing", out),
        attach_limits=attach_limits_from_messages(message.attach_limits, f"{path}.attach_limits", out),
        node_class=(
            node_class_from_message(message.node_class, f"{path}.node_class", out)
            if message.HasField("node_class")
            else None
        ),
    )


def _namespaces(messages: Sequence[problem_pb2.Namespace], out: Violations) -> tuple[Namespace, ...]:
    refuse_repeated_names([message.name for message in messages], "namespaces", out)
    return tuple(
        Namespace(message.name, labels_from_map(message.labels, f"namespaces[{k}].labels", out))
        for k, message in enumerate(messages)
    )


def _daemon_sets(messages: Sequence[problem_pb2.DaemonSet], out: Violations) -> tuple[DaemonSet, ...]:
    templates = TemplateReader()  # without defaults: daemons go wherever they are admitted
    daemon_sets = []
    first_index: dict[tuple[str, str], int] = {}
    for k, message in enumerate(messages):
        namespace = message.namespace or DEFAULT_NAMESPACE
        first = first_index.setdefault((namespace, message.name), k)
        if not message.name:
            out.add(f"daemon_sets[{k}].name", "", "must not be empty")
        elif first != k:
            out.add(f"daemon_sets[{k}].name", message.name, f"is already the name of daemon_sets[{first}]")
        template, violations = templates.read(message.template)
        for violation in violations:
            path = f"daemon_sets[{k}].template{violation.field}"
            out.add(path, violation.value, violation.description)
        daemon_sets.append(DaemonSet(message.name, template, namespace))
    return tuple(daemon_sets)
