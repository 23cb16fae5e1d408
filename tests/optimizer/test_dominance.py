"""Candidates that another makes superfluous are left out, and only those."""

from __future__ import annotations

import numpy as np
from binwright_optimizer.instance import build_instance
from binwright_optimizer.instance.reduce import cheapest_of_equals
from binwright_optimizer.model import Requirement, labels
from builders import instance_type, node_pool, pod, problem, requires
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_parts import candidate_names


def only(name: str) -> Requirement:
    return requires(labels.INSTANCE_TYPE, "In", name)


def test_a_dearer_and_smaller_type_is_dominated() -> None:
    kinds = [instance_type("good", cpu=8, price=1), instance_type("bad", cpu=4, price=2)]
    assert candidate_names(build_instance(problem([pod(cpu=1, replicas=20)], kinds))) == ["good"]


def test_a_cheaper_and_smaller_type_stays() -> None:
    kinds = [instance_type("large", cpu=8, price=2), instance_type("small", cpu=4, price=1)]
    assert candidate_names(build_instance(problem([pod(cpu=1, replicas=20)], kinds))) == ["large", "small"]


def test_room_beyond_what_all_pods_want_counts_for_nothing() -> None:
    """Three pods of 1 cpu: 64 cpu are worth no more than 4."""
    kinds = [instance_type("large", cpu=64, price=2), instance_type("small", cpu=4, price=1)]
    assert candidate_names(build_instance(problem([pod(cpu=1, replicas=3)], kinds))) == ["small"]


def test_a_type_that_holds_a_pod_no_other_holds_is_not_dominated() -> None:
    kinds = [
        instance_type("good", cpu=8, price=1, extra_labels={"disk": "hdd"}),
        instance_type("bad", cpu=4, price=2, extra_labels={"disk": "ssd"}),
    ]
    pods = [pod("a", cpu=1, replicas=9), pod("b", cpu=1, selector={"disk": "ssd"})]
    assert candidate_names(build_instance(problem(pods, kinds))) == ["bad", "good"]


def test_a_scarce_offering_dominates_no_other() -> None:
    kinds = [instance_type("scarce", cpu=8, price=1, available=1), instance_type("dear", cpu=8, price=2)]
    found = candidate_names(build_instance(problem([pod(cpu=1, replicas=20)], kinds)))
    assert found == ["dear", "scarce"]


def test_a_candidate_of_a_limited_pool_does_not_dominate_one_of_another_pool() -> None:
    """The cheap node may run out under its pool's limit."""
    kinds = [instance_type("node", cpu=8, price=1), instance_type("dear", cpu=8, price=2)]
    pools = [node_pool("limited", max_nodes=1), node_pool("open", only("dear"))]
    found = candidate_names(build_instance(problem([pod(cpu=1, replicas=20)], kinds, pools)))
    assert found == ["dear", "node"]


def test_in_one_limited_pool_a_cheap_node_that_uses_more_of_the_limit_does_not_dominate() -> None:
    """Limit 8 cpu: one cheap node with 8 cpu, or two with 4 cpu of capacity and more memory in all."""
    kinds = [
        instance_type("greedy", cpu=8, memory_gib=4, price=1),
        instance_type("frugal", cpu=4, memory_gib=4, price=2),
    ]
    pools = [node_pool("p", limits={"cpu": 8000})]
    found = candidate_names(build_instance(problem([pod(memory_gib=1, replicas=8)], kinds, pools)))
    assert found == ["frugal", "greedy"]


def test_a_node_of_a_pool_with_a_minimum_is_not_dominated_from_outside() -> None:
    kinds = [instance_type("node", cpu=8, price=1), instance_type("dear", cpu=8, price=2)]
    pools = [node_pool("floored", only("dear"), min_nodes=1), node_pool("open")]
    found = candidate_names(build_instance(problem([pod(cpu=1, replicas=20)], kinds, pools)))
    assert "dear" in found


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_of_equal_rows_the_first_in_order_is_kept(rows, random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    kept = cheapest_of_equals(np.array(rows, dtype=np.int64), np.array(order, dtype=np.intp))
    expected = [k for position, k in enumerate(order) if rows[k] not in [rows[o] for o in order[:position]]]
    assert kept.tolist() == expected
