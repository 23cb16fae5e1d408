"""Charges tell places apart exactly, then roughly, then not at all, as local kinds get many."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from binwright_optimizer.instance.domains import charging
from binwright_optimizer.model import Policies, PreferredTerm, Problem, labels
from binwright_optimizer.solve import NOT_WEIGHED, solve
from binwright_optimizer.verify import verify
from builders import instance_type, offering, pod, problem, requires

ROWS = np.ones((1, 3), dtype=bool)


def charged(*micro: int) -> charging.ChargeOf:
    return lambda _: np.array(micro, dtype=np.int64)


def fluid(_: object) -> np.ndarray:
    """Where it is cheapest, the pod costs 0.001 $: charges may be 10 micro-dollars too low."""
    return np.array([0.001, 0.002, np.inf])


def weighed(monkeypatch: pytest.MonkeyPatch, exact: int, most: int) -> tuple[list[int] | None, bool]:
    """Charges 3, 8 and 25 of one kind, if so many local kinds may be charged."""
    monkeypatch.setattr(charging, "MOST_EXACT", exact)
    monkeypatch.setattr(charging, "MOST_WEIGHED", most)
    charge_of, is_weighed = charging.weigh(charged(3, 8, 25), [((0, 1),)], [0], ROWS, fluid)
    found = charge_of(((0, 1),))
    return None if found is None else found.tolist(), is_weighed


def test_few_charges_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    assert weighed(monkeypatch, 3, 3) == ([3, 8, 25], True)


def test_of_many_those_that_hardly_differ_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert weighed(monkeypatch, 2, 2) == ([0, 0, 20], True)


def test_beyond_that_nothing_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert weighed(monkeypatch, 1, 1) == (None, False)


def wishing(point: float) -> Problem:
    """A pod prefers the dear zone by 100 points."""
    plain = pod("web", cpu=1)
    wish = PreferredTerm(100, (requires(labels.ZONE, "In", "b"),))
    template = dataclasses.replace(plain.template, preferred_affinity=(wish,))
    kind = instance_type("box", cpu=4, offerings=[offering(1, zone="a"), offering(1.005, zone="b")])
    made = problem([dataclasses.replace(plain, template=template)], [kind])
    return dataclasses.replace(made, policies=Policies(microusd_per_weight_hour=round(point * 1e6)))


def test_what_is_not_weighed_is_told_and_the_bound_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unweighed, zone a is bought for 1 $, and the 0.01 $ of the wish are told; zone b would be 1.005 $."""
    monkeypatch.setattr(charging, "MOST_EXACT", 0)
    monkeypatch.setattr(charging, "MOST_WEIGHED", 0)
    question = wishing(0.000_1)
    decision = solve(question)
    assert (decision.cost_microusd_per_hour, decision.penalty_microusd_per_hour) == (1_000_000, 10_000)
    assert decision.warnings == (NOT_WEIGHED,)
    assert decision.bound_microusd_per_hour <= 1_005_000
    assert verify(question, decision) == ()


def test_what_is_weighed_roughly_is_told_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wish of 0.0011 $ counts as 0 beside 0.25 $ for the pod: zone a, and 1.0011 $ are told."""
    monkeypatch.setattr(charging, "MOST_EXACT", 0)
    question = wishing(0.000_011)
    decision = solve(question)
    assert decision.total_microusd_per_hour == 1_001_100
    assert decision.warnings == ()
    assert verify(question, decision) == ()
