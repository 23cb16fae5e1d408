"""What to commit to now, when capacity is provisioned later: the first stage of the plan, with its proof.

A *cell* is a period, a scenario and a block of hours; its on-demand value V, micro-dollars an hour, is
what its nodes cost without commitments. A commitment c bought at the start of period t costs F_ct a unit
over the horizon and pays, in each cell of its term, for on-demand nodes worth 1 / (1 - d_c) of what is
committed. With W the cell's hours times its weight,

    minimise    sum_ct F_ct x_ct + sum_cell W (V - sum_c u_c / (1 - d_c))
    value       sum_c u_c / (1 - d_c) <= V                for every cell
    commitment  u_c <= unit * sum_t x_ct                  for every cell and c, t in term     dual mu_c >= 0
    held        u_h <= held_h                             for every cell and h in term        dual mu_h >= 0

**Bound** (`prove`): relax the commitment and held rows with any mu >= 0. Each cell then costs V min(W,
min_c mu_c (1 - d_c)) at least, less mu_h held_h, and x costs nothing at least once sum mu_c unit <= F_ct
for every purchase, which `prove` makes true by scaling mu down. All in integers, with the engine's proven
bound in place of V.

**Risk**: the objective (1 - a) mean + a CVaR_b over scenarios is the largest mean over all weights q = (1
- a) p + a y with 0 <= y <= p / (1 - b) and sum y = 1 (Rockafellar and Uryasev 2000,
doi:10.21314/JOR.2000.038), so the bound for any such weights holds for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import highspy

from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.planning.programme import SCALE, UNIT_MICROUSD, Cell, Programme, Purchasable, Sunk


@dataclass(frozen=True, slots=True)
class Risk:
    """Weight of the tail in the objective, and where the tail begins; both in 0..1, the level below 1."""

    aversion: Fraction = Fraction(0)
    level: Fraction = Fraction(95, 100)

    def __post_init__(self) -> None:
        if not 0 <= self.aversion <= 1 or not 0 <= self.level < 1:
            raise ValueError(f"risk aversion must be in 0..1 and its level in 0..1 without 1: {self}")


@dataclass(frozen=True, slots=True)
class Commitments:
    """What to buy, and what the plan then costs.

    Parameters
    ----------
    units
        Units of each purchasable.
    scenario_costs
        Micro-dollars over the horizon of each scenario, commitments included.
    objective, bound
        Micro-dollars: the risk-weighted cost, and what is proven that no plan can cost less.
    """

    units: tuple[int, ...]
    scenario_costs: tuple[Fraction, ...]
    objective: Fraction
    bound: Fraction


def choose(
    cells: Sequence[Cell],
    purchasables: Sequence[Purchasable],
    held: Sequence[Sunk],
    probabilities: Sequence[Fraction],
    risk: Risk = Risk(),
) -> Commitments:
    """The commitments of least risk-weighted cost, with a bound proven in exact arithmetic.

    Raises
    ------
    PlanningError
        If HiGHS fails.
    """
    units = _solve(cells, purchasables, held, probabilities, risk)
    # The exact cost of what was chosen, whatever the floats of the solver say.
    costs = scenario_costs(cells, purchasables, held, units, len(probabilities))
    objective, weights = risk_weighted(costs, probabilities, risk)
    best = Fraction(0)
    for q in (weights, _tail_weights(cells, purchasables, held, probabilities, risk)):
        if _is_admissible(q, probabilities, risk):
            mu = _duals(cells, purchasables, held, q)
            best = max(best, prove(cells, purchasables, held, q, mu))
    return Commitments(units, costs, objective, min(best, objective))


def scenario_costs(
    cells: Sequence[Cell],
    purchasables: Sequence[Purchasable],
    held: Sequence[Sunk],
    units: Sequence[int],
    scenarios: int,
) -> tuple[Fraction, ...]:
    """Exact cost of each scenario under a choice of commitments."""
    fixed = sum(
        (
            Fraction(count * UNIT_MICROUSD * p.hours, 168)
            for count, p in zip(units, purchasables, strict=True)
        ),
        Fraction(0),
    )
    costs = [fixed] * scenarios
    for cell in cells:
        available = [
            (p.discount_ppm, count * UNIT_MICROUSD)
            for count, p in zip(units, purchasables, strict=True)
            if cell.period in p.periods and count
        ]
        available += [(h.discount_ppm, h.microusd_per_hour) for h in held if cell.period in h.periods]
        # What is committed is paid for anyway, so all of it is used until nothing is left to pay for.
        covered = sum((Fraction(amount * PPM, PPM - d) for d, amount in available), Fraction(0))
        uncovered = max(Fraction(0), cell.value - covered)
        costs[cell.scenario] += Fraction(cell.hours, 168) * (uncovered + cell.spot)
    return tuple(costs)


def risk_weighted(
    costs: Sequence[Fraction], probabilities: Sequence[Fraction], risk: Risk
) -> tuple[Fraction, list[Fraction]]:
    """The objective of scenario costs, and the weights of which it is the mean.

    Examples
    --------
    Half mean, half the mean of the worst quarter:

    >>> half = Risk(Fraction(1, 2), Fraction(3, 4))
    >>> risk_weighted([Fraction(4), Fraction(8)], [Fraction(3, 4), Fraction(1, 4)], half)[0]
    Fraction(13, 2)
    """
    tail, left = [Fraction(0)] * len(costs), Fraction(1)
    for at in sorted(range(len(costs)), key=lambda at: (-costs[at], at)):
        tail[at] = min(probabilities[at] / (1 - risk.level), left)
        left -= tail[at]
    weights = [(1 - risk.aversion) * p + risk.aversion * y for p, y in zip(probabilities, tail, strict=True)]
    return sum((q * c for q, c in zip(weights, costs, strict=True)), Fraction(0)), weights


def _is_admissible(weights: Sequence[Fraction], probabilities: Sequence[Fraction], risk: Risk) -> bool:
    """Whether the objective is at least the mean by these weights, whatever the costs."""
    if sum(weights) != 1:
        return False
    if risk.aversion == 0:
        return list(weights) == list(probabilities)
    for q, p in zip(weights, probabilities, strict=True):
        y = (q - (1 - risk.aversion) * p) / risk.aversion
        if not 0 <= y <= p / (1 - risk.level):
            return False
    return True


def prove(
    cells: Sequence[Cell],
    purchasables: Sequence[Purchasable],
    held: Sequence[Sunk],
    weights: Sequence[Fraction],
    mu: Sequence[Sequence[Fraction]],
) -> Fraction:
    """A lower bound on the mean cost by these weights, exactly, from any dual prices.

    Parameters
    ----------
    weights
        Of the scenarios; admissible for the risk measure that is bounded (see the module).
    mu
        For each cell, a price at least zero of each offer, then of each held commitment, in
        micro-dollars over the cell for one micro-dollar an hour committed.
    """
    offers = sorted({p.offer for p in purchasables})
    discount = {p.offer: p.discount_ppm for p in purchasables}
    shrink = dict.fromkeys(offers, Fraction(1))
    for p in purchasables:
        at = offers.index(p.offer)
        spent = sum((mu[i][at] for i, cell in enumerate(cells) if cell.period in p.periods), Fraction(0))
        price = Fraction(p.hours, 168)
        if spent > price:
            shrink[p.offer] = min(shrink[p.offer], price / spent)
    total = Fraction(0)
    for i, cell in enumerate(cells):
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        rate = weight
        for at, offer in enumerate(offers):
            if any(cell.period in p.periods for p in purchasables if p.offer == offer):
                rate = min(rate, shrink[offer] * mu[i][at] * Fraction(PPM - discount[offer], PPM))
        for at, sunk in enumerate(held, start=len(offers)):
            if cell.period in sunk.periods:
                rate = min(rate, mu[i][at] * Fraction(PPM - sunk.discount_ppm, PPM))
                total -= mu[i][at] * sunk.microusd_per_hour
        total += rate * cell.bound + weight * cell.spot_bound
    return total


@dataclass(frozen=True, slots=True)
class _RiskProgramme:
    """The programme with its risk measure, and the rows of the tail by scenario."""

    programme: Programme
    tail_rows: tuple[int, ...]


def _risk_programme(
    cells: Sequence[Cell],
    values: Sequence[int],
    purchasables: Sequence[Purchasable],
    held: Sequence[Sunk],
    probabilities: Sequence[Fraction],
    risk: Risk,
) -> _RiskProgramme:
    aversion, level = float(risk.aversion), float(risk.level)
    programme = Programme(purchasables, held)
    tail = programme.add_variable(aversion, -highspy.kHighsInf) if aversion else None
    saved: dict[int, list[tuple[int, float]]] = {}
    plain = dict.fromkeys(range(len(probabilities)), 0.0)
    for cell, value in zip(cells, values, strict=True):
        weight = float(probabilities[cell.scenario]) * (1 - aversion)
        saved.setdefault(cell.scenario, []).extend(programme.add_cell(cell, value, weight))
        plain[cell.scenario] += cell.hours / 168 * (value + cell.spot) / SCALE
    rows = []
    if tail is not None:
        # The commitments' own cost is certain, so it stays outside of the tail.
        for at, probability in enumerate(probabilities):
            excess = programme.add_variable(aversion / (1 - level) * float(probability))
            entries = [(excess, 1.0), (tail, 1.0), *((v, -c) for v, c in saved.get(at, []))]
            rows.append(programme.rows.add(entries, plain[at], highspy.kHighsInf))
    return _RiskProgramme(programme, tuple(rows))


def _solve(
    cells: Sequence[Cell],
    purchasables: Sequence[Purchasable],
    held: Sequence[Sunk],
    probabilities: Sequence[Fraction],
    risk: Risk,
) -> tuple[int, ...]:
    """Units of each purchasable by the integer programme with the risk measure."""
    if not purchasables:
        return ()
    values = [cell.value for cell in cells]
    built = _risk_programme(cells, values, purchasables, held, probabilities, risk)
    found, _ = built.programme.run(integers=len(purchasables))
    return tuple(max(0, round(value)) for value in found[: len(purchasables)])


def _tail_weights(
    cells: Sequence[Cell],
    purchasables: Sequence[Purchasable],
    held: Sequence[Sunk],
    probabilities: Sequence[Fraction],
    risk: Risk,
) -> list[Fraction]:
    """The scenarios' weights at the optimum of the relaxation, made admissible exactly.

    Where scenarios cost the same, the weights that attain the objective are not unique, and only
    these also bound what commitments are worth.
    """
    if risk.aversion == 0:
        return list(probabilities)
    values = [cell.bound for cell in cells]
    built = _risk_programme(cells, values, purchasables, held, probabilities, risk)
    _, duals = built.programme.run()
    most = [p / (1 - risk.level) for p in probabilities]
    tail = [
        min(max(Fraction(duals[row]) / risk.aversion, Fraction(0)), limit)
        for row, limit in zip(built.tail_rows, most, strict=True)
    ]
    for at, limit in enumerate(most):
        # What rounding leaves goes where there is room.
        tail[at] += max(-tail[at], min(1 - sum(tail), limit - tail[at]))
    return [(1 - risk.aversion) * p + risk.aversion * y for p, y in zip(probabilities, tail, strict=True)]


def _duals(
    cells: Sequence[Cell],
    purchasables: Sequence[Purchasable],
    held: Sequence[Sunk],
    weights: Sequence[Fraction],
) -> list[list[Fraction]]:
    """Good prices of the commitment and held rows, from the linear relaxation over proven values."""
    programme = Programme(purchasables, held)
    for cell in cells:
        programme.add_cell(cell, cell.bound, float(weights[cell.scenario]))
    if not programme.costs:
        return [[] for _ in cells]
    _, duals = programme.run()
    # A row is in dollars an hour and the objective in thousands of dollars.
    return [
        [Fraction(0) if row is None else Fraction(max(0.0, -duals[row] * 1e3)) for row in rows]
        for rows in programme.price_rows
    ]
