"""When a dive is due: by its share of the time, once the relaxation has settled, and as the last one."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from binwright_optimizer.search.dives_due import DIVE_SHARE, DivesDue


def at(objective: float, relaxed: float = 0.0, *, traded: float = 0.0) -> SimpleNamespace:
    """What a master's solution tells of itself."""
    return SimpleNamespace(objective=objective, relaxed=relaxed, is_whole=not relaxed and not traded)


def is_due(dives: DivesDue, before: float, now: float, *, incumbent: float = 110.0, **other: object) -> bool:
    times = {"elapsed_s": 1.0, "remaining_s": 9.0, "round_s": 0.1} | other
    relaxed = times.pop("relaxed", 0.0)
    return dives.is_due(at(before, relaxed), at(now, relaxed), incumbent, **times)


@pytest.fixture
def dives() -> DivesDue:
    """One dive so far: it took 0.5 s of the first second, from a relaxation of $108."""
    found = DivesDue(is_relaxed=False)
    found.note(at(108.0), 0.5, 1.0)
    return found


def test_the_first_dive_is_due_at_once() -> None:
    assert DivesDue(is_relaxed=False).is_due(
        None, None, math.inf, elapsed_s=0.05, remaining_s=1.0, round_s=0.0
    )


def test_dives_have_their_share_of_the_time(dives: DivesDue) -> None:
    """0.5 s are a fifth of 2.5."""
    assert not is_due(dives, 107.0, 106.0, elapsed_s=0.5 / DIVE_SHARE)
    assert is_due(dives, 107.0, 106.0, elapsed_s=0.5 / DIVE_SHARE + 0.1)


def test_a_relaxation_that_fell_far_and_settled_calls_for_a_dive(dives: DivesDue) -> None:
    """From $108 to $100 is most of what the answer of $110 is above; the last round took $0.1 off."""
    assert is_due(dives, 100.1, 100.0)
    assert not is_due(dives, 103.0, 100.0), "it is still falling"
    assert not is_due(dives, 107.1, 107.0), "it has hardly fallen"


def test_the_last_chance_for_a_dive_is_taken(dives: DivesDue) -> None:
    """The last took 0.5 s and a round takes 0.1: with 0.7 s left another round would leave no time."""
    assert is_due(dives, 106.0, 105.0, remaining_s=0.7)
    assert not is_due(dives, 106.0, 105.0, remaining_s=2.0)
    assert not is_due(dives, 107.9, 107.8, remaining_s=0.7), "it would find nothing better"


def test_parts_of_pods_and_answers_without_all_pods_are_no_measure(dives: DivesDue) -> None:
    assert not is_due(dives, 100.1, 100.0, relaxed=0.5)
    assert not is_due(dives, 100.1, 100.0, incumbent=math.inf)


def test_a_relaxation_without_exchanges_calls_for_a_dive_though_it_is_dearer() -> None:
    """The dive before began where pods could still be exchanged, at $99: patterns alone cost $100."""
    dives = DivesDue(is_relaxed=False)
    dives.note(at(99.0, traded=3.0), 0.5, 1.0)
    assert is_due(dives, 100.1, 100.0)
    dives.note(at(100.0), 0.5, 1.0)
    assert not is_due(dives, 100.1, 100.0)
