"""What Cluster Autoscaler may do in the cluster.

The permissions of its own published example (``cluster-autoscaler-autodiscover.yaml``), its Helm
chart, and those that dynamic resource allocation needs since that is always on.
"""

from __future__ import annotations

NAME = "cluster-autoscaler"
NAMESPACE = "kube-system"

_READ = ("get", "list", "watch")

_RULES: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ("", ("events", "endpoints"), ("create", "patch"), ()),
    ("", ("pods/eviction",), ("create",), ()),
    ("", ("pods/status",), ("update",), ()),
    ("", ("endpoints",), ("get", "update"), (NAME,)),
    ("", ("nodes",), (*_READ, "update"), ()),
    (
        "",
        (
            "namespaces",
            "persistentvolumeclaims",
            "persistentvolumes",
            "pods",
            "replicationcontrollers",
            "services",
        ),
        _READ,
        (),
    ),
    ("apps", ("daemonsets", "replicasets", "statefulsets"), _READ, ()),
    ("batch", ("cronjobs", "jobs"), (*_READ, "patch"), ()),
    ("policy", ("poddisruptionbudgets",), ("list", "watch"), ()),
    (
        "storage.k8s.io",
        ("csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"),
        _READ,
        (),
    ),
    ("resource.k8s.io", ("deviceclasses", "resourceclaims", "resourceslices"), _READ, ()),
    ("coordination.k8s.io", ("leases",), ("create",), ()),
    ("coordination.k8s.io", ("leases",), ("get", "update"), (NAME,)),
)
"""API group, resources, verbs, and the only names allowed where there are any."""

_RULES_IN_NAMESPACE: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ("", ("configmaps",), ("create", "list", "watch"), ()),
    (
        "",
        ("configmaps",),
        ("delete", "get", "update", "watch"),
        ("cluster-autoscaler-status", "cluster-autoscaler-priority-expander"),
    ),
)

Manifest = dict[str, object]


def permissions() -> tuple[Manifest, ...]:
    """Service account, roles and bindings."""
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    group = "rbac.authorization.k8s.io"
    in_cluster: Manifest = {"name": NAME}
    in_namespace: Manifest = {"name": NAME, "namespace": NAMESPACE}
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": in_namespace},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": in_cluster,
            "rules": [_rule(*rule) for rule in _RULES],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": in_namespace,
            "rules": [_rule(*rule) for rule in _RULES_IN_NAMESPACE],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": in_cluster,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": NAME},
            "subjects": [subject],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": in_namespace,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": NAME},
            "subjects": [subject],
        },
    )


def _rule(group: str, resources: tuple[str, ...], verbs: tuple[str, ...], names: tuple[str, ...]) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
    if names:
        rule["resourceNames"] = list(names)
    return rule
