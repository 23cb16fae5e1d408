"""Shares, prices of overlays, commitments and device conditions."""

from __future__ import annotations

import pytest
from binwright_optimizer.model import (
    CapacityType,
    PriceChange,
    Reservation,
    SavingsPlan,
    Share,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("0", Share()),
        ("3", Share(count=3)),
        ("30%", Share(ppm=300_000)),
        ("12.5%", Share(ppm=125_000)),
        ("0.0001%", Share(ppm=1)),
        ("100%", Share(ppm=1_000_000)),
    ],
)
def test_share_texts(text: str, share: Share) -> None:
    assert Share.parse(text) == share
    assert str(share) == text


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "0.00001%", "%", "1e3", "3 pods"])
def test_wrong_share_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Share.parse(text)


@given(st.integers(0, 1_000_000), st.integers(0, 10_000))
def test_lower_bounds_round_up_and_upper_bounds_down(ppm: int, replicas: int) -> None:
    share = Share(ppm=ppm)
    assert share.at_most(replicas) * 1_000_000 <= ppm * replicas <= share.at_least(replicas) * 1_000_000
    assert 0 <= share.at_least(replicas) - share.at_most(replicas) <= 1


@given(st.integers(0, 10**12), st.integers(-1_000_000, 10**6))
def test_percentages_of_a_price_are_exact_to_half_a_microdollar(price: int, ppm: int) -> None:
    changed = PriceChange(ppm=ppm).applied_to(price)
    assert changed >= 0
    if changed < 10**13:
        assert abs(changed * 1_000_000 - price * (1_000_000 + ppm)) <= 500_000


def test_savings_plan_takes_the_discounted_price_from_the_commitment() -> None:
    """28 % off 0.0960 $/h is 0.06912 $/h."""
    assert SavingsPlan("sp", 10**6, 280_000).discounted(96_000) == 69_120


def test_reservation_for_any_zone_covers_the_region_only() -> None:
    reserved = Reservation("r", "m5.large", "eu-1", 3)
    assert reserved.covers("m5.large", "eu-1", "eu-1b", CapacityType.RESERVED)
    assert not reserved.covers("m5.large", "us-1", "us-1b", CapacityType.RESERVED)
    assert not reserved.covers("m5.large", "eu-1", "eu-1b", CapacityType.ON_DEMAND)
