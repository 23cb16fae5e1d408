"""Domains one by one: parts that share nothing, and what they have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from binwright_optimizer.columns.domains import Twins, components
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import LabelSelector, TopologySpread, Workload, labels
from binwright_optimizer.packing import Packing
from builders import instance_type, node_pool, offering, pod, problem

CHEAP, DEAR = ([offering(price, zone=zone) for zone in "ab"] for price in (1.0, 5.0))
SMALL = instance_type("small", cpu=2, memory_gib=8, offerings=CHEAP)
LARGE = instance_type("large", cpu=8, memory_gib=32, offerings=DEAR)


def spread(workload: Workload) -> Workload:
    """The workload spread over zones."""
    own = LabelSelector.of_labels({"app": workload.name})
    template = replace(
        workload.template,
        labels=(("app", workload.name),),
        topology_spread=(TopologySpread(labels.ZONE, 1, selector=own),),
    )
    return replace(workload, template=template)


def two_zones() -> Instance:
    """Six and two pods of one core, each workload spread over zones a and b."""
    pods = [spread(pod("web", cpu=1, memory_gib=1, replicas=6)), spread(pod("api", cpu=1, replicas=2))]
    return build_instance(problem(pods, [SMALL, LARGE], [node_pool("p")]))


def test_patterns_of_one_zone_are_patterns_of_each() -> None:
    """A small node with one pod of each workload in zone a is found in zone b as well."""
    instance = two_zones()
    assert instance.linking is not None
    small = int(np.argmin(instance.price))
    pattern = instance.compatible[:, small].astype(np.int32)[None, :]
    assert pattern.sum() == 2
    twins = Twins(instance, instance.linking)
    candidates, patterns = twins.of_columns((np.array([small], dtype=np.intp), pattern))
    assert len(candidates) == 2
    assert (patterns.sum(axis=0) == 1).all()


def test_pods_that_no_domain_has_priced_take_the_least_of_their_twins() -> None:
    """Each workload is priced in one zone only: the other zone takes over."""
    instance = two_zones()
    assert instance.linking is not None
    twins = Twins(instance, instance.linking)
    leaders = np.unique(twins.group)
    is_known = np.isin(np.arange(instance.n_classes), leaders)
    pods = np.where(is_known, 7.0, 0.0)
    assert twins.prices(pods, is_known).tolist() == [7.0] * 4
    assert twins.prices(pods, np.zeros(4, dtype=bool)).tolist() == [0.0] * 4


def test_columns_go_to_a_part_and_back() -> None:
    """A column of zone b is none of zone a's, and the same after the way there and back."""
    instance = two_zones()
    parts = components(instance.allocated(np.ones(4, dtype=np.int64)))
    for mine, other in ((parts[0], parts[1]), (parts[1], parts[0])):
        pattern = np.zeros((1, 4), dtype=np.int32)
        pattern[0, mine.classes] = 1
        columns = (mine.candidates[:1], pattern)
        assert len(other.own(columns)[0]) == 0
        there = mine.wide(mine.own(columns), 4)
        assert there[0].tolist() == columns[0].tolist()
        assert there[1].tolist() == pattern.tolist()


def test_allocated_zones_share_nothing() -> None:
    """Three and one pods in each zone are two problems of two classes."""
    instance = two_zones()
    assert instance.linking is not None
    halves = [3 if instance.linking.demand[q] == 6 else 1 for q in instance.linking.part_kind]
    parts = components(instance.allocated(np.array(halves)))
    assert [sorted(part.instance.demand.tolist()) for part in parts] == [[1, 3], [1, 3]]
    assert not set(parts[0].candidates.tolist()) & set(parts[1].candidates.tolist())


def test_down_sizing_keeps_the_allocation() -> None:
    """Two pods on a large node in zone a move to a small one; what each zone was given stays known."""
    instance = two_zones()
    assert instance.linking is not None
    allocation = np.zeros(instance.linking.n_local, dtype=np.int64)
    web = int(np.flatnonzero(instance.linking.demand[instance.linking.part_kind] == 6)[0])
    allocation[web] = 2
    target = instance.allocated(allocation)
    i = int(instance.linking.class_of[web])
    large = next(int(j) for j in np.argsort(-instance.price, kind="stable") if instance.compatible[i, j])
    pattern = np.zeros((1, instance.n_classes), dtype=np.int32)
    pattern[0, i] = 2
    packing = Packing.of(target, np.array([large]), np.array([1]), pattern)
    smaller = Downsize(instance, instance.compatible).apply(packing)
    assert (smaller.cost, packing.cost) == (1_000_000, 5_000_000)
    assert smaller.allocation is not None
    assert smaller.allocation.tolist() == allocation.tolist()
