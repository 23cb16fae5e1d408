"""Instances register themselves, build the same problem twice, and say what they lack."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from binwright_benchmarks.baselines import open_market
from binwright_benchmarks.instances.micro_services import MEANS
from binwright_benchmarks.questions import BUNDLED_TRACE, MissingDataError, trace_rows
from binwright_benchmarks.reference import ARRIVALS
from binwright_benchmarks.registry import DATA_VARIABLE, SharedData, instances, register
from binwright_benchmarks.services import measured_pods, replica_counts, services
from binwright_optimizer.model import Problem

NEEDS_DATA = tuple(
    i.name
    for i in instances()
    if i.name.startswith(("gpu-trace-models", "manifests", "tianchi", "vbp-", "vsbppc-"))
)
BUNDLED = [i.name for i in instances() if i.name not in NEEDS_DATA]


def fingerprint(problem: Problem) -> list[tuple[str, int, object]]:
    return [(w.name, w.replicas, w.template) for w in problem.workloads]


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_instance_builds_the_same_problem_twice(name: str) -> None:
    (instance,) = instances(name)
    first, second = (instance.build(1, SharedData()) for _ in range(2))
    assert fingerprint(first) == fingerprint(second)
    assert first.workloads
    assert len(instance.description) <= 80


def test_seeds_give_different_problems_exactly_where_an_instance_says_so() -> None:
    for name in BUNDLED:
        (instance,) = instances(name)
        one, two = (fingerprint(instance.build(seed, SharedData())) for seed in (1, 2))
        assert (one != two) == instance.is_seeded, name


@pytest.mark.parametrize("name", NEEDS_DATA)
def test_an_instance_without_its_data_says_what_it_needs(name: str, tmp_path: Path) -> None:
    (instance,) = instances(name)
    with pytest.raises(MissingDataError, match=rf"needs (traces|vbp)/.*set {DATA_VARIABLE} or --data"):
        instance.build(0, SharedData())
    with pytest.raises(MissingDataError, match="does not exist"):
        instance.build(0, SharedData(tmp_path))


@pytest.mark.parametrize("name", NEEDS_DATA)
def test_an_instance_with_its_data_builds(name: str) -> None:
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{DATA_VARIABLE} names no folder with the further data sets")
    (instance,) = instances(name)
    assert open_market(instance.build(0, SharedData(Path(folder)))).instance.n_classes > 10


def test_globs_choose_by_name_and_names_are_sorted() -> None:
    found = [instance.name for instance in instances("gpu-trace*")]
    assert found == sorted(found)
    assert {"gpu-trace", "gpu-trace-1000", "gpu-trace-spot"} <= set(found)
    assert instances("nothing-like-it") == ()


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="two instances are called gpu-trace"):
        register("gpu-trace", "again")(lambda _seed, _data: pytest.fail("never built"))


def test_the_bundled_trace_is_whole() -> None:
    rows = trace_rows()
    assert len(rows) == 8152
    assert sum(row["num_gpu"] != "0" for row in rows) == 7064
    assert rows[0]["name"] == "openb-pod-0000"
    assert BUNDLED_TRACE.stat().st_size < 150_000


def test_the_slice_of_the_trace_just_fills_the_gpu_pool() -> None:
    """50 of the arrivals fit, the last of them included, and nothing fits any other pool."""
    (instance,) = instances("reference-pools-trace")
    problem = instance.build(0, SharedData())
    market = open_market(problem)
    assert len(problem.workloads) == ARRIVALS
    assert len(market.pods) == 50
    assert market.instance.class_of[-1] >= 0
    gpu = [pool.name for pool in problem.node_pools].index("gpu-compute")
    holds = market.instance.compatible[:, : market.n_bought].any(axis=0)
    assert set(market.instance.pool_of[: market.n_bought][holds]) == {gpu}


def test_measured_pods_all_differ() -> None:
    pods = measured_pods(3, 500)
    assert len({w.template for w in pods}) == len(pods) == sum(w.replicas for w in pods) == 500
    assert pods != measured_pods(4, 500)


def test_generated_services_have_the_numbers_asked_for() -> None:
    import random

    counts = replica_counts(random.Random(7), pods=1000, classes=300)
    assert (sum(counts), len(counts), min(counts)) == (1000, 300, 1)
    assert max(counts) > 50
    workloads = services(3, pods=10_000, classes=25)
    assert (sum(w.replicas for w in workloads), len(workloads)) == (10_000, 25)


@pytest.mark.parametrize("classes", [25, 300])
def test_generated_services_are_as_many_pod_classes_as_their_name_says(classes: int) -> None:
    for seed in range(5):
        assert len({w.template for w in services(seed, 1_000, classes)}) == classes
    (instance,) = instances(f"micro-1k-{classes}c-eu")
    assert open_market(instance.build(1, SharedData())).instance.n_classes == classes


@pytest.mark.parametrize("end", MEANS)
def test_offerings_are_counted_honestly(end: str) -> None:
    """The number in the description is what the rules may buy: instance type x zone x capacity type."""
    (instance,) = instances(f"micro-1k-25c-{end}")
    market = open_market(instance.build(0, SharedData()))
    assert market.n_bought == MEANS[end].offerings
    assert f"{MEANS[end].offerings:,}" in instance.description or end == "5t"


def test_a_resample_of_the_trace_has_ten_thousand_pods_of_its_kinds() -> None:
    (instance,) = instances("gpu-trace-10000")
    problem = instance.build(1, SharedData())
    assert sum(w.replicas for w in problem.workloads) == 10_000
    assert max(w.replicas for w in problem.workloads) > 1
    (whole,) = instances("gpu-trace")
    templates = {w.name: w.template for w in whole.build(0, SharedData()).workloads}
    assert all(templates[w.name] == w.template for w in problem.workloads)
    names = [w.pod_name(k) for w in problem.workloads for k in range(w.replicas)]
    assert len(set(names)) == len(names)
