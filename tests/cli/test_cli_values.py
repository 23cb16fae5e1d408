"""Durations and ratios on the command line."""

from __future__ import annotations

import pytest
from binwright_clients.cli.values import parse_duration, parse_ratio
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("10s", 10.0), ("1m", 60.0), ("1.5h", 5400.0), ("2.5", 2.5), (" 3s ", 3.0), (".5", 0.5)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "10x", "1e9", "nan", "inf", "25h", "1m30s", "9" * 40])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|must be above zero"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "ratio"), [("0.1%", 0.001), ("0.001", 0.001), ("0", 0.0), ("5 %", 0.05), ("1e-3", 0.001)]
)
def test_a_ratio_is_a_share_or_a_percentage(text: str, ratio: float) -> None:
    assert parse_ratio(text) == ratio


@pytest.mark.parametrize("text", ["", "%", "1", "100%", "-0.1", "nan", "inf", "a", "1%%", "0,1"])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a ratio|must be at least 0"):
        parse_ratio(text)


@given(st.integers(min_value=0, max_value=99_999))
def test_a_percentage_equals_its_share(thousandths: int) -> None:
    assert parse_ratio(f"{thousandths}e-3%") == parse_ratio(f"{thousandths}e-5")
