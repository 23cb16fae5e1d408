"""Alibaba's Tianchi applications with the rules of interference between them.

4,669 applications of 33,580 instances; 10,923 rules *if an instance of A is on a machine, at most k of B
are*, which are `NodeCap`. Where A is B the contest's own evaluator allows k + 1. The data has no licence
and is read from the shared folder only.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    InstanceType,
    LabelSelector,
    NodeCap,
    NodePool,
    Offering,
    PodTemplate,
    PriceSource,
    Problem,
    Resources,
    Workload,
)
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, IMPLICIT_NODE_POOL, with_defaults
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY

from binwright_benchmarks.questions import REGION
from binwright_benchmarks.registry import SharedData, register

APPS = "traces/alibaba_tianchi_2018b/apps.csv.gz"
RULES = "traces/alibaba_tianchi_2018b/interference.csv.gz"
MACHINES = "traces/alibaba_tianchi_2018b/machine_types.csv.gz"
DEADLINE_S = 30.0
GIB, GB = 2**30, 10**9
COUNTERS = ("P", "M", "PM")
"""Counters of important applications, of which a machine takes so many."""
MICROUSD_PER_CORE, MICROUSD_PER_GIB = 30_000, 4_000
"""The contest counts machines and has no prices; these are about what clouds charge."""


@register(
    "tianchi-aws", f"4,669 applications that interfere with each other; AWS {REGION}", deadline_s=DEADLINE_S
)
def on_aws(_seed: int, data: SharedData) -> Problem:
    """CPU and memory at their peaks, on the whole AWS catalogue on demand."""
    return Problem(
        tuple(_workloads(data, is_cloud=True)), (IMPLICIT_NODE_POOL,), embedded_catalog("aws", (REGION,))
    )


@register(
    "tianchi-machines", "the same applications on the contest's two machine types", deadline_s=DEADLINE_S
)
def on_machines(_seed: int, data: SharedData) -> Problem:
    """All resources of the contest: CPU, memory, disk and the three counters."""
    return Problem(tuple(_workloads(data, is_cloud=False)), (NodePool("machines"),), _machines(data))


def _rows(data: SharedData, name: str) -> list[dict[str, str]]:
    with gzip.open(data.file(name), "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _workloads(data: SharedData, *, is_cloud: bool) -> Iterator[Workload]:
    apps = _rows(data, APPS)
    caps: dict[str, list[NodeCap]] = {}
    for rule in _rows(data, RULES):
        one, other = rule["app_a"], rule["app_b"]
        most = int(rule["max_b_on_node_with_a"]) + (one == other)
        caps.setdefault(one, []).append(NodeCap(LabelSelector.of_labels({"app": other}), most))
    for app in apps:
        amounts = {CPU: round(float(app["cpu_max"]) * 1000), MEMORY: round(float(app["mem_max"]) * GIB)}
        if not is_cloud:
            amounts |= _further_amounts(app)
        template = PodTemplate(
            Resources.of(amounts), labels=(("app", app["app"]),), node_caps=tuple(caps.get(app["app"], ()))
        )
        if is_cloud:
            template = with_defaults(template, EMBEDDED_CATALOG_DEFAULTS)
        yield Workload(app["app"], template, int(app["n_instances"]))


def _further_amounts(row: dict[str, str]) -> dict[str, int]:
    disk = {EPHEMERAL_STORAGE: round(float(row["disk"]) * GB)}
    return disk | {f"tianchi/{counter}": round(float(row[counter])) for counter in COUNTERS}


def _machines(data: SharedData) -> Catalog:
    kinds = []
    for row in _rows(data, MACHINES):
        cores, gib = int(row["cpu"]), int(row["mem"])
        room = Resources.of({CPU: cores * 1000, MEMORY: gib * GIB, **_further_amounts(row)})
        price = MICROUSD_PER_CORE * cores + MICROUSD_PER_GIB * gib
        offering = Offering("", "", CapacityType.ON_DEMAND, price, PriceSource("by cores and memory", ""))
        kinds.append(InstanceType(f"machine-{cores}-{gib}", "", "amd64", room, room, (), (offering,)))
    return Catalog("tianchi", tuple(kinds))
