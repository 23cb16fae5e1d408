"""Instances made many at a time are those that are made one by one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import repeat

import pytest
from binwright_optimizer.model import Cover, PodRange
from binwright_optimizer.model.many import many


def test_instances_made_together_are_equal_to_those_made_alone() -> None:
    made = many(PodRange, [3, 3, 4], [0, 5, 0], repeat(2))
    assert made == [PodRange(3, 0, 2), PodRange(3, 5, 2), PodRange(4, 0, 2)]
    assert {type(pods) for pods in made} == {PodRange}
    assert hash(made[1]) == hash(PodRange(3, 5, 2))


def test_nobody_can_change_them() -> None:
    (made,) = many(Cover, ["plan"], [7])
    with pytest.raises(FrozenInstanceError):
        made.commitment = "other"  # type: ignore[misc]
