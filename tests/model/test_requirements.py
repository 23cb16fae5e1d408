"""Node selector requirements, as in
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#operators.
"""

from __future__ import annotations

import pytest
from binwright_optimizer.model import Operator, Requirement
from binwright_optimizer.model.requirements import contradiction
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("operator", "values", "label", "admitted"),
    [
        ("In", ("a", "b"), "a", True),
        ("In", ("a", "b"), "c", False),
        ("In", ("a",), None, False),
        ("NotIn", ("a",), "a", False),
        ("NotIn", ("a",), "b", True),
        ("NotIn", ("a",), None, True),
        ("Exists", (), "", True),
        ("Exists", (), None, False),
        ("DoesNotExist", (), None, True),
        ("DoesNotExist", (), "a", False),
        ("Gt", ("4",), "5", True),
        ("Gt", ("4",), "4", False),
        ("Gt", ("4",), None, False),
        ("Gt", ("4",), "many", False),
        ("Lt", ("4",), "3", True),
        ("Lt", ("4",), "4", False),
        ("Lt", ("4",), "-7", True),
        ("Gte", ("4",), "4", True),
        ("Gte", ("4",), "3", False),
        ("Lte", ("4",), "4", True),
        ("Lte", ("4",), "5", False),
    ],
)
def test_each_operator_admits_what_kubernetes_admits(
    operator: str, values: tuple[str, ...], label: str | None, admitted: bool
) -> None:
    assert Requirement("key", Operator(operator), values).admits(label) is admitted


@pytest.mark.parametrize(
    ("operator", "values"),
    [
        ("In", ()),
        ("NotIn", ()),
        ("Exists", ("a",)),
        ("DoesNotExist", ("a",)),
        ("Gt", ()),
        ("Gt", ("1", "2")),
        ("Lt", ("x",)),
        ("Gte", ("1.5",)),
    ],
)
def test_values_that_do_not_fit_the_operator_are_refused(operator: str, values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="takes"):
        Requirement("key", Operator(operator), values)


def test_a_requirement_needs_a_key() -> None:
    with pytest.raises(ValueError, match="label key"):
        Requirement("", Operator.EXISTS)


def test_order_and_repetition_of_values_do_not_matter() -> None:
    assert Requirement("k", Operator.IN, ("b", "a", "b")) == Requirement("k", Operator.IN, ("a", "b"))


def test_requirements_on_different_keys_never_clash() -> None:
    assert contradiction([Requirement("a", Operator.IN, ("1",)), Requirement("b", Operator.IN, ("2",))]) == ()


def test_a_contradiction_names_the_requirements_on_its_key_only() -> None:
    zone = Requirement("zone", Operator.IN, ("a",))
    other = Requirement("zone", Operator.NOT_IN, ("a",))
    assert contradiction([zone, Requirement("arch", Operator.EXISTS), other]) == (zone, other)


VALUES = ("-1", "0", "1", "2", "3", "x", "y")
requirements = st.one_of(
    st.builds(
        lambda o, v: Requirement("k", o, tuple(v)),
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(st.sampled_from(VALUES), min_size=1, max_size=5),
    ),
    st.builds(
        lambda o, v: Requirement("k", o, (v,)),
        st.sampled_from([Operator.GT, Operator.LT, Operator.GTE, Operator.LTE]),
        st.sampled_from(["0", "1", "2"]),
    ),
    st.sampled_from([Requirement("k", Operator.EXISTS), Requirement("k", Operator.DOES_NOT_EXIST)]),
)


@given(st.lists(requirements, max_size=5))
def test_a_contradiction_is_found_exactly_when_no_label_satisfies_all(group: list[Requirement]) -> None:
    """Every value that the requirements can tell apart, one beyond each, and absence."""
    labels = [None, *VALUES, *(str(n) for n in range(-20, 20)), "unlisted"]
    satisfiable = any(all(r.admits(label) for r in group) for label in labels)
    assert (contradiction(group) == ()) is satisfiable


def test_an_interval_whose_integers_are_all_excluded_is_a_contradiction() -> None:
    between = [Requirement("k", Operator.GT, ("1",)), Requirement("k", Operator.LT, ("4",))]
    assert contradiction(between) == ()
    clash = [*between, Requirement("k", Operator.NOT_IN, ("2", "3"))]
    assert contradiction(clash) == tuple(clash)
