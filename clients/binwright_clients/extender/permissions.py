"""What the extender may do: follow nodes, pods and namespaces, and create Bindings where it binds."""

from __future__ import annotations

from binwright_clients.cluster.kinds import PODS
from binwright_clients.extender.cluster import WATCHED_KINDS
from binwright_clients.snapshot.permissions import (
    DEFAULT_NAMESPACE,
    Manifest,
    cluster_binding,
    rules,
    service_account,
)

NAME = "binwright-extender"


def extender_permissions(namespace: str = DEFAULT_NAMESPACE, *, binds: bool = False) -> tuple[Manifest, ...]:
    """Service account, role and binding for ``--watch``; with ``binds`` for ``--bind``, too."""
    allowed = rules(WATCHED_KINDS, ("list", "watch"))
    if binds:
        allowed += rules((PODS,), ("get",))
        allowed.append(
            {"apiGroups": [PODS.group], "resources": [f"{PODS.resource}/binding"], "verbs": ["create"]}
        )
    return (
        service_account(NAME, namespace),
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": NAME},
            "rules": allowed,
        },
        cluster_binding(NAME, namespace),
    )
