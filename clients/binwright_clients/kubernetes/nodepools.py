"""Karpenter NodePools, and the annotations that add what Karpenter has no field for."""

from __future__ import annotations

from typing import Any

from binwright.v1 import problem_pb2
from binwright_optimizer.model.gpu_sharing import GpuSharing, SharingStrategy
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.requirements import Requirement, contradiction

from binwright_clients.karpenter.lifetimes import lifetime_of
from binwright_clients.karpenter.nodeclasses import (
    DEFAULT_NODE_CLASSES,
    EC2_GROUP,
    NodeClassRef,
    node_class_of,
)
from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.nodeclasses import read_kubelet
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.quantities import quantity_text, read_quantities
from binwright_clients.kubernetes.requirements import (
    exact_requirements,
    read_requirements,
    read_taints,
    requirement_message,
    taint_messages,
)
from binwright_clients.kubernetes.schema import (
    ANY,
    INTEGER,
    QUANTITIES,
    STRING,
    STRINGS,
    ListOf,
    MapOf,
    Record,
    Schema,
)
from binwright_clients.kubernetes.selectors import build
from binwright_clients.spelling import suggestion

MIN_NODES = "binwright.dev/min-nodes"
"""Annotation: fewest nodes of the pool. Karpenter knows no minimum."""

MAX_NODES = "binwright.dev/max-nodes"
"""Annotation: most nodes of the pool; the same as Karpenter's ``limits.nodes``."""

_OWN_PREFIX = "binwright.dev/"
GPU_SHARING = "binwright.dev/gpu-sharing"
"""Annotation: how nodes give their GPUs to pods: fraction, exclusive, time-slicing or mps."""

GPU_REPLICAS = "binwright.dev/gpu-replicas"
"""Annotation: pods per GPU under time-slicing and mps."""

MIG = "binwright.dev/mig"
"""Annotation: whether GPUs are cut by MIG as pods ask for it: true (default) or false."""

ATTACH_LIMITS = "binwright.dev/attach-limits"
"""Annotation: volumes by CSI driver that each node takes: ``ebs.csi.aws.com=25,...``."""

_OWN_ANNOTATIONS = (MIN_NODES, MAX_NODES, GPU_SHARING, GPU_REPLICAS, MIG, ATTACH_LIMITS)

_LARGEST_COUNT = 2**31 - 1

_METADATA: dict[str, Schema] = {
    "name": STRING,
    "generateName": STRING,
    "namespace": STRING,
    "labels": STRINGS,
    "annotations": STRINGS,
    "creationTimestamp": STRING,
    "deletionGracePeriodSeconds": INTEGER,
    "deletionTimestamp": STRING,
    "finalizers": ListOf(STRING),
    "generation": INTEGER,
    "managedFields": ANY,
    "ownerReferences": ANY,
    "resourceVersion": STRING,
    "selfLink": STRING,
    "uid": STRING,
}
_TAINT = Record({"key": STRING, "value": STRING, "effect": STRING, "timeAdded": STRING})
_REQUIREMENT = Record({"key": STRING, "operator": STRING, "values": ListOf(STRING), "minValues": INTEGER})
_BUDGET = Record({"nodes": ANY, "schedule": STRING, "duration": STRING, "reasons": ListOf(STRING)})
_TEMPLATE_SPEC: dict[str, Schema] = {
    "requirements": ListOf(_REQUIREMENT),
    "taints": ListOf(_TAINT),
    "startupTaints": ListOf(_TAINT),
    "nodeClassRef": Record({"group": STRING, "kind": STRING, "name": STRING}),
    "expireAfter": STRING,
    "terminationGracePeriod": STRING,
}
_TEMPLATE_SPEC_V1BETA1: dict[str, Schema] = {
    "requirements": ListOf(_REQUIREMENT),
    "taints": ListOf(_TAINT),
    "startupTaints": ListOf(_TAINT),
    "nodeClassRef": Record({"apiVersion": STRING, "kind": STRING, "name": STRING}),
    "kubelet": MapOf(ANY),
    "resources": MapOf(ANY),
    "terminationGracePeriod": STRING,
}
_DISRUPTION: dict[str, Schema] = {
    "consolidationPolicy": STRING,
    "consolidateAfter": STRING,
    "budgets": ListOf(_BUDGET),
}


def _node_pool(template_spec: dict[str, Schema], disruption: dict[str, Schema]) -> Record:
    template = Record(
        {
            "metadata": Record({"labels": STRINGS, "annotations": STRINGS}),
            "spec": Record(template_spec),
        }
    )
    spec: dict[str, Schema] = {
        "template": template,
        "disruption": Record(disruption),
        "limits": QUANTITIES,
        "weight": INTEGER,
        "replicas": INTEGER,
    }
    return Record(
        {
            "apiVersion": STRING,
            "kind": STRING,
            "metadata": Record(_METADATA),
            "spec": Record(spec),
            "status": ANY,
        }
    )


