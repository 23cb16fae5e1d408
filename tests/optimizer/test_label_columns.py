"""Which rows and which NodePool variants a requirement admits."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance import build_instance
from binwright_optimizer.instance.labels import MOST_MASKS, LabelColumns
from binwright_optimizer.model import Problem
from builders import instance_type, node_pool, pod, problem, requires

ROWS = LabelColumns.of_rows([(("cpu", "4"),), (("cpu", "16"),), (("cpu", "many"),), ()])
"""Four rows whose label ``cpu`` is 4, 16, not a number, and absent."""


@pytest.mark.parametrize(
    ("operator", "values", "admitted"),
    [
        ("In", ["4", "many"], [True, False, True, False]),
        ("NotIn", ["4"], [False, True, True, True]),
        ("Exists", [], [True, True, True, False]),
        ("DoesNotExist", [], [False, False, False, True]),
        ("Gt", ["4"], [False, True, False, False]),
        ("Gte", ["4"], [True, True, False, False]),
        ("Lt", ["16"], [True, False, False, False]),
        ("Lte", ["16"], [True, True, False, False]),
    ],
)
def test_operator_admits_rows_as_kubernetes_says(operator, values, admitted) -> None:
    assert ROWS.mask(requires("cpu", operator, *values)).tolist() == admitted


def test_label_on_no_row_is_absent_on_every_row() -> None:
    assert ROWS.mask(requires("disk", "NotIn", "ssd")).all()
    assert ROWS.mask(requires("disk", "DoesNotExist")).all()
    assert not ROWS.mask(requires("disk", "Exists")).any()


def test_fixed_labels_stand_for_every_row_and_hide_columns() -> None:
    assert ROWS.mask_all([requires("cpu", "In", "9")], {"cpu": "9"}).all()
    assert not ROWS.mask_all([requires("cpu", "In", "4")], {"cpu": "9"}).any()
    assert ROWS.mask_all([requires("cpu", "DoesNotExist")], {"cpu": None}).all()


def test_affinity_terms_are_alternatives_and_an_empty_term_matches_nothing() -> None:
    four, sixteen = (requires("cpu", "In", "4"),), (requires("cpu", "In", "16"),)
    assert ROWS.mask_any((four, sixteen), {}).tolist() == [True, True, False, False]
    assert ROWS.mask_any(((), four), {}).tolist() == [True, False, False, False]
    assert not ROWS.mask_any(((),), {}).any()
    assert ROWS.mask_any((), {}).all()


def test_masks_are_kept_within_limits_and_read_only() -> None:
    columns = LabelColumns.of_rows([(("k", "1"),)])
    for value in range(MOST_MASKS + 5):
        mask = columns.mask(requires("k", "Gt", str(value)))
    assert len(columns._masks) <= MOST_MASKS
    with pytest.raises(ValueError, match="read-only"):
        mask[0] = True
    assert columns.mask(requires("k", "Gt", "0")).tolist() == [True]


def test_rows_may_be_repeated_and_given_another_label() -> None:
    wide = ROWS.expand(np.array([1, 1, 0])).with_column("zone", ["a", "b", "a"])
    assert wide.mask_all([requires("cpu", "In", "16"), requires("zone", "In", "a")], {}).tolist() == [
        True,
        False,
        False,
    ]


NODE = instance_type("node", cpu=8, price=1)


def variant_values(question: Problem, key: str) -> list[str | None]:
    return [dict(v.fixed).get(key) for v in build_instance(question).variants]


def test_a_free_label_takes_each_value_that_pods_name_and_one_more() -> None:
    """The pool admits team a, b, c; pods name b and z: values b, and a for those that do not care."""
    pods = [pod("b", cpu=1, selector={"team": "b"}), pod("z", cpu=1, selector={"team": "z"})]
    question = problem(pods, [NODE], [node_pool("p", requires("team", "In", "a", "b", "c"))])
    assert variant_values(question, "team") == ["b", "a"]


def test_a_free_label_with_every_value_named_needs_no_spare_value() -> None:
    pods = [pod("a", cpu=1, selector={"team": "a"}), pod("b", cpu=1, selector={"team": "b"})]
    question = problem(pods, [NODE], [node_pool("p", requires("team", "In", "a", "b"))])
    assert variant_values(question, "team") == ["a", "b"]


def test_a_label_that_must_exist_takes_any_value_a_pod_names() -> None:
    pods = [pod("x", cpu=1, selector={"team": "x"}), pod("free", cpu=1)]
    question = problem(pods, [NODE], [node_pool("p", requires("team", "Exists"))])
    assert variant_values(question, "team") == ["x", "any"]


def test_a_label_that_must_not_exist_is_absent() -> None:
    pods = [pod("x", cpu=1, selector={"team": "x"})]
    question = problem(pods, [NODE], [node_pool("p", requires("team", "DoesNotExist"))])
    assert variant_values(question, "team") == [None]
    assert build_instance(question).class_of.tolist() == [-1]


def test_a_comparison_gets_a_value_that_satisfies_it() -> None:
    """tier > 5 and tier < 7 leaves only 6."""
    pool = node_pool("p", requires("tier", "Gt", "5"), requires("tier", "Lt", "7"))
    pods = [pod("x", cpu=1, needs=[requires("tier", "Exists")])]
    question = problem(pods, [NODE], [pool])
    assert variant_values(question, "tier") == ["6"]
    assert build_instance(question).class_of.tolist() == [0]


def test_pods_of_different_teams_never_share_a_node() -> None:
    """Both fit one node by size, but a node has one value of team: no candidate holds both."""
    pods = [pod("a", cpu=1, selector={"team": "a"}), pod("b", cpu=1, selector={"team": "b"})]
    instance = build_instance(problem(pods, [NODE], [node_pool("p", requires("team", "In", "a", "b"))]))
    assert instance.n_candidates == 2
    assert instance.compatible.sum(axis=0).tolist() == [1, 1]


def test_too_many_combinations_of_custom_labels_are_refused() -> None:
    """Two free labels of 20 named values each are at least 400 combinations."""
    pods = [pod(f"p{n}", cpu=1, selector={"x": f"v{n}", "y": f"w{n}"}) for n in range(20)]
    pools = [node_pool("p", requires("x", "Exists"), requires("y", "Exists"))]
    with pytest.raises(InvalidProblemError, match=r"node_pools\[0\].requirements"):
        build_instance(problem(pods, [NODE], pools))
