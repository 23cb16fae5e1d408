"""SchedulingService: the state that snapshots and deltas build."""

from __future__ import annotations

import pytest
from asked import Asked
from binwright.v1 import scheduling_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.model.taints import untolerated
from binwright_server.convert.scheduling import ClusterReader
from binwright_server.errors import NoStateError
from binwright_server.scheduling.plan import PlanningProblem
from binwright_server.scheduling.state import ClusterState, request_of
from clusters import GPU, SMALL, Cluster, delta, template
from hypothesis import given, settings
from hypothesis import strategies as st


def test_no_snapshot_is_said_instead_of_a_wrong_answer() -> None:
    with pytest.raises(NoStateError, match="send a snapshot"):
        Asked().filter(template())
    with pytest.raises(NoStateError, match="a delta on snapshot 'e1', but the last one here is none"):
        Asked(delta().node("a"))
    with pytest.raises(NoStateError, match="the last one here is 'e1'"):
        Asked(Cluster("e1").node("a"), delta("e2").node("b"))


def test_deltas_change_the_room() -> None:
    asked = Asked(Cluster().node("a").pod("p", "a", template("3")))
    assert asked.filter(template("3"))[0] == []
    asked.put(delta().without_pod("p"))
    assert asked.filter(template("3"))[0] == ["a"]
    asked.put(delta().pod("q", pod=template("3")))
    assert asked.filter(template("3"))[0] == ["a"]
    asked.put(delta().pod("q", "a", template("3")))
    assert asked.filter(template("3"))[0] == []
    asked.put(delta().without_node("a"))
    assert asked.filter(template("3"), "a")[1] == {"unknown-node": ["a"]}


def test_pod_may_come_before_its_node() -> None:
    asked = Asked(Cluster().pod("early", "a", template("3")))
    asked.put(delta().node("a"))
    assert asked.filter(template("2"))[0] == []


def test_older_versions_are_ignored() -> None:
    asked = Asked(Cluster().node("a", version="9").pod("p", "a", template("3"), version="8"))
    response = asked.put(delta().node("a", {"cpu": "1"}, version="7").pod("p", pod=template(), version="7"))
    assert (response.nodes, response.pods, response.ignored) == (1, 1, 2)
    assert asked.filter(template("1"))[0] == ["a"]
    response = asked.put(delta().pod("p", "a", template("4"), version="7", uid="another"))
    assert response.ignored == 0, "a pod of the same name with another uid is another pod"


def test_snapshot_replaces_everything() -> None:
    asked = Asked(Cluster().node("a").pod("p", "a"), Cluster("e2").node("b"))
    assert asked.filter(template())[0] == ["b"]
    assert (len(asked.state.nodes), len(asked.state.pods)) == (1, 0)


NAMES = ("a", "b", "c", "d")

TEMPLATES = (
    template("1"),
    template("2", selector={"zone": "z1"}),
    template("500m", gpus=1, tolerates="gpu"),
)

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("node", "gone", "pod", "ended")),
        st.sampled_from(NAMES),
        st.integers(0, 5),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(CHANGES)
@settings(max_examples=150, deadline=None)
def test_arrays_and_verdicts_agree_with_the_domain_model_after_any_changes(
    changes: list[tuple[str, str, int, int]],
) -> None:
    asked = Asked(Cluster())
    for kind, name, number, variant in changes:
        change = delta()
        if kind == "node":
            labels = {"zone": f"z{variant}"}
            change.node(name, (SMALL, GPU)[number % 2], labels, ("", "gpu")[number // 3], price=number)
        elif kind == "gone":
            change.without_node(name)
        elif kind == "pod":
            change.pod(f"p{number}", name if variant else "", TEMPLATES[variant])
        else:
            change.without_pod(f"p{number}")
        asked.put(change)
        asked.filter(TEMPLATES[number % 3], *NAMES)  # views are refreshed between changes, too
    state, table = asked.state, asked.state.table
    reader = ClusterReader()
    for name in NAMES:
        node = state.nodes.get(name)
        if node is None:
            continue
        free = dict(node.allocatable.amounts)
        for pod in state.pods.values():
            if pod.node == name:
                for resource, amount in request_of(pod):
                    free[resource] = free.get(resource, 0) - amount
        row = table.row_of[name]
        assert {r: table.free[row, c] for r, c in table.resources.items() if r in free} == free
        for message in TEMPLATES:
            _, pod_template = reader.template(message)
            labels = dict(node.labels)
            fits = (
                untolerated(node.taints, pod_template.tolerations) is None
                and all(r.admits(labels.get(r.key)) for r in pod_template.node_selector)
                and all(free.get(r, 0) >= amount for r, amount in (*pod_template.requests, (PODS, 1)))
            )
            assert (asked.filter(message, name)[0] == [name]) is fits
    plan = PlanningProblem(state.nodes, state.pods, state.namespaces)
    assert plan.is_empty or plan.problem().workloads


def test_many_nodes_come_and_go_without_filling_the_memory() -> None:
    asked = Asked(Cluster().node("stays"))
    for k in range(0, 4000, 200):
        come, go = delta(), delta()
        for n in range(k, k + 200):
            come.node(f"n{n}")
            go.without_node(f"n{n}")
        asked.put(come)
        asked.put(go)
    table = asked.state.table
    assert table.capacity <= 512
    assert len(table._columns["kubernetes.io/hostname"].values) <= 2 * 512 + 1100
    assert asked.filter(template(selector={"kubernetes.io/hostname": "stays"}))[0] == ["stays"]


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_update_or_refused(data: bytes) -> None:
    try:
        message = scheduling_service_pb2.UpdateClusterRequest.FromString(data)
    except Exception:
        return
    try:
        ClusterState().apply(ClusterReader().update(message))
    except (InvalidProblemError, NoStateError):
        return
