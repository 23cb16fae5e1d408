"""The linear and integer programme of commitments and mixes, in HiGHS; `commit` states and proves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import highspy
import numpy as np

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.planning.coverage import Instrument

SCALE = 1e9
"""Micro-dollars in the unit of the programme's objective, thousands of dollars, which suits floats."""
UNIT_MICROUSD = 10_000
"""Committed spend is bought in whole cents an hour."""
MOST_TREE_NODES = 2_000
"""Branches that the integer programme may look at: a limit on work, not time, so that answers repeat."""


@dataclass(frozen=True, slots=True)
class Option:
    """A way to run a block, as commitments see it.

    Parameters
    ----------
    values
        On-demand micro-dollars an hour at list prices, by group.
    extra
        Micro-dollars an hour that no commitment pays for.
    """

    values: Mapping[int, int]
    extra: int = 0


class Bounding(Protocol):
    """A proof of what a block costs at least."""

    @property
    def bound(self) -> int:
        """Micro-dollars an hour at list prices or at others that are no higher."""

    def at(self, factors: Mapping[int, Fraction], full: Fraction) -> Fraction:
        """The bound at list prices times factors, by group; what no commitment covers costs ``full``."""


@dataclass(frozen=True, slots=True)
class Proof:
    """No way to run a block costs less than ``bound`` at ``factors`` times the list prices.

    Parameters
    ----------
    factors
        By group; groups that are not named are at their list price.
    bound
        Micro-dollars an hour.
    """

    bound: int
    factors: Mapping[int, Fraction] = field(default_factory=dict)

    def at(self, factors: Mapping[int, Fraction], full: Fraction) -> Fraction:
        """The bound at other prices: costs grow with prices, and in proportion to all of them.

        Parameters
        ----------
        factors
            By group of the block, at least those of this proof.
        full
            Factor of what no commitment covers.

        Examples
        --------
        >>> int(Proof(100, {1: Fraction(1, 2)}).at({0: Fraction(4), 1: Fraction(1)}, Fraction(4)))
        200
        """
        ratio = full
        for group, factor in factors.items():
            own = self.factors.get(group, 1)
            if own:
                ratio = min(ratio, factor / own)
        return ratio * self.bound


@dataclass(frozen=True, slots=True)
class Block:
    """One packing problem of a cell: ways to run it, and what is proven of it.

    Parameters
    ----------
    groups
        Groups of nodes that it may buy.
    extra_bound
        Micro-dollars an hour, of what no commitment pays for, that every way costs.
    estimate
        What its nodes cost at least, where another block of the cell holds the proof for several.
    """

    options: tuple[Option, ...]
    proofs: tuple[Bounding, ...]
    groups: tuple[int, ...]
    extra_bound: int = 0
    estimate: int | None = None

    def proven(self, factors: Mapping[int, Fraction], full: Fraction) -> Fraction:
        """What it costs at least at prices times factors."""
        own = {group: factors[group] for group in self.groups}
        return max((p.at(own, full) for p in self.proofs), default=Fraction(0)) + full * self.extra_bound


@dataclass(frozen=True, slots=True)
class Cell:
    """One period, scenario and block of hours; ``hours`` is its length times 168 so that it is whole."""

    period: int
    scenario: int
    hours: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Purchasable:
    """A commitment that may be bought at the start of one period.

    Parameters
    ----------
    instrument
        What it is; one instrument may be bought at several times.
    unit_microusd
        What a unit costs an hour.
    hours
        Hours of the horizon that it is paid for, times 168.
    periods
        Periods that it covers from start to end.
    """

    instrument: int
    bought: int
    unit_microusd: int
    hours: int
    periods: frozenset[int]

    @property
    def cost(self) -> Fraction:
        """Micro-dollars over the horizon that a unit costs."""
        return Fraction(self.unit_microusd * self.hours, 168)


@dataclass(frozen=True, slots=True)
class Sunk:
    """A commitment held: units of an instrument in the periods it covers from start to end."""

    instrument: int
    units: Fraction
    periods: frozenset[int]


