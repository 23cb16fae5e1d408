"""Duals to price: between the master's and their average, or a step from the best bound's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from binwright_optimizer.columns.centre import (
    CENTRE_SHARE,
    CENTRE_STEP,
    MOST_EVERY,
    PROVING_EVERY,
    PROVING_SHARE,
    Centre,
)
from binwright_optimizer.columns.rows import Duals

NONE = np.zeros(0)


def duals(price: float) -> Duals:
    return Duals(np.array([price]), NONE, NONE, NONE)


def price(found: Duals) -> float:
    return float(found.pods[0])


def rounds_until_due(centre: Centre, *, fallen: float = 1.0, most: int = 20) -> int:
    """Rounds until one goes for the bound, where each takes that much of a distance of 1."""
    return next(n for n in range(1, most) if centre.is_proving_due(fallen, 1.0))


def test_the_first_round_prices_the_masters_own_duals() -> None:
    assert price(Centre().for_columns(duals(10.0))) == 10.0


def test_later_rounds_price_between_the_masters_duals_and_their_average() -> None:
    """The average of 10 alone is 10; half way from 20 to it is 15, and it moves on by its step."""
    centre = Centre()
    centre.for_columns(duals(10.0))
    assert price(centre.for_columns(duals(20.0))) == pytest.approx(20.0 - CENTRE_SHARE * 10.0)
    assert price(centre.average) == pytest.approx(10.0 + CENTRE_STEP * 10.0)


def test_a_step_for_the_bound_begins_at_the_best_bounds_duals() -> None:
    """From 10, which are feasible, a fifth of the way to 20."""
    assert price(Centre().for_bound(duals(20.0), duals(10.0))) == pytest.approx(20.0 - PROVING_SHARE * 10.0)


def test_steps_that_prove_more_get_longer_and_others_shorter() -> None:
    centre = Centre()
    centre.note(is_better=True)
    longer = price(centre.for_bound(duals(20.0), duals(10.0)))
    assert longer > 20.0 - PROVING_SHARE * 10.0
    centre.note(is_better=False)
    centre.note(is_better=False)
    centre.note(is_better=False)
    assert price(centre.for_bound(duals(20.0), duals(10.0))) < longer


def test_while_the_master_falls_every_third_round_goes_for_the_bound() -> None:
    assert rounds_until_due(Centre()) == PROVING_EVERY


def test_steps_that_prove_nothing_come_more_and_more_seldom() -> None:
    centre = Centre()
    for _ in range(20):
        centre.note(is_better=False)
    assert rounds_until_due(centre, fallen=0.0) == MOST_EVERY


def test_where_the_master_has_settled_one_step_that_proved_more_calls_for_the_next() -> None:
    centre = Centre()
    assert rounds_until_due(centre, fallen=0.01) == 1
    centre.note(is_better=True)
    assert rounds_until_due(centre, fallen=0.01) == 1
    centre.note(is_better=False)
    assert rounds_until_due(centre, fallen=0.01) > 1


def test_a_master_solved_for_the_first_time_has_not_settled() -> None:
    assert not Centre().is_proving_due(math.inf, 1.0)
