"""Rounds that learn what commitments make of the blocks.

Where commitments pay for all nodes alike, the cheapest mix at list prices is the cheapest at any: one round
is enough. Where they pay for some types or zones only, mixes depend on what is committed. Dantzig-Wolfe then
learns: `commit` prices the commitments, the blocks are solved again at the prices that these make for their
nodes, the mixes join as options and the engine's bounds as proofs. Prices of the relaxation alone jump
between too cheap and too dear, so each round asks half way between them and those that proved most so far
(in-out separation: Ben-Ameur and Neto 2007, doi:10.1002/net.20190). In the end `recombine` makes the mixes
that use a whole number of reserved nodes.

Where an earlier plan's nodes are held, the same is done with nodes and churn together (`churn`): once at
first, for a part of the time, so that each block may keep what it has, and again when prices are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from binwright_optimizer.planning.commit import (
    Commitments,
    Prices,
    Risk,
    affordable,
    choose,
    even_prices,
    prove,
    relaxation,
)
from binwright_optimizer.planning.ledger import Ask, Keep, Ledger
from binwright_optimizer.planning.pace import Pace

MOST_ROUNDS = 8
"""Rounds of new prices; small plans are proven after three to six."""
MOST_REPAIRS = 3
"""Rounds of recombination, each for the commitments that the last one chose."""
CLOSING = 1 + MOST_REPAIRS
"""What follows the last round takes about as long as so many choices of commitments."""
FIRST_SHARE = 0.3
"""Part of the time for the first mixes beside nodes held: rounds of prices prove more of most plans."""
MOST_IDLE = 1
"""Rounds beside nodes held that may prove nothing more before the next is left out."""
ENOUGH = 0.002
"""Gap between the relaxation and its bound at which no further round is worth its time."""


def improve(
    ledger: Ledger,
    ask: Ask,
    chances: Sequence[Fraction],
    risk: Risk = Risk(),
    keep: Keep | None = None,
    pace: Pace | None = None,
) -> Commitments:
    """The best commitments and mixes, after as many rounds as it takes or `MOST_ROUNDS`.

    Parameters
    ----------
    pace
        Whether a further round may begin; without it all that are worth it do.
    """
    ledger.learn(ask({question for both in ledger.questions.values() for question in both}))
    market = ledger.scopes.market
    pace = pace or Pace()
    began_s = pace.now()
    best = first = fresh = choose(ledger.cells(), market, chances, risk)
    pace.closing_s = CLOSING * (pace.now() - began_s)
    if ledger.held and keep is not None:
        part = pace.part(FIRST_SHARE)
        ledger.keep_at(keep, first.weights, affordable(ledger.cells(), market, first.prices), part)
        best = first = choose(ledger.cells(), market, chances, risk)
    if all(len(groups) < 2 for groups in ledger.scopes.region_groups.values()):
        if not ledger.held or keep is None:
            return best
        bound, prices = _kept(ledger, keep, fresh.weights, fresh.bound, fresh.prices, pace)
        found = choose(ledger.cells(), market, chances, risk)
        best = min(best, found, key=lambda known: known.objective)
        if bound > best.bound:
            best = replace(best, bound=min(bound, best.objective), weights=fresh.weights, prices=prices)
        return best
    bound, prices, units = _priced(ledger, ask, best, pace)
    if ledger.held and keep is not None:
        bound, prices = _kept(ledger, keep, first.weights, bound, prices, pace)
    best = recombined(ledger, best, units, chances, risk)
    # The prices prove a mean by these weights, which the objective exceeds whatever the plan is.
    if bound > best.bound:
        best = replace(best, bound=bound, weights=first.weights, prices=prices)
    return replace(best, bound=min(best.bound, best.objective))


def recombined(
    ledger: Ledger, best: Commitments, units: tuple[int, ...], chances: Sequence[Fraction], risk: Risk
) -> Commitments:
    """The best choice once mixes are put together for whole reserved nodes, first for so many of each."""
    market = ledger.scopes.market
    ledger.recombine_all()
    for _ in range(MOST_REPAIRS):
        is_new = ledger.recombine(units)
        found = choose(ledger.cells(), market, chances, risk)
        if found.objective < best.objective:
            best = with_proof_of(found, best)
        units = found.units
        if not is_new:
            break
    return best


def with_proof_of(chosen: Commitments, other: Commitments) -> Commitments:
    """A choice with the better proof of two: what is proven of any plan is proven of each."""
    proof = max(other, chosen, key=lambda known: known.bound)
    return replace(chosen, bound=proof.bound, weights=proof.weights, prices=proof.prices)


def _kept(
    ledger: Ledger, keep: Keep, weights: Sequence[Fraction], bound: Fraction, prices: Prices, pace: Pace
) -> tuple[Fraction, tuple[tuple[Fraction, ...], ...]]:
    """Rounds of mixes beside nodes held: the best bound and the prices that prove it."""
    market, cells = ledger.scopes.market, ledger.cells()
    inner = affordable(cells, market, prices)
    middle, idle = inner, 0
    for _ in range(MOST_ROUNDS):
        if idle > MOST_IDLE or not pace.another():
            break
        ledger.keep_at(keep, weights, middle, pace)
        cells = ledger.cells()
        outer = affordable(cells, market, relaxation(cells, market, weights).prices)
        proven = [(prove(cells, market, weights, known), known) for known in (inner, middle, outer)]
        best, inner = max(proven, key=lambda known: known[0])
        idle = 0 if best > bound else idle + 1
        bound = max(bound, best)
        middle = [
            [(a + b) / 2 for a, b in zip(one, other, strict=True)]
            for one, other in zip(inner, outer, strict=True)
        ]
    return bound, tuple(tuple(mine) for mine in inner)


def _priced(
    ledger: Ledger, ask: Ask, first: Commitments, pace: Pace
) -> tuple[Fraction, tuple[tuple[Fraction, ...], ...], tuple[int, ...]]:
    """Rounds of prices: the best bound, the prices that prove it, and whole units near the relaxation's."""
    market, weights = ledger.scopes.market, first.weights
    cells = ledger.cells()
    inner = affordable(cells, market, first.prices)
    bound = first.bound
    even = affordable(cells, market, even_prices(cells, market, weights))
    if (at_once := prove(cells, market, weights, even)) > bound:
        bound, inner = at_once, even
    relaxed = relaxation(cells, market, weights)
    for _ in range(MOST_ROUNDS):
        if relaxed.value - float(bound) <= ENOUGH * relaxed.value or not pace.another():
            break
        outer = affordable(cells, market, relaxed.prices)
        middle = [
            [(a + b) / 2 for a, b in zip(one, other, strict=True)]
            for one, other in zip(inner, outer, strict=True)
        ]
        asked = ledger.at_prices(weights, middle) or ledger.at_prices(weights, outer)
        if not asked:
            break
        ledger.learn(ask(asked))
        cells = ledger.cells()
        proven = [(prove(cells, market, weights, prices), prices) for prices in (inner, middle, outer)]
        bound, inner = max(proven, key=lambda known: known[0])
        relaxed = relaxation(cells, market, weights)
    units = tuple(round(value) for value in relaxed.units)
    return bound, tuple(tuple(mine) for mine in inner), units
