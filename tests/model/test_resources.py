from __future__ import annotations

import pytest
from binwright_optimizer.model import Resources
from binwright_optimizer.model.resources import MAX_AMOUNT
from hypothesis import given
from hypothesis import strategies as st

amounts = st.dictionaries(st.sampled_from(["cpu", "memory", "pods", "nvidia.com/gpu"]), st.integers(0, 50))
resources = st.builds(Resources.of, amounts)


def test_zeros_and_order_do_not_matter() -> None:
    assert Resources.of({"memory": 2, "cpu": 1, "pods": 0}) == Resources.of([("cpu", 1), ("memory", 2)])


def test_an_absent_resource_is_zero() -> None:
    assert Resources.of({"cpu": 1})["nvidia.com/gpu"] == 0


@pytest.mark.parametrize("amount", [-1, MAX_AMOUNT + 1])
def test_amounts_outside_the_exact_range_are_refused(amount: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        Resources.of({"memory": amount})


def test_taking_away_more_than_there_is_leaves_nothing() -> None:
    assert Resources.of({"cpu": 3, "memory": 1}).minus(Resources.of({"cpu": 5})) == Resources.of(
        {"memory": 1}
    )


def test_zero_times_anything_is_nothing() -> None:
    assert Resources.of({"cpu": 3}).times(0) == Resources()


@given(resources, resources, st.integers(0, 5))
def test_arithmetic_agrees_with_that_of_each_resource(a: Resources, b: Resources, count: int) -> None:
    for name in ("cpu", "memory", "pods", "nvidia.com/gpu"):
        assert (a + b)[name] == a[name] + b[name]
        assert a.minus(b)[name] == max(0, a[name] - b[name])
        assert a.times(count)[name] == a[name] * count
        assert a.elementwise_max(b)[name] == max(a[name], b[name])


@given(resources, resources)
def test_fitting_means_that_nothing_is_left_over(a: Resources, b: Resources) -> None:
    assert a.fits_in(b) is (not a.minus(b))


@given(resources, resources)
def test_equal_amounts_are_equal_values(a: Resources, b: Resources) -> None:
    assert (a + b) == (b + a)
    assert hash(a + b) == hash(b + a)
