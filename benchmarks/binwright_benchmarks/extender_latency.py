"""Latency of the kube-scheduler extender at its HTTP edge, beside a large batch solve.

Run as ``python -m binwright_benchmarks.extender_latency``. Server, extender, the client of the batch solve
and the callers are four processes. The cluster has 5,000 nodes and some 20,000 pods; each caller holds a
connection, and asks filter and prioritize for one pod over all nodes by name (``nodeCacheCapable``), as
kube-scheduler does. Callers start at a given rate in all, whatever the answers take (open loop); rate 0
lets each ask again as soon as it is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import grpc
from binwright.v1 import (
    provisioning_service_pb2,
    scheduling_service_pb2,
    scheduling_service_pb2_grpc,
)
from binwright_clients.client import Client
from binwright_clients.rpc_errors import RpcError

from binwright_benchmarks.server_process import running_server

EPOCH = "benchmark"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TYPES = (("m5.2xlarge", 32), ("c5.2xlarge", 16), ("g4dn.2xlarge", 32), ("r5.2xlarge", 64))
POD_SHAPES = (("250m", "512Mi"), ("500m", "1Gi"), ("1", "3Gi"), ("1500m", "2Gi"), ("2", "8Gi"))
BATCH_CLASSES = 300
BATCH_S = 600


def node_name(index: int) -> str:
    """A name of the length that AWS gives."""
    return f"ip-10-{index // 62_500}-{index // 250 % 250}-{index % 250}.us-east-1.compute.internal"


def snapshot(nodes: int, seed: int) -> scheduling_service_pb2.UpdateClusterRequest:
    """A cluster: four instance types in three zones, up to eight pods a node."""
    rng = random.Random(seed)
    update = scheduling_service_pb2.UpdateClusterRequest(is_snapshot=True, epoch=EPOCH)
    for index in range(nodes):
        kind, gib = TYPES[index % len(TYPES)]
        node = update.nodes.add(name=node_name(index))
        node.allocatable.update({"cpu": "7910m", "memory": f"{gib - 2}Gi", "pods": "58"})
        if kind.startswith("g4dn"):
            node.allocatable["nvidia.com/gpu"] = "1"
        node.labels.update(
            {
                "node.kubernetes.io/instance-type": kind,
                "topology.kubernetes.io/region": "us-east-1",
                "topology.kubernetes.io/zone": ZONES[index % 3],
                "kubernetes.io/hostname": node.name,
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
            }
        )
        for k in range(rng.randrange(9)):
            cpu, memory = rng.choice(POD_SHAPES)
            pod = update.pods.add(name=f"p-{index}-{k}", node=node.name)
            pod.template.containers.add(requests={"cpu": cpu, "memory": memory})
    return update


def arguments(nodes: int, pod: int) -> bytes:
    """ExtenderArgs for one of a few kinds of pods, as Go spells them."""
    cpu, memory = POD_SHAPES[pod % len(POD_SHAPES)]
    container = {
        "name": "main",
        "image": "example.com/app",
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
    }
    body = {
        "Pod": {
            "metadata": {"name": f"web-{pod}", "namespace": "default", "uid": f"{pod:036d}"},
            "spec": {"containers": [container], "schedulerName": "default-scheduler"},
            "status": {"phase": "Pending"},
        },
        "Nodes": None,
        "NodeNames": [node_name(index) for index in range(nodes)],
    }
    return json.dumps(body, separators=(",", ":")).encode()


@dataclass(slots=True)
class Measured:
    """Seconds of each call by verb, and how many went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"filter": [], "prioritize": []})
    failures: int = 0


