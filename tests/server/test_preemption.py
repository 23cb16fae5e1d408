"""Preemption: which of the nodes that evictions would free are worth it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from binwright.v1 import scheduling_service_pb2, scheduling_service_pb2_grpc
from binwright_server.scheduling.preemption import Eviction, worth_evicting
from binwright_server.scheduling.service import SchedulingService
from binwright_server.scheduling.state import ClusterState
from clusters import GPU, Cluster, template
from extender_harness import Webhook, extending, node_json, pod_json
from harness import serving
from hypothesis import given
from hypothesis import strategies as st

EQUAL = dict.fromkeys("abcdef", 50)


def test_fewest_broken_budgets_come_before_everything() -> None:
    evictions = [Eviction("a", (1,), 1), Eviction("b", (9, 9, 9), 0)]
    assert worth_evicting(evictions, frozenset(), EQUAL) == [1]


def test_the_lowest_highest_priority_comes_next_then_the_sum_then_the_number() -> None:
    evictions = [Eviction("a", (8,)), Eviction("b", (7, 1)), Eviction("c", (7, 0)), Eviction("d", (7, 0, -5))]
    assert worth_evicting(evictions, frozenset(), EQUAL) == [2]  # three pods are more than two, even below 0


def test_among_equal_losses_the_plan_decides_and_keeps_what_it_values_alike() -> None:
    evictions = [Eviction(name, (3,)) for name in "abcd"]
    scores = {"a": 20, "b": 80, "c": 80, "d": 5}
    assert worth_evicting(evictions, frozenset(), scores) == [1, 2]


def test_node_that_could_not_take_the_pod_even_when_emptied_is_left_out() -> None:
    evictions = [Eviction("a", (1,)), Eviction("b", (9,))]
    assert worth_evicting(evictions, frozenset("a"), EQUAL) == [1]
    assert worth_evicting(evictions, frozenset("ab"), EQUAL) == []


def test_rules_about_pods_that_the_scheduler_knows_sooner_leave_no_node_out() -> None:
    """The pod must be near the cache, which was bound to node a a moment ago, and nobody has told us yet."""
    pod = template()
    pod.pod_affinity.required.add(topology_key="kubernetes.io/hostname").label_selector.match_labels[
        "app"
    ] = "cache"
    state = ClusterState()
    service = SchedulingService(state)
    asyncio.run(service.UpdateCluster(Cluster().node("a").node("b").update, None))  # type: ignore[arg-type]
    request = scheduling_service_pb2.PreemptRequest(pod=pod)
    request.evictions.add(node="a").victims.add(uid="v", priority=1)
    response = asyncio.run(service.Preempt(request, None))  # type: ignore[arg-type]
    assert list(response.chosen) == [0]


def test_where_a_priority_is_not_known_kube_scheduler_keeps_its_choice() -> None:
    evictions = [Eviction("a", (1, None)), Eviction("b", (9,)), Eviction("c", (1,))]
    assert worth_evicting(evictions, frozenset("c"), EQUAL) == [0, 1]


@given(
    st.lists(
        st.builds(
            Eviction,
            node=st.sampled_from("abcdef"),
            priorities=st.lists(st.integers(-3, 3), min_size=1, max_size=3).map(tuple),
            broken_budgets=st.integers(0, 2),
        ),
        max_size=6,
        unique_by=lambda eviction: eviction.node,
    ),
    st.lists(st.integers(0, 100), min_size=6, max_size=6),
)
def test_what_remains_is_never_worse_by_kube_schedulers_order(
    evictions: list[Eviction], points: list[int]
) -> None:
    def loss(eviction: Eviction) -> tuple[int, int, int, int]:
        known = [p for p in eviction.priorities if p is not None]
        return eviction.broken_budgets, max(known), sum(p + 2**31 for p in known), len(known)

    chosen = worth_evicting(evictions, frozenset(), dict(zip("abcdef", points, strict=True)))
    assert bool(chosen) == bool(evictions)
    for position in chosen:
        assert loss(evictions[position]) == min(map(loss, evictions))


def full(name: str, priority: int, cluster: Cluster, **node: Any) -> Cluster:
    """A node that one pod fills; its uid is the node's name in capitals."""
    cluster.node(name, **node).pod(f"on-{name}", name, template("4"), uid=name.upper())
    cluster.update.pods[-1].priority = priority
    return cluster


def asked(
    service: SchedulingService, victims: dict[str, list[str]], budgets: int = 0
) -> scheduling_service_pb2.PreemptRequest:
    request = scheduling_service_pb2.PreemptRequest(pod=template("2"))
    for node, uids in victims.items():
        eviction = request.evictions.add(node=node, broken_budgets=budgets)
        for uid in uids:
            eviction.victims.add(uid=uid)
    return request


