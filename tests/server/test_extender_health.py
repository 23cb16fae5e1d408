"""What kubelets ask the extender: whether it is alive, and whether it can answer kube-scheduler."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import grpc
import pytest
from binwright_clients.cluster.errors import UnreachableError
from binwright_clients.cluster.outage import Outage
from binwright_clients.extender import readiness as readiness_module
from binwright_clients.extender.backend import Backend
from binwright_clients.extender.readiness import Readiness
from binwright_server.config import ServerConfig
from clusters import Cluster
from extender_harness import extending, node_json
from extender_process import Start, eventually
from fake_api_server import api_server
from harness import serving

OK = (200, "ok\n")


def test_ready_once_the_cluster_is_listed_and_the_server_answers(start: Start, tmp_path: Path) -> None:
    """Alive from the first moment on, whatever is missing."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    with api_server() as cluster:
        cluster.put("nodes", node_json("a"))
        cluster.unlistable = frozenset({"pods", "namespaces"})
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        extender = start("--server", config.address, "--watch", "--kubeconfig", str(kubeconfig))

        def is_told(missing: str) -> bool:
            assert extender.webhook.get("/healthz") == OK
            return extender.webhook.get("/readyz") == (503, f"not ready: {missing}\n")

        with serving(config=config):
            eventually(lambda: is_told("the cluster's pods, namespaces are not listed yet"))
            cluster.unlistable = frozenset()
            eventually(lambda: extender.webhook.get("/readyz") == OK)
        eventually(lambda: is_told("the server does not answer"))
        with serving(config=config):  # it knows nothing, and is told again
            eventually(lambda: extender.webhook.get("/readyz") == OK)
        code, log = extender.stop()
    assert code == 0
    assert "not ready: the cluster's pods, namespaces are not listed yet" in log
    assert "Traceback" not in log


def test_server_without_a_cluster_is_enough_where_questions_bring_their_nodes() -> None:
    with serving() as server, extending(server.address) as webhook:
        assert webhook.get("/readyz") == OK


def test_server_that_does_not_know_us_is_told_without_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Anybody may ask; why is in the log, once."""
    tokens = tmp_path / "tokens"
    tokens.write_text("secret\n")
    config = ServerConfig(address="127.0.0.1:0", workers=1, token_file=str(tokens))
    with serving(config=config) as server, extending(server.address) as webhook:
        for _ in range(2):
            assert webhook.get("/healthz") == OK
            refused = (503, "not ready: the server refuses to answer: UNAUTHENTICATED\n")
            assert webhook.get("/readyz") == refused
    (line,) = (r.getMessage() for r in caplog.records if r.getMessage().startswith("not ready"))
    assert "no bearer token" in line


def test_server_that_hangs_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody listens and never says a word; a kubelet waits five seconds."""
    monkeypatch.setattr(readiness_module, "ASK_S", 0.2)

    async def told(port: int) -> str:
        async with Backend(f"127.0.0.1:{port}") as backend, asyncio.timeout(20):
            return await Readiness(backend).missing()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert asyncio.run(told(silent.getsockname()[1])) == "the server does not answer"


class Counting:
    """A backend that is asked once it is opened, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_open = asyncio.Event()

    async def failure(self, _: float) -> grpc.aio.AioRpcError | None:
        self.asked += 1
        await self.is_open.wait()
        return None


def test_probes_that_come_together_ask_the_server_once_and_later_ones_anew() -> None:
    async def count() -> list[int]:
        backend = Counting()
        readiness = Readiness(backend)  # type: ignore[arg-type]
        probes = [asyncio.ensure_future(readiness.missing()) for _ in range(50)]
        await asyncio.sleep(0)
        probes[0].cancel()  # whoever asked first has gone; the others are told all the same
        await asyncio.sleep(0)
        backend.is_open.set()
        assert await asyncio.gather(*probes[1:]) == [""] * 49
        first = backend.asked
        assert await readiness.missing() == ""
        return [first, backend.asked]

    assert asyncio.run(count()) == [1, 2]


def test_cluster_that_nobody_follows_any_more_is_told_after_a_minute() -> None:
    """Nodes that came since would be refused; without us, kube-scheduler takes them."""

    async def told(unfollowed_s: float) -> str:
        backend = Counting()
        backend.is_open.set()
        return await Readiness(backend, lambda: (), lambda: unfollowed_s).missing()  # type: ignore[arg-type]

    assert asyncio.run(told(60.0)) == ""
    assert asyncio.run(told(61.0)) == "the cluster is not followed"


def test_outage_lasts_until_every_part_is_well() -> None:
    clock = [100.0]
    outage = Outage(lambda _: None, lambda _: None, lambda: clock[0])
    assert outage.lasts_s() == 0.0
    outage.failed("pods", UnreachableError("away"))
    clock[0] = 130.0
    outage.failed("nodes", UnreachableError("away"))
    outage.well("pods")
    assert outage.lasts_s() == 30.0
    outage.well("nodes")
    assert outage.lasts_s() == 0.0


def test_server_that_waits_for_a_cluster_that_we_watch_is_not_ready() -> None:
    async def told(unlisted: bool) -> str:
        with serving() as server:
            async with Backend(server.address) as backend:
                return await Readiness(backend, lambda: ("nodes",) if unlisted else ()).missing()

    assert asyncio.run(told(True)) == "the cluster's nodes are not listed yet"
    assert asyncio.run(told(False)) == "the server holds no cluster yet"


def test_cluster_of_another_extender_is_enough(tmp_path: Path) -> None:
    """Of several that watch, one tells the server; the others are as ready."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)

    async def told() -> str:
        async with Backend(config.address) as backend:
            await backend.update(Cluster().node("a").update, 30.0)
            return await Readiness(backend, lambda: ()).missing()

    with serving(config=config):
        assert asyncio.run(told()) == ""
