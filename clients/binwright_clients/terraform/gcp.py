"""GKE: ``google_container_node_pool`` of github.com/hashicorp/terraform-provider-google."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_clients.node_groups import NodeGroup, disk_gib, fitted_name, only_region
from binwright_clients.terraform.aws import EFFECTS

MAX_NAME = 40
"""Longest name of a node pool."""

DISK_GIB = 100
"""GKE's default boot disk."""


def configuration(groups: Sequence[NodeGroup], cluster_name: str) -> dict[str, object]:
    """Provider, variables and one ``google_container_node_pool`` for each group."""
    region = only_region(groups, "-o terraform")
    location: dict[str, object] = {"type": "string", "description": "Region or zone of the cluster"}
    if region:
        location["default"] = region
    return {
        "terraform": {"required_providers": {"google": {"source": "hashicorp/google", "version": ">= 5.0"}}},
        "variable": {
            "cluster_name": {"type": "string", "default": cluster_name},
            "cluster_location": location,
        },
        "resource": {
            "google_container_node_pool": {
                fitted_name(group.name, MAX_NAME): _resource(group) for group in groups
            }
        },
    }


def _resource(group: NodeGroup) -> dict[str, object]:
    # The catalogue names an N1 machine with attached GPUs n1-standard-8+t4x1.
    node: dict[str, object] = {
        "machine_type": group.instance_type.partition("+")[0],
        "spot": group.is_spot,
        "disk_size_gb": disk_gib(group, DISK_GIB),
        "labels": dict(group.labels),
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
    }
    if group.accelerator and group.gpu_count:
        node["guest_accelerator"] = [{"type": group.accelerator, "count": group.gpu_count}]
    if group.taints:
        node["taint"] = [
            {"key": taint.key, "value": taint.value, "effect": EFFECTS[taint.effect]}
            for taint in group.taints
        ]
    resource: dict[str, object] = {
        "name": fitted_name(group.name, MAX_NAME),
        "cluster": "${var.cluster_name}",
        "location": "${var.cluster_location}",
        "initial_node_count": group.desired,
        # Of one zone, so that the limits per zone are those of the pool.
        "autoscaling": {"min_node_count": group.min_size, "max_node_count": group.max_size},
        "node_config": node,
        # A change of the initial count would make the pool anew.
        "lifecycle": {"ignore_changes": ["initial_node_count"]},
    }
    if group.zone:
        resource["node_locations"] = [group.zone]
    return resource
