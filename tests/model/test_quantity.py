"""Quantities: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/."""

from __future__ import annotations

import pytest
from binwright_optimizer.model.quantity import format_quantity, parse_price, parse_quantity
from binwright_optimizer.model.resources import MAX_AMOUNT
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "resource", "amount"),
    [
        ("1", "cpu", 1000),
        ("0.5", "cpu", 500),
        ("500m", "cpu", 500),
        ("+2", "cpu", 2000),
        (".5", "cpu", 500),
        ("5.", "cpu", 5000),
        ("1e3", "cpu", 1_000_000),
        ("1E-1", "cpu", 100),
        ("0.0001", "cpu", 1),
        ("1n", "cpu", 1),
        ("100u", "cpu", 1),
        ("128974848", "memory", 128974848),
        ("129e6", "memory", 129_000_000),
        ("129M", "memory", 129_000_000),
        ("128974848000m", "memory", 128974848),
        ("123Mi", "memory", 128974848),
        ("1.5Gi", "memory", 3 * 2**29),
        ("1m", "memory", 1),
        ("1k", "memory", 1000),
        ("1Ki", "ephemeral-storage", 1024),
        ("2Ti", "hugepages-2Mi", 2**41),
        ("8", "nvidia.com/gpu", 8),
        ("4000m", "nvidia.com/gpu", 4),
        ("0", "memory", 0),
        ("-0", "cpu", 0),
        (" 1Gi ", "memory", 2**30),
    ],
)
def test_kubernetes_spellings_are_read_exactly(text: str, resource: str, amount: int) -> None:
    assert parse_quantity(text, resource) == amount


@pytest.mark.parametrize(
    ("text", "resource", "reason"),
    [
        ("", "cpu", "is not a quantity"),
        ("abc", "cpu", "is not a quantity"),
        ("1GB", "memory", "is not a quantity"),
        ("1 Gi", "memory", "is not a quantity"),
        ("1gi", "memory", "is not a quantity"),
        ("1KI", "memory", "is not a quantity"),
        ("1K", "memory", "is not a quantity"),
        ("0x10", "cpu", "is not a quantity"),
        ("1_000", "cpu", "is not a quantity"),
        ("٣", "cpu", "is not a quantity"),
        ("NaN", "cpu", "is not a quantity"),
        ("inf", "memory", "is not a quantity"),
        ("1e9999", "cpu", "is not a quantity"),
        ("1e3Ki", "memory", "is not a quantity"),
        ("9" * 65, "cpu", "is not a quantity"),
        ("-1", "cpu", "must not be negative"),
        ("-0.5Gi", "memory", "must not be negative"),
        ("1.5", "nvidia.com/gpu", "must be a whole number"),
        ("500m", "nvidia.com/gpu", "must be a whole number"),
        ("9007199254740993", "memory", "is too large"),
        ("1e300", "memory", "is too large"),
        ("16E", "memory", "is too large"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, resource: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_quantity(text, resource)


@given(st.integers(0, MAX_AMOUNT), st.sampled_from(["cpu", "memory", "nvidia.com/gpu", "ephemeral-storage"]))
def test_formatting_and_parsing_are_inverse(amount: int, resource: str) -> None:
    assert parse_quantity(format_quantity(amount, resource), resource) == amount


@pytest.mark.parametrize(
    ("text", "microusd"),
    [
        ("0.526", 526_000),
        ("0", 0),
        ("3.912", 3_912_000),
        ("1e-6", 1),
        ("0.0000005", 1),
        ("0.000000", 0),
        ("10000000", 10**13),
    ],
)
def test_prices_are_rounded_half_up_to_micro_dollars(text: str, microusd: int) -> None:
    assert parse_price(text) == microusd


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-1", "1/2", "$1", "1e400", "1e999999999", "10000000.01", "1,5", "1_0", "٣"]
)
def test_other_prices_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"price|dollars"):
        parse_price(text)


@pytest.mark.parametrize("text", ["0.0000001", "0.00000049", "1e-300"])
def test_a_price_that_would_round_to_nothing_is_refused_instead_of_being_free(text: str) -> None:
    with pytest.raises(ValueError, match="too small"):
        parse_price(text)
