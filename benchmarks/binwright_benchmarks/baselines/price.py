"""Cluster Autoscaler's price expander.

After ``pkg/expander/price`` of kubernetes-sigs/cluster-autoscaler (commit 33c3f97). The score of a
group is money spent over money's worth, times how ill the node suits the cluster; smallest wins::

    (price of one node x nodes + s) / (sum of pod prices + s)  x  suppressed unfitness

- A pod's price is what its requests would cost alone; s is that of a pod of 0.5 CPU and 500 MiB.
- Unfitness u compares the node's CPU with that of the node preferred at this cluster size, the larger
  over the smaller. The more nodes are opened the less it counts: (u - 1)(1 - tanh((nodes - 1) / 15)) + 1.
- A node with a GPU has the constant 1000 instead.
- A group that does not exist yet counts double; here every group exists.
- Between equal scores the first group wins; nothing is random.

The expander needs a cloud provider with a price model. Only Google's has one in the tree (Amazon's was
never merged), or an external provider serves it. So the price of a node is its price in our catalogue,
and that of a pod follows the only published model, ``gce_price_info.go``: constant prices per core, GiB and
GPU. They lie within a tenth of what AWS asks for general-purpose nodes, and cancel wherever options place
the same pods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from binwright_benchmarks.baselines.estimator import Option

CPU_USD_H = 0.033174
MEMORY_GIB_USD_H = 0.004446
GPU_USD_H = 0.7
GPU_UNFITNESS = 1000.0
STABILISING_POD = (500, 500 * 2**20)
"""CPU (milli) and memory (bytes)."""

PREFERRED_CPU_MILLI = ((2, 1_000), (6, 2_000), (20, 4_000), (60, 8_000), (200, 16_000))
"""CPU of the preferred node for clusters of up to so many nodes; `LARGE_CPU_MILLI` beyond."""
LARGE_CPU_MILLI = 32_000


def price(options: Sequence[Option], cluster_nodes: int) -> Sequence[Option]:
    """The one group of the smallest score."""
    scored = []
    for option in options:
        # Among groups that share an estimate only the price differs.
        least = min(range(len(option.groups)), key=lambda k: (option.prices[k], option.groups[k]))
        group, cost = option.groups[least], option.prices[least]
        scored.append((price_score(option, cost / 1e6, cluster_nodes), group, cost, option))
    _, group, cost, option = min(scored, key=lambda entry: entry[:2])
    return [replace(option, groups=(group,), prices=(cost,))]


def price_score(option: Option, node_usd: float, cluster_nodes: int) -> float:
    """Score of growing one group whose nodes cost ``node_usd`` dollars per hour."""
    stabilising = pod_usd(*STABILISING_POD)
    pods = pod_usd(*option.requested, option.requested_gpus)
    ratio = (node_usd * option.nodes + stabilising) / (pods + stabilising)
    return suppressed_unfitness(option, cluster_nodes) * ratio


def pod_usd(cpu_milli: int, memory_bytes: int, gpus: int = 0) -> float:
    """Dollars per hour of requests on a node that matches them exactly."""
    return cpu_milli / 1000 * CPU_USD_H + memory_bytes / 2**30 * MEMORY_GIB_USD_H + gpus * GPU_USD_H


def suppressed_unfitness(option: Option, cluster_nodes: int) -> float:
    """How ill the node suits the cluster, from 1 up; less the more of them are opened."""
    if option.has_gpu:
        return GPU_UNFITNESS
    cpu = option.capacity[0]
    if cpu == 0:
        return math.inf
    preferred = preferred_cpu_milli(cluster_nodes)
    unfitness = max(preferred / cpu, cpu / preferred)
    return (unfitness - 1.0) * (1.0 - math.tanh((option.nodes - 1) / 15.0)) + 1.0


def preferred_cpu_milli(cluster_nodes: int) -> int:
    """CPU of the preferred node: it doubles each time the cluster grows threefold."""
    return next((cpu for nodes, cpu in PREFERRED_CPU_MILLI if cluster_nodes <= nodes), LARGE_CPU_MILLI)
