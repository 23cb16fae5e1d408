"""Published bin packing instances whose optimum is known, as problems and as tables.

Two kinds, both read from the folder of further data sets (``vbp/``; its README names the sources):

- *Vector bin packing*: items with 3, 5 or 10 sizes, bins of one kind, as few of them as possible.
  Panigrahy et al. (2011) and the later New and Triplet sets, with optima and best heuristics from
  Mommessin et al., Computers & Operations Research (2024). A bin costs one dollar per hour.
- *Variable-sized bins with conflicts*: items with one size, bins of several sizes and costs, pairs of
  items that must not meet. A conflict is exactly a resource of which a bin has one and both items want
  one; items that all conflict with each other share one such resource. So each instance is expressed by a
  cover of its conflicts with cliques.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    InstanceType,
    NodePool,
    Offering,
    PodTemplate,
    PriceSource,
    Problem,
    Resources,
    Workload,
)

from binwright_benchmarks.registry import SharedData

PREFIX = "bench.example/"
"""Of the resources' names; Kubernetes wants extended resources to have a domain."""

SETS = ("panigrahy", "new", "triplet")
CONFIGS = ("set1_3types_linear", "set1_5types_linear", "set2_7types_concave", "set2_7types_convex")
"""Sets of bin types; ``set2_7types_linear`` asks the same with costs like ``set1``."""

MOST_CLIQUES = 64
"""Conflicts that need more resources than this wait for anti-affinity in the model itself."""


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
    """

    name: str
    items: tuple[tuple[tuple[int, ...], int], ...]
    bins: tuple[tuple[tuple[int, ...], float], ...]
    optimum: float | None
    best_known: float | None

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


@dataclass(frozen=True, slots=True)
class ConflictInstance:
    """Bins of several sizes, items that must not meet.

    Parameters
    ----------
    bins
        Pairs (capacity, cost).
    conflicts
        Pairs of items, the smaller number first.
    best_known
        Cost of the best packing found by the published metaheuristics; None if there was no run.
    is_optimal
        Whether ``best_known`` equals the volume bound.
    """

    name: str
    bins: tuple[tuple[int, float], ...]
    sizes: tuple[int, ...]
    conflicts: frozenset[tuple[int, int]]
    best_known: float | None
    is_optimal: bool

    def question(self, cliques: Sequence[frozenset[int]]) -> PackingQuestion:
        """Each clique as a resource of which a bin has one; without any the relaxation without conflicts."""
        is_exact = bool(cliques) or not self.conflicts
        return PackingQuestion(
            name=self.name,
            items=tuple(
                ((size, *(int(item in clique) for clique in cliques)), 1)
                for item, size in enumerate(self.sizes)
            ),
            bins=tuple(((capacity, *(1 for _ in cliques)), cost) for capacity, cost in self.bins),
            optimum=self.best_known if self.is_optimal and is_exact else None,
            best_known=self.best_known if is_exact else None,
        )


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


def conflict_instances(config: str, data: SharedData) -> tuple[ConflictInstance, ...]:
    """Instances for one set of bin types, such as ``set1_3types_linear``; raises MissingDataError."""
    with data.file("vbp/vsbppc_bin_types.csv").open(encoding="utf-8", newline="") as file:
        bins = tuple(
            (int(row["capacity"]), float(row["cost"]))
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
        found.append(
            ConflictInstance(
                name=f"{config}/{entry['name']}",
                bins=bins,
                sizes=tuple(entry["sizes"]),
                conflicts=frozenset((min(a, b) - 1, max(a, b) - 1) for a, b in entry["conflicts"]),
                best_known=float(row["best_found_cost"]) if row else None,
                is_optimal=row is not None and row["proven_optimal"] == "1",
            )
        )
    return tuple(found)


@lru_cache(maxsize=len(CONFIGS))
def conflict_questions(config: str, data: SharedData) -> tuple[PackingQuestion, ...]:
    """Instances whose conflicts `MOST_CLIQUES` cliques cover: they are few, or many and dense."""
    covered = (
        (instance, clique_cover(len(instance.sizes), instance.conflicts))
        for instance in conflict_instances(config, data)
    )
    return tuple(instance.question(cliques) for instance, cliques in covered if len(cliques) <= MOST_CLIQUES)


def packing_problem(question: PackingQuestion) -> Problem:
    """Items as pods, sizes as extended resources, bins as types; ValueError for a negative size."""
    types = []
    for number, (capacity, cost) in enumerate(question.bins):
        source = PriceSource(name="benchmark instance", date="2024-01-01")
        offering = Offering("none", "none", CapacityType.ON_DEMAND, round(cost * 1e6), source)
        room = _amounts(capacity)
        types.append(InstanceType(_bin_name(number), "none", "amd64", room, room, (), (offering,)))
    workloads = tuple(
        Workload(_item_name(k), PodTemplate(_amounts(sizes)), count)
        for k, (sizes, count) in enumerate(question.items)
    )
    return Problem(workloads, (NodePool("bins"),), Catalog("bins", tuple(types)))


def tables(question: PackingQuestion) -> tuple[str, str]:
    """The question as ``binwright solve`` reads it: CSV of the workloads, CSV of the catalogue."""
    columns = [f"resource:{_resource_name(r)}" for r in range(question.dimensions)]
    workloads = [["name", "replicas", *columns]]
    for k, (sizes, count) in enumerate(question.items):
        workloads.append([_item_name(k), str(count), *map(str, sizes)])
    catalog = [["instance_type", "price_usd_h", *columns]]
    for number, (capacity, cost) in enumerate(question.bins):
        catalog.append([_bin_name(number), f"{cost:g}", *map(str, capacity)])
    return _csv(workloads), _csv(catalog)


def clique_cover(n_items: int, conflicts: Iterable[tuple[int, int]]) -> tuple[frozenset[int], ...]:
    """Cliques that contain every conflict and nothing that is none; greedy, so not the fewest.

    >>> sorted(map(sorted, clique_cover(4, [(0, 1), (0, 2), (1, 2), (2, 3)])))
    [[0, 1, 2], [2, 3]]
    """
    # Sets of items as the bits of an integer; `left[v]` are the conflicts of v not covered yet.
    neighbours = [0] * n_items
    for a, b in conflicts:
        neighbours[a] |= 1 << b
        neighbours[b] |= 1 << a
    left = list(neighbours)
    cliques = []
    for a in range(n_items):
        while left[a]:
            clique, members = [a], 1 << a
            candidates = neighbours[a]
            while candidates:
                # The one that covers most conflicts still open, ties by room to grow and by number.
                best = max(
                    _bits(candidates),
                    key=lambda v: (
                        (left[v] & members).bit_count(),
                        (neighbours[v] & candidates).bit_count(),
                        -v,
                    ),
                )
                clique.append(best)
                members |= 1 << best
                candidates &= neighbours[best]
            for v in clique:
                left[v] &= ~members
            cliques.append(frozenset(clique))
    return tuple(cliques)


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


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
