"""Exchanges of pods: each must be possible wherever the larger pod stands."""

from __future__ import annotations

import itertools

import numpy as np
from binwright_optimizer.columns.exchange import MOST_CLASSES, MOST_PODS, NEAREST, Exchanges, exchanges
from binwright_optimizer.instance import Instance, build_instance
from builders import instance_type, node_pool, pod, problem, requires
from hypothesis import assume, given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=100, deadline=None, derandomize=True)


def listed(found: Exchanges) -> list[tuple[int, dict[int, int]]]:
    """Each exchange as the class whose place is taken and the pods that take it."""
    bounds = [*found.starts.tolist(), len(found.classes)]
    result = []
    for first, end in itertools.pairwise(bounds):
        assert found.counts[first] == -1.0
        classes = found.classes[first + 1 : end].tolist()
        assert len(set(classes)) == len(classes)
        counts = found.counts[first + 1 : end].tolist()
        result.append((int(found.classes[first]), dict(zip(classes, counts, strict=True))))
    return result


def of_pods(*cpus: int, worth: list[float] | None = None) -> list[tuple[int, dict[int, int]]]:
    """Exchanges between pods of so many cpu, named by their cpu; worth as much unless given."""
    pods = [pod(f"p{cpu}", cpu=cpu, replicas=2) for cpu in cpus]
    instance = build_instance(problem(pods, [instance_type("node", cpu=64, price=1)]))
    size = {int(i): cpu for i, cpu in zip(instance.class_of, cpus, strict=True)}
    prices = np.empty(len(cpus))
    prices[instance.class_of] = [float(cpu) for cpu in cpus] if worth is None else worth
    return [
        (size[k], {size[i]: int(n) for i, n in pods.items()})
        for k, pods in listed(exchanges(instance, prices))
    ]


def test_a_pod_of_one_size_gives_way_to_the_next_and_to_sets_that_fit() -> None:
    """8 gives way to 5 (and 5 to 3, so 8 to 3 needs no column), or to 5 + 3, or to two of 3."""
    found = of_pods(8, 5, 3)
    assert sorted(found, key=str) == sorted(
        [(8, {5: 1}), (5, {3: 1}), (8, {5: 1, 3: 1}), (8, {3: 2})], key=str
    )


def test_a_set_holds_a_pod_several_times() -> None:
    assert (6, {2: 3}) in of_pods(6, 2)


def test_a_set_has_a_limited_number_of_pods() -> None:
    assert (20, {1: MOST_PODS}) in of_pods(20, 1)


def test_pods_worth_nothing_make_no_sets() -> None:
    assert of_pods(6, 2, worth=[1.0, 0.0]) == [(6, {2: 1})]


def test_a_pod_that_tolerates_less_cannot_stand_where_the_other_may() -> None:
    """The tolerant pod may run in both NodePools, the small one only in the one that is dearer."""
    key = "node.kubernetes.io/instance-type"
    pools = [
        node_pool("open", requires(key, "In", "dear")),
        node_pool("tainted", requires(key, "In", "cheap"), taints=["t=1:NoSchedule"]),
    ]
    kinds = [instance_type("cheap", cpu=8, price=1), instance_type("dear", cpu=8, price=2)]
    pods = [pod("big", cpu=8, tolerations=["t=1:NoSchedule"]), pod("small", cpu=2)]
    instance = build_instance(problem(pods, kinds, pools))
    assert instance.compatible.sum(axis=1).max() > instance.compatible.sum(axis=1).min()
    assert listed(exchanges(instance, np.ones(2))) == []


def test_equal_pods_are_exchanged_in_one_direction_only() -> None:
    """Two classes that differ in priority alone: in both directions they would go round in circles."""
    pods = [pod("high", cpu=2, priority=1), pod("low", cpu=2)]
    instance = build_instance(problem(pods, [instance_type("node", cpu=8, price=1)]))
    assert instance.n_classes == 2
    for worth in ([1.0, 2.0], [2.0, 1.0], [1.0, 1.0]):
        assert len(listed(exchanges(instance, np.array(worth)))) == 1


def test_more_classes_than_can_be_compared_have_no_exchanges() -> None:
    pods = [pod(f"p{k}", cpu=1 + k / 1000) for k in range(MOST_CLASSES + 1)]
    instance = build_instance(problem(pods, [instance_type("node", cpu=64, price=1)]))
    assert instance.n_classes == MOST_CLASSES + 1
    assert len(exchanges(instance, np.ones(instance.n_classes))) == 0


def test_an_instance_without_pods_has_no_exchanges() -> None:
    instance = build_instance(problem([], [instance_type("node", cpu=64, price=1)]))
    assert len(exchanges(instance, np.zeros(0))) == 0


@st.composite
def mixed_instances(draw: st.DrawFn) -> Instance:
    """Up to eight classes over two taints, two sizes of node and two resources."""
    marks = ("a=1:NoSchedule", "b=1:NoSchedule")
    pools = [node_pool("plain"), node_pool("a", taints=marks[:1]), node_pool("ab", taints=marks)]
    kinds = [instance_type("l", cpu=16, memory_gib=16, price=3), instance_type("s", cpu=6, pods=4, price=1)]
    pods = [
        pod(
            f"w{k}",
            cpu=draw(st.integers(0, 8)),
            memory_gib=draw(st.integers(0, 4)),
            replicas=draw(st.integers(1, 2)),
            tolerations=marks[: draw(st.integers(0, 2))],
            priority=draw(st.integers(0, 1)),
        )
        for k in range(draw(st.integers(1, 8)))
    ]
    return build_instance(problem(pods, kinds, pools))


@given(mixed_instances(), st.data())
@SETTINGS
def test_pods_that_take_a_place_fit_wherever_the_other_stands(instance: Instance, data) -> None:
    assume(instance.n_classes)
    n = instance.n_classes
    worth = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), dtype=np.float64)
    found = exchanges(instance, worth)
    pairs = listed(found)
    assert len({(k, tuple(sorted(pods.items()))) for k, pods in pairs}) == len(pairs)
    for k, pods in pairs:
        classes, counts = list(pods), np.array(list(pods.values()))
        assert k not in pods
        assert (counts >= 1).all()
        assert counts.sum() <= MOST_PODS
        for i in classes:
            assert not (instance.compatible[k] & ~instance.compatible[i]).any()
        taken = counts @ instance.requests[classes]
        first = 1 if counts.sum() > 1 else 0  # sets may take more pod slots, which come first
        assert (taken[first:] <= instance.requests[k][first:]).all()
    for kind in (1, 2):
        per_class = np.bincount([k for k, pods in pairs if min(2, sum(pods.values())) == kind], minlength=n)
        assert per_class.max() <= NEAREST
    singles = {(k, next(iter(pods))) for k, pods in pairs if sum(pods.values()) == 1}
    assert not any((i, k) in singles for k, i in singles)


@given(mixed_instances())
@settings(SETTINGS, max_examples=30)
def test_exchanges_are_the_same_each_time(instance: Instance) -> None:
    worth = np.arange(instance.n_classes, dtype=np.float64) % 3
    first, second = exchanges(instance, worth), exchanges(instance, worth)
    for name in ("starts", "classes", "counts"):
        assert getattr(first, name).tolist() == getattr(second, name).tolist()
