"""Cases small enough to check with a pencil, on real us-east-1 prices.

They show where the rules of other autoscalers lead: least-waste does not see prices, and
Karpenter's packing grows claims. The costs named are optimal. Issue numbers are those of the projects whose
users reported the case.
"""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import (
    DaemonSet,
    NodePool,
    Operator,
    PodTemplate,
    Problem,
    Requirement,
    Resources,
    Workload,
)
from binwright_optimizer.model import labels as label_keys
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU

from binwright_benchmarks.questions import REGION
from binwright_benchmarks.registry import SharedData, register

GPU_TYPES = ("g4dn.*", "g5.*", "p3.*")
_ON_DEMAND = Requirement(label_keys.CAPACITY_TYPE, Operator.IN, ("on-demand",))
_T4 = Requirement(label_keys.GPU_MODEL, Operator.IN, ("t4",))


@dataclass(frozen=True, slots=True)
class Pods:
    """Equal pods: CPU in milli, memory in GiB."""

    count: int
    cpu_milli: int
    memory_gib: int
    gpus: int = 0
    needs: tuple[Requirement, ...] = ()


def _case(
    name: str,
    description: str,
    *pods: Pods,
    types: tuple[str, ...] = GPU_TYPES,
    sells_spot: bool = False,
    daemon_cpu_milli: int = 0,
) -> None:
    """Register one case; ``daemon_cpu_milli`` is what a daemon takes on every node."""
    workloads = tuple(
        Workload(
            f"pod-{k}",
            PodTemplate(_requests(each.cpu_milli, each.memory_gib, each.gpus), node_selector=each.needs),
            each.count,
        )
        for k, each in enumerate(pods)
    )
    pool = NodePool("default", () if sells_spot else (_ON_DEMAND,))
    daemon = DaemonSet("agent", PodTemplate(_requests(daemon_cpu_milli, 0, 0)))

    def build(_seed: int, _data: SharedData) -> Problem:
        catalog = embedded_catalog("aws", (REGION,), types)
        return Problem(workloads, (pool,), catalog, daemon_sets=(daemon,) if daemon_cpu_milli else ())

    register(f"worked-{name}", description, deadline_s=2.0)(build)


def _requests(cpu_milli: int, memory_gib: int, gpus: int) -> Resources:
    return Resources.of({CPU: cpu_milli, MEMORY: memory_gib * 2**30, NVIDIA_GPU: gpus})


_case("t4-pair", "2 pods of 2 CPU, 13 GiB, one T4: 2 g4dn.xlarge, 1.052 $/h", Pods(2, 2000, 13, 1, (_T4,)))
_case("t4-five", "5 pods of 2 CPU, 13 GiB, one T4: 5 g4dn.xlarge, 2.630 $/h", Pods(5, 2000, 13, 1, (_T4,)))
_case("gpu-pair", "2 pods of 2 CPU, 13 GiB, any GPU: 2 g4dn.xlarge, 1.052 $/h", Pods(2, 2000, 13, 1))
_case("one-6-24", "1 pod of 6 CPU, 24 GiB, one GPU: g4dn.2xlarge, 0.752 $/h", Pods(1, 6000, 24, 1))
_case("one-4-50", "1 pod of 4 CPU, 50 GiB, one GPU: g4dn.4xlarge, 1.204 $/h", Pods(1, 4000, 50, 1))
_case("six-3-50", "6 pods of 3 CPU, 50 GiB, one GPU: 6 g4dn.4xlarge, 7.224 $/h", Pods(6, 3000, 50, 1))
_case(
    "spot-or-not",
    "4 pods of 3 CPU, 13 GiB, one GPU: 4 g4dn.xlarge on spot, 0.757 $/h",
    Pods(4, 3000, 13, 1),
    sells_spot=True,
)
_case(
    "g5-pair",
    "2 pods of one GPU on g5 (aws#5379): 2 g5.xlarge, 2.012 $/h, not a 12xlarge",
    Pods(2, 2000, 13, 1),
    types=("g5.*",),
)
_case(
    "three-and-one",
    "pods of 3 and 1 CPU on c5 (karpenter#2457): xlarge and large, 0.255 $/h",
    Pods(1, 3000, 1),
    Pods(1, 1000, 1),
    types=("c5.*",),
)
_case(
    "i3-or-r5",
    "1 pod of 6 CPU, 52 GiB (autoscaler#1821): r5.2xlarge, 0.504 $/h, not i3",
    Pods(1, 6000, 52),
    types=("i3.2xlarge", "r5.2xlarge"),
)
_case(
    "daemon",
    "16 pods of 0.9 CPU, 1 CPU a node of daemon (aws#5908): c6i.4xlarge, 0.680 $/h",
    Pods(16, 900, 1),
    types=("c6i.*",),
    daemon_cpu_milli=1000,
)
