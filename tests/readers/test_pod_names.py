from __future__ import annotations

import itertools

import pytest
from binwright.v1 import problem_pb2
from binwright_clients.pod_names import separate_pod_names
from hypothesis import given
from hypothesis import strategies as st

KINDS = ("Pod", "StatefulSet", "Deployment", "Job", "CronJob")


def problem_of(*workloads: tuple[str, str, int]) -> problem_pb2.Problem:
    problem = problem_pb2.Problem()
    for kind, name, replicas in workloads:
        problem.workloads.add(kind=kind, name=name, namespace="default", replicas=replicas)
    return problem


def pods_of(workload: problem_pb2.Workload) -> list[str]:
    """Names as the wire's documentation defines them."""
    if workload.pod_names:
        return list(workload.pod_names)
    if workload.replicas == 1:
        return [workload.name]
    return [f"{workload.name}-{n}" for n in range(workload.replicas)]


@pytest.mark.parametrize(
    ("workloads", "names"),
    [
        ([("Deployment", "web", 2), ("StatefulSet", "db", 2)], [[], []]),
        (
            [("Deployment", "web", 2), ("StatefulSet", "web", 2)],
            [["web-deployment-0", "web-deployment-1"], []],
        ),
        ([("Deployment", "web", 2), ("CronJob", "web", 2)], [[], ["web-cronjob-0", "web-cronjob-1"]]),
        ([("Deployment", "web", 1), ("Pod", "web", 1)], [["web-deployment-0"], []]),
        ([("Deployment", "web", 2), ("Pod", "web-1", 1)], [["web-deployment-0", "web-deployment-1"], []]),
        ([("Deployment", "web", 2), ("Job", "web-1", 1)], [[], ["web-1-job-0"]]),
        ([("Deployment", "web", 0), ("StatefulSet", "web", 3)], [[], []]),
    ],
)
def test_pods_without_fixed_names_give_way(
    workloads: list[tuple[str, str, int]], names: list[list[str]]
) -> None:
    problem = problem_of(*workloads)
    separate_pod_names(problem)
    assert [list(workload.pod_names) for workload in problem.workloads] == names


def test_the_same_name_in_two_namespaces_is_no_clash() -> None:
    problem = problem_of(("Deployment", "web", 2), ("Job", "web", 2))
    problem.workloads[1].namespace = "other"
    separate_pod_names(problem)
    assert not problem.workloads[1].pod_names


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS), st.sampled_from(["web", "web-0", "web-1", "db"]), st.integers(0, 3)
        ),
        max_size=6,
        unique_by=lambda workload: workload[:2],
    )
)
def test_no_invented_name_is_that_of_another_pod(workloads: list[tuple[str, str, int]]) -> None:
    problem = problem_of(*(w if w[0] != "Pod" else (*w[:2], 1) for w in workloads))
    separate_pod_names(problem)
    for one, other in itertools.permutations(problem.workloads, 2):
        if one.kind not in ("Pod", "StatefulSet"):
            assert not set(pods_of(one)) & set(pods_of(other))
