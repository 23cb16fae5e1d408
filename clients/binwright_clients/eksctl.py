"""A decision as an eksctl ClusterConfig with managed node groups.

Schema: ``pkg/apis/eksctl.io/v1alpha5/assets/schema.json`` of github.com/eksctl-io/eksctl. The file
serves both ``eksctl create cluster -f`` and, for a cluster of that name which exists,
``eksctl create nodegroup -f``.

Startup taints become ordinary taints of the group, because managed node groups know no other
kind; the flags of `clusterautoscaler` tell the autoscaler to look past them.
"""

from __future__ import annotations

from collections.abc import Sequence

from binwright_clients.errors import InputError
from binwright_clients.node_groups import NodeGroup, disk_gib, fitted_name, only_region

DEFAULT_VOLUME_GIB = 80
"""eksctl's own default; GPU images do not fit into the 20 GiB that EKS would give."""

MAX_NAME = 63
"""Longest name of a managed node group (API_Nodegroup of Amazon EKS)."""

FEWEST_ZONES = 2
"""Zones that an EKS control plane needs."""

Manifest = dict[str, object]


def cluster_config(
    groups: Sequence[NodeGroup], cluster_name: str, zones_of_region: Sequence[str] = ()
) -> Manifest:
    """The ClusterConfig that creates these groups.

    Parameters
    ----------
    zones_of_region
        Zones from which the control plane takes a second one where all groups lie in one zone.

    Raises
    ------
    InputError
        If the groups lie in several regions, or in none.
    """
    region = only_region(groups, "-o eksctl")
    if not region:
        raise InputError.of("-o eksctl", "needs a region, and the catalogue names none")
    config: Manifest = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": cluster_name, "region": region},
    }
    zones = sorted({group.zone for group in groups if group.zone})
    spare = [zone for zone in zones_of_region if zone not in zones]
    zones = sorted([*zones, *spare[: max(0, FEWEST_ZONES - len(zones))]])
    if len(zones) >= FEWEST_ZONES:
        config["availabilityZones"] = zones
    config["iam"] = {
        "withOIDC": True,
        "serviceAccounts": [
            {
                "metadata": {"name": "cluster-autoscaler", "namespace": "kube-system"},
                "wellKnownPolicies": {"autoScaler": True},
            }
        ],
    }
    config["managedNodeGroups"] = [_managed_group(group) for group in groups]
    return config


def _managed_group(group: NodeGroup) -> Manifest:
    manifest: Manifest = {
        "name": fitted_name(group.name, MAX_NAME),
        "instanceTypes": [group.instance_type],
        "spot": group.is_spot,
    }
    if group.zone:
        manifest["availabilityZones"] = [group.zone]
    manifest |= {
        "minSize": group.min_size,
        "desiredCapacity": group.desired,
        "maxSize": group.max_size,
        "volumeSize": disk_gib(group, DEFAULT_VOLUME_GIB),
        "volumeType": "gp3",
        "volumeEncrypted": True,
        "privateNetworking": True,
        "labels": dict(group.labels),
    }
    if group.max_pods:
        manifest["maxPodsPerNode"] = group.max_pods
    if group.taints:
        manifest["taints"] = [
            {"key": taint.key, "effect": taint.effect} | ({"value": taint.value} if taint.value else {})
            for taint in group.taints
        ]
    # Cluster Autoscaler sees labels and taints of an empty group only as tags of its Auto Scaling group.
    manifest["propagateASGTags"] = True
    return manifest