NODE_OVERLAY = Record(
    {
        "apiVersion": STRING,
        "kind": STRING,
        "metadata": Record(_METADATA),
        "spec": Record(
            {
                "requirements": ListOf(_REQUIREMENT),
                "price": STRING,
                "priceAdjustment": STRING,
                "capacity": QUANTITIES,
                "weight": INTEGER,
            }
        ),
        "status": ANY,
    }
)
NODE_POOL_V1 = _node_pool(_TEMPLATE_SPEC, _DISRUPTION)
NODE_POOL_V1BETA1 = _node_pool(_TEMPLATE_SPEC_V1BETA1, {**_DISRUPTION, "expireAfter": STRING})


def add_node_pool(pool: ManifestObject) -> None:
    """Add a NodePool to the assembly of its object; mistakes are reported there."""
    _check_annotations(pool)
    template = pool.spec.get("template") or {}
    spec = template.get("spec") or {}
    at = "spec.template.spec"
    if not spec:
        pool.problem(at, "", "is missing")
        return
    written = (template.get("metadata") or {}).get("labels")
    labels = read_labels(written, "spec.template.metadata.labels", pool.problem)
    requirements = read_requirements(spec.get("requirements") or [], f"{at}.requirements", pool.problem)
    clash = contradiction((*exact_requirements(labels), *requirements))
    if clash:
        pool.problem(
            f"{at}.requirements",
            " and ".join(str(requirement) for requirement in clash),
            "contradicts itself or the template's labels: no node can match",
        )
    taints = read_taints(spec.get("taints") or [], f"{at}.taints", pool.problem)
    startup_taints = read_taints(spec.get("startupTaints") or [], f"{at}.startupTaints", pool.problem)
    message = pool.assembly.add_node_pool(pool.origin)
    message.name = pool.name
    pool.assembly.node_lifetimes[pool.name] = lifetime_of(spec)
    node_class = node_class_of(spec.get("nodeClassRef") or {})
    if node_class is not None:
        pool.assembly.node_classes[pool.name] = node_class
        wanted = _read_node_class(pool, node_class, message)
        if not clash and contradiction((*exact_requirements(labels), *requirements, *wanted)):
            zones = ", ".join(zone for requirement in wanted for zone in requirement.values)
            pool.problem(
                f"{at}.nodeClassRef.name",
                node_class.name,
                f"the subnets of this EC2NodeClass are in {zones} only, where the pool buys nothing",
            )
        requirements = (*requirements, *wanted)
    if spec.get("kubelet"):  # v1beta1
        read_kubelet(spec["kubelet"], message.node_class, f"{at}.kubelet", pool.problem)
    message.requirements.extend(requirement_message(requirement) for requirement in requirements)
    for key, value in labels.items():
        message.labels[key] = value
    message.taints.extend(taint_messages(taints))
    message.startup_taints.extend(taint_messages(startup_taints))
    weight = pool.spec.get("weight")
    if weight is not None:
        if not 1 <= weight <= 100:
            pool.problem("spec.weight", str(weight), "must be from 1 to 100")
        else:
            message.weight = weight
    limits = read_quantities(pool.spec.get("limits"), "spec.limits", pool.problem)
    caps = _node_caps(pool, limits.pop("nodes", None))
    for resource, text in limits.items():
        message.limits[resource] = text
    fewest, most = _node_bounds(pool, caps)
    _read_gpu_sharing(pool, message)
    _read_attach_limits(pool, message)
    if fewest:
        message.min_nodes = fewest
    if most is not None:
        message.max_nodes = most


def _read_node_class(
    pool: ManifestObject, reference: NodeClassRef, message: problem_pb2.NodePool
) -> tuple[Requirement, ...]:
    """Room and zones of the pool's EC2NodeClass, if it is among the inputs."""
    if (reference.group, reference.kind) != (EC2_GROUP, "EC2NodeClass"):
        if any((reference.group, reference.kind) == (c.group, c.kind) for c in DEFAULT_NODE_CLASSES.values()):
            pool.note(
                f"{reference.kind} {reference.name} is not read: pod slots, what nodes keep and disks are as "
                "the catalogue states them"
            )
        return ()
    found = pool.assembly.ec2_node_classes.get(reference.name)
    if found is None:
        if pool.assembly.ec2_node_classes or pool.metadata.get("uid"):
            # Where no manifest has any, nobody expects them to be read.
            pool.note(
                f"EC2NodeClass {reference.name} is not there: pod slots, what nodes keep, disks and zones are"
                " as the catalogue states them; without it Karpenter launches no node of this NodePool"
            )
        return ()
    message.node_class.CopyFrom(found.room)
    return found.requirements()


