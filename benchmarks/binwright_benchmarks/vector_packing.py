"""Published bin packing instances whose optimum is known, as problems and as tables.

Two kinds, both read from the folder of further data sets (``vbp/``; its README names the sources):

- *Vector bin packing*: items with 3, 5 or 10 sizes, bins of one kind, as few of them as possible.
  Panigrahy et al. (2011) and the later New and Triplet sets, with optima and best heuristics from
  Mommessin et al., Computers & Operations Research (2024). A bin costs one dollar per hour.
- *Variable-sized bins with conflicts*: items with one size, bins of several sizes and costs, pairs of
  items that must not meet: required anti-affinity of one of the two to the other, by host name.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    InstanceType,
    LabelSelector,
    NodePool,
    Offering,
    Operator,
    PodAffinity,
    PodAffinityTerm,
    PodTemplate,
    PriceSource,
    Problem,
    Requirement,
    Resources,
    Workload,
)
from binwright_optimizer.model.labels import HOSTNAME

from binwright_benchmarks.registry import SharedData

PREFIX = "bench.example/"
"""Of the resources' names; Kubernetes wants extended resources to have a domain."""

SETS = ("panigrahy", "new", "triplet")
CONFIGS = ("set1_3types_linear", "set1_5types_linear", "set2_7types_concave", "set2_7types_convex")
"""Sets of bin types; ``set2_7types_linear`` asks the same with costs like ``set1``."""

ITEM = "item"
"""Label of an item that conflicts are about."""


@dataclass(frozen=True, slots=True)
class PackingQuestion:
    """Items to be packed into bins at the least cost.

    Parameters
    ----------
    items
        Pairs (size in each dimension, count).
    bins
        Pairs (capacity in each dimension, cost in dollars).
    optimum
        Least cost if it is proven, else None.
    best_known
        Cost of the best published answer; None if there is none.
    conflicts
        Pairs of items, by their places in ``items``, that must not meet; the smaller number first.
    """

    name: str
    items: tuple[tuple[tuple[int, ...], int], ...]
    bins: tuple[tuple[tuple[int, ...], float], ...]
    optimum: float | None
    best_known: float | None
    conflicts: frozenset[tuple[int, int]] = frozenset()

    @property
    def n_items(self) -> int:
        """Items with their copies."""
        return sum(count for _, count in self.items)

    @property
    def dimensions(self) -> int:
        """Sizes of an item."""
        return len(self.bins[0][0])

    @property
    def is_expressible(self) -> bool:
        """Whether no size is negative: a few items of the Triplet set have one, which no pod can ask for."""
        return all(size >= 0 for sizes, _ in self.items for size in sizes)


def vector_questions(name: str, data: SharedData) -> tuple[PackingQuestion, ...]:
    """All instances of one of `SETS` in the order of the file; raises MissingDataError."""
    with data.file(f"vbp/{name}_known.csv").open(encoding="utf-8", newline="") as file:
        known = {row["instance"]: row for row in csv.DictReader(file)}
    found = []
    for entry in _entries(f"vbp/{name}_instances.jsonl.gz", data):
        row = known[str(entry["name"])]
        optimum = int(row["optimum_or_-1"])
        found.append(
            PackingQuestion(
                name=f"{name}/{entry['name']}",
                items=tuple((tuple(item[:-1]), item[-1]) for item in entry["items"]),
                bins=((tuple(entry["capacity"]), 1.0),),
                optimum=float(optimum) if optimum >= 0 else None,
                best_known=float(row["best_known_heuristic"]),
            )
        )
    return tuple(found)


@lru_cache(maxsize=len(CONFIGS))
def conflict_questions(config: str, data: SharedData) -> tuple[PackingQuestion, ...]:
    """Instances for one set of bin types, such as ``set1_3types_linear``; raises MissingDataError."""
    with data.file("vbp/vsbppc_bin_types.csv").open(encoding="utf-8", newline="") as file:
        bins = tuple(
            ((int(row["capacity"]),), float(row["cost"]))
            for row in csv.DictReader(file)
            if row["config"] == config
        )
    with data.file("vbp/vsbppc_known.csv").open(encoding="utf-8", newline="") as file:
        known = {row["instance"]: row for row in csv.DictReader(file) if row["config"] == config}
    found = []
    for entry in _entries("vbp/vsbppc_instances.jsonl.gz", data):
        if str(entry["set"]).replace("_", "") != config.partition("_")[0]:
            continue
        row = known.get(str(entry["name"]))
        best_known = float(row["best_found_cost"]) if row else None
        found.append(
            PackingQuestion(
                name=f"{config}/{entry['name']}",
                items=tuple(((size,), 1) for size in entry["sizes"]),
                bins=bins,
                optimum=best_known if row and row["proven_optimal"] == "1" else None,
                best_known=best_known,
                conflicts=frozenset((min(a, b) - 1, max(a, b) - 1) for a, b in entry["conflicts"]),
            )
        )
    return tuple(found)


