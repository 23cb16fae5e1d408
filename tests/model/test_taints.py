"""Taints and tolerations, as in
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/.
"""

from __future__ import annotations

import pytest
from binwright_optimizer.model import Taint, TaintEffect, Toleration
from binwright_optimizer.model.taints import untolerated

NO_SCHEDULE = Taint("key1", "value1", TaintEffect.NO_SCHEDULE)


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        (Toleration("key1", "value1", effect=TaintEffect.NO_SCHEDULE), True),
        (Toleration("key1", exists=True, effect=TaintEffect.NO_SCHEDULE), True),
        (Toleration("key1", "value2", effect=TaintEffect.NO_SCHEDULE), False),
        (Toleration("key2", "value1", effect=TaintEffect.NO_SCHEDULE), False),
        (Toleration("key1", "value1", effect=TaintEffect.NO_EXECUTE), False),
        (Toleration("key1", "value1"), True),
        (Toleration("key1"), False),
        (Toleration(exists=True), True),
        (Toleration(exists=True, effect=TaintEffect.NO_EXECUTE), False),
    ],
)
def test_a_toleration_matches_by_key_value_and_effect(toleration: Toleration, tolerates: bool) -> None:
    assert toleration.tolerates(NO_SCHEDULE) is tolerates


def test_equal_without_value_tolerates_a_taint_without_value() -> None:
    assert Toleration("key1").tolerates(Taint("key1"))


def test_the_documentation_example_is_left_with_its_third_taint() -> None:
    taints = [
        Taint("key1", "value1", TaintEffect.NO_SCHEDULE),
        Taint("key1", "value1", TaintEffect.NO_EXECUTE),
        Taint("key2", "value2", TaintEffect.NO_SCHEDULE),
    ]
    tolerations = [
        Toleration("key1", "value1", effect=TaintEffect.NO_SCHEDULE),
        Toleration("key1", "value1", effect=TaintEffect.NO_EXECUTE),
    ]
    assert untolerated(taints, tolerations) == taints[2]


def test_prefer_no_schedule_repels_nobody() -> None:
    assert untolerated([Taint("key1", "", TaintEffect.PREFER_NO_SCHEDULE)], []) is None


def test_no_execute_repels_new_pods_too() -> None:
    taint = Taint("key1", "", TaintEffect.NO_EXECUTE)
    assert untolerated([taint], []) == taint


def test_an_empty_key_needs_the_operator_exists() -> None:
    with pytest.raises(ValueError, match="Exists"):
        Toleration(value="value1")


def test_exists_takes_no_value() -> None:
    with pytest.raises(ValueError, match="no value"):
        Toleration("key1", "value1", exists=True)
