"""Servers of one's own as a catalogue: what one costs an hour, by stated assumptions.

A server is bought, written off over 48 months, maintained for 10 % of its price a year, powered (with
cooling: times 1.5) at 0.12 $/kWh, and housed and connected for 120 $ a month. One in ten stands by.
Nothing of this is a list price: every figure is an assumption, its source marked as an estimate, and
easily replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from binwright_optimizer.model import (
    HOURS_PER_MONTH,
    CapacityType,
    Catalog,
    InstanceType,
    Offering,
    PriceSource,
    Resources,
    labels,
)
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU, PODS

_GIB = 2**30
_MICRO = 1_000_000

WRITE_OFF_MONTHS = 48
MAINTENANCE_PERCENT_PER_YEAR = 10
COOLING = 1.5
"""Power usage effectiveness: all power over the servers' own."""
USD_PER_KWH = 0.12
HOUSING_USD_PER_MONTH = 120
SPARE_PERCENT = 10
"""Servers that stand by for those that fail, of each kind, rounded up."""
SOURCE = PriceSource(
    "assumptions on servers of one's own, see planning.flavors.bare_metal", "2026-11-23", True
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server: hardware threads, memory, GPUs, price in dollars and power under load in watts."""

    name: str
    threads: int
    memory_gib: int
    price_usd: int
    watts: int
    gpus: int = 0

    @property
    def microusd_per_hour(self) -> int:
        """What it costs an hour by the assumptions above.

        Examples
        --------
        9,000 $ over 48 months (187.50 a month), maintenance 75, power 0.35 kW * 1.5 * 730 h * 0.12 $ =
        45.99, housing 120: 428.49 a month, 0.5870 an hour.

        >>> Server("s", 64, 256, 9_000, 350).microusd_per_hour
        586973
        """
        per_month = (
            self.price_usd / WRITE_OFF_MONTHS
            + self.price_usd * MAINTENANCE_PERCENT_PER_YEAR / 1200
            + self.watts / 1000 * COOLING * HOURS_PER_MONTH * USD_PER_KWH
            + HOUSING_USD_PER_MONTH
        )
        return round(per_month / HOURS_PER_MONTH * _MICRO)


SERVERS = (
    Server("server-32t-128g", 32, 128, 6_000, 250),
    Server("server-64t-256g", 64, 256, 9_000, 350),
    Server("server-64t-512g", 64, 512, 11_500, 380),
    Server("server-32t-128g-t4", 32, 128, 8_500, 320, 1),
    Server("server-64t-256g-4xt4", 64, 256, 19_000, 630, 4),
)


@cache
def bare_metal_catalog() -> Catalog:
    """The servers as a catalogue; always the same object."""
    return Catalog("servers of one's own", tuple(map(_instance_type, SERVERS)), "assumptions 2026-11-23")


def _instance_type(server: Server) -> InstanceType:
    capacity = Resources.of(
        {
            CPU: 1000 * server.threads,
            MEMORY: server.memory_gib * _GIB,
            NVIDIA_GPU: server.gpus,
            PODS: 110,
        }
    )
    # What kubelet and system keep: half a core and 3 % of memory and 1 GiB, of the order that clouds keep.
    kept = Resources.of({CPU: 500, MEMORY: server.memory_gib * _GIB * 3 // 100 + _GIB})
    named = {labels.ARCH: "amd64", labels.OS: "linux", labels.INSTANCE_TYPE: server.name}
    if server.gpus:
        named[labels.GPU_MODEL] = "t4"
    return InstanceType(
        name=server.name,
        cloud="",
        arch="amd64",
        capacity=capacity,
        allocatable=capacity.minus(kept),
        labels=tuple(sorted(named.items())),
        offerings=(Offering("own", "own-a", CapacityType.ON_DEMAND, server.microusd_per_hour, SOURCE),),
        gpu_model="t4" if server.gpus else "",
        gpu_count=server.gpus,
        gpu_memory_bytes=16 * _GIB if server.gpus else 0,
    )
