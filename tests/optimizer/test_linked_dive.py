"""Diving with pods allocated to domains last: whole nodes first, under the rules about domains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.round import Dive
from binwright_optimizer.columns.round_linked import LinkedColumns, LinkedDive
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import Share, SpotPolicy
from binwright_optimizer.packing import Packing
from binwright_optimizer.stopping import Deadline
from builders import instance_type, microusd, offering, pod, problem
from solver_parts import converged_generation, greedy_of, pricing_of


def capped(replicas: int, most: int) -> Instance:
    """Two services of one core a pod, at most so many of each in one spot pool.

    Boxes of four cores cost a dollar on spot, in each of three zones, and ten on demand.
    """
    spot = [offering(1.0, zone=zone, capacity_type="spot") for zone in "abc"]
    box = instance_type("box", cpu=4, offerings=[*spot, offering(10.0, zone="a")])
    policy = SpotPolicy(max_per_pool=Share(count=most))
    services = [replace(pod(name, cpu=1, replicas=replicas), spot=policy) for name in ("x", "y")]
    return build_instance(problem(services, [box]))


def dived(instance: Instance, seconds: float) -> LinkedColumns:
    generation = converged_generation(instance)
    assert generation.allocator is not None
    assert generation.solution is not None
    dive = Dive(
        instance,
        generation.rows.without_linking(),
        pricing_of(instance),
        greedy_of(instance),
        penalties(instance),
        generation.pool.arrays(),
    )
    linked = LinkedDive(dive, generation.rows, generation.allocator, allocation_s=10.0)
    found = linked.run(generation.solution, Deadline(seconds))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("replicas", "most", "dollars"), [(4, 2, 2.0), (5, 2, 3.0), (6, 2, 3.0), (7, 2, 13.0)]
)
def test_pods_share_the_fewest_boxes_that_hold_them_within_the_caps(
    replicas: int, most: int, dollars: float
) -> None:
    """Two of each in each of two or three pools; a seventh replica of both shares a box on demand."""
    instance = capped(replicas, most)
    found = dived(instance, 60.0)
    packing = Packing.of(instance.allocated(found.allocation), *found.columns)
    assert not packing.is_partial(instance)
    assert packing.cost == microusd(dollars)


def test_a_dive_cut_short_places_all_pods_within_the_caps() -> None:
    """What no node is fixed for is allocated, and covered greedily."""
    instance = capped(6, 2)
    found = dived(instance, 1e-9)
    packing = Packing.of(instance.allocated(found.allocation), *found.columns)
    assert not packing.is_partial(instance)
    linking = instance.linking
    assert linking is not None
    for v, scope in enumerate(linking.scopes):
        if dict(scope).get("karpenter.sh/capacity-type") == "spot":
            assert found.allocation[v] <= 2
    assert np.array_equal(linking.placed(found.allocation), linking.demand)
