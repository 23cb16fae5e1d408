"""Generated micro-services on five types, on curated families, and on all that AWS sells in a region."""

from __future__ import annotations

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import NodePool, Operator, Problem, Requirement, labels
from binwright_optimizer.model.defaults import IMPLICIT_NODE_POOL

from binwright_benchmarks.questions import REGION
from binwright_benchmarks.registry import Build, SharedData, register
from binwright_benchmarks.services import services

FIVE = ("c5.2xlarge", "m5.xlarge", "m5.2xlarge", "m5.4xlarge", "r5.2xlarge")
_ON_DEMAND = NodePool("default", (Requirement(labels.CAPACITY_TYPE, Operator.IN, ("on-demand",)),))
_CURATED = NodePool("default", (*_ON_DEMAND.requirements, Requirement(labels.ARCH, Operator.IN, ("amd64",))))
CURATED_TYPES = ("c[5-7]*", "m[5-7]*", "r[5-7]*")
"""What the NodePool of Karpenter's getting-started guide comes to: categories c, m and r of late
generations."""

Means = tuple[NodePool, tuple[str, ...], str]
MEANS: dict[str, Means] = {
    "5t": (_ON_DEMAND, FIVE, "five on-demand types"),
    "cmr": (_CURATED, CURATED_TYPES, "c, m and r of generations 5 to 7 on demand"),
    "all": (IMPLICIT_NODE_POOL, (), f"every offering of {REGION}, spot and arm64 too"),
}
"""What may be bought, by the end of the instance's name."""


def _family(pods: int, classes: int, means: Means) -> Build:
    pool, types, _ = means

    def build(seed: int, _data: SharedData) -> Problem:
        return Problem(services(seed, pods, classes), (pool,), embedded_catalog("aws", (REGION,), types))

    return build


for _pods, _short in ((1_000, "1k"), (10_000, "10k")):
    for _classes in (25, 300):
        for _end, _means in MEANS.items():
            register(
                f"micro-{_short}-{_classes}c-{_end}",
                f"{_pods:,} pods in {_classes} classes; {_means[2]}",
                is_seeded=True,
            )(_family(_pods, _classes, _means))
