"""Leaves out what no reader of ours looks at, above all what may be secret."""

from __future__ import annotations

from typing import Any

from binwright_clients.cluster.api import Json
from binwright_clients.kubernetes.resized import resize_told

_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_OF_CONTAINERS = frozenset(
    {"args", "command", "env", "envFrom", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}
)
"""Commands and environments carry passwords more often than they should."""

_KEPT_STATUS = {
    "Node": frozenset({"allocatable", "capacity", "conditions", "volumesAttached"}),
    "Pod": frozenset({"phase", "conditions", "nominatedNodeName", "startTime", "resize"}),
    "PersistentVolumeClaim": frozenset({"phase", "capacity"}),
    "PersistentVolume": frozenset({"phase"}),
    "EC2NodeClass": frozenset({"subnets"}),
}
"""Status fields that say something of scheduling; other kinds keep their whole status."""


def trimmed(item: Json) -> Json:
    """A copy without managed fields, environments, commands, probes and chatty status.

    Examples
    --------
    >>> pod = {"kind": "Pod", "metadata": {"name": "p", "managedFields": [{}]}}
    >>> pod["spec"] = {"containers": [{"name": "c", "env": [{"name": "PASSWORD"}]}]}
    >>> trimmed(pod)
    {'kind': 'Pod', 'metadata': {'name': 'p'}, 'spec': {'containers': [{'name': 'c'}]}}
    """
    kept = dict(item)
    metadata = {key: value for key, value in (item.get("metadata") or {}).items() if key != "managedFields"}
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and _APPLIED in annotations:
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _APPLIED}
    kept["metadata"] = metadata
    kind = item.get("kind")
    if kind == "Pod" and isinstance(item.get("spec"), dict):
        kept["spec"] = _pod_spec(item["spec"])
    elif kind == "DaemonSet" and isinstance(item.get("spec"), dict):
        template = item["spec"].get("template")
        if isinstance(template, dict) and isinstance(template.get("spec"), dict):
            kept["spec"] = {
                **item["spec"],
                "template": {**template, "spec": _pod_spec(template["spec"])},
            }
    elif kind == "EC2NodeClass" and isinstance(item.get("spec"), dict):
        # Start-up scripts carry tokens as readily as environments do.
        kept["spec"] = {key: value for key, value in item["spec"].items() if key != "userData"}
    status = item.get("status")
    if isinstance(status, dict) and kind in _KEPT_STATUS:
        kept["status"] = {key: value for key, value in status.items() if key in _KEPT_STATUS[kind]}
        if kind == "Pod":
            kept["status"] |= resize_told(item)
    return kept


def _pod_spec(spec: Json) -> Json:
    kept = dict(spec)
    for field in ("containers", "initContainers", "ephemeralContainers"):
        containers = spec.get(field)
        if isinstance(containers, list):
            kept[field] = [_container(container) for container in containers]
    return kept


def _container(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    return {key: value for key, value in container.items() if key not in _OF_CONTAINERS}
