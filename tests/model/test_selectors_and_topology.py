"""Label selectors, spread constraints, affinity terms, caps and ports: what they select and refuse."""

from __future__ import annotations

import pytest
from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model import (
    HostPort,
    LabelSelector,
    Namespace,
    NodeCap,
    Operator,
    PodAffinityTerm,
    Protocol,
    Requirement,
    TopologySpread,
)
from binwright_optimizer.model.namespaces import labels_by_namespace
from hypothesis import given
from hypothesis import strategies as st

WEB = LabelSelector.of_labels({"app": "web"})


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        ("In", ("a", "b"), {"k": "a"}, True),
        ("In", ("a", "b"), {"k": "c"}, False),
        ("In", ("a",), {}, False),
        ("NotIn", ("a",), {"k": "a"}, False),
        ("NotIn", ("a",), {"k": "b"}, True),
        ("NotIn", ("a",), {}, True),
        ("Exists", (), {"k": ""}, True),
        ("Exists", (), {}, False),
        ("DoesNotExist", (), {"k": "a"}, False),
        ("DoesNotExist", (), {}, True),
    ],
)
def test_selector_operators_are_those_of_kubernetes(
    operator: str, values: tuple[str, ...], labels: dict[str, str], expected: bool
) -> None:
    selector = LabelSelector((Requirement("k", Operator(operator), values),))
    assert selector.matches(labels) is expected


def test_equal_selectors_compare_equal_whatever_their_order() -> None:
    first, second = Requirement("a", Operator.EXISTS), Requirement("b", Operator.IN, ("y", "x"))
    assert LabelSelector((first, second)) == LabelSelector((second, first, second))


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz")))
def test_selector_of_labels_matches_exactly_their_supersets(labels: dict[str, str]) -> None:
    selector = LabelSelector.of_labels(labels)
    assert selector.matches({**labels, "more": "x"})
    assert not labels or not selector.matches({})


def test_pods_of_another_revision_do_not_count_with_match_label_keys() -> None:
    """A rolling update: only pods of the same template hash are spread together."""
    constraint = TopologySpread("zone", 1, selector=WEB, match_label_keys=("pod-template-hash",))
    own = {"app": "web", "pod-template-hash": "new"}
    assert constraint.selects(own, own)
    assert not constraint.selects(own, {"app": "web", "pod-template-hash": "old"})


def test_label_keys_that_the_pod_lacks_are_left_out() -> None:
    constraint = TopologySpread("zone", 1, selector=WEB, match_label_keys=("hash",))
    assert constraint.selects({"app": "web"}, {"app": "web", "hash": "x"})


def test_label_key_that_the_api_server_wrote_into_the_selector_is_no_mistake() -> None:
    """Live pods carry matchLabelKeys and the requirement that the API server made of them."""
    merged = LabelSelector.of_labels({"app": "web", "hash": "a"})
    constraint = TopologySpread("zone", 1, selector=merged, match_label_keys=("hash",))
    assert constraint.effective_selector({"hash": "a"}) == merged


def test_mismatch_label_keys_keep_away_from_other_tenants_only() -> None:
    """The documentation's case: pods of one tenant share a node pool, away from all others."""
    tenants = LabelSelector((Requirement("tenant", Operator.EXISTS),))
    term = PodAffinityTerm("node-pool", tenants, mismatch_label_keys=("tenant",))
    selector = term.effective_selector({"tenant": "a"})
    assert selector is not None
    assert not selector.matches({"tenant": "a"})
    assert selector.matches({"tenant": "b"})
    assert not selector.matches({})


@pytest.mark.parametrize(
    ("namespaces", "selector", "covered"),
    [
        ((), None, {"own"}),
        (("shop",), None, {"shop"}),
        ((), LabelSelector(), {"own", "shop", "bank"}),
        ((), LabelSelector.of_labels({"team": "money"}), {"bank"}),
        (("own",), LabelSelector.of_labels({"team": "money"}), {"own", "bank"}),
        ((), LabelSelector.of_labels({"kubernetes.io/metadata.name": "shop"}), {"shop"}),
    ],
)
def test_namespaces_of_a_term(
    namespaces: tuple[str, ...], selector: LabelSelector | None, covered: set[str]
) -> None:
    known = labels_by_namespace([Namespace("bank", (("team", "money"),))], ["own", "shop"])
    term = PodAffinityTerm("zone", WEB, namespaces, selector)
    assert {name for name in known if term.covers(name, known[name], "own")} == covered


@pytest.mark.parametrize(
    ("first", "second", "clashes"),
    [
        (HostPort(80), HostPort(80), True),
        (HostPort(80), HostPort(81), False),
        (HostPort(80), HostPort(80, Protocol.UDP), False),
        (HostPort(80, host_ip="10.0.0.1"), HostPort(80, host_ip="10.0.0.2"), False),
        (HostPort(80, host_ip="10.0.0.1"), HostPort(80, host_ip="10.0.0.1"), True),
        (HostPort(80, host_ip=""), HostPort(80, host_ip="10.0.0.2"), True),
    ],
)
def test_host_ports_clash_as_in_the_scheduler(first: HostPort, second: HostPort, clashes: bool) -> None:
    assert first.clashes_with(second) is second.clashes_with(first) is clashes


def test_cap_of_zero_on_other_pods_is_anti_affinity_and_on_itself_is_refused() -> None:
    cap = NodeCap(WEB, 0)
    cap.check_admits_itself({"app": "db"})
    with pytest.raises(WrongFieldError, match="counts the pod itself"):
        cap.check_admits_itself({"app": "web"})


def test_wrong_field_tells_field_value_and_rule() -> None:
    with pytest.raises(WrongFieldError) as caught:
        TopologySpread("zone", -3, selector=WEB)
    assert (caught.value.field, caught.value.value) == ("max_skew", "-3")
    assert str(caught.value) == "max_skew: must be at least 1 (got '-3')"
