"""What kubelets ask the controller: whether its loop goes round, and whether it knows the cluster."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cli.main import main
from binwright_clients.cluster.access import open_cluster
from binwright_clients.controller.cycle import Plan
from binwright_clients.controller.health import HealthPort, Heartbeat
from binwright_clients.controller.run import Settings, run_controller
from click.testing import CliRunner
from kube_double import KubeDouble, kube_double, node, write_kubeconfig


@pytest.fixture
def double() -> Iterator[KubeDouble]:
    with kube_double() as running:
        running.put("nodes", node("n1"))
        yield running


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def nothing(*_: object) -> Plan:
    return Plan(())


def test_controller_is_ready_once_the_cluster_is_listed_and_alive_from_the_start(
    double: KubeDouble, tmp_path: Path
) -> None:
    api = open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig"))
    port, stop = free_port(), threading.Event()
    settings = Settings(apply=False, namespace="kube-system", identity="one", health=("127.0.0.1", port))
    double.forbidden = {"daemonsets"}
    thread = threading.Thread(
        target=run_controller, args=(api, nothing, settings, stop, lambda _: None), daemon=True
    )
    thread.start()

    def answers(path: str) -> tuple[int, str]:
        try:
            return get(port, path)
        except ConnectionRefusedError:
            return 0, ""

    try:
        until(lambda: answers("/readyz") == (503, "the cluster's daemonsets are not listed\n"))
        assert answers("/healthz") == (200, "ok\n")
        double.forbidden = set()
        until(lambda: answers("/readyz") == (200, "ok\n"))
        assert answers("/elsewhere")[0] == 404
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    with socket.create_server(("127.0.0.1", port)):
        pass  # it is free again


def test_loop_that_no_longer_goes_round_is_not_alive() -> None:
    clock = [0.0]
    heartbeat = Heartbeat(600.0, lambda: clock[0])
    port = HealthPort("127.0.0.1", 0, heartbeat.trouble, lambda: "", metrics=lambda _: (b"", "text/plain"))
    port.start()
    try:
        clock[0] = 600.0
        assert get(port.port, "/healthz") == (200, "ok\n")
        clock[0] = 601.0
        told = (503, "no round has ended for 601 s\n")
        assert get(port.port, "/healthz") == get(port.port, "/readyz") == told
        heartbeat.beat()
        assert get(port.port, "/healthz") == (200, "ok\n")
    finally:
        port.close()


def test_addresses_that_cannot_be_listened_on_are_one_message(double: KubeDouble, tmp_path: Path) -> None:
    kubeconfig = str(write_kubeconfig(double, tmp_path / "kubeconfig"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for given, message in (
            ("here", "--health-address: must be HOST:PORT or [IPV6]:PORT (got 'here')"),
            (address, f"--health-address: cannot listen on {address}: Address already in use"),
        ):
            asked = ["controller", "--kubeconfig", kubeconfig, "--health-address", given]
            result = CliRunner().invoke(main, asked)
            assert result.exit_code == 2
            assert message in " ".join(result.stderr.split())
