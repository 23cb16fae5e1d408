"""Compiles the numba kernels, or loads them from numba's cache, ahead of the first solve.

Run as ``python -m binwright_optimizer.warmup`` at set-up; servers call `warm_up` before they
report that they serve.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from binwright_optimizer import verify
from binwright_optimizer.heuristics.balance import balanced
from binwright_optimizer.heuristics.greedy import Greedy, Remainder, fluid_prices
from binwright_optimizer.heuristics.hand_out import handed_out
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.instance.coarsen import grouped
from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    InstanceType,
    Offering,
    PodTemplate,
    PriceSource,
    Problem,
    Resources,
    Workload,
)
from binwright_optimizer.model.defaults import IMPLICIT_NODE_POOL
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.pricing import Pricing
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline, Halt

MOST_S = 3600.0
"""Seconds that compiling may take: a search that ended before would leave kernels for the first solve."""

IN_TURNS = 100_000
"""Units of work of a search that does in turns what a second thread would do."""


def warm_up() -> float:
    """Solve a small problem to exhaustion, which runs every kernel; returns the seconds it took."""
    began = time.perf_counter()
    verify.warm_up()
    problem = _stubborn_problem()
    solve(problem, SolveParams(deadline_s=MOST_S, patience=2))
    solve(problem, SolveParams(deadline_s=MOST_S, patience=2, work_limit=IN_TURNS))
    _look_beyond(build_instance(problem))
    _pack_groups(build_instance(problem))
    _balance(build_instance(problem))
    return time.perf_counter() - began


def _look_beyond(instance: Instance) -> None:
    """Look for neighbours of an empty pattern, and relax no node: a master solved at once needs neither."""
    halt = Halt(Deadline(MOST_S))
    try:
        pricing = Pricing(instance, halt)
        pricing.relaxed(np.zeros(0, dtype=np.intp), np.zeros(instance.n_classes))
        pricing.neighbours(
            np.zeros(1, dtype=np.intp),
            np.zeros((1, instance.n_classes), dtype=np.int32),
            np.zeros(instance.n_classes),
            np.ones(instance.n_candidates),
        )
    finally:
        halt.close()


def _balance(instance: Instance) -> None:
    """Fill nodes with what goes along their room, as is done where nearly every pod is a kind of its own."""
    halt = Halt(Deadline(MOST_S))
    try:
        greedy = Greedy(instance, Pricing(instance, halt))
        values = fluid_prices(instance)
        answer = Packing.of(instance, *greedy.cover(values, Remainder.whole(instance), 1))
        list(balanced(answer, greedy, values))
    finally:
        halt.close()


def _pack_groups(instance: Instance) -> None:
    """Hand out the places of groups of classes, as is done where there are thousands of them."""
    groups = grouped(instance, instance.n_classes)
    assert groups is not None, "every class is a group of its own"
    largest = groups.largest()
    halt = Halt(Deadline(MOST_S))
    try:
        greedy = Greedy(instance, Pricing(instance, halt))
        values = fluid_prices(instance)
        places = Packing.of(largest, *greedy.cover(values, Remainder.whole(instance), 100))
        handed_out(groups, places, greedy, values)
    finally:
        halt.close()


def _stubborn_problem() -> Problem:
    """Pods whose best packing stays above every bound, so that no stage of the search is skipped.

    The prices have no common divisor by which a bound could be rounded up to the cost.
    """
    source = PriceSource("warm-up", "")

    def kind(name: str, cpu: int, price: int) -> InstanceType:
        room = Resources.of({"cpu": cpu, "memory": 4 * cpu, "pods": 10})
        offering = Offering("", "", CapacityType.ON_DEMAND, price, source)
        labels = (("kubernetes.io/os", "linux"),)
        return InstanceType(name, "", "amd64", room, room, labels, (offering,))

    catalog = Catalog("warm-up", (kind("small", 3000, 3_000_017), kind("large", 7000, 5_000_011)))
    pods = tuple(
        Workload(name, PodTemplate(Resources.of({"cpu": cpu, "memory": 3 * cpu})), replicas=count)
        for name, cpu, count in (("a", 1700, 5), ("b", 1100, 4), ("c", 700, 3))
    )
    return Problem(pods, (IMPLICIT_NODE_POOL,), catalog)


if __name__ == "__main__":
    sys.stderr.write("compiling kernels, once per installation ...\n")
    sys.stderr.write(f"kernels ready after {warm_up():.1f} s\n")
