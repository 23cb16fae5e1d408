"""What pods cost at least that rules keep on different nodes, and few pods on whole nodes.

Prices of pods know no nodes: of two small pods that must not meet, each is part of a node. But no node holds
both. Workloads that may share nodes, with each other or by way of others, form a group; with

    c_w      the cheapest node that holds a pod of workload w,
    f_g(n)   the least that the pods of group g cost on whole nodes (`whole_nodes`), where they are few, no
             node with pods that keep apart, or with more than a cap of one of them allows,

n_w pods of each workload w cost at least

    sum_g max(f_g(n), max_w c_w, max_w n_w c_w over those w whose pods keep apart from each other).

Where pods run already their nodes may hold some for nothing: then nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import Problem
from binwright_optimizer.verify.knapsacks import competitive
from binwright_optimizer.verify.market import Market, market
from binwright_optimizer.verify.node_conflicts import Divisions, share_no_node
from binwright_optimizer.verify.rulebook import rulebook
from binwright_optimizer.verify.whole_nodes import NEVER, least_of

MOST_WORKLOADS = 50
"""Placed workloads beyond which most can share nodes with most others."""
MOST_PODS, MOST_POINTS, MOST_TOGETHER = 100, 2_000, 8
"""Pods of all workloads, and combinations and workloads of one group, up to which whole nodes are looked at:
some milliseconds, as long as it takes to find out which options matter."""


def least_apart(problem: Problem, placed: Sequence[int]) -> int:
    """Micro-dollars an hour that ``placed[w]`` pods of each workload cost at least."""
    some = [w for w in range(len(problem.workloads)) if placed[w] > 0]
    is_known = not (problem.existing_nodes or problem.savings_plans)
    if not is_known or not some or len(some) > MOST_WORKLOADS:
        return 0
    rules = _Apart(problem)
    groups = _groups(rules, some)
    apart = {w for w in some if rules.keeps(w, w)}
    is_few = sum(placed[w] for w in some) <= MOST_PODS
    if not is_few and len(groups) == 1 and not apart:
        return 0  # one node at least, which prices know as well
    shop = market(problem)
    relevant = competitive(shop, shop.price, shop.is_admitted)
    total = 0
    for group in groups:
        least = max(_cheapest(shop, relevant, w) * (placed[w] if w in apart else 1) for w in group)
        most = [int(placed[w]) for w in group]
        if is_few and len(group) <= MOST_TOGETHER and math.prod(n + 1 for n in most) <= MOST_POINTS:
            least = max(least, least_of(shop, relevant, group, most, _allowed(rules, group, most)))
        if least >= NEVER:
            return 0  # no node holds it: a finding of its own
        total += least
    return total


def _cheapest(shop: Market, relevant: NDArray[np.intp], w: int) -> int:
    """The price of the cheapest node that holds a pod of a workload."""
    i = int(shop.classes.class_of[w])
    holds = shop.is_admitted[shop.row_of[relevant], i] & (shop.room[relevant] >= shop.requests[i]).all(axis=1)
    return int(shop.price[relevant[holds]].min(initial=NEVER))


def _groups(rules: _Apart, some: Sequence[int]) -> list[list[int]]:
    """Workloads that may share nodes, directly or by way of others."""
    left, found = list(some), []
    while left:
        group, behind = [left.pop(0)], 0
        while behind < len(group):
            w = group[behind]
            joining = [v for v in left if not rules.keeps(w, v)]
            left = [v for v in left if v not in joining]
            group += joining
            behind += 1
        found.append(sorted(group))
    return found


def _allowed(rules: _Apart, group: Sequence[int], most: Sequence[int]) -> NDArray[np.bool_]:
    """Which combinations of pods rules about single nodes allow: bool (pods of the first + 1, ...)."""
    counts = np.indices([n + 1 for n in most])
    allowed = np.ones(counts.shape[1:], dtype=bool)
    for a, v in enumerate(group):
        for b, w in enumerate(group[a:], start=a):
            if rules.keeps(v, w):
                allowed &= counts[a] <= 1 if a == b else (counts[a] == 0) | (counts[b] == 0)
        book = rules.book
        kind = book.kinds[book.kind_of[v]]
        for cap in kind.template.node_caps:
            selected = set(book.selected(cap.selector, frozenset((kind.namespace,))))
            mine = [b for b, w in enumerate(group) if int(book.kind_of[w]) in selected]
            allowed &= (counts[a] == 0) | (counts[mine].sum(axis=0) <= cap.max_pods)
    return allowed


class _Apart:
    """Which workloads share no node."""

    def __init__(self, problem: Problem) -> None:
        self.book = rulebook(problem)
        self._divisions = Divisions(problem)

    def keeps(self, v: int, w: int) -> bool:
        """Whether no node may hold a pod of each."""
        a, b = int(self.book.kind_of[v]), int(self.book.kind_of[w])
        return share_no_node(self.book, self._divisions, a, b)
