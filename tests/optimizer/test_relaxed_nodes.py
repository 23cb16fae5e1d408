"""Nodes of several shared GPUs whose knapsacks no search closes: relaxed columns in their place.

A node of two GPUs and 9 CPUs costs $2. Four large pods take 600 thousandths of a GPU and 4 CPUs, six small
ones 500 and 3 CPUs, so that a GPU holds a large one or two small ones. A node holds two large pods, or three
small ones, or one of each: two and two nodes, $8. In parts it is filled to the last CPU.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.columns.master import Master
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.columns.start import single_class_columns
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import GpuShare, Workload
from binwright_optimizer.pricing import Priced, Pricing
from binwright_optimizer.stopping import Deadline, Halt
from builders import GIB, instance_type, pod, problem
from numpy.typing import NDArray
from solver_parts import pricing_of

Float = NDArray[np.float64]
LARGE, SMALL = 0, 1


def sharing(name: str, milli: int, cpu: float, replicas: int) -> Workload:
    plain = pod(name, cpu=cpu, gpu=1, replicas=replicas)
    return dataclasses.replace(
        plain, template=dataclasses.replace(plain.template, gpu_share=GpuShare(milli, 0))
    )


def two_sizes() -> Instance:
    kind = dataclasses.replace(
        instance_type("two", cpu=9, gpu=2, price=2, gpu_model="t4"), gpu_memory_bytes=16 * GIB
    )
    return build_instance(problem([sharing("large", 600, 4, 4), sharing("small", 500, 3, 6)], [kind]))


def test_contents_of_gpus_fill_a_node_in_parts() -> None:
    """At $1 and $0.7: one and a half GPUs with a large pod (6 CPUs), a half with two small ones (3 CPUs).

    That is worth 1.5 + 0.7; no whole pods are worth more than three small ones, 2.1.
    """
    pricing = pricing_of(two_sizes())
    assert pricing.may_relax.tolist() == [True]
    [pattern] = pricing.relaxed(np.array([0]), np.array([1.0, 0.7]))
    assert pattern.tolist() == pytest.approx([1.5, 1.0])


def test_a_relaxed_column_prices_pods_but_is_no_part_of_a_whole_solution() -> None:
    """Two nodes with two large pods each, and three small ones on each of two: $8.

    Were four small ones on a node, one and a half nodes would do: $7, and a small pod is worth $0.5.
    """
    instance = two_sizes()
    master = Master(Rows(instance), instance.demand, penalties(instance))
    master.add(np.zeros(2, dtype=np.intp), np.array([[2, 0], [0, 3]], dtype=np.int32))
    master.add_relaxed(np.zeros(1, dtype=np.intp), np.array([[0.0, 4.0]]))
    relaxed, whole = master.solve(10.0), master.solve_whole(10.0)
    assert relaxed is not None
    assert whole is not None
    assert (relaxed.objective, relaxed.relaxed) == (pytest.approx(7.0), pytest.approx(1.5))
    assert relaxed.duals.pods[SMALL] == pytest.approx(0.5)
    assert relaxed.nodes.tolist() == pytest.approx([2.0, 0.0])
    assert not relaxed.is_whole
    assert (whole.objective, whole.is_whole) == (pytest.approx(8.0), True)
    assert master.drop_relaxed()
    dropped = master.solve(10.0)
    assert dropped is not None
    assert dropped.objective == pytest.approx(8.0)
    assert not master.drop_relaxed()


class Hopeless(Pricing):
    """Searches that find nothing, and of what nodes may hold know the relaxation only."""

    def price(self, values: Float, costs: Float, bounds: Float, *given: Any, **_: Any) -> Priced:
        chosen = np.arange(len(costs)) if not given else given[0]
        bounds[chosen] = self.relaxed(chosen, values) @ values
        return nothing_found(values)

    def lift(self, values: Float, *_: Any) -> Priced:
        return nothing_found(values)


def nothing_found(values: Float) -> Priced:
    return Priced(np.zeros(0, dtype=np.intp), np.zeros((0, len(values)), dtype=np.int32))


def test_prices_are_as_good_as_relaxations_where_no_search_ends() -> None:
    """4 x 4 + 6 x 3 CPUs are 34 of 9 on a node: 34 / 9 nodes in parts, at $2 each."""
    instance = two_sizes()
    pricing = Hopeless(instance, Halt(Deadline(60.0)))

    def nothing(_: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        return np.zeros(0, dtype=np.intp), np.zeros((0, 2), dtype=np.int32)

    generation = Generation(instance, pricing, penalties(instance), nothing, most_branches=40)
    generation.add(*single_class_columns(instance))
    stop = Deadline(60.0)
    while not generation.is_converged:
        assert stop.remaining_s() > 0
        generation.round(stop)
    assert generation.bound.dollars == pytest.approx(2 * 34 / 9, rel=1e-3)
    assert generation.solution is not None
    assert generation.solution.is_whole
    assert generation.solution.objective == pytest.approx(8.0)
