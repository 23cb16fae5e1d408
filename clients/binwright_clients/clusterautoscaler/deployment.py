"""The manifests that run Cluster Autoscaler on EKS for the node groups of a decision.

GKE and AKS run Cluster Autoscaler themselves; there its settings are those of the node pools, which
``-o terraform`` writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from binwright_clients.clusterautoscaler.flags import flags
from binwright_clients.clusterautoscaler.rbac import NAME, NAMESPACE, Manifest, permissions
from binwright_clients.node_groups import NodeGroup, only_region

IMAGE = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.0"
"""Its minor version should be that of the cluster."""

EXPANDER_SECRET = "binwright-expander-ca"  # noqa: S105  (the name of a Secret, not one)
"""Secret in `NAMESPACE` whose ``ca.crt`` signs the certificate of the gRPC expander."""

_CERTIFICATES = "/etc/binwright-expander"


def autoscaler_manifests(
    groups: Sequence[NodeGroup], cluster_name: str, expander_url: str = ""
) -> tuple[Manifest, ...]:
    """Permissions and Deployment.

    Parameters
    ----------
    expander_url
        ``HOST:PORT`` of a gRPC expander to ask first; its authority is read from `EXPANDER_SECRET`.

    Raises
    ------
    InputError
        If the groups lie in several regions.
    """
    region = only_region(groups, "-o clusterautoscaler")
    return (*permissions(), _deployment(groups, region, cluster_name, expander_url))


def _deployment(groups: Sequence[NodeGroup], region: str, cluster_name: str, expander_url: str) -> Manifest:
    app = {"app": NAME}
    container: Manifest = {
        "name": NAME,
        "image": IMAGE,
        "command": flags(groups, cluster_name, expander_url, f"{_CERTIFICATES}/ca.crt"),
        "resources": {
            "requests": {"cpu": "100m", "memory": "600Mi"},
            "limits": {"memory": "600Mi"},
        },
        "ports": [{"name": "metrics", "containerPort": 8085}],
        "livenessProbe": {
            "httpGet": {"path": "/health-check", "port": "metrics"},
            "initialDelaySeconds": 60,
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    if region:
        container["env"] = [{"name": "AWS_REGION", "value": region}]
    pod: Manifest = {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "fsGroup": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    if expander_url:
        container["volumeMounts"] = [{"name": "expander-ca", "mountPath": _CERTIFICATES, "readOnly": True}]
        pod["volumes"] = [{"name": "expander-ca", "secret": {"secretName": EXPANDER_SECRET}}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": app},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": app},
            "template": {
                "metadata": {
                    "labels": app,
                    "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8085"},
                },
                "spec": pod,
            },
        },
    }