def _read_gpu_sharing(pool: ManifestObject, message: problem_pb2.NodePool) -> None:
    annotations: dict[str, Any] = pool.metadata.get("annotations") or {}
    if not any(key in annotations for key in (GPU_SHARING, GPU_REPLICAS, MIG)):
        return
    known = tuple(map(str, SharingStrategy))
    strategy = annotations.get(GPU_SHARING, str(SharingStrategy.FRACTION))
    if strategy not in known:
        hint = suggestion(strategy, known)
        pool.problem(
            f"metadata.annotations[{GPU_SHARING}]", strategy, f"must be one of {', '.join(known)}{hint}"
        )
        return
    mig = annotations.get(MIG, "true")
    if mig not in ("true", "false"):
        pool.problem(f"metadata.annotations[{MIG}]", mig, "must be true or false")
        return
    replicas = _annotated_count(pool, GPU_REPLICAS)
    at = f"metadata.annotations[{GPU_REPLICAS if replicas is not None else GPU_SHARING}]"
    sharing = build(
        lambda: GpuSharing(SharingStrategy(strategy), 1 if replicas is None else replicas, mig == "true"),
        "",
        lambda _, value, description: pool.problem(at, value, description),
    )
    if sharing is not None:
        message.gpu_sharing.strategy = strategy
        message.gpu_sharing.replicas = sharing.replicas
        message.gpu_sharing.mig = sharing.mig


def _read_attach_limits(pool: ManifestObject, message: problem_pb2.NodePool) -> None:
    text: str = (pool.metadata.get("annotations") or {}).get(ATTACH_LIMITS) or ""
    drivers: set[str] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        driver, equals, count = (piece.strip() for piece in part.partition("="))
        if not (driver and equals and count.isascii() and count.isdigit() and len(count) <= 6):
            wanted = "must look like ebs.csi.aws.com=25,efs.csi.aws.com=10"
            pool.problem(f"metadata.annotations[{ATTACH_LIMITS}]", text, wanted)
            return
        if driver in drivers:
            pool.problem(f"metadata.annotations[{ATTACH_LIMITS}]", text, f"names {driver} twice")
            return
        drivers.add(driver)
        message.attach_limits.add(driver=driver, count=int(count))


def _node_caps(pool: ManifestObject, limit: str | None) -> list[int]:
    """Caps on the number of nodes from ``limits.nodes`` and from the annotation."""
    caps = []
    if limit is not None:
        cap = parse_quantity(limit, "nodes")
        if cap > _LARGEST_COUNT:
            pool.problem("spec.limits[nodes]", limit, f"is too large (at most {_LARGEST_COUNT})")
        else:
            caps.append(cap)
    annotated = _annotated_count(pool, MAX_NODES)
    return caps if annotated is None else [*caps, annotated]


def _node_bounds(pool: ManifestObject, caps: list[int]) -> tuple[int, int | None]:
    """Fewest and most nodes; a static pool (``replicas``) has exactly that many."""
    fewest = _annotated_count(pool, MIN_NODES) or 0
    replicas = pool.spec.get("replicas")
    if replicas is not None:
        if not 0 <= replicas <= _LARGEST_COUNT:
            pool.problem("spec.replicas", str(replicas), f"must be from 0 to {_LARGEST_COUNT}")
            return fewest, None
        pool.note(f"replicas: read as a pool of exactly {replicas} nodes")
        fewest, caps = replicas, [*caps, replicas]
    most = min(caps, default=None)
    if most is not None and fewest > most:
        pool.problem(
            f"metadata.annotations[{MIN_NODES}]", str(fewest), f"must not be above the most nodes, {most}"
        )
    return fewest, most


def _check_annotations(pool: ManifestObject) -> None:
    """Report annotations of ours that do not exist, on the pool or on its template.

    Annotations under other prefixes are somebody else's; a misspelt one of ours would lose a bound.
    """
    template: dict[str, Any] = pool.spec.get("template") or {}
    for path, metadata, known in (
        ("metadata", pool.metadata, _OWN_ANNOTATIONS),
        ("spec.template.metadata", template.get("metadata") or {}, ()),
    ):
        for key in metadata.get("annotations") or {}:
            if not key.lower().startswith(_OWN_PREFIX) or key in known:
                continue
            if key in _OWN_ANNOTATIONS:
                description = "is read on the NodePool's own metadata only"
            else:
                description = f"unknown annotation{suggestion(key, _OWN_ANNOTATIONS)}"
            pool.problem(f"{path}.annotations[{key}]", "", description)


def _annotated_count(pool: ManifestObject, annotation: str) -> int | None:
    annotations: dict[str, Any] = pool.metadata.get("annotations") or {}
    text = annotations.get(annotation)
    if text is None:
        return None
    digits = quantity_text(text)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and int(digits) <= _LARGEST_COUNT):
        pool.problem(
            f"metadata.annotations[{annotation}]",
            digits,
            f"must be a whole number from 0 to {_LARGEST_COUNT}",
        )
        return None
    return int(digits)
