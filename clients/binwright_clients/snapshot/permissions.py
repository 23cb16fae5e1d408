"""The permissions that a snapshot needs: ``list`` on the kinds it reads, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from binwright_clients.cluster.kinds import SNAPSHOT_KINDS, Kind

NAME = "binwright-snapshot"

Manifest = dict[str, object]

DEFAULT_NAMESPACE = "kube-system"
"""Exists everywhere."""


def snapshot_permissions(namespace: str = DEFAULT_NAMESPACE) -> tuple[Manifest, ...]:
    """Service account, read-only role and binding."""
    return (
        service_account(NAME, namespace),
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": NAME},
            "rules": rules(SNAPSHOT_KINDS, ("list",)),
        },
        cluster_binding(NAME, namespace),
    )


def service_account(name: str, namespace: str) -> Manifest:
    """A service account."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def cluster_binding(name: str, namespace: str) -> Manifest:
    """The binding of a service account to the ClusterRole of its name."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def rules(kinds: Iterable[Kind], verbs: Iterable[str]) -> list[Manifest]:
    """One rule for each API group."""
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        groups.setdefault(kind.group, []).append(kind.resource)
    return [
        {"apiGroups": [group], "resources": sorted(resources), "verbs": list(verbs)}
        for group, resources in groups.items()
    ]
