"""What the controller may do: list and watch what scheduling depends on, create NodeClaims, write events."""

from __future__ import annotations

from binwright_clients.cluster.kinds import NODE_CLAIMS, WATCHED_KINDS
from binwright_clients.controller.leader import LEASES
from binwright_clients.controller.leader import NAME as LEASE
from binwright_clients.snapshot.permissions import (
    DEFAULT_NAMESPACE,
    Manifest,
    cluster_binding,
    rules,
    service_account,
)

NAME = "binwright-controller"


def controller_permissions(namespace: str = DEFAULT_NAMESPACE) -> tuple[Manifest, ...]:
    """Service account, roles and bindings; the Lease lies in ``namespace``."""
    rbac = "rbac.authorization.k8s.io"
    lease = {"apiGroups": [LEASES.group], "resources": [LEASES.resource]}
    in_namespace = {"name": NAME, "namespace": namespace}
    return (
        service_account(NAME, namespace),
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": NAME},
            "rules": [
                *rules(WATCHED_KINDS, ("list", "watch")),
                *rules((NODE_CLAIMS,), ("list", "create")),
                {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
            ],
        },
        cluster_binding(NAME, namespace),
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": in_namespace,
            "rules": [
                {**lease, "verbs": ["create"]},
                {**lease, "resourceNames": [LEASE], "verbs": ["get", "update"]},
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": in_namespace,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        },
    )
