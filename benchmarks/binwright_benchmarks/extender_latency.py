"""Latency of the kube-scheduler extender at its HTTP edge, idle and beside a large batch solve.

Run as ``python -m binwright_benchmarks.extender_latency``. Server, extender, the client of the batch solve
and the callers (`extender_load`) are four processes. The cluster has 5,000 nodes and some 20,000 pods. A
bare webhook (`bare_webhook`) tells what the harness itself costs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import grpc
from binwright.v1 import (
    provisioning_service_pb2,
    scheduling_service_pb2,
    scheduling_service_pb2_grpc,
)
from binwright_clients.client import Client
from binwright_clients.rpc_errors import RpcError

from binwright_benchmarks.extender_load import (
    DEFAULT_CALLERS,
    DEFAULT_NODES,
    POD_SHAPES,
    VERBS,
    Load,
    Measured,
    node_name,
    offer,
)
from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.results import default_folder, markdown_table, write_dated
from binwright_benchmarks.server_process import running_server

EPOCH = "benchmark"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TYPES = (("m5.2xlarge", 32), ("c5.2xlarge", 16), ("g4dn.2xlarge", 32), ("r5.2xlarge", 64))
BATCH_CLASSES = 300
BATCH_S = 600
RATES = (20.0, 50.0, 100.0, 200.0, 400.0)
"""Pods a second, offered."""


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


@contextlib.contextmanager
def running_bare_webhook(nodes: int) -> Iterator[int]:
    """The harness's own cost, in a process; its port."""
    command = [sys.executable, "-m", "binwright_benchmarks.bare_webhook", str(nodes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.kill()


@contextlib.contextmanager
def changing(address: str, load: Load) -> Iterator[None]:
    """Pods bound one after the other, for as long as the block lasts."""
    ended = threading.Event()

    def bind() -> None:
        rng = random.Random(load.nodes)
        with grpc.insecure_channel(address) as channel:
            stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
            count = 0
            while not ended.wait(1.0 / load.changes):
                cpu, memory = rng.choice(POD_SHAPES)
                update = scheduling_service_pb2.UpdateClusterRequest(epoch=EPOCH)
                pod = update.pods.add(name=f"bound-{count}", node=node_name(rng.randrange(load.nodes)))
                pod.template.containers.add(requests={"cpu": cpu, "memory": memory})
                stub.UpdateCluster(update, timeout=30)
                count += 1

    thread = threading.Thread(target=bind, name="changes")
    if load.changes:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if load.changes:
            thread.join()


@dataclass(frozen=True, slots=True)
class Run:
    """One load: on the bare webhook, or on the extender, beside a batch solve or not."""

    name: str
    load: Load
    is_beside_batch: bool = False
    is_bare: bool = False


def suite(seconds: float, nodes: int, callers: int) -> list[Run]:
    """The loads of the committed result."""

    def load(rate: float, is_rotated: bool = False, changes: float = 0.0) -> Load:
        return Load(rate, seconds, callers, nodes, is_rotated, changes)

    runs = [
        Run("bare webhook, closed loop", load(0), is_bare=True),
        Run("bare webhook, 200 pods/s", load(200), is_bare=True),
    ]
    for is_beside, beside in ((False, "idle"), (True, "beside a batch")):
        runs += [Run(f"{beside}, {rate:g} pods/s", load(rate), is_beside) for rate in RATES]
        runs += [
            Run(f"{beside}, 50 pods/s, each bound", load(50, changes=50), is_beside),
            Run(f"{beside}, 50 pods/s, each bound, names rotated", load(50, True, 50), is_beside),
            Run(f"{beside}, closed loop", load(0), is_beside),
        ]
    return runs


def measure(runs: Sequence[Run], seed: int = 0) -> Iterator[tuple[Run, Measured]]:
    """What each run found, with processes of its own for those on the extender."""
    nodes = max(run.load.nodes for run in runs)
    if any(run.is_bare for run in runs):
        with running_bare_webhook(nodes) as port:
            for run in runs:
                if run.is_bare:
                    yield run, asyncio.run(offer(port, run.load))
    runs = [run for run in runs if not run.is_bare]
    if not runs:
        return
    with running_server() as server:
        with grpc.insecure_channel(server.address, options=[("grpc.max_send_message_length", -1)]) as channel:
            stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
            stub.UpdateCluster(snapshot(nodes, seed), timeout=60)
            next(iter(stub.WatchPlan(scheduling_service_pb2.WatchPlanRequest(), timeout=60)))
        with running_extender(server.address) as port:
            asyncio.run(offer(port, Load(10.0, 3.0, 10, nodes)))  # warm
            for is_beside in (False, True):
                chosen = [run for run in runs if run.is_beside_batch == is_beside]
                batch = running_batch(server.address) if is_beside and chosen else contextlib.nullcontext()
                with batch:
                    for run in chosen:
                        with changing(server.address, run.load):
                            yield run, asyncio.run(offer(port, run.load))


def line(run: Run, found: Measured) -> tuple[str, ...]:
    """A row of the table."""
    both = found.percentiles("both")
    p99 = [f"{found.percentiles(verb)['p99']:.1f}" for verb in VERBS]
    cells = [f"{both[name]:.1f}" for name in ("p50", "p90", "p99", "longest")]
    return (run.name, f"{found.pods_per_second:.0f}", *p99, *cells, str(found.failures))


HEADS = ("load", "pods/s", "filter p99", "prioritize p99", "both p50", "p90", "p99", "longest", "failures")


def main(arguments_: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.extender_latency", description=__doc__
    )
    parser.add_argument("--nodes", type=int, default=DEFAULT_NODES, help="nodes (default 5000)")
    parser.add_argument("--callers", type=int, default=DEFAULT_CALLERS, help="connections held (default 200)")
    parser.add_argument("--rate", type=float, default=50.0, help="pods a second in all; 0: closed loop")
    parser.add_argument("--changes", type=float, default=0.0, help="pods bound a second meanwhile")
    parser.add_argument("--rotated", action="store_true", help="names in another order in each question")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load (default 10)")
    parser.add_argument("--no-batch", action="store_true", help="without the batch solve")
    parser.add_argument(
        "--suite", action="store_true", help="all loads of the committed result, which is kept"
    )
    parser.add_argument("--solve-batches", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments_)
    if options.solve_batches:
        solve_batches(options.solve_batches)
        return 0
    runs = suite(options.seconds, options.nodes, options.callers)
    if not options.suite:
        load = Load(
            options.rate, options.seconds, options.callers, options.nodes, options.rotated, options.changes
        )
        name = f"{options.rate:g} pods/s" if options.rate else "closed loop"
        runs = [Run(name, load, not options.no_batch)]
    when, machine = datetime.now(UTC), machine_note()
    found = []
    for run, measured in measure(runs):
        found.append((run, measured))
        sys.stdout.write(
            ", ".join(f"{h} {c}" for h, c in zip(HEADS, line(run, measured), strict=True)) + "\n"
        )
        sys.stdout.flush()
    if options.suite:
        results = [{**asdict(run), **{v: m.percentiles(v) for v in (*VERBS, "both")}} for run, m in found]
        note = f"{options.callers} callers, {options.nodes} nodes, {options.seconds:g} s each; milliseconds."
        text = f"{note}\n\n{markdown_table(HEADS, [line(*pair) for pair in found])}"
        kept = {"runs": results}
        paths = write_dated(default_folder(), "extender", when, machine, kept, "Extender latency", text)
        sys.stdout.write(f"kept as {paths[1]}\n")
    return int(any(measured.failures for _, measured in found))


if __name__ == "__main__":
    sys.exit(main())
