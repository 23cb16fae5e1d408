"""What to commit to now, when capacity is provisioned later: the first stage of the plan, with its proof.

A *cell* is a period, a scenario and a block of hours; each of its *blocks* k (one packing problem) runs one
of the mixes known for it, m. Nodes fall into *groups* g that the same commitments cover: V_kmg is what mix
m runs in group g, micro-dollars an hour at list prices. A unit of commitment c bought at the start of period
t costs F_ct over the horizon and pays, in each cell of its term, for nodes worth w_cg of group g (see
`coverage`). With W the cell's hours times its weight,

    minimise    sum_ct F_ct x_ct + sum_cell W (sum_km V_km l_km - sum_cg u_cg)
    mixes       sum_m l_km = 1                                  for every block, l in {0, 1}
    value       sum_c u_cg <= sum_km V_kmg l_km                 for every cell and g
    commitment  sum_g u_cg / w_cg <= held_c + sum_t x_ct        for every cell, c, t in term   dual mu_c >= 0

**Bound** (`prove`): relax the commitment rows with any mu >= 0. x costs nothing at least once sum mu_c <=
F_ct for every purchase, which `prove` makes true by scaling mu down. What is left falls apart into blocks,
each an ordinary packing problem at prices times f_g = min(W, min_c mu_c / w_cg), less mu_c held_c. The
engine has bounded it at some prices; from there to these a bound carries over by the least ratio of prices
(`Proof.at`). All in integers and fractions.

**Risk**: the objective (1 - a) mean + a CVaR_b over scenarios is the largest mean over all weights q = (1
- a) p + a y with 0 <= y <= p / (1 - b) and sum y = 1 (Rockafellar and Uryasev 2000,
doi:10.21314/JOR.2000.038), so the bound for any such weights holds for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import highspy

from binwright_optimizer.planning.coverage import covered
from binwright_optimizer.planning.programme import SCALE, Cell, Market, Option, Programme


@dataclass(frozen=True, slots=True)
class Risk:
    """Weight of the tail in the objective, and where the tail begins; both in 0..1, the level below 1."""

    aversion: Fraction = Fraction(0)
    level: Fraction = Fraction(95, 100)

    def __post_init__(self) -> None:
        if not 0 <= self.aversion <= 1 or not 0 <= self.level < 1:
            raise ValueError(f"risk aversion must be in 0..1 and its level in 0..1 without 1: {self}")


Choices = tuple[tuple[int, ...], ...]
"""For each cell and block, which of its options runs."""
Prices = Sequence[Sequence[Fraction]]
"""For each cell and instrument, a dual price at least zero: micro-dollars over the cell for one unit."""


@dataclass(frozen=True, slots=True)
class Commitments:
    """What to buy, and what the plan then costs.

    Parameters
    ----------
    units
        Units of each purchasable.
    choices
        Option of each cell's blocks.
    scenario_costs
        Micro-dollars over the horizon of each scenario, commitments included.
    objective, bound
        Micro-dollars: the risk-weighted cost, and what is proven that no plan can cost less.
    weights, prices
        Of scenarios and commitments: what `prove` proves the bound from.
    """

    units: tuple[int, ...]
    choices: Choices
    scenario_costs: tuple[Fraction, ...]
    objective: Fraction
    bound: Fraction
    weights: tuple[Fraction, ...] = ()
    prices: tuple[tuple[Fraction, ...], ...] = ()


def choose(
    cells: Sequence[Cell], market: Market, probabilities: Sequence[Fraction], risk: Risk = Risk()
) -> Commitments:
    """The commitments of least risk-weighted cost, with a bound proven in exact arithmetic.

    Raises
    ------
    PlanningError
        If HiGHS fails.
    """
    units, choices = _solve(cells, market, probabilities, risk)
    # The exact cost of what was chosen, whatever the floats of the solver say.
    costs = scenario_costs(cells, market, units, choices, len(probabilities))
    objective, weights = risk_weighted(costs, probabilities, risk)
    best = Commitments(units, choices, costs, objective, Fraction(0))
    for q in dict.fromkeys((tuple(weights), tuple(_tail_weights(cells, market, probabilities, risk)))):
        if _is_admissible(q, probabilities, risk):
            prices = relaxation(cells, market, q).prices
            bound = min(objective, prove(cells, market, q, prices))
            if bound > best.bound or not best.prices:
                best = Commitments(units, choices, costs, objective, max(best.bound, bound), q, prices)
    return best


def scenario_costs(
    cells: Sequence[Cell], market: Market, units: Sequence[int], choices: Choices, scenarios: int
) -> tuple[Fraction, ...]:
    """Exact cost of each scenario under a choice of commitments and mixes."""
    fixed = sum((count * p.cost for count, p in zip(units, market.purchasables, strict=True)), Fraction(0))
    costs = [fixed] * scenarios
    available: dict[int, list[Fraction]] = {}
    for cell, chosen in zip(cells, choices, strict=True):
        if cell.period not in available:
            available[cell.period] = units_in(market, units, cell.period)
        values, extra = running(cell, chosen)
        # What is committed is paid for anyway, so all of it is used until nothing is left to pay for.
        paid = sum(covered(market.instruments, available[cell.period], values), Fraction(0))
        costs[cell.scenario] += Fraction(cell.hours, 168) * (sum(values.values()) - paid + extra)
    return tuple(costs)


def units_in(market: Market, units: Sequence[int], period: int) -> list[Fraction]:
    """Units of each instrument that pay in a period, held and bought."""
    found = market.held_units(period)
    for count, p in zip(units, market.purchasables, strict=True):
        if period in p.periods:
            found[p.instrument] += count
    return found


def running(cell: Cell, chosen: Sequence[int]) -> tuple[dict[int, int], int]:
    """On-demand value by group, and what no commitment pays for, micro-dollars an hour."""
    values: dict[int, int] = {}
    extra = 0
    for block, at in zip(cell.blocks, chosen, strict=True):
        option = block.options[at]
        extra += option.extra
        for group, value in option.values.items():
            values[group] = values.get(group, 0) + value
    return values, extra


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


def affordable(cells: Sequence[Cell], market: Market, prices: Prices) -> list[list[Fraction]]:
    """The prices scaled down, instrument by instrument, until no purchase is worth more than it costs."""
    spent: dict[tuple[int, int], Fraction] = {}
    for cell, mine in zip(cells, prices, strict=True):
        for at, price in enumerate(mine):
            key = at, cell.period
            spent[key] = spent.get(key, Fraction(0)) + price
    shrink = [Fraction(1)] * len(market.instruments)
    for p in market.purchasables:
        worth = sum((spent.get((p.instrument, t), Fraction(0)) for t in p.periods), Fraction(0))
        if worth > p.cost:
            shrink[p.instrument] = min(shrink[p.instrument], p.cost / worth)
    return [[price * s for price, s in zip(mine, shrink, strict=True)] for mine in prices]


def even_prices(cells: Sequence[Cell], market: Market, weights: Sequence[Fraction]) -> list[list[Fraction]]:
    """Prices at which a commitment costs in each cell what it costs an hour, as if it were used in all hours.

    What is proven at list prices so proves what is left of it by the largest discount, before any round of
    prices. What is held saves the same share of the list prices that it pays for.
    """
    hourly: dict[int, Fraction] = {}
    left = Fraction(1)
    for p in market.purchasables:
        hourly[p.instrument] = Fraction(p.unit_microusd)
        worth = max(market.instruments[p.instrument].worth.values(), default=Fraction(0))
        if worth:
            left = min(left, p.unit_microusd / worth)
    for at, instrument in enumerate(market.instruments):
        if at not in hourly:
            hourly[at] = left * max(instrument.worth.values(), default=Fraction(0))
    found = []
    for cell in cells:
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        found.append([weight * hourly[at] for at in range(len(market.instruments))])
    return found


def factors_at(
    market: Market, cell: Cell, weight: Fraction, prices: Sequence[Fraction]
) -> dict[int, Fraction]:
    """What a micro-dollar of list price costs in each group of a cell, over its hours, at dual prices.

    Parameters
    ----------
    weight
        Hours of the cell times its scenario's weight.
    prices
        Of the instruments in this cell, as `affordable` returns them.
    """
    sold = market.on_sale(cell.period)
    held = market.held_units(cell.period)
    factors = {group: weight for block in cell.blocks for group in block.groups}
    for at, instrument in enumerate(market.instruments):
        if not sold[at] and not held[at]:
            continue
        for group, worth in instrument.worth.items():
            if group in factors:
                factors[group] = min(factors[group], prices[at] / worth)
    return factors


def prove(cells: Sequence[Cell], market: Market, weights: Sequence[Fraction], prices: Prices) -> Fraction:
    """A lower bound on the mean cost by these weights, exactly, from any dual prices.

    Parameters
    ----------
    weights
        Of the scenarios; admissible for the risk measure that is bounded (see the module).
    """
    total = Fraction(0)
    for cell, mine in zip(cells, affordable(cells, market, prices), strict=True):
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        factors = factors_at(market, cell, weight, mine)
        for price, units in zip(mine, market.held_units(cell.period), strict=True):
            total -= price * units
        total += sum((block.proven(factors, weight) for block in cell.blocks), Fraction(0))
    return total


@dataclass(frozen=True, slots=True)
class _RiskProgramme:
    """The programme with its risk measure, and the rows of the tail by scenario."""

    programme: Programme
    tail_rows: tuple[int, ...]


def _risk_programme(
    cells: Sequence[Cell], market: Market, probabilities: Sequence[Fraction], risk: Risk
) -> _RiskProgramme:
    aversion, level = float(risk.aversion), float(risk.level)
    programme = Programme(market)
    tail = programme.add_variable(aversion, -highspy.kHighsInf) if aversion else None
    varying: dict[int, list[tuple[int, float]]] = {}
    plain = dict.fromkeys(range(len(probabilities)), 0.0)
    for cell in cells:
        terms, constant = programme.add_cell(cell, float(probabilities[cell.scenario]) * (1 - aversion))
        varying.setdefault(cell.scenario, []).extend(terms)
        plain[cell.scenario] += constant
    rows = []
    if tail is not None:
        # The commitments' own cost is certain, so it stays outside of the tail.
        for at, probability in enumerate(probabilities):
            excess = programme.add_variable(aversion / (1 - level) * float(probability))
            entries = [(excess, 1.0), (tail, 1.0), *((v, -c) for v, c in varying.get(at, []))]
            rows.append(programme.rows.add(entries, plain[at], highspy.kHighsInf))
    return _RiskProgramme(programme, tuple(rows))


def _solve(
    cells: Sequence[Cell], market: Market, probabilities: Sequence[Fraction], risk: Risk
) -> tuple[tuple[int, ...], Choices]:
    """Units of each purchasable and options of each block by the integer programme with the risk measure."""
    has_choice = any(len(block.options) > 1 for cell in cells for block in cell.blocks)
    if not market.purchasables and not has_choice:
        return (), tuple(tuple(0 for _ in cell.blocks) for cell in cells)
    programme = _risk_programme(cells, market, probabilities, risk).programme
    found, _ = programme.run(is_integer=True)
    units = tuple(max(0, round(value)) for value in found[: len(market.purchasables)])
    choices = tuple(
        tuple(max(range(len(mine)), key=lambda at: found[mine[at]]) if mine else 0 for mine in blocks)
        for blocks in programme.choices
    )
    return units, choices


def _tail_weights(
    cells: Sequence[Cell], market: Market, probabilities: Sequence[Fraction], risk: Risk
) -> list[Fraction]:
    """The scenarios' weights at the optimum of the relaxation, made admissible exactly.

    Where scenarios cost the same, the weights that attain the objective are not unique, and only
    these also bound what commitments are worth.
    """
    if risk.aversion == 0:
        return list(probabilities)
    built = _risk_programme(_as_proven(cells), market, probabilities, risk)
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


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The linear relaxation over proven values.

    Parameters
    ----------
    value
        Micro-dollars; no proof, for it is a float.
    units
        Of each purchasable, maybe a part of one.
    prices
        Duals of the commitment rows.
    """

    value: float
    units: tuple[float, ...]
    prices: tuple[tuple[Fraction, ...], ...]


