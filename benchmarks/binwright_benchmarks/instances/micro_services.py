"""Generated micro-services on five types, on curated families, and on all that AWS sells in a region."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import NodePool, Operator, Problem, Requirement, labels
from binwright_optimizer.model.defaults import IMPLICIT_NODE_POOL

from binwright_benchmarks.questions import REGION
from binwright_benchmarks.registry import Build, SharedData, register
from binwright_benchmarks.services import services

FIVE = ("c5.2xlarge", "m5.xlarge", "m5.2xlarge", "m5.4xlarge", "r5.2xlarge")
CURATED = ("c[5-7]*", "m[5-7]*", "r[5-7]*")
"""What the NodePool of Karpenter's getting-started guide comes to: categories c, m and r of late
generations."""

ZONE = "us-east-1a"
OTHER_REGION = "eu-west-1"
"""Has three zones, where us-east-1 has six and sells more types."""

_ON_DEMAND = Requirement(labels.CAPACITY_TYPE, Operator.IN, ("on-demand",))
_ONE_ZONE = Requirement(labels.ZONE, Operator.IN, (ZONE,))
_AMD64 = Requirement(labels.ARCH, Operator.IN, ("amd64",))


@dataclass(frozen=True, slots=True)
class Means:
    """What may be bought.

    Parameters
    ----------
    offerings
        Pairs of instance type and capacity type by zone that the NodePool admits (a test counts them).
    """

    pool: NodePool
    region: str
    types: tuple[str, ...]
    offerings: int
    description: str


MEANS = {
    "5t": Means(NodePool("default", (_ON_DEMAND, _ONE_ZONE)), REGION, FIVE, 5, "five on-demand types"),
    "cmr": Means(
        NodePool("default", (_ON_DEMAND, _ONE_ZONE, _AMD64)),
        REGION,
        CURATED,
        388,
        "388 offerings: c, m, r of generations 5 to 7",
    ),
    "eu": Means(IMPLICIT_NODE_POOL, OTHER_REGION, (), 4359, f"all 4,359 offerings of {OTHER_REGION}"),
    "all": Means(IMPLICIT_NODE_POOL, REGION, (), 12_574, f"all 12,574 offerings of {REGION}"),
}
"""By the end of the instance's name; the last two have spot and arm64 too."""

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000}


def micro_services(seed: int, pods: int, classes: int, means: Means) -> Problem:
    """Generated services on these means."""
    catalog = embedded_catalog("aws", (means.region,), means.types)
    return Problem(services(seed, pods, classes), (means.pool,), catalog)


def _family(pods: int, classes: int, means: Means) -> Build:
    def build(seed: int, _data: SharedData) -> Problem:
        return micro_services(seed, pods, classes, means)

    return build


for _short, _pods in SIZES.items():
    for _classes in (25, 300):
        for _end, _means in MEANS.items():
            register(
                f"micro-{_short}-{_classes}c-{_end}",
                f"{_pods:,} pods in {_classes} classes; {_means.description}",
                is_seeded=True,
                deadline_s=10.0 if _pods > 10_000 else 5.0,
            )(_family(_pods, _classes, _means))
