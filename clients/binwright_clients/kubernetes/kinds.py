"""Which kinds are read, which are passed over, and which are misspelt."""

from __future__ import annotations

from binwright_clients.kubernetes.nodepools import NODE_POOL_V1, NODE_POOL_V1BETA1
from binwright_clients.kubernetes.schema import Model, Schema
from binwright_clients.spelling import suggestion

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
}
"""Schema by apiVersion and kind."""

CLUSTER_SCOPED = frozenset({"Node", "NodePool", "PriorityClass"})

_PODLESS: dict[str, frozenset[str]] = {
    "v1": frozenset(
        {
            "Binding",
            "ComponentStatus",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "Namespace",
            "PersistentVolume",
            "PersistentVolumeClaim",
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
    is_ours = "." not in group or group.endswith(".k8s.io") or group == "karpenter.sh"
    if kind in _VERSIONS and is_ours:
        raise UnknownKindError(f"kind {kind} is read in apiVersion {' or '.join(_VERSIONS[kind])} only")
    return None
