"""Kubernetes' effective pod request, worked by hand.

Sources: https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers,
https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/ and KEP-753.
"""

from __future__ import annotations

import pytest
from binwright_optimizer.model import Container, Resources, effective_request
from hypothesis import given
from hypothesis import strategies as st


def resources(**amounts: int) -> Resources:
    return Resources.of(amounts)


def app(**amounts: int) -> Container:
    return Container(resources(**amounts))


def init(**amounts: int) -> Container:
    return Container(resources(**amounts))


def sidecar(**amounts: int) -> Container:
    return Container(resources(**amounts), is_sidecar=True)


def test_containers_add_up() -> None:
    assert effective_request([app(cpu=100, memory=10), app(cpu=200)]) == resources(cpu=300, memory=10)


def test_a_pod_without_requests_is_best_effort() -> None:
    assert effective_request([app()]) == Resources()


def test_init_containers_run_one_after_the_other_so_the_largest_counts() -> None:
    assert effective_request([app(cpu=100)], [init(cpu=300), init(cpu=250)]) == resources(cpu=300)


def test_the_larger_of_init_and_app_is_taken_resource_by_resource() -> None:
    effective = effective_request([app(cpu=500, memory=10)], [init(cpu=100, memory=40)])
    assert effective == resources(cpu=500, memory=40)


def test_sidecars_run_beside_the_containers() -> None:
    assert effective_request([app(cpu=500)], [sidecar(cpu=100)]) == resources(cpu=600)


def test_an_init_container_runs_beside_the_sidecars_started_before_it() -> None:
    # 300 + 100 while initialising, 200 + 100 while running
    assert effective_request([app(cpu=200)], [sidecar(cpu=100), init(cpu=300)]) == resources(cpu=400)


def test_an_init_container_before_a_sidecar_runs_without_it() -> None:
    # 300 while initialising, 200 + 100 while running
    assert effective_request([app(cpu=200)], [init(cpu=300), sidecar(cpu=100)]) == resources(cpu=300)


def test_init_containers_between_sidecars_see_those_before_them() -> None:
    """init 1, sidecar 100, init 250, sidecar 50, init 20: peaks 1, 100, 350, 150, 170; running 150 + 180."""
    starting = [init(cpu=1), sidecar(cpu=100), init(cpu=250), sidecar(cpu=50), init(cpu=20)]
    assert effective_request([app(cpu=180)], starting) == resources(cpu=350)


def test_overhead_comes_on_top_of_everything() -> None:
    effective = effective_request([app(cpu=100)], [init(cpu=300)], resources(cpu=250, memory=120))
    assert effective == resources(cpu=550, memory=120)


@pytest.mark.parametrize("pod_level", [50, 400])
def test_pod_level_requests_replace_the_sum_for_what_they_name(pod_level: int) -> None:
    effective = effective_request([app(cpu=100, memory=7)], pod_level=resources(cpu=pod_level))
    assert effective == resources(cpu=pod_level, memory=7)


def test_pod_level_requests_do_not_swallow_overhead() -> None:
    effective = effective_request([app(cpu=100)], overhead=resources(cpu=10), pod_level=resources(cpu=400))
    assert effective == resources(cpu=410)


amounts = st.dictionaries(st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]), st.integers(0, 1000))
containers = st.lists(st.builds(lambda a: Container(Resources.of(a)), amounts), max_size=4)
starters = st.lists(
    st.builds(lambda a, s: Container(Resources.of(a), is_sidecar=s), amounts, st.booleans()), max_size=5
)


@given(containers, starters)
def test_the_effective_request_is_the_peak_of_a_simulated_start(
    running: list[Container], starting: list[Container]
) -> None:
    """Start the pod step by step and take the largest sum that ever runs at once."""
    for name in ("cpu", "memory", "nvidia.com/gpu"):
        alive = 0
        peak = 0
        for container in starting:
            peak = max(peak, alive + container.requests[name])
            if container.is_sidecar:
                alive += container.requests[name]
        peak = max(peak, alive + sum(c.requests[name] for c in running))
        assert effective_request(running, starting)[name] == peak
