"""Parts of the solver put together the way `search` does it, for tests of single parts."""

from __future__ import annotations

import numpy as np
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.columns.rows import Duals
from binwright_optimizer.columns.start import single_class_columns
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.pricing import Pricing
from binwright_optimizer.stopping import Deadline, Halt
from numpy.typing import NDArray


def pricing_of(instance: Instance) -> Pricing:
    return Pricing(instance, Halt(Deadline(60.0)))


def greedy_of(instance: Instance) -> Greedy:
    return Greedy(instance, pricing_of(instance))


def converged_generation(instance: Instance) -> Generation:
    """Column generation run until nothing improves."""
    greedy = greedy_of(instance)

    def complement(duals: Duals) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        cover = greedy.cover(duals.pods, Remainder.whole(instance), 200, limits=duals.limits)
        return cover[0], cover[2]

    generation = Generation(instance, pricing_of(instance), penalties(instance), complement)
    generation.add(*single_class_columns(instance))
    stop = Deadline(60.0)
    while not generation.is_converged:
        assert stop.remaining_s() > 0
        generation.round(stop)
    assert generation.solution is not None
    return generation


def columns(instance: Instance, *nodes: tuple[int, int, list[int]]) -> Columns:
    """Columns from triples (candidate, count, pattern)."""
    return (
        np.array([j for j, _, _ in nodes], dtype=np.intp),
        np.array([n for _, n, _ in nodes], dtype=np.int64),
        np.array([p for _, _, p in nodes], dtype=np.int32).reshape(len(nodes), instance.n_classes),
    )


def packing_of(instance: Instance, *nodes: tuple[int, int, list[int]]) -> Packing:
    """A packing from triples (candidate, count, pattern)."""
    return Packing.of(instance, *columns(instance, *nodes))


def candidate(instance: Instance, type_name: str, pool: str | None = None) -> int:
    """The candidate of an instance type, in a NodePool if several sell it."""
    problem, shelf = instance.problem, instance.shelf
    found = [
        j
        for j in range(instance.n_candidates)
        if instance.row_of[j] >= 0
        and problem.catalog.instance_types[shelf.type_of[instance.row_of[j]]].name == type_name
        and pool in (None, problem.node_pools[instance.pool_of[j]].name)
    ]
    assert len(found) == 1, f"{len(found)} candidates of {type_name}"
    return found[0]


def candidate_names(instance: Instance) -> list[str]:
    """Instance type of each candidate that can be bought, sorted."""
    types = instance.problem.catalog.instance_types
    return sorted(types[instance.shelf.type_of[row]].name for row in instance.row_of if row >= 0)


def broken_rules(instance: Instance, packing: Packing) -> list[str]:
    """Limits, supplies, room and demand that a packing breaks, worked out from the arrays."""
    broken = []
    use = packing.counts @ instance.limit_use[packing.candidates]
    broken += [f"limit {row}" for row, used in zip(instance.limits, use, strict=True) if used > row.room]
    for j in range(instance.n_candidates):
        if packing.counts[packing.candidates == j].sum() > instance.supply[j]:
            broken.append(f"supply of candidate {j}")
    for j, pattern in zip(packing.candidates, packing.patterns, strict=True):
        if (pattern @ instance.requests > instance.allocatable[j]).any():
            broken.append(f"room of candidate {j}")
        if (pattern[~instance.compatible[:, j]] > 0).any():
            broken.append(f"compatibility of candidate {j}")
        if (pattern > instance.node_cap).any() or not instance.rules.allows(int(j), pattern):
            broken.append(f"node rules on candidate {j}")
    placed = packing.counts @ packing.patterns
    if (placed + packing.left_out != instance.demand).any() or (packing.left_out < 0).any():
        broken.append("pods lost or invented")
    return broken