class Caller:
    """One connection."""

    def __init__(self, port: int, body: bytes, measured: Measured) -> None:
        self._port = port
        self._requests = {verb: _request(verb, body) for verb in measured.seconds}
        self._measured = measured

    async def connect(self) -> None:
        """Open the connection."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)

    async def ask(self, since: float) -> None:
        """Both verbs; ``since`` is when the first was due."""
        for verb, request in self._requests.items():
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await self._reader.readexactly(length)
            now = time.perf_counter()
            self._measured.seconds[verb].append(now - since)
            since = now
            if b" 200 " not in head[:20] or b'"Error":""' not in body[-20:] + b'"Error":""' * (
                verb != "filter"
            ):
                self._measured.failures += 1


def _request(verb: str, body: bytes) -> bytes:
    head = (
        f"POST /{verb} HTTP/1.1",
        "Host: extender",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


async def _load(port: int, callers: int, nodes: int, rate: float, seconds: float) -> Measured:
    measured = Measured()
    bodies = [arguments(nodes, pod) for pod in range(len(POD_SHAPES))]
    connections = [Caller(port, bodies[k % len(bodies)], measured) for k in range(callers)]
    for caller in connections:
        await caller.connect()
    began = time.perf_counter()
    ends_at = began + seconds

    async def keep_asking(index: int, caller: Caller) -> None:
        turn = 0
        while True:
            if rate > 0:
                due = began + (index + turn * callers) / rate
                turn += 1
                await asyncio.sleep(due - time.perf_counter())
            else:
                due = time.perf_counter()
            if due >= ends_at:
                return
            await caller.ask(due)

    await asyncio.gather(*(keep_asking(index, caller) for index, caller in enumerate(connections)))
    return measured


def batch_request() -> provisioning_service_pb2.SolveStreamRequest:
    """100,000 pods in 300 classes on everything AWS sells in us-east-1."""
    rng = random.Random(7)
    request = provisioning_service_pb2.SolveStreamRequest()
    for index in range(BATCH_CLASSES):
        workload = request.problem.workloads.add(name=f"w-{index}", replicas=100_000 // BATCH_CLASSES)
        workload.template.containers.add(
            requests={"cpu": f"{rng.randrange(1, 64) * 125}m", "memory": f"{rng.randrange(1, 64) * 256}Mi"}
        )
    request.problem.catalog.embedded.cloud = "aws"
    request.problem.catalog.embedded.regions.append("us-east-1")
    request.params.deadline.FromSeconds(BATCH_S)
    return request


def solve_batches(address: str) -> None:
    """One batch solve after the other, until killed."""
    with Client(address) as client:
        while True:
            try:
                for event in client.solve_stream(batch_request(), timeout=BATCH_S + 60):
                    if event.HasField("progress"):
                        sys.stdout.write(f"{event.progress.phase}\n")
                        sys.stdout.flush()
            except RpcError as error:
                sys.stdout.write(f"{error}\n")
                return


@contextlib.contextmanager
def running_batch(address: str) -> Iterator[None]:
    """A batch solve under way, for as long as the block lasts."""
    command = [sys.executable, "-m", "binwright_benchmarks.extender_latency", "--solve-batches", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError("the batch solve did not start")
            yield
            if process.poll() is not None:
                raise RuntimeError("the batch solve ended before the measurement")
        finally:
            process.kill()


@contextlib.contextmanager
def running_extender(address: str) -> Iterator[int]:
    """``binwright extender`` in front of a server; its port."""
    command = [sys.executable, "-m", "binwright_clients.cli.main", "extender", "--server", address]
    with subprocess.Popen(
        [*command, "--address", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.terminate()


def measure(
    nodes: int, callers: int, rate: float, seconds: float, with_batch: bool, seed: int = 0
) -> Measured:
    """Latencies with processes of their own."""
    with running_server() as server:
        with grpc.insecure_channel(server.address, options=[("grpc.max_send_message_length", -1)]) as channel:
            stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
            stub.UpdateCluster(snapshot(nodes, seed), timeout=60)
            next(iter(stub.WatchPlan(scheduling_service_pb2.WatchPlanRequest(), timeout=60)))
        with running_extender(server.address) as port:
            asyncio.run(_load(port, min(callers, 10), nodes, 10.0, 3.0))  # warm
            with running_batch(server.address) if with_batch else contextlib.nullcontext():
                return asyncio.run(_load(port, callers, nodes, rate, seconds))


def main(arguments_: Sequence[str] | None = None) -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.extender_latency", description=__doc__
    )
    parser.add_argument("--nodes", type=int, default=5_000, help="nodes (default 5000)")
    parser.add_argument("--callers", type=int, default=200, help="connections held (default 200)")
    parser.add_argument("--rate", type=float, default=20.0, help="pods a second in all; 0: closed loop")
    parser.add_argument("--seconds", type=float, default=15.0, help="of load (default 15)")
    parser.add_argument("--no-batch", action="store_true", help="without the batch solve")
    parser.add_argument("--solve-batches", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments_)
    if options.solve_batches:
        solve_batches(options.solve_batches)
        return 0
    found = measure(options.nodes, options.callers, options.rate, options.seconds, not options.no_batch)
    load = f"{options.rate:g} pods/s" if options.rate else "as fast as it goes"
    beside = "without a batch solve" if options.no_batch else "beside a 100,000-pod solve"
    lines = [f"{options.callers} callers, {options.nodes} nodes, {load}, {beside}; {found.failures} failures"]
    for verb, seconds in found.seconds.items():
        cuts = statistics.quantiles((s * 1e3 for s in seconds), n=100)
        lines.append(
            f"{verb:<11} {len(seconds)} calls: p50 {cuts[49]:.1f} ms, p90 {cuts[89]:.1f} ms, "
            f"p99 {cuts[98]:.1f} ms, longest {max(seconds) * 1e3:.1f} ms"
        )
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
