"""Options that another replaces for no more are of no account where nodes may be exchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from binwright_optimizer.model import (
    Certificate,
    LabelSelector,
    NodeCap,
    PodAffinity,
    PodAffinityTerm,
    Problem,
    Share,
    Split,
    SpotPolicy,
    Toleration,
    TopologySpread,
)
from binwright_optimizer.verify.bound import prove_bound
from binwright_optimizer.verify.exchange import is_exchangeable, usable, without_replaceable
from binwright_optimizer.verify.market import market
from builders import existing_node, instance_type, node_pool, pod, problem
from hypothesis import given
from hypothesis import strategies as st


def sold(*, dear: float = 0.000625, available: int | None = None) -> Problem:
    """Sixteen pods of 1 CPU, and one of 4 CPU and 60 GiB.

    ``plain`` holds eight of the first for 600 micro-dollars, ``large`` the second for 620; ``dear`` is plain
    for 625.
    """
    return problem(
        [pod("small", cpu=1, memory_gib=1, replicas=16), pod("big", cpu=4, memory_gib=60)],
        [
            instance_type("plain", cpu=8, memory_gib=8, price=0.000600, available=available),
            instance_type("large", cpu=4, memory_gib=64, price=0.000620),
            instance_type("dear", cpu=8, memory_gib=8, price=dear),
        ],
    )


SPLIT = Certificate(
    0,
    (),
    split=Split(
        620,
        0,
        Certificate(0, (75, 1620), level_prices=((620, -1000),)),
        Certificate(0, (75, 300), level_prices=((620, 320),)),
    ),
)
"""No node of 620 and more costs 1200 + 1620; at least one, 320 + 16 * 75 + 300 = 1820, which is optimal."""


def test_replaceable_option_no_longer_spoils_the_part_with_a_dear_node() -> None:
    """Less the 320 for being dear, ``dear`` costs 305 and holds pods worth 600: prices of pods are halved.

    So it is where a limit on nodes might be what ``dear`` is bought for.
    """
    limited = replace(sold(), node_pools=(node_pool(max_nodes=99),))
    assert prove_bound(limited, SPLIT, (16, 1), on_whole_nodes=False) < 1300
    assert prove_bound(sold(), SPLIT, (16, 1), on_whole_nodes=False) == 1820


APP = LabelSelector.of_labels({"app": "a"})


def with_template(asked: Problem, **changes: object) -> Problem:
    first, *others = asked.workloads
    return replace(asked, workloads=(replace(first, template=replace(first.template, **changes)), *others))


TIES = {
    "limit": lambda p: replace(p, node_pools=(node_pool(limits={"cpu": 99_000}),)),
    "least nodes": lambda p: replace(p, node_pools=(node_pool(min_nodes=1),)),
    "most nodes": lambda p: replace(p, node_pools=(node_pool(max_nodes=9),)),
    "wish against nodes": lambda p: replace(p, node_pools=(node_pool(taints=["x=y:PreferNoSchedule"]),)),
    "running node": lambda p: replace(p, existing_nodes=(existing_node("old"),)),
    "spread": lambda p: with_template(p, topology_spread=(TopologySpread("zone", 1),)),
    "pods apart": lambda p: with_template(p, pod_anti_affinity=PodAffinity((PodAffinityTerm("zone", APP),))),
    "cap on a node": lambda p: with_template(p, node_caps=(NodeCap(APP, 2),)),
    "restart cost": lambda p: with_template(p, restart_cost_microusd=5),
    "cap on a spot pool": lambda p: replace(
        p, policies=replace(p.policies, spot=SpotPolicy(max_per_pool=Share(count=3)))
    ),
}


@pytest.mark.parametrize("tie", TIES)
def test_whatever_ties_pods_to_more_than_room_keeps_nodes_from_being_exchanged(tie: str) -> None:
    assert is_exchangeable(sold())
    assert not is_exchangeable(TIES[tie](sold()))


def test_selectors_and_tolerations_depend_on_the_node_alone() -> None:
    asked = with_template(sold(), tolerations=(Toleration("x"),), priority=7, labels=(("app", "a"),))
    assert is_exchangeable(asked)


def test_cheaper_or_scarce_options_replace_nothing() -> None:
    """A ``dear`` one for 590 is no dearer than plain; plain of which one is left is soon sold out."""
    demand = np.array([16, 1])
    for asked, kept in (
        (sold(), {600, 620}),
        (sold(dear=0.000590), {590, 620}),
        (sold(available=1), {600, 620, 625}),
    ):
        assert set(without_replaceable(market(asked), demand).price.tolist()) == kept


@given(
    st.lists(st.tuples(*[st.integers(0, 60)] * 3), min_size=1, max_size=4),
    st.tuples(*[st.integers(0, 400)] * 3),
    st.lists(st.integers(0, 9), min_size=4, max_size=4),
)
def test_no_pods_that_fit_use_more_than_is_usable(
    requests: list[tuple[int, int, int]], room: tuple[int, int, int], counts: list[int]
) -> None:
    """For any pods on the node: what they use of each resource is at most what `usable` says."""
    used = np.array(counts[: len(requests)]) @ np.array(requests)
    most = usable(np.array([room]), np.array(requests))[0]
    assert (most <= room).all()
    if (used <= room).all():
        assert (used <= most).all()
