"""Extender and expander as processes whose server is killed and started again under load: no wrong answer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from autoscaler import C5_LARGE, Options, k8s_node, k8s_pod, scale_up
from binwright.vendor.autoscaler import expander_pb2_grpc
from extender_harness import Webhook, node_json, pod_json
from fake_api_server import api_server
from harness import wait_until

PATIENCE_S = 240.0
"""Far more than a loaded machine needs; whoever waits as long hangs."""

PROGRAM = [sys.executable, "-m", "binwright_clients.cli.main"]
OPTIONS: Options = {
    "dear": (1, k8s_node("m5.4xlarge"), [k8s_pod("web")]),
    "cheap": (1, k8s_node("c5.large", C5_LARGE), [k8s_pod("web")]),
}


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command and the first line it says; killed at the end if it still runs."""
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            line = running.stdout.readline()
            if not line:
                pytest.fail(f"{arguments[0]} did not start")
            yield running, line.split()[-1]
        finally:
            running.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Callers:
    """Threads that ask again and again, and what they were told."""

    def __init__(self, webhook: Webhook, address: str) -> None:
        self.filtered: list[tuple[tuple[str, ...], str]] = []
        self.ranked: list[tuple[int, tuple[str, ...]]] = []
        self.chosen: list[str] = []
        self.unanswered: list[grpc.StatusCode] = []
        self._webhook = webhook
        self._address = address
        self._stop = threading.Event()
        tasks = (self._filter, self._filter, self._rank, self._expand)
        self._threads = [threading.Thread(target=task) for task in tasks]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def wait_for_more(self, count: int = 10) -> None:
        """Until each kind of question was answered so many times more."""
        wanted = [len(told) + count for told in (self.filtered, self.ranked, self.chosen)]

        def is_enough() -> bool:
            now = (self.filtered, self.ranked, self.chosen)
            return all(len(told) >= least for told, least in zip(now, wanted, strict=True))

        wait_until(is_enough, within_s=PATIENCE_S)

    def _filter(self) -> None:
        while not self._stop.is_set():
            answer = self._webhook.filter(pod_json(cpu="2"), ["a", "b", "nowhere"])
            self.filtered.append((tuple(answer["NodeNames"] or ()), answer["Error"]))

    def _rank(self) -> None:
        while not self._stop.is_set():
            status, answer = self._webhook.post(
                "prioritize", {"Pod": pod_json(cpu="2"), "NodeNames": ["a", "nowhere"]}
            )
            self.ranked.append((status, tuple(entry["Host"] for entry in answer if entry["Score"])))

    def _expand(self) -> None:
        # As Cluster Autoscaler: an error leaves the choice to the next expander; its next loop asks anew.
        options: list[tuple[str, Any]] = [("grpc.max_reconnect_backoff_ms", 500)]
        with grpc.insecure_channel(self._address, options=options) as channel:
            stub = expander_pb2_grpc.ExpanderStub(channel)
            while not self._stop.is_set():
                try:
                    answer = stub.BestOptions(scale_up(OPTIONS), timeout=PATIENCE_S, wait_for_ready=True)
                except grpc.RpcError as error:
                    self.unanswered.append(error.code())
                else:
                    self.chosen.append(",".join(option.nodeGroupId for option in answer.options))


@pytest.mark.slow
def test_server_processes_are_killed_and_stopped_under_load_and_every_answer_is_right(
    tmp_path: Path,
) -> None:
    """Node b has 1.5 CPU, of which a daemon takes 1: pods of 2 CPU fit on a only."""
    address = f"127.0.0.1:{free_port()}"
    serve = ("serve", "--address", address, "--workers", "1")
    with ExitStack() as stack:
        cluster = stack.enter_context(api_server())
        cluster.put("nodes", node_json("a"))
        cluster.put("nodes", node_json("b", "1500m"))
        cluster.put("pods", pod_json("daemon", "1", nodeName="b"))
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        watching = ("--watch", "--kubeconfig", str(kubeconfig), "--budget", "60")
        _, url = stack.enter_context(
            process("extender", "--server", address, "--address", "127.0.0.1:0", *watching)
        )
        webhook = Webhook(int(url.rpartition(":")[2]))
        callers: Callers | None = None
        for end in (signal.SIGKILL, signal.SIGTERM):
            with process(*serve) as (server, _):
                if callers is None:
                    callers = stack.enter_context(Callers(webhook, address))
                callers.wait_for_more()
                server.send_signal(end)
                server.wait(PATIENCE_S)
        assert callers is not None
        with process(*serve):
            callers.wait_for_more()
            callers.__exit__()
    assert set(callers.filtered) == {(("a",), "")}
    assert set(callers.ranked) == {(200, ("a",))}
    assert set(callers.chosen) == {"cheap"}
    assert set(callers.unanswered) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
