"""Large masters far from any basis: interior points first, then the simplex method from where they end."""

from __future__ import annotations

import highspy
import numpy as np
import pytest
from binwright_optimizer.columns import master as master_module
from binwright_optimizer.columns.allocation import penalties
from binwright_optimizer.columns.exchange import exchanges
from binwright_optimizer.columns.highs import quiet_solver, run
from binwright_optimizer.columns.master import INTERIOR_ROWS, Master
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.columns.start import single_class_columns
from binwright_optimizer.heuristics.greedy import fluid_prices
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.stopping import Deadline, Halt
from binwright_optimizer.work import Work
from builders import instance_type, pod, problem

PAIRS = INTERIOR_ROWS // 2


def pairs(n: int) -> Instance:
    """Nodes of 10 cpu for 1.00; of each pair two pods of 6 cpu and two of 4, told apart by their memory."""
    pods = []
    for k in range(n):
        pods.append(pod(f"large-{k}", cpu=6, memory_gib=1 + k / 1024, replicas=2))
        pods.append(pod(f"small-{k}", cpu=4, memory_gib=1 + k / 1024, replicas=2))
    return build_instance(problem(pods, [instance_type("stock", cpu=10, memory_gib=64, price=1.00)]))


def together(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """A column for each large pod with each of the small ones."""
    cpu = instance.requests[:, 1]
    patterns = []
    for large in np.flatnonzero(cpu == cpu.max()):
        for small in np.flatnonzero(cpu == cpu.min()):
            pattern = np.zeros(instance.n_classes, dtype=np.int32)
            pattern[[large, small]] = 1
            patterns.append(pattern)
    return np.zeros(len(patterns), dtype=np.intp), np.array(patterns)


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each run so far was by interior points."""
    used: list[bool] = []

    def noted(solver, time_limit_s, work, *, by_interior):
        used.append(by_interior)
        return run(solver, time_limit_s, work, by_interior=by_interior)

    monkeypatch.setattr(master_module, "run", noted)
    return used


def test_interior_points_come_first_and_later_columns_go_on_from_their_basis(methods: list[bool]) -> None:
    """Apart, the pods of a pair need two nodes and one; together two: 3 and 2 dollars a pair."""
    instance = pairs(PAIRS)
    master = Master(Rows(instance), instance.demand, penalties(instance))
    master.add(*single_class_columns(instance))
    apart = master.solve(10.0)
    master.add(*together(instance))
    joined = master.solve(10.0)
    assert apart is not None
    assert joined is not None
    assert (apart.objective, joined.objective) == pytest.approx((3.0 * PAIRS, 2.0 * PAIRS))
    assert instance.demand @ joined.duals.pods == pytest.approx(2.0 * PAIRS)
    assert methods == [True, False]


def test_small_programmes_are_left_to_the_simplex_method(methods: list[bool]) -> None:
    instance = pairs(2)
    master = Master(Rows(instance), instance.demand, penalties(instance))
    master.add(*single_class_columns(instance))
    assert master.solve(10.0) is not None
    assert methods == [False]


def test_a_look_without_exchanges_leaves_the_basis_with_them(methods: list[bool]) -> None:
    """A large pod may take a small one's place: with exchanges the programme costs no more than without."""
    instance = pairs(PAIRS)
    swaps = exchanges(instance, fluid_prices(instance))
    master = Master(Rows(instance), instance.demand, penalties(instance), swaps)
    master.add(*single_class_columns(instance))
    traded, plain, again = master.solve(10.0), master.solve_whole(10.0), master.solve(10.0)
    assert traded is not None
    assert plain is not None
    assert again is not None
    assert again.objective == pytest.approx(traded.objective)
    assert traded.objective <= plain.objective == pytest.approx(3.0 * PAIRS)
    assert methods == [True, True, False]


def test_interior_points_are_counted_as_work() -> None:
    instance = pairs(PAIRS)
    spent = []
    for _ in range(2):
        work = Work()
        master = Master(Rows(instance), instance.demand, penalties(instance), work=work)
        master.add(*together(instance))
        assert master.solve(10.0) is not None
        spent.append(work.units)
    assert spent[0] == spent[1] > 1_000


def test_interior_points_end_once_the_search_is_halted() -> None:
    instance = pairs(PAIRS)
    halt = Halt(Deadline(60.0))
    master = Master(Rows(instance), instance.demand, penalties(instance), halt=halt)
    master.add(*together(instance))
    halt.flag[0] = 1
    assert master.solve(10.0) is None
    halt.close()


def test_a_programme_without_rows_is_solved_by_counted_work_as_well() -> None:
    """Nothing to place is nothing to divide work by: the optimum of no columns is 0."""
    solver = quiet_solver()
    status = run(solver, 1.0, Work(deadline=Deadline(60.0)))
    assert status == highspy.HighsStatus.kOk
    assert solver.getObjectiveValue() == 0.0
