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


@dataclass(frozen=True, slots=True)
class VectorInstance:
    """Bins of one kind.

    Parameters
    ----------
    items
        Pairs (size in each dimension, count).
    optimum
        Bins of a proven optimum; None if it is not known.
    best_heuristic
        Bins of the best of 351 published heuristics.
    """

    name: str
    capacity: tuple[int, ...]
    items: tuple[tuple[tuple[int, ...], int], ...]
    optimum: int | None
    best_heuristic: int

    @property
    def n_items(self) -> int:
        """Items with their copies."""
        return sum(count for _, count in self.items)

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


def vector_instances(name: str, data: SharedData) -> tuple[VectorInstance, ...]:
    """All instances of one of `SETS` in the order of the file; raises MissingDataError."""
    with data.file(f"vbp/{name}_known.csv").open(encoding="utf-8", newline="") as file:
        known = {row["instance"]: row for row in csv.DictReader(file)}
    found = []
    for entry in _entries(f"vbp/{name}_instances.jsonl.gz", data):
        row = known[str(entry["name"])]
        optimum = int(row["optimum_or_-1"])
        found.append(
            VectorInstance(
                name=f"{name}/{entry['name']}",
                capacity=tuple(entry["capacity"]),
                items=tuple((tuple(item[:-1]), item[-1]) for item in entry["items"]),
                optimum=optimum if optimum >= 0 else None,
                best_heuristic=int(row["best_known_heuristic"]),
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


def vector_problem(instance: VectorInstance) -> Problem:
    """One bin costs one dollar; raises ValueError if a size is negative."""
    sizes = [_amounts(enumerate(sizes)) for sizes, _ in instance.items]
    counts = [count for _, count in instance.items]
    bins = [_bin("bin", _amounts(enumerate(instance.capacity)), 1.0)]
    return _problem(sizes, counts, bins)


def conflict_problem(instance: ConflictInstance, cliques: Sequence[frozenset[int]]) -> Problem:
    """Conflicts as resources of which a bin has one; without ``cliques`` the relaxation that forgets them."""
    ones = {1 + k: 1 for k in range(len(cliques))}
    sizes = [
        _amounts([(0, size), *((1 + k, 1) for k, clique in enumerate(cliques) if item in clique)])
        for item, size in enumerate(instance.sizes)
    ]
    bins = [
        _bin(f"bin-{capacity}", _amounts([(0, capacity), *ones.items()]), cost)
        for capacity, cost in instance.bins
    ]
    return _problem(sizes, [1] * len(sizes), bins)


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


def tables(instance: VectorInstance) -> tuple[str, str]:
    """The instance as ``binwright solve`` reads it: CSV of the workloads, CSV of the catalogue."""
    columns = [f"resource:{PREFIX}size-{r}" for r in range(len(instance.capacity))]
    workloads = [",".join(["name", "replicas", *columns])]
    for k, (sizes, count) in enumerate(instance.items):
        workloads.append(",".join([f"item-{k:03d}", str(count), *map(str, sizes)]))
    catalog = [",".join(["instance_type", "price_usd_h", *columns])]
    catalog.append(",".join(["bin", "1", *map(str, instance.capacity)]))
    return "\n".join(workloads) + "\n", "\n".join(catalog) + "\n"


def _entries(name: str, data: SharedData) -> list[dict[str, Any]]:
    with gzip.open(data.file(name), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _amounts(sizes: Iterable[tuple[int, int]]) -> Resources:
    return Resources.of([(f"{PREFIX}size-{r:03d}", size) for r, size in sizes])


def _bin(name: str, allocatable: Resources, cost: float) -> InstanceType:
    source = PriceSource(name="benchmark instance", date="2024-01-01")
    offering = Offering("none", "none", CapacityType.ON_DEMAND, round(cost * 1e6), source)
    return InstanceType(name, "none", "amd64", allocatable, allocatable, (), (offering,))


def _problem(sizes: Sequence[Resources], counts: Sequence[int], bins: Sequence[InstanceType]) -> Problem:
    workloads = tuple(
        Workload(f"item-{k:03d}", PodTemplate(size), count)
        for k, (size, count) in enumerate(zip(sizes, counts, strict=True))
    )
    return Problem(workloads, (NodePool("bins"),), Catalog("bins", tuple(bins)))