@dataclass(frozen=True, slots=True)
class Market:
    """Everything that may be bought ahead, and what is held."""

    instruments: tuple[Instrument, ...] = ()
    purchasables: tuple[Purchasable, ...] = ()
    held: tuple[Sunk, ...] = ()

    def held_units(self, period: int) -> list[Fraction]:
        """Units held in a period, by instrument."""
        units = [Fraction(0)] * len(self.instruments)
        for sunk in self.held:
            if period in sunk.periods:
                units[sunk.instrument] += sunk.units
        return units

    def on_sale(self, period: int) -> list[list[int]]:
        """Purchasables whose term covers a period, by instrument."""
        found: list[list[int]] = [[] for _ in self.instruments]
        for at, p in enumerate(self.purchasables):
            if period in p.periods:
                found[p.instrument].append(at)
        return found


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
    """Variables: units of each purchasable, then for each cell what is covered and which options run.

    Values are in dollars an hour and costs in thousands of dollars, which suits floats.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self.costs: list[float] = [float(p.cost) / SCALE for p in market.purchasables]
        self.lower: list[float] = [0.0] * len(self.costs)
        self.integers: list[int] = list(range(len(self.costs)))
        self.rows = Rows()
        self.price_rows: list[list[int | None]] = []
        self.choices: list[list[list[int]]] = []
        self._on_sale: dict[int, list[list[int]]] = {}
        self._held: dict[int, list[Fraction]] = {}

    def add_cell(self, cell: Cell, weight: float) -> tuple[list[tuple[int, float]], float]:
        """Variables and rows of a cell; its cost at weight one, thousands of dollars: terms, a constant."""
        per_dollar = cell.hours / 168 / 1e3
        terms: list[tuple[int, float]] = []
        constant = 0.0
        fixed: dict[int, float] = {}
        chosen: dict[int, list[tuple[int, float]]] = {}
        choices: list[list[int]] = []
        for block in cell.blocks:
            if len(block.options) == 1:
                only = block.options[0]
                constant += (sum(only.values.values()) + only.extra) / 1e6 * per_dollar
                for group, value in only.values.items():
                    fixed[group] = fixed.get(group, 0.0) + value / 1e6
                choices.append([])
                continue
            mine = []
            for option in block.options:
                cost = (sum(option.values.values()) + option.extra) / 1e6 * per_dollar
                variable = self.add_variable(weight * cost)
                self.integers.append(variable)
                terms.append((variable, cost))
                for group, value in option.values.items():
                    chosen.setdefault(group, []).append((variable, value / 1e6))
                mine.append(variable)
            self.rows.add([(variable, 1.0) for variable in mine], 1.0, 1.0)
            choices.append(mine)
        self.choices.append(choices)
        terms += self._cover(cell.period, fixed, chosen, per_dollar, weight)
        return terms, constant

    def _cover(
        self,
        period: int,
        fixed: Mapping[int, float],
        chosen: Mapping[int, list[tuple[int, float]]],
        per_dollar: float,
        weight: float,
    ) -> list[tuple[int, float]]:
        """Variables for dollars an hour of a group that one commitment pays for, and their rows."""
        if period not in self._on_sale:
            self._on_sale[period] = self._market.on_sale(period)
            self._held[period] = self._market.held_units(period)
        covers: dict[int, list[tuple[int, float]]] = {}
        terms = []
        prices: list[int | None] = []
        for at, instrument in enumerate(self._market.instruments):
            owners, held = self._on_sale[period][at], self._held[period][at]
            groups = [g for g in instrument.worth if g in fixed or g in chosen]
            if not groups or not (owners or held):
                prices.append(None)
                continue
            entries = [(owner, -1.0) for owner in owners]
            for group in groups:
                variable = self.add_variable(-weight * per_dollar)
                entries.append((variable, 1e6 / float(instrument.worth[group])))
                covers.setdefault(group, []).append((variable, 1.0))
                terms.append((variable, -per_dollar))
            prices.append(self.rows.add(entries, -highspy.kHighsInf, float(held)))
        self.price_rows.append(prices)
        for group, entries in covers.items():
            options = [(variable, -value) for variable, value in chosen.get(group, ())]
            self.rows.add([*entries, *options], -highspy.kHighsInf, fixed.get(group, 0.0))
        return terms

    def add_variable(self, cost: float, lower: float = 0.0) -> int:
        """A further variable; its number."""
        self.lower.append(lower)
        self.costs.append(cost)
        return len(self.costs) - 1

    def run(self, *, is_integer: bool = False) -> tuple[list[float], list[float]]:
        """Values of the variables and duals of the rows, of the relaxation unless told otherwise.

        Raises
        ------
        PlanningError
            If HiGHS finds no solution.
        """
        integers = self.integers if is_integer else []
        return optimum(self.costs, self.lower, self.rows, integers, MOST_TREE_NODES)


def optimum(
    costs: Sequence[float],
    lower: Sequence[float],
    rows: Rows,
    integers: Sequence[int],
    tree_nodes: int,
    gap: float = 1e-6,
) -> tuple[list[float], list[float]]:
    """Values of the variables of least cost, and duals of the rows where no variable is whole.

    Parameters
    ----------
    integers
        Variables that must be whole.
    tree_nodes
        Branches to look at; then the best found counts.
    gap
        Relative gap at which to stop where variables are whole.

    Raises
    ------
    PlanningError
        If HiGHS finds no solution.
    """
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    # HiGHS has one pool of threads in a process; the engine's programmes have one thread, too.
    model.setOptionValue("threads", 1)
    model.setOptionValue("mip_rel_gap", gap)
    model.setOptionValue("mip_max_nodes", tree_nodes)
    lp = highspy.HighsLp()
    lp.num_col_ = len(costs)
    lp.num_row_ = len(rows.upper)
    lp.col_cost_ = np.asarray(costs)
    lp.col_lower_ = np.asarray(lower)
    lp.col_upper_ = np.full(len(costs), highspy.kHighsInf)
    lp.row_lower_ = np.asarray(rows.lower)
    lp.row_upper_ = np.asarray(rows.upper)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.asarray(rows.starts)
    lp.a_matrix_.index_ = np.asarray(rows.indices)
    lp.a_matrix_.value_ = np.asarray(rows.values)
    if integers:
        kinds = [highspy.HighsVarType.kContinuous] * len(costs)
        for variable in integers:
            kinds[variable] = highspy.HighsVarType.kInteger
        lp.integrality_ = kinds
    if model.passModel(lp) != highspy.HighsStatus.kOk or model.run() == highspy.HighsStatus.kError:
        raise PlanningError("the programme of commitments failed to solve")
    status = model.getModelStatus()
    solution = model.getSolution()
    ended = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kSolutionLimit)
    feasible = int(highspy.SolutionStatus.kSolutionStatusFeasible)
    if status not in ended or model.getInfo().primal_solution_status != feasible:
        raise PlanningError(
            f"the programme of commitments failed to solve: {model.modelStatusToString(status)}"
        )
    return list(solution.col_value), list(solution.row_dual)
