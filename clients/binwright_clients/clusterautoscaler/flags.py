"""The command line of Cluster Autoscaler.

Names as in ``config/flags`` of sigs.k8s.io/cluster-autoscaler. On EKS the Auto Scaling groups of
managed node groups bear the tags that discovery looks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from binwright_clients.node_groups import NodeGroup

EXPANDER = "least-waste"
"""Used alone, and after ours where that does not answer."""

SCALE_DOWN_DELAY_AFTER_ADD = "10m"
SCALE_DOWN_UNNEEDED_TIME = "10m"
SCALE_DOWN_UTILIZATION_THRESHOLD = 0.5
"""Cluster Autoscaler's defaults, written out because they are what one tunes first."""


def flags(
    groups: Sequence[NodeGroup], cluster_name: str, expander_url: str = "", certificate: str = ""
) -> list[str]:
    """Arguments of the container, program first.

    Parameters
    ----------
    expander_url
        ``HOST:PORT`` of an expander that speaks gRPC; empty for `EXPANDER` alone.
    certificate
        Path in the container of the authority of the expander's certificate; Cluster Autoscaler
        refuses an expander without TLS.
    """
    tags = f"k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/{cluster_name}"
    command = [
        "./cluster-autoscaler",
        "--v=4",
        "--stderrthreshold=info",
        "--cloud-provider=aws",
        f"--node-group-auto-discovery=asg:tag={tags}",
        f"--expander={f'grpc,{EXPANDER}' if expander_url else EXPANDER}",
        "--balance-similar-node-groups",
        "--skip-nodes-with-system-pods=false",
        "--skip-nodes-with-local-storage=false",
        f"--scale-down-delay-after-add={SCALE_DOWN_DELAY_AFTER_ADD}",
        f"--scale-down-unneeded-time={SCALE_DOWN_UNNEEDED_TIME}",
        f"--scale-down-utilization-threshold={SCALE_DOWN_UTILIZATION_THRESHOLD}",
    ]
    if expander_url:
        command += [f"--grpc-expander-url={expander_url}", f"--grpc-expander-cert={certificate}"]
    return command + [f"--startup-taint={key}" for key in _startup_taints(groups)]


def _startup_taints(groups: Iterable[NodeGroup]) -> list[str]:
    return sorted({taint.key for group in groups for taint in group.taints if taint.is_startup})
