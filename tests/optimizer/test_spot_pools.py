"""Caps on spot pools in the arrays and in the relaxation, before anything is searched."""

from __future__ import annotations

import dataclasses

import pytest
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import Share, SpotPolicy
from builders import instance_type, offering, pod, problem
from solver_parts import converged_generation


def test_no_part_of_a_node_holds_more_of_a_workload_than_its_pool_may() -> None:
    """Four pods, one at most in a pool; nodes for two cost $1 and $2 on spot and $3 on demand.

    One is in the first pool, for a node, and three on demand at $1.5 each: $5.5. Were nodes of two pods
    bought by halves, both pools would cost half as much: $0.5 + $1 + $3.
    """
    offered = [
        offering(3, zone="a"),
        offering(1, zone="a", capacity_type="spot"),
        offering(2, zone="b", capacity_type="spot"),
    ]
    web = dataclasses.replace(pod("web", cpu=1, replicas=4), spot=SpotPolicy(max_per_pool=Share(count=1)))
    instance = build_instance(problem([web], [instance_type("box", cpu=2, offerings=offered)]))
    assert sorted(instance.demand.tolist()) == [1, 1, 4]
    assert converged_generation(instance).bound.dollars == pytest.approx(5.5)
