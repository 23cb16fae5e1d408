"""Cases small enough to check with a pencil, on the real us-east-1 prices of g4dn, g5 and p3.

They show where the rules of other autoscalers lead: least-waste does not see prices, and
Karpenter's packing grows claims. The costs named are optimal.
"""

from __future__ import annotations

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import (
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
from binwright_benchmarks.registry import Build, SharedData, register

TYPES = ("g4dn.*", "g5.*", "p3.*")
_ON_DEMAND = Requirement(label_keys.CAPACITY_TYPE, Operator.IN, ("on-demand",))
_T4 = Requirement(label_keys.GPU_MODEL, Operator.IN, ("t4",))


def _case(count: int, cpu: int, memory_gib: int, *needs: Requirement, spot: bool = False) -> Build:
    request = Resources.of({CPU: cpu * 1000, MEMORY: memory_gib * 2**30, NVIDIA_GPU: 1})
    pods = Workload("gpu-pod", PodTemplate(request, node_selector=needs), count)
    pool = NodePool("default", () if spot else (_ON_DEMAND,))

    def build(_seed: int, _data: SharedData) -> Problem:
        return Problem((pods,), (pool,), embedded_catalog("aws", (REGION,), TYPES))

    return build


for _name, _description, _build in (
    ("t4-pair", "2 pods of 2 CPU, 13 GiB, one T4: 2 g4dn.xlarge, 1.052 $/h", _case(2, 2, 13, _T4)),
    ("gpu-pair", "2 pods of 2 CPU, 13 GiB, any GPU: 2 g4dn.xlarge, 1.052 $/h", _case(2, 2, 13)),
    ("t4-five", "5 pods of 2 CPU, 13 GiB, one T4: 5 g4dn.xlarge, 2.630 $/h", _case(5, 2, 13, _T4)),
    ("one-6-24", "1 pod of 6 CPU, 24 GiB, one GPU: g4dn.2xlarge, 0.752 $/h", _case(1, 6, 24)),
    ("one-4-50", "1 pod of 4 CPU, 50 GiB, one GPU: g4dn.4xlarge, 1.204 $/h", _case(1, 4, 50)),
    ("six-3-50", "6 pods of 3 CPU, 50 GiB, one GPU: 6 g4dn.4xlarge, 7.224 $/h", _case(6, 3, 50)),
    ("spot-or-not", "4 pods of 3 CPU, 13 GiB, one GPU; on demand and spot", _case(4, 3, 13, spot=True)),
):
    register(f"worked-{_name}", _description, deadline_s=2.0)(_build)