def relaxation(cells: Sequence[Cell], market: Market, weights: Sequence[Fraction]) -> Relaxation:
    """The relaxation for some weights of the scenarios: what commitments are worth."""
    programme = Programme(market)
    constant = 0.0
    for cell in _as_proven(cells):
        weight = float(weights[cell.scenario])
        constant += weight * programme.add_cell(cell, weight)[1]
    if not programme.costs:
        return Relaxation(
            constant * SCALE, (), tuple((Fraction(0),) * len(market.instruments) for _ in cells)
        )
    values, duals = programme.run()
    cost = sum(c * v for c, v in zip(programme.costs, values, strict=True))
    # A row is in units and the objective in thousands of dollars.
    prices = tuple(
        tuple(Fraction(0) if row is None else Fraction(max(0.0, -duals[row] * SCALE)) for row in rows)
        for rows in programme.price_rows
    )
    return Relaxation((constant + cost) * SCALE, tuple(values[: len(market.purchasables)]), prices)


def _as_proven(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with each option scaled to what is proven of its block at list prices."""
    found = []
    for cell in cells:
        blocks = []
        for block in cell.blocks:
            proven = block.estimate
            if proven is None:
                proven = max((p.bound for p in block.proofs), default=0)
            least = min(sum(option.values.values()) for option in block.options)
            # An option never falls below what is proven, and a dearer one keeps its distance.
            options = [
                Option(
                    {g: round(value * proven / least) if least else 0 for g, value in option.values.items()},
                    option.extra,
                )
                for option in block.options
            ]
            blocks.append(replace(block, options=tuple(options)))
        found.append(Cell(cell.period, cell.scenario, cell.hours, tuple(blocks)))
    return found