def packing_problem(question: PackingQuestion) -> Problem:
    """Items as pods, sizes as extended resources, bins as types; ValueError for a negative size."""
    types = []
    for number, (capacity, cost) in enumerate(question.bins):
        source = PriceSource(name="benchmark instance", date="2024-01-01")
        offering = Offering("none", "none", CapacityType.ON_DEMAND, round(cost * 1e6), source)
        room = _amounts(capacity)
        types.append(InstanceType(_bin_name(number), "none", "amd64", room, room, (), (offering,)))
    workloads = []
    avoided = _avoided(question)
    for k, (sizes, count) in enumerate(question.items):
        template = PodTemplate(_amounts(sizes))
        if question.conflicts:
            template = replace(
                template, labels=((ITEM, _item_name(k)),), pod_anti_affinity=_apart(avoided[k])
            )
        workloads.append(Workload(_item_name(k), template, count))
    return Problem(tuple(workloads), (NodePool("bins"),), Catalog("bins", tuple(types)))


def files(question: PackingQuestion) -> dict[str, str]:
    """The question as ``binwright solve`` reads it: file names and texts, of the items and of the bins.

    Without conflicts the items are a workload table, with them a list of manifests.
    """
    columns = [f"resource:{_resource_name(r)}" for r in range(question.dimensions)]
    catalog = [["instance_type", "price_usd_h", *columns]]
    for number, (capacity, cost) in enumerate(question.bins):
        catalog.append([_bin_name(number), f"{cost:g}", *map(str, capacity)])
    bins = {"bins.csv": _csv(catalog)}
    if question.conflicts:
        deployments = [
            _deployment(k, sizes, count, avoided)
            for k, ((sizes, count), avoided) in enumerate(
                zip(question.items, _avoided(question), strict=True)
            )
        ]
        return {"items.json": json.dumps({"kind": "List", "apiVersion": "v1", "items": deployments})} | bins
    workloads = [["name", "replicas", *columns]]
    for k, (sizes, count) in enumerate(question.items):
        workloads.append([_item_name(k), str(count), *map(str, sizes)])
    return {"items.csv": _csv(workloads)} | bins


def _deployment(k: int, sizes: Sequence[int], count: int, avoided: Sequence[str]) -> dict[str, Any]:
    """An item as a manifest."""
    labels = {ITEM: _item_name(k)}
    pod: dict[str, Any] = {
        "containers": [
            {
                "name": "item",
                "resources": {"requests": {_resource_name(r): str(size) for r, size in enumerate(sizes)}},
            }
        ]
    }
    if avoided:
        selector = {"matchExpressions": [{"key": ITEM, "operator": "In", "values": list(avoided)}]}
        term = {"topologyKey": HOSTNAME, "labelSelector": selector}
        pod["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": _item_name(k)},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _avoided(question: PackingQuestion) -> list[list[str]]:
    """By item, those of larger number that it must not meet: anti-affinity of one keeps both apart."""
    found: list[list[str]] = [[] for _ in question.items]
    for one, other in sorted(question.conflicts):
        found[one].append(_item_name(other))
    return found


def _apart(avoided: Sequence[str]) -> PodAffinity:
    if not avoided:
        return PodAffinity()
    selector = LabelSelector((Requirement(ITEM, Operator.IN, tuple(avoided)),))
    return PodAffinity((PodAffinityTerm(HOSTNAME, selector),))


def _csv(rows: Sequence[Sequence[str]]) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


def _entries(name: str, data: SharedData) -> list[dict[str, Any]]:
    with gzip.open(data.file(name), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _amounts(sizes: Sequence[int]) -> Resources:
    return Resources.of([(_resource_name(r), size) for r, size in enumerate(sizes)])


def _resource_name(r: int) -> str:
    return f"{PREFIX}size-{r:03d}"


def _item_name(k: int) -> str:
    return f"item-{k:03d}"


def _bin_name(number: int) -> str:
    return f"bin-{number}"
