"""Families: pods of the same shapes over the same offers, wanted in different numbers.

Most problems of a plan differ in nothing but how many pods they want: a region sells the same in every
period, scenario and hour. What one such problem teaches, patterns that are worth their price and dual
prices that prove a bound, holds for all of its family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from binwright_optimizer.model import Catalog, NodePool, PodTemplate, Problem, Workload
from binwright_optimizer.planning.digest import digest

Wanted = tuple[int, ...]
"""Pods of each workload of a family."""


@dataclass(frozen=True)
class Family:
    """What its problems have in common.

    Parameters
    ----------
    name
        For messages, such as the region.
    workloads
        Name and template of each, the template complete.
    most
        The most pods of each workload that any problem wants; patterns hold no more.
    """

    name: str
    catalog: Catalog
    node_pools: tuple[NodePool, ...]
    workloads: tuple[tuple[str, PodTemplate], ...]
    most: Wanted

    @cached_property
    def key(self) -> str:
        """Digest of everything but the name."""
        return digest((self.catalog, self.node_pools, tuple(t for _, t in self.workloads), self.most))

    @cached_property
    def problem(self) -> Problem:
        """The problem that wants the most of everything; the same object each time."""
        return self.problem_of(self.most)

    def problem_of(self, wanted: Wanted) -> Problem:
        """The problem that wants so many pods of each workload."""
        workloads = tuple(
            Workload(name, template, replicas)
            for (name, template), replicas in zip(self.workloads, wanted, strict=True)
        )
        return Problem(workloads, self.node_pools, self.catalog)


def together(questions: Sequence[Mapping[int, int]]) -> list[list[int]]:
    """Questions, pods by workload, in groups that share no workload with each other; indices, in order.

    Examples
    --------
    >>> together([{0: 5, 1: 1}, {3: 2}, {1: 7}])
    [[0, 2], [1]]
    """
    parent: dict[int, int] = {}

    def root(workload: int) -> int:
        while parent.setdefault(workload, workload) != workload:
            workload = parent[workload]
        return workload

    for question in questions:
        first, *others = sorted(question)
        for other in others:
            parent[root(other)] = root(first)
    groups: dict[int, list[int]] = {}
    for at, question in enumerate(questions):
        groups.setdefault(root(min(question)), []).append(at)
    return list(groups.values())