def test_priorities_come_from_the_state_where_the_question_has_none() -> None:
    cluster = full("a", 100, full("b", 5, full("c", 5, Cluster())))
    service = SchedulingService(ClusterState())

    async def ask() -> None:
        await service.UpdateCluster(cluster.update, None)  # type: ignore[arg-type]
        request = asked(service, {"a": ["A"], "b": ["B"], "c": ["C"]})
        assert list((await service.Preempt(request, None)).chosen) == [1, 2]  # type: ignore[arg-type]
        for eviction, priority in zip(request.evictions, (1, 5, 5), strict=True):
            eviction.victims[0].priority = priority
        assert list((await service.Preempt(request, None)).chosen) == [0]  # type: ignore[arg-type]

    asyncio.run(ask())


def test_node_with_a_free_accelerator_is_spared_where_the_evictions_are_alike() -> None:
    cluster = full("a", 5, full("gpu", 5, Cluster(), allocatable={**GPU, "cpu": "4"}))
    service = SchedulingService(ClusterState())

    async def ask() -> None:
        await service.UpdateCluster(cluster.update, None)  # type: ignore[arg-type]
        request = asked(service, {"gpu": ["GPU"], "a": ["A"]})
        assert list((await service.Preempt(request, None)).chosen) == [1]  # type: ignore[arg-type]

    asyncio.run(ask())


# --- the webhook ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    with serving() as server, extending(server.address) as running:
        cluster = full("a", 100, full("b", 5, full("c", 5, Cluster())))
        cluster.node("tainted", taint="x")
        with grpc.insecure_channel(server.address) as channel:
            stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
            stub.UpdateCluster(cluster.update, timeout=30)
        yield running


def preempt(webhook: Webhook, victims: dict[str, Any], key: str = "NodeNameToMetaVictims") -> dict[str, Any]:
    status, answer = webhook.post("preempt", {"Pod": pod_json(cpu="2"), key: victims})
    assert status == 200
    return dict(answer["NodeNameToMetaVictims"])


def test_webhook_keeps_the_nodes_where_least_is_lost(webhook: Webhook) -> None:
    victims = {node: {"Pods": [{"UID": node.upper()}], "NumPDBViolations": 0} for node in "abc"}
    assert preempt(webhook, victims) == {node: victims[node] for node in "bc"}
    victims["b"]["NumPDBViolations"] = 1
    assert preempt(webhook, victims) == {"c": victims["c"]}


def test_webhook_reads_priorities_off_whole_pods(webhook: Webhook) -> None:
    victims = {
        "a": {"Pods": [pod_json("cheap", priority=1)], "NumPDBViolations": 0},
        "b": {"Pods": [pod_json("dear", priority=7)], "NumPDBViolations": 0},
    }
    chosen = preempt(webhook, victims, "NodeNameToVictims")
    assert chosen == {"a": {"Pods": [{"UID": "uid-cheap"}], "NumPDBViolations": 0}}


def test_webhook_answers_with_no_node_that_has_no_victims(webhook: Webhook) -> None:
    """kube-scheduler takes such an answer for a broken extender."""
    assert preempt(webhook, {"a": {"Pods": [], "NumPDBViolations": 0}}) == {}
    assert preempt(webhook, {"tainted": {"Pods": [{"UID": "T"}], "NumPDBViolations": 0}}) == {}


@pytest.mark.parametrize(
    "victims",
    [
        {"a": {"Pods": [{"UID": "A"}], "NumPDBViolations": -1}},
        {"a": {"Pods": [{"UID": "A"}], "NumPDBViolations": 2**80}},
        {"a": {"Pods": [pod_json(priority="high")]}},
        {"a": {"Pods": [pod_json(priority=2**40)]}},
        {"a": {"Pods": [{"UID": ""}]}},
    ],
)
def test_malformed_victims_are_one_error_and_the_next_call_is_served(
    webhook: Webhook, victims: dict[str, Any]
) -> None:
    status, answer = webhook.post("preempt", {"Pod": pod_json(), "NodeNameToVictims": victims})
    assert (status, answer["Error"][:11]) == (400, "binwright: ")
    assert webhook.filter(pod_json(cpu="2"), ["tainted"])["Error"] == ""


def test_preemption_without_a_snapshot_is_an_error_and_no_choice() -> None:
    victims = {"a": {"Pods": [{"UID": "A"}], "NumPDBViolations": 0}}
    with serving() as server, extending(server.address, budget_s=0.3) as webhook:
        status, answer = webhook.post("preempt", {"Pod": pod_json(), "NodeNameToMetaVictims": victims})
        assert (status, "send a snapshot" in answer["Error"]) == (503, True)
        nodes = {"items": [node_json("a")]}  # questions with whole nodes are nobody's snapshot
        assert webhook.post("filter", {"Pod": pod_json(), "Nodes": nodes})[0] == 200
        assert webhook.post("preempt", {"Pod": pod_json(), "NodeNameToMetaVictims": victims})[0] == 503
