"""AKS: ``azurerm_kubernetes_cluster_node_pool`` of github.com/hashicorp/terraform-provider-azurerm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from binwright_clients.node_groups import GroupTaint, NodeGroup, disk_gib, only_region

MAX_NAME = 12
"""Longest name of a Linux node pool: lower case letters and digits, a letter first."""

DISK_GIB = 128
"""AKS's default OS disk."""

SPOT_KEY = "kubernetes.azure.com/scalesetpriority"
"""AKS puts a label and a taint of this key on spot nodes; the provider asks for both to be named."""

_ZONE_NUMBER = re.compile(r"-([1-9])$")


def configuration(groups: Sequence[NodeGroup], cluster_name: str) -> dict[str, object]:
    """Provider, variables, the cluster looked up by name, and one node pool for each group."""
    only_region(groups, "-o terraform")
    return {
        "terraform": {
            "required_providers": {"azurerm": {"source": "hashicorp/azurerm", "version": ">= 4.0"}}
        },
        "variable": {
            "cluster_name": {"type": "string", "default": cluster_name},
            "resource_group_name": {"type": "string", "description": "Resource group of the cluster"},
        },
        "data": {
            "azurerm_kubernetes_cluster": {
                "cluster": {
                    "name": "${var.cluster_name}",
                    "resource_group_name": "${var.resource_group_name}",
                }
            }
        },
        "resource": {
            "azurerm_kubernetes_cluster_node_pool": {group.name: _resource(group) for group in groups}
        },
    }


def _resource(group: NodeGroup) -> dict[str, object]:
    labels, taints = dict(group.labels), [_taint(taint) for taint in group.taints]
    resource: dict[str, object] = {
        "name": pool_name(group),
        "kubernetes_cluster_id": "${data.azurerm_kubernetes_cluster.cluster.id}",
        "vm_size": group.instance_type,
        "mode": "User",
        "os_type": "Linux",
        "os_disk_size_gb": disk_gib(group, DISK_GIB),
        "auto_scaling_enabled": True,
        "min_count": group.min_size,
        "node_count": group.desired,
        "max_count": group.max_size,
    }
    zone = _ZONE_NUMBER.search(group.zone)
    if zone:
        resource["zones"] = [zone[1]]
    if group.is_spot:
        labels[SPOT_KEY] = "spot"
        taints.append(f"{SPOT_KEY}=spot:NoSchedule")
        resource |= {"priority": "Spot", "eviction_policy": "Delete", "spot_max_price": -1}
    resource["node_labels"] = labels
    if taints:
        resource["node_taints"] = taints
    resource["lifecycle"] = {"ignore_changes": ["node_count"]}
    return resource


def pool_name(group: NodeGroup) -> str:
    """The start of the NodePool's name and a hash of the group's, within `MAX_NAME`.

    >>> pool_name(NodeGroup("web-d4", "web", "Standard_D4s_v5", "eastus", "", "spot", 1, 1, 0, 2))
    'webd3093862'
    """
    start = re.sub(r"[^a-z0-9]", "", group.node_pool.lower()).lstrip("0123456789")[:4] or "pool"
    return start + hashlib.sha256(group.name.encode()).hexdigest()[: MAX_NAME - 4]


def _taint(taint: GroupTaint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}"
