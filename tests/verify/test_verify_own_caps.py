"""The bound knows how many equal pods a node may hold."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import HostPort, NodeCap, PodAffinity
from binwright_optimizer.model.labels import HOSTNAME
from binwright_optimizer.solve import solve
from binwright_optimizer.verify.own_caps import own_caps
from builders import instance_type, problem
from rules import apps, ruled, spread, term

BOX = instance_type("box", cpu=64, price=1)
APART = PodAffinity((term(HOSTNAME, apps("web")),))


def test_ten_pods_that_keep_apart_are_proven_to_need_ten_nodes() -> None:
    """All ten would fit one box by their requests."""
    decision = solve(problem([ruled("web", 10, pod_anti_affinity=APART)], [BOX]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == 10_000_000


def test_a_port_that_two_kinds_want_is_proven_to_need_a_node_for_each_pod() -> None:
    pods = [ruled(n, 4, cpu=cpu, host_ports=(HostPort(80),)) for n, cpu in (("a", 1), ("b", 2))]
    decision = solve(problem(pods, [BOX]))
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == 8_000_000


def test_groups_are_of_pods_that_state_the_same_about_themselves() -> None:
    question = problem(
        [
            ruled("plain", 2),
            ruled("web", 2, pod_anti_affinity=APART),
            ruled("web", 2, cpu=2, pod_anti_affinity=APART),
            ruled("api", 2, node_caps=(NodeCap(apps("api"), 3),)),
            ruled("log", 2, topology_spread=(spread(HOSTNAME, 2, apps("log")),)),
        ],
        [BOX],
    )
    caps = own_caps(question)
    assert caps.group_of.tolist() == [0, 1, 1, 2, 3]
    assert caps.most[1:].tolist() == [1, 3, 2]
    assert caps.shared == (((1,), 1),)  # by web pods of two sizes


def test_a_rule_about_others_caps_nobody() -> None:
    question = problem([ruled("db", 2, pod_anti_affinity=APART)], [BOX])
    caps = own_caps(question)
    assert caps.group_of.tolist() == [0]


def test_rules_that_several_groups_state_are_shared() -> None:
    both = (HostPort(80), HostPort(443))
    question = problem(
        [ruled("a", host_ports=both), ruled("b", host_ports=both[:1]), ruled("c", host_ports=both[1:])], [BOX]
    )
    assert sorted(own_caps(question).shared) == [((1, 2), 1), ((1, 3), 1)]
    assert dataclasses.replace(own_caps(question), shared=()).most.tolist()[1:] == [1, 1, 1]
