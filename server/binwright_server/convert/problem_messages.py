"""Problems back to messages, so that what was read, changed or made can be sent and kept in files.

Reading the message again gives an equal problem. The catalogue is written in full, with NodeOverlays
and reserved capacity as they were applied, and what was meant where nothing was said is spelt out.
"""

from __future__ import annotations

from binwright.v1 import catalog_pb2, policies_pb2, problem_pb2
from binwright_optimizer.model.cluster import ExistingNode, RunningPods
from binwright_optimizer.model.gangs import Gang
from binwright_optimizer.model.nodepools import NodePool
from binwright_optimizer.model.offerings import Catalog
from binwright_optimizer.model.pods import Workload
from binwright_optimizer.model.policies import Policies
from binwright_optimizer.model.problem import Problem
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import MAX_AMOUNT, PODS
from binwright_optimizer.model.spot import Share, SpotPolicy
from binwright_optimizer.model.taints import Taint

from binwright_server.convert.amounts import resources_to_map
from binwright_server.convert.catalogs import instance_type_to_message
from binwright_server.convert.node_classes import node_class_to_message
from binwright_server.convert.policies import DEFAULT_POLICIES
from binwright_server.convert.template_messages import requirement_to_message, template_to_message
from binwright_server.convert.volumes import attach_limits_to_messages


def problem_to_message(problem: Problem) -> problem_pb2.Problem:
    """The message that reads as an equal problem."""
    templates: dict[int, problem_pb2.PodTemplate] = {}
    message = problem_pb2.Problem(
        workloads=[_workload(workload, templates) for workload in problem.workloads],
        node_pools=[_node_pool(pool) for pool in problem.node_pools],
        existing_nodes=[_existing_node(node) for node in problem.existing_nodes],
        daemon_sets=[
            problem_pb2.DaemonSet(
                name=daemon.name, namespace=daemon.namespace, template=template_to_message(daemon.template)
            )
            for daemon in problem.daemon_sets
        ],
        catalog=catalog_pb2.CatalogSource(inline=catalog_to_message(problem.catalog)),
        gangs=[_gang(gang) for gang in problem.gangs],
        namespaces=[
            problem_pb2.Namespace(name=namespace.name, labels=dict(namespace.labels))
            for namespace in problem.namespaces
        ],
        reservations=[
            problem_pb2.Reservation(
                name=reservation.name,
                instance_type=reservation.instance_type,
                region=reservation.region,
                zone=reservation.zone,
                count=reservation.count,
                capacity_type=reservation.capacity_type.value,
                price_microusd_per_hour=reservation.price_microusd_per_hour,
            )
            for reservation in problem.reservations
        ],
        savings_plans=[
            problem_pb2.SavingsPlan(
                name=plan.name,
                microusd_per_hour=plan.microusd_per_hour,
                discount_ppm=plan.discount_ppm,
                requirements=map(requirement_to_message, plan.requirements),
            )
            for plan in problem.savings_plans
        ],
    )
    if problem.policies != DEFAULT_POLICIES:
        message.policies.CopyFrom(_policies(problem.policies))
    return message


def catalog_to_message(catalog: Catalog) -> catalog_pb2.InlineCatalog:
    """The whole catalogue, as one sent with a request."""
    return catalog_pb2.InlineCatalog(
        name=catalog.name,
        instance_types=[instance_type_to_message(kind, kind.offerings) for kind in catalog.instance_types],
    )


def _workload(workload: Workload, templates: dict[int, problem_pb2.PodTemplate]) -> problem_pb2.Workload:
    """The workload; templates that are one object are written once and copied."""
    key = id(workload.template)
    if key not in templates:
        templates[key] = template_to_message(workload.template)
    return problem_pb2.Workload(
        name=workload.name,
        namespace=workload.namespace,
        kind=workload.kind,
        replicas=workload.replicas,
        pod_names=workload.names,
        template=templates[key],
        gang=workload.gang,
        spot=_spot(workload.spot) if workload.spot else None,
    )


def _node_pool(pool: NodePool) -> problem_pb2.NodePool:
    message = problem_pb2.NodePool(
        name=pool.name,
        requirements=map(requirement_to_message, pool.requirements),
        labels=dict(pool.labels),
        taints=map(_taint, pool.taints),
        startup_taints=map(_taint, pool.startup_taints),
        weight=pool.weight,
        limits={name: format_quantity(amount, name) for name, amount in pool.limits},
        min_nodes=pool.min_nodes,
        max_nodes=pool.max_nodes,
        daemon_overhead=resources_to_map(pool.overhead),
        attach_limits=attach_limits_to_messages(pool.attach_limits),
    )
    if pool.node_class is not None:
        message.node_class.CopyFrom(node_class_to_message(pool.node_class))
    sharing = pool.gpu_sharing
    message.gpu_sharing.strategy = sharing.strategy.value
    message.gpu_sharing.replicas = sharing.replicas
    message.gpu_sharing.mig = sharing.mig
    return message


def _taint(taint: Taint) -> problem_pb2.Taint:
    return problem_pb2.Taint(key=taint.key, value=taint.value, effect=taint.effect.value)


def _existing_node(node: ExistingNode) -> problem_pb2.ExistingNode:
    free = resources_to_map(node.free)
    if node.capacity[PODS] and not node.free[PODS]:
        free[PODS] = "0"  # all slots are taken, which is not the same as slots that are not limited
    elif node.free[PODS] == MAX_AMOUNT:
        del free[PODS]
    return problem_pb2.ExistingNode(
        name=node.name,
        labels=dict(node.labels),
        taints=map(_taint, node.taints),
        free=free,
        capacity=resources_to_map(node.capacity),
        node_pool=node.node_pool,
        pods=map(_running_pods, node.pods),
        attach_limits=attach_limits_to_messages(node.attach_limits),
    )


def _running_pods(pods: RunningPods) -> problem_pb2.RunningPods:
    return problem_pb2.RunningPods(
        namespace=pods.namespace,
        count=pods.count,
        template=template_to_message(pods.template),
        gang=pods.gang,
        names=pods.names,
    )


def _gang(gang: Gang) -> problem_pb2.Gang:
    return problem_pb2.Gang(
        name=gang.name,
        namespace=gang.namespace,
        min_members=gang.min_members,
        topology=[
            problem_pb2.GangTopology(topology_key=rule.topology_key, preferred=not rule.is_required)
            for rule in gang.topology
        ],
    )


def _policies(policies: Policies) -> policies_pb2.Policies:
    return policies_pb2.Policies(
        preference_policy=policies.preferences.value,
        microusd_per_weight_hour=policies.microusd_per_weight_hour,
        min_values_policy=policies.min_values.value,
        gpu_node_policy=policies.gpu_nodes.value,
        spot=_spot(policies.spot) if policies.spot else None,
        restart_cost_microusd=policies.restart_cost_microusd,
    )


def _spot(policy: SpotPolicy) -> policies_pb2.SpotPolicy:
    message = policies_pb2.SpotPolicy(
        min_on_demand=_share(policy.min_on_demand), max_per_pool=_share(policy.max_per_pool)
    )
    if policy.loss is not None:
        message.loss.share = str(policy.loss.share)
        message.loss.probability_ppm = policy.loss.probability_ppm
        message.loss.window_seconds = policy.loss.window_s
    return message


def _share(share: Share | None) -> str:
    return "" if share is None else str(share)
