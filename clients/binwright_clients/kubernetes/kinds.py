"""Which kinds are read, which are passed over, and which are misspelt."""

from __future__ import annotations

from binwright_clients.kubernetes.nodeclaims import NODE_CLAIM
from binwright_clients.kubernetes.nodeclasses import EC2_NODE_CLASS
from binwright_clients.kubernetes.nodepools import NODE_OVERLAY, NODE_POOL_V1, NODE_POOL_V1BETA1
from binwright_clients.kubernetes.own_kinds import API_VERSION, OWN_SCHEMAS
from binwright_clients.kubernetes.schema import ANY, STRING, MapOf, Model, Record, Schema
from binwright_clients.spelling import suggestion

_FOREIGN = Record({"apiVersion": STRING, "kind": STRING, "metadata": ANY, "spec": MapOf(ANY), "status": ANY})
"""A kind of another project, of which we use a few fields and check those."""

SCHEMAS: dict[tuple[str, str], Schema] = {
    ("v1", "Pod"): Model("V1Pod"),
    ("v1", "ReplicationController"): Model("V1ReplicationController"),
    ("v1", "Node"): Model("V1Node"),
    ("apps/v1", "Deployment"): Model("V1Deployment"),
    ("apps/v1", "StatefulSet"): Model("V1StatefulSet"),
    ("apps/v1", "ReplicaSet"): Model("V1ReplicaSet"),
    ("apps/v1", "DaemonSet"): Model("V1DaemonSet"),
    ("batch/v1", "Job"): Model("V1Job"),
    ("batch/v1", "CronJob"): Model("V1CronJob"),
    ("scheduling.k8s.io/v1", "PriorityClass"): Model("V1PriorityClass"),
    ("karpenter.sh/v1", "NodePool"): NODE_POOL_V1,
    ("karpenter.sh/v1beta1", "NodePool"): NODE_POOL_V1BETA1,
    ("karpenter.sh/v1alpha1", "NodeOverlay"): NODE_OVERLAY,
    ("karpenter.sh/v1", "NodeClaim"): NODE_CLAIM,
    ("karpenter.k8s.aws/v1", "EC2NodeClass"): EC2_NODE_CLASS,
    ("karpenter.k8s.aws/v1beta1", "EC2NodeClass"): EC2_NODE_CLASS,
    ("v1", "Namespace"): Model("V1Namespace"),
    ("v1", "PersistentVolume"): Model("V1PersistentVolume"),
    ("v1", "PersistentVolumeClaim"): Model("V1PersistentVolumeClaim"),
    ("storage.k8s.io/v1", "StorageClass"): Model("V1StorageClass"),
    ("storage.k8s.io/v1", "CSINode"): Model("V1CSINode"),
    ("resource.k8s.io/v1", "DeviceClass"): Model("V1DeviceClass"),
    ("resource.k8s.io/v1", "ResourceClaim"): Model("ResourceV1ResourceClaim"),
    ("resource.k8s.io/v1", "ResourceClaimTemplate"): Model("V1ResourceClaimTemplate"),
    ("resource.k8s.io/v1", "ResourceSlice"): Model("V1ResourceSlice"),
    ("resource.k8s.io/v1beta2", "ResourceSlice"): Model("V1beta2ResourceSlice"),
    ("resource.k8s.io/v1beta1", "ResourceSlice"): Model("V1beta1ResourceSlice"),
    ("resource.k8s.io/v1beta2", "DeviceClass"): Model("V1beta2DeviceClass"),
    ("resource.k8s.io/v1beta2", "ResourceClaim"): Model("V1beta2ResourceClaim"),
    ("resource.k8s.io/v1beta2", "ResourceClaimTemplate"): Model("V1beta2ResourceClaimTemplate"),
    ("resource.k8s.io/v1beta1", "DeviceClass"): Model("V1beta1DeviceClass"),
    ("resource.k8s.io/v1beta1", "ResourceClaim"): Model("V1beta1ResourceClaim"),
    ("resource.k8s.io/v1beta1", "ResourceClaimTemplate"): Model("V1beta1ResourceClaimTemplate"),
    ("scheduling.k8s.io/v1beta1", "PodGroup"): Model("V1beta1PodGroup"),
    ("scheduling.k8s.io/v1alpha3", "PodGroup"): Model("V1alpha3PodGroup"),
    ("scheduling.x-k8s.io/v1alpha1", "PodGroup"): _FOREIGN,
    ("scheduling.volcano.sh/v1beta1", "PodGroup"): _FOREIGN,
    **OWN_SCHEMAS,
}
"""Schema by apiVersion and kind."""

CLUSTER_SCOPED = frozenset(
    {
        "CSINode",
        "DeviceClass",
        "EC2NodeClass",
        "Namespace",
        "Node",
        "NodeClaim",
        "NodeOverlay",
        "NodePool",
        "PersistentVolume",
        "Policies",
        "PriorityClass",
        "Reservation",
        "ResourceSlice",
        "SavingsPlan",
        "StorageClass",
    }
)

WITH_PODS = frozenset(
    {
        "Pod",
        "ReplicationController",
        "Deployment",
        "StatefulSet",
        "ReplicaSet",
        "DaemonSet",
        "Job",
        "CronJob",
    }
)
"""Kinds that stand for pods."""

_PODLESS: dict[str, frozenset[str]] = {
    "v1": frozenset(
        {
            "Binding",
            "ComponentStatus",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "PodTemplate",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        }
    ),
    "apps/v1": frozenset({"ControllerRevision"}),
    "batch/v1": frozenset(),
}
"""The other kinds of the API groups whose kinds are all known."""

_OUR_GROUPS = ("karpenter.sh", API_VERSION.partition("/")[0])

_VERSIONS: dict[str, list[str]] = {}
for _version, _kind in SCHEMAS:
    _VERSIONS.setdefault(_kind, []).append(_version)


class UnknownKindError(ValueError):
    """No such kind, or not in that version."""


def schema_of(api_version: str, kind: str) -> Schema | None:
    """Schema of a kind, or None if it is passed over.

    Raises
    ------
    UnknownKindError
        If the kind is misspelt, or read in another version only.

    Examples
    --------
    >>> schema_of("v1", "Service") is None
    True
    """
    schema = SCHEMAS.get((api_version, kind))
    if schema is not None:
        return schema
    if api_version in _PODLESS:
        if kind in _PODLESS[api_version]:
            return None
        kinds = [*_PODLESS[api_version], *(name for version, name in SCHEMAS if version == api_version)]
        if kind in _VERSIONS:
            raise UnknownKindError(f"kind {kind} is of apiVersion {' or '.join(_VERSIONS[kind])}")
        raise UnknownKindError(f"apiVersion {api_version} has no kind {kind!r}{suggestion(kind, kinds)}")
    group = api_version.partition("/")[0]
    is_ours = "." not in group or group.endswith(".k8s.io") or group in _OUR_GROUPS
    if kind in _VERSIONS and is_ours:
        raise UnknownKindError(f"kind {kind} is read in apiVersion {' or '.join(_VERSIONS[kind])} only")
    return None
