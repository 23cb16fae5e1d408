"""Moving pods for wishes ends when its time is up, in the middle of dealing out a class as well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import (
    LabelSelector,
    Policies,
    TopologySpread,
    WhenUnsatisfiable,
    Workload,
    labels,
)
from binwright_optimizer.packing import Packing
from binwright_optimizer.pod_wishes import PodWishes
from binwright_optimizer.settle.moves import MOST_DEALT, Moves
from binwright_optimizer.settle.nodes import Nodes
from binwright_optimizer.stopping import Deadline
from builders import instance_type, node_pool, offering, pod, problem

ANYWAY = WhenUnsatisfiable.SCHEDULE_ANYWAY
NODES, EACH = 6, 2
"""Nodes of four cores, with as many pods of each service on one as on another."""


def even(name: str) -> Workload:
    """Twelve pods of one core that would be spread over host names."""
    own = LabelSelector.of_labels({"app": name})
    wish = TopologySpread(labels.HOSTNAME, 1, ANYWAY, own)
    workload = pod(name, cpu=1, replicas=NODES * EACH)
    template = replace(workload.template, labels=(("app", name),), topology_spread=(wish,))
    return replace(workload, template=template)


def full_nodes() -> tuple[Instance, PodWishes, Nodes]:
    """Both services, pods of one class: without dealing, a node gets as many of one service as it can."""
    box = instance_type("box", cpu=4, offerings=[offering(1.0)])
    question = problem([even("web"), even("api")], [box], [node_pool("p")])
    instance = build_instance(replace(question, policies=Policies(microusd_per_weight_hour=1_000)))
    assert instance.n_classes == 1
    wishes = PodWishes(instance)
    pattern = np.array([[2 * EACH]], dtype=np.int32)
    packing = Packing.of(instance, np.array([0]), np.array([NODES]), pattern)
    return instance, wishes, Nodes(instance, packing, wishes)


@pytest.mark.parametrize("most_steps", [0, 1, 5, 20])
def test_dealing_ends_with_its_steps_and_leaves_pods_where_they_were(most_steps: int) -> None:
    """Twenty-four pods take more steps than these: the last is followed by no other pod's."""
    instance, wishes, nodes = full_nodes()
    before = [dict(node.pods) for node in nodes.all]
    moves = Moves(instance, nodes, wishes, Deadline(1e6), most_steps)
    moves.run()
    assert moves.steps <= most_steps + MOST_DEALT
    assert [{u: n for u, n in node.pods.items() if n} for node in nodes.all] == before


def test_with_time_every_node_gets_two_pods_of_each_service() -> None:
    """Then no wish goes unmet, for the same dollars."""
    instance, wishes, nodes = full_nodes()
    moves = Moves(instance, nodes, wishes, Deadline(1e6), 10_000)
    moves.run()
    assert moves.dollars == 0
    assert all(sorted(n for n in node.pods.values() if n) == [EACH, EACH] for node in nodes.all)
