"""EKS: ``aws_eks_node_group`` of github.com/hashicorp/terraform-provider-aws."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_clients.node_groups import NodeGroup, disk_gib, fitted_name, only_region

MAX_NAME = 63
DISK_GIB = 80
"""Room for GPU images, as eksctl has it; EKS itself would give 20."""

EFFECTS = {
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
}
"""Taint effects as EKS and GKE spell them."""

_NEURON = ("inferentia", "trainium")


def configuration(groups: Sequence[NodeGroup], cluster_name: str) -> dict[str, object]:
    """Provider, variables and one ``aws_eks_node_group`` for each group."""
    only_region(groups, "-o terraform")
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}}},
        "variable": {
            "cluster_name": {"type": "string", "default": cluster_name},
            "node_role_arn": {"type": "string", "description": "IAM role of the nodes"},
            "subnet_ids": {
                "type": "map(list(string))",
                "description": "Subnets of the nodes, by availability zone",
            },
        },
        "resource": {
            "aws_eks_node_group": {fitted_name(group.name, MAX_NAME): _resource(group) for group in groups}
        },
    }


def _resource(group: NodeGroup) -> dict[str, object]:
    in_zone = f'var.subnet_ids["{group.zone}"]' if group.zone else "flatten(values(var.subnet_ids))"
    resource: dict[str, object] = {
        "cluster_name": "${var.cluster_name}",
        "node_group_name": fitted_name(group.name, MAX_NAME),
        "node_role_arn": "${var.node_role_arn}",
        "subnet_ids": f"${{{in_zone}}}",
        "instance_types": [group.instance_type],
        "capacity_type": "SPOT" if group.is_spot else "ON_DEMAND",
        "ami_type": _ami_type(group),
        "disk_size": disk_gib(group, DISK_GIB),
        "scaling_config": {
            "desired_size": group.desired,
            "min_size": group.min_size,
            "max_size": group.max_size,
        },
        "labels": dict(group.labels),
        # The autoscaler moves the desired size; the next apply must not move it back.
        "lifecycle": {"ignore_changes": ["scaling_config[0].desired_size"]},
    }
    if group.taints:
        resource["taint"] = [
            {"key": taint.key, "effect": EFFECTS[taint.effect]}
            | ({"value": taint.value} if taint.value else {})
            for taint in group.taints
        ]
    return resource


def _ami_type(group: NodeGroup) -> str:
    """Amazon Linux 2023 with the drivers that the accelerator needs (API_Nodegroup, ``amiType``)."""
    if group.gpu_model.startswith(_NEURON):
        return "AL2023_x86_64_NEURON"
    if group.gpu_count:
        return "AL2023_ARM_64_NVIDIA" if group.arch == "arm64" else "AL2023_x86_64_NVIDIA"
    return "AL2023_ARM_64_STANDARD" if group.arch == "arm64" else "AL2023_x86_64_STANDARD"
