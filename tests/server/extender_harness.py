"""The extender in front of a server, each in a thread, and kube-scheduler's side of the conversation."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
from aiohttp import web
from binwright.v1 import scheduling_service_pb2_grpc
from binwright_clients.extender.app import Extender
from binwright_clients.extender.backend import Backend
from binwright_clients.extender.binding import Binder
from clusters import Cluster


def pod_json(name: str = "web", cpu: str = "1", memory: str = "1Gi", **spec: Any) -> dict[str, Any]:
    """A Pod as the API server writes it."""
    resources = {"requests": {"cpu": cpu, "memory": memory}}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "managedFields": [{"x": 1}]},
        "spec": {
            "containers": [{"name": "main", "image": "example.com/app", "resources": resources}],
            "schedulerName": "default-scheduler",
            "futureField": {"of": ["a", "newer", "version"]},
            **spec,
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }


def node_json(name: str, cpu: str = "4", **spec: Any) -> dict[str, Any]:
    """A Node as the API server writes it."""
    amounts = {"cpu": cpu, "memory": "16Gi", "pods": "110", "hugepages-2Mi": "0"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}, "resourceVersion": "7"},
        "spec": {"podCIDR": "10.0.0.0/24", **spec},
        "status": {"allocatable": amounts, "capacity": amounts, "nodeInfo": {"kubeletVersion": "v1.36.3"}},
    }


class Webhook:
    """The extender as kube-scheduler sees it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def post(self, verb: str, body: object, encoding: str = "") -> tuple[int, Any]:
        """Status and decoded answer; bytes are sent as they are, and said to be in an encoding."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Content-Encoding": encoding} if encoding else {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request("POST", f"/{verb}", data, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, str]:
        """Status and text, as kubelets ask for them."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def filter(self, pod: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """The filter verb with names."""
        status, answer = self.post("filter", {"Pod": pod, "Nodes": None, "NodeNames": list(names)})
        assert status == 200
        return dict(answer)


@contextmanager
def extending(address: str, budget_s: float = 4.0, binder: Binder | None = None) -> Iterator[Webhook]:
    """An extender on a free port, in front of the server at ``address``."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-extender")
    thread.start()

    def call(coroutine: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine(), loop).result(30)

    async def start() -> tuple[Backend, web.AppRunner]:
        backend = Backend(address, budget_s=budget_s)
        runner = web.AppRunner(Extender(backend, binder).app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return backend, runner

    try:
        backend, runner = call(start)
        try:
            yield Webhook(runner.addresses[0][1])
        finally:
            call(runner.cleanup)
            call(lambda: backend.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def put(address: str, update: Cluster) -> None:
    """Tell the server at ``address`` about a cluster."""
    with grpc.insecure_channel(address) as channel:
        scheduling_service_pb2_grpc.SchedulingServiceStub(channel).UpdateCluster(update.update, timeout=30)
