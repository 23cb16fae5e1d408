"""Names of the rules that hold between pods, nodes and what is bought, beside plain room and labels.

The verifier checks each by itself; `unenforced` says which of them the search does not hold yet.
"""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """One rule; its value begins each finding about it."""

    TOPOLOGY_SPREAD = "topology spread"
    POD_AFFINITY = "pod affinity"
    AFFINITY_ON_NODES = "pod affinity by node"
    POD_ANTI_AFFINITY = "pod anti-affinity"
    NODE_CAPS = "node cap"
    HOST_PORTS = "host port"
    DAEMON_PORTS = "host port of a daemon"
    VOLUMES = "volume"
    SHARED_VOLUMES = "shared volume"
    RUNNING_PODS = "rule of a running pod"
    GANGS = "gang"
    GANGS_ON_NODES = "gang on one node"
    SPOT = "spot policy"
    SPOT_LOSS = "spot loss"
    PROBLEM_SPOT = "spot policy of the problem"
    GPU_NODES = "accelerated nodes"
    DEVICE_CLAIMS = "device claim"
    MIN_VALUES = "minValues"
    PRIORITIES = "priority"
