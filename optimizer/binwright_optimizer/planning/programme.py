"""The linear and integer programme of commitments, in HiGHS; `commit` states it and proves its bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model.forecast import PPM

SCALE = 1e9
"""Micro-dollars in the unit of the programme's objective, thousands of dollars, which suits floats."""
UNIT_MICROUSD = 10_000
"""Commitments are bought in whole cents an hour."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One period, scenario and block.

    Parameters
    ----------
    hours
        Length in hours, times 168 so that it is whole.
    value, bound
        On-demand micro-dollars an hour: paid, and proven.
    spot, spot_bound
        The same for what no commitment pays for.
    """

    period: int
    scenario: int
    hours: int
    value: int
    bound: int
    spot: int
    spot_bound: int


@dataclass(frozen=True, slots=True)
class Purchasable:
    """A commitment that may be bought at the start of one period.

    Parameters
    ----------
    hours
        Hours of the horizon that it is paid for, times 168.
    periods
        Periods that it covers from start to end.
    """

    offer: int
    bought: int
    discount_ppm: int
    hours: int
    periods: frozenset[int]


@dataclass(frozen=True, slots=True)
class Sunk:
    """A commitment held: micro-dollars an hour in the periods it covers from start to end."""

    microusd_per_hour: int
    discount_ppm: int
    periods: frozenset[int]


class Rows:
    """Rows of a linear programme while they are collected."""

    def __init__(self) -> None:
        self.starts: list[int] = [0]
        self.indices: list[int] = []
        self.values: list[float] = []
        self.lower: list[float] = []
        self.upper: list[float] = []

    def add(self, entries: Sequence[tuple[int, float]], lower: float, upper: float) -> int:
        """One more row; its number."""
        for index, value in entries:
            self.indices.append(index)
            self.values.append(value)
        self.starts.append(len(self.indices))
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.upper) - 1


class Programme:
    """The programme of the module, in thousands of dollars so that the numbers suit floats."""

    def __init__(self, purchasables: Sequence[Purchasable], held: Sequence[Sunk]) -> None:
        self._purchasables = purchasables
        self._held = held
        self._offers = sorted({p.offer for p in purchasables})
        self.costs: list[float] = [p.hours / 168 * UNIT_MICROUSD / SCALE for p in purchasables]
        self.upper: list[float] = [highspy.kHighsInf] * len(purchasables)
        self.lower: list[float] = [0.0] * len(purchasables)
        self.rows = Rows()
        self.price_rows: list[list[int | None]] = []

    def add_cell(self, cell: Cell, value: int, weight: float) -> list[tuple[int, float]]:
        """Variables and rows of a cell; what they save, dollars by variable, at weight one.

        Each variable counts on-demand dollars an hour that one commitment pays for.
        """
        covers: list[tuple[int, float]] = []
        prices: list[int | None] = []
        for offer in self._offers:
            owners = [
                (at, p)
                for at, p in enumerate(self._purchasables)
                if p.offer == offer and cell.period in p.periods
            ]
            if not owners:
                prices.append(None)
                continue
            variable = self._variable(-weight * cell.hours / 168 / 1e3)
            share = 1 - owners[0][1].discount_ppm / PPM
            entries = [(variable, share), *((at, -UNIT_MICROUSD / 1e6) for at, _ in owners)]
            prices.append(self.rows.add(entries, -highspy.kHighsInf, 0.0))
            covers.append((variable, 1.0))
        for sunk in self._held:
            if cell.period not in sunk.periods:
                prices.append(None)
                continue
            variable = self._variable(-weight * cell.hours / 168 / 1e3)
            share = 1 - sunk.discount_ppm / PPM
            prices.append(
                self.rows.add([(variable, share)], -highspy.kHighsInf, sunk.microusd_per_hour / 1e6)
            )
            covers.append((variable, 1.0))
        self.price_rows.append(prices)
        self.rows.add(covers, -highspy.kHighsInf, value / 1e6)
        return [(variable, -cell.hours / 168 / 1e3) for variable, _ in covers]

    def add_variable(self, cost: float, lower: float = 0.0) -> int:
        """A further variable; its number."""
        self.lower.append(lower)
        self.upper.append(highspy.kHighsInf)
        self.costs.append(cost)
        return len(self.costs) - 1

    def _variable(self, cost: float) -> int:
        return self.add_variable(cost)

    def run(self, integers: int = 0) -> tuple[list[float], list[float]]:
        """Values of the variables and duals of the rows; the first ``integers`` variables are whole.

        Raises
        ------
        PlanningError
            If HiGHS does not end with an optimum.
        """
        model = highspy.Highs()
        model.setOptionValue("output_flag", False)
        # HiGHS has one pool of threads in a process; the engine's programmes have one thread, too.
        model.setOptionValue("threads", 1)
        model.setOptionValue("mip_rel_gap", 1e-6)
        model.setOptionValue("time_limit", 60.0)
        lp = highspy.HighsLp()
        lp.num_col_ = len(self.costs)
        lp.num_row_ = len(self.rows.upper)
        lp.col_cost_ = np.asarray(self.costs)
        lp.col_lower_ = np.asarray(self.lower)
        lp.col_upper_ = np.asarray(self.upper)
        lp.row_lower_ = np.asarray(self.rows.lower)
        lp.row_upper_ = np.asarray(self.rows.upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.asarray(self.rows.starts)
        lp.a_matrix_.index_ = np.asarray(self.rows.indices)
        lp.a_matrix_.value_ = np.asarray(self.rows.values)
        if integers:
            kinds = [highspy.HighsVarType.kInteger] * integers
            lp.integrality_ = kinds + [highspy.HighsVarType.kContinuous] * (len(self.costs) - integers)
        if model.passModel(lp) != highspy.HighsStatus.kOk or model.run() == highspy.HighsStatus.kError:
            raise PlanningError("the programme of commitments failed to solve")
        status = model.getModelStatus()
        solution = model.getSolution()
        if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kTimeLimit) or not list(
            solution.col_value
        ):
            raise PlanningError(
                f"the programme of commitments failed to solve: {model.modelStatusToString(status)}"
            )
        return list(solution.col_value), list(solution.row_dual)
