"""Well-known node label keys."""

from __future__ import annotations

ARCH = "kubernetes.io/arch"
OS = "kubernetes.io/os"
HOSTNAME = "kubernetes.io/hostname"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
REGION = "topology.kubernetes.io/region"
ZONE = "topology.kubernetes.io/zone"
CAPACITY_TYPE = "karpenter.sh/capacity-type"
NODE_POOL = "karpenter.sh/nodepool"
GPU_MODEL = "binwright.dev/gpu-model"
"""Accelerator model in one spelling for all clouds, such as ``t4`` or ``a100-40gb``."""
CLOUD = "binwright.dev/cloud"
BARE_METAL = "binwright.dev/bare-metal"
"""``true`` on machines sold without a hypervisor; absent elsewhere."""
BURSTABLE = "binwright.dev/burstable"
"""``true`` on machines whose CPU is a credit budget or shared; absent elsewhere."""
