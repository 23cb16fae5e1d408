"""Worth of pods, from certificates of every form."""

from __future__ import annotations

import dataclasses

import pytest
from binwright_optimizer.model import Certificate, Decision, SolutionStatus, StopReason
from binwright_optimizer.model.decision import Split
from binwright_server.duals import pod_worths


def decision(certificate: Certificate, bound: int) -> Decision:
    return Decision(SolutionStatus.COMPLETE, StopReason.GAP, bound, bound, (), (), (), certificate)


def test_worths_sum_to_the_bound() -> None:
    worths = pod_worths(decision(Certificate(1, (8, 2)), 30), [3, 4])
    assert worths == [6.0, 1.5] or worths[0] * 3 + worths[1] * 4 == pytest.approx(30)


def test_certificate_that_tells_cases_apart_has_the_mean_of_its_prices() -> None:
    """Prices 4 and 8 in the two cases: 6 on average, and 12 for two pods, which is the bound."""
    split = Split(5, 1, fewer=Certificate(0, (4,)), more=Certificate(1, (16,)))
    assert pod_worths(decision(Certificate(0, (), split=split), 12), [2]) == [6.0]


def test_no_bound_is_no_worth() -> None:
    held = decision(Certificate(0, (0, 0)), 0)
    assert pod_worths(held, [1, 1]) == [0.0, 0.0]
    assert pod_worths(dataclasses.replace(held, certificate=Certificate(0, ())), []) == []
