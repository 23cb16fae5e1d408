"""The extender webhook: servers that come and go."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from binwright.v1 import scheduling_service_pb2 as api
from binwright_clients.extender.backend import Backend
from binwright_clients.rpc_errors import RpcError, SnapshotNeededError
from binwright_server.config import ServerConfig
from clusters import Cluster, template
from extender_harness import Webhook, extending, pod_json, put
from harness import serving, wait_until


def test_server_without_a_snapshot_is_an_error_and_no_wrong_answer() -> None:
    with serving() as server, extending(server.address, budget_s=0.3) as webhook:
        answer = webhook.filter(pod_json(), ["a"])
        assert answer["NodeNames"] is None
        assert "send a snapshot" in answer["Error"]
        assert "binwright extender --watch does that" in answer["Error"]
        status, answer = webhook.post("prioritize", {"Pod": pod_json(), "NodeNames": ["a"]})
        assert (status, "send a snapshot" in answer["Error"]) == (503, True)


def test_server_that_stays_away_is_an_error_once_the_budget_is_spent() -> None:
    with extending("127.0.0.1:1", budget_s=0.3) as webhook:
        for _ in range(2):  # the second is answered at once, from what the first came to
            error = webhook.filter(pod_json(), ["a"])["Error"]
            assert "has not answered within 0.3 s: " in error
            assert "Connection refused" in error


def test_one_budget_is_spent_on_a_server_that_is_away_until_it_answers_again(tmp_path: Path) -> None:
    """Questions that might take an hour fail at once after the first that has waited in vain."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    question = api.FilterRequest(pod=template(), node_names=["a"])

    async def answers(backend: Backend) -> bool:
        try:
            return list((await backend.filter(question)).passed) == [0]
        except RpcError:
            return False

    async def asked() -> None:
        async with Backend(config.address, budget_s=0.2) as backend, asyncio.timeout(60):
            assert not await answers(backend)
            backend.budget_s = 3600.0
            for _ in range(20):
                assert not await answers(backend)
            with serving(config=config):
                await asyncio.to_thread(put, config.address, Cluster().node("a"))
                while not await answers(backend):
                    await asyncio.sleep(0.05)

    asyncio.run(asked())


def test_one_budget_is_spent_on_a_server_without_a_cluster_until_it_is_told_of_one(tmp_path: Path) -> None:
    """Questions by name fail at once meanwhile; those that bring their nodes are answered all the same."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    by_name = api.FilterRequest(pod=template(), node_names=["a"])
    whole = api.FilterRequest(pod=template(), nodes=Cluster().node("a").update.nodes)

    async def answers(backend: Backend) -> bool:
        try:
            return list((await backend.filter(by_name)).passed) == [0]
        except SnapshotNeededError:
            return False

    async def asked() -> None:
        async with Backend(config.address, budget_s=0.2) as backend, asyncio.timeout(60):
            assert not await answers(backend)
            backend.budget_s = 3600.0
            for _ in range(20):
                assert not await answers(backend)
                assert list((await backend.filter(whole)).passed) == [0]
            await asyncio.to_thread(put, config.address, Cluster().node("a"))
            while not await answers(backend):
                await asyncio.sleep(0.05)

    with serving(config=config):
        asyncio.run(asked())


def test_calls_under_way_outlive_a_restart_of_the_server(tmp_path: Path) -> None:
    """The server is stopped and started again under load: every answer is right, none is an error."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    update = Cluster().node("a").node("b").pod("full", "b", template("4"))
    answers: list[dict[str, Any]] = []
    stop = threading.Event()

    def ask(webhook: Webhook) -> None:
        while not stop.is_set():
            answers.append(webhook.filter(pod_json(), ["a", "b"]))

    def wait_for_answers(count: int) -> None:
        wanted = len(answers) + count
        wait_until(lambda: len(answers) >= wanted, within_s=120)

    with extending(config.address, budget_s=120) as webhook:
        threads = [threading.Thread(target=ask, args=(webhook,)) for _ in range(8)]
        for _ in range(3):
            with serving(config=config):
                put(config.address, update)
                for thread in threads:
                    if not thread.ident:
                        thread.start()
                wait_for_answers(20)
        with serving(config=config):
            put(config.address, update)
            wait_for_answers(20)
            stop.set()
            for thread in threads:
                thread.join(120)
    assert {(tuple(a["NodeNames"] or ()), a["Error"]) for a in answers} == {(("a",), "")}
