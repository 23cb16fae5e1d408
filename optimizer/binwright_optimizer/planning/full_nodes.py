"""All nodes that a few pods can fill, for recombination where few pods are wanted.

The engine keeps patterns that are worth their price at some prices. Beside five reserved nodes the best
use of ten pods may be one node for the other five, which is worth its price at none. Where pods can be put
on a node in few ways, all ways are known: of each group of nodes that commitments tell apart, the cheapest
node for every pattern to which nothing can be added.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import CapacityType, Catalog, Certificate, Problem
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.mixes import NodePattern, PackedMix
from binwright_optimizer.planning.fanout import purchases_of
from binwright_optimizer.planning.mix import STEADY, Purchase
from binwright_optimizer.planning.pack import pattern_of
from binwright_optimizer.planning.scopes import Scopes
from binwright_optimizer.planning.subproblems import Question, Shop
from binwright_optimizer.verify.mixes import MixChecker

MOST_WAYS = 300
"""Ways to put some of the pods on a node up to which all are looked at; each is compared with each."""


def full_nodes(shop: Shop, question: Question) -> tuple[tuple[NodePattern, Purchase], ...]:
    """The on-demand nodes to consider, pods by place in the question, and one of each bought.

    There are none where there are too many ways to fill a node.
    """
    if math.prod(pods + 1 for _, pods in question.asked) > MOST_WAYS:
        return ()
    workloads = tuple(
        replace(workload, template=with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS))
        for workload in shop.workloads(question)
    )
    catalog = shop.catalog(question.region, question.zone)
    ways = np.array(list(itertools.product(*(range(pods + 1) for _, pods in question.asked)))[1:])
    found: list[NodePattern] = []
    for group in shop.scopes.region_groups[question.region]:
        # One group at a time: what another sells for less must not hide what a reservation makes cheap.
        own = _of_group(catalog, question.region, group, shop.scopes)
        if own.instance_types:
            found += _of_problem(Problem(workloads, (STEADY,), own), ways)
    return tuple((pattern, _bought(pattern, catalog)) for pattern in found)


def _of_group(catalog: Catalog, region: str, group: int, scopes: Scopes) -> Catalog:
    """The on-demand offerings of one group."""
    types = []
    for kind in catalog.instance_types:
        offerings = tuple(
            offering
            for offering in kind.offerings
            if offering.capacity_type is CapacityType.ON_DEMAND
            and scopes.group_of[region, kind.name, offering.zone] == group
        )
        if offerings:
            types.append(replace(kind, offerings=offerings))
    return Catalog(f"{catalog.name}, group {group}", tuple(types))


def _of_problem(problem: Problem, ways: NDArray[np.int64]) -> list[NodePattern]:
    """For every way that nothing can be added to on some node, the cheapest such node."""
    instance = build_instance(problem)
    fitting = np.flatnonzero(instance.class_of >= 0)
    if sorted(instance.class_of[fitting]) != list(range(instance.n_classes)):
        return []  # two workloads are alike: patterns of classes do not say whose pods they hold
    by_class = np.zeros((len(ways), instance.n_classes), dtype=np.int64)
    by_class[:, instance.class_of[fitting]] = ways[:, fitting]
    has_place = ~(ways[:, instance.class_of < 0] > 0).any(axis=1)
    checker = MixChecker(problem)
    known = np.zeros(len(ways), dtype=bool)
    found = []
    for j in np.argsort(instance.price, kind="stable"):
        pattern = pattern_of(instance, int(j), ())
        for at in _maximal(ways, has_place & _fits(instance, by_class, int(j))):
            if known[at]:
                continue
            full = replace(pattern, pods=tuple((w, int(n)) for w, n in enumerate(ways[at]) if n))
            # Rules that resources do not tell, such as host ports, are the checker's to know.
            if not checker.refusal(full):
                found.append(full)
                known |= (ways <= ways[at]).all(axis=1)
    return found


def _bought(pattern: NodePattern, catalog: Catalog) -> Purchase:
    node = PackedMix(((pattern, 1),), pattern.price_microusd_per_hour, 0, Certificate(0, ()))
    return purchases_of(node, catalog)[0]


def _fits(instance: Instance, by_class: NDArray[np.int64], j: int) -> NDArray[np.bool_]:
    """Which ways a node of a candidate has room for: bool array (way,)."""
    room = (by_class @ instance.requests <= instance.allocatable[j]).all(axis=1)
    allowed = ~(by_class[:, ~instance.compatible[:, j]] > 0).any(axis=1)
    capped = (by_class <= instance.node_cap).all(axis=1)
    return np.asarray(room & allowed & capped, dtype=np.bool_)


def _maximal(ways: NDArray[np.int64], fits: NDArray[np.bool_]) -> list[int]:
    """Ways that fit and to which no pod can be added."""
    mine = np.flatnonzero(fits)
    below = (ways[mine][:, None, :] <= ways[mine][None, :, :]).all(axis=2)
    return [int(at) for at, count in zip(mine, below.sum(axis=1), strict=True) if count == 1]
