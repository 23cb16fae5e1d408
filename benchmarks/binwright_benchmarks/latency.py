"""Latency of small questions, and what an abandoned large one costs the next caller.

Run as ``python -m binwright_benchmarks.latency``. Client and server are separate processes. The
small question is 50 pods in five classes on the five reference node pools; the large one is the
whole bundled GPU trace with a client deadline of 0.2 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_clients.client import Client
from binwright_clients.inputs import read_inputs
from binwright_clients.rpc_errors import DeadlineExceededError

from binwright_benchmarks.questions import BUNDLED_TRACE, REGION, ask_for_whole_gpus, reference_node_pools
from binwright_benchmarks.server_process import running_server

SMALL_TABLE = """\
name,replicas,cpu_milli,memory_mib,gpu_count,tolerations
web,20,500,1024,0,workload=general:NoSchedule|workload=batch:NoSchedule
api,10,1500,4096,0,workload=general:NoSchedule|workload=memory:NoSchedule
cache,8,2000,12000,0,workload=memory:NoSchedule
model,4,3000,9000,1,workload=gpu:NoSchedule
batch,8,1000,3000,0,workload=batch:NoSchedule
"""
CLIENT_DEADLINE_S = 0.2
WARM_UP_CALLS = 50


@dataclass(frozen=True, slots=True)
class Latency:
    """What was measured.

    Parameters
    ----------
    small_s
        Seconds of each small call, in order.
    memory_bytes
        Resident memory of the server after the warm-up and after the small calls; empty where
        the system does not tell.
    large_s
        Seconds until each large call came back.
    large_answered
        How many of them came back with an incumbent rather than DEADLINE_EXCEEDED.
    next_s
        Seconds of the small call right after each large one.
    last
        The last small decision.
    """

    small_s: tuple[float, ...]
    memory_bytes: tuple[int, ...]
    large_s: tuple[float, ...]
    large_answered: int
    next_s: tuple[float, ...]
    last: decision_pb2.Decision


def small_request() -> provisioning_service_pb2.SolveRequest:
    """Fifty pods in five classes on the reference node pools."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "pods.csv")
        table.write_text(SMALL_TABLE, encoding="utf-8")
        return _request([str(table), reference_node_pools()])


def large_request() -> provisioning_service_pb2.SolveRequest:
    """The whole bundled trace on everything AWS sells."""
    request = _request([str(BUNDLED_TRACE)])
    ask_for_whole_gpus(request)
    return request


def _request(paths: Sequence[str]) -> provisioning_service_pb2.SolveRequest:
    request = provisioning_service_pb2.SolveRequest(problem=read_inputs(paths).problem)
    request.problem.catalog.embedded.cloud = "aws"
    request.problem.catalog.embedded.regions.append(REGION)
    return request


def measure(small_calls: int, large_calls: int) -> Latency:
    """Latencies over a server process of its own."""
    small, large = small_request(), large_request()
    small_s: list[float] = []
    large_s: list[float] = []
    next_s: list[float] = []
    memory: list[int] = []
    answered = 0
    with running_server() as server, Client(server.address) as client:
        for _ in range(WARM_UP_CALLS):
            client.solve(small, timeout=30)
        memory += _resident_bytes(server.process_id)
        for _ in range(small_calls):
            seconds, decision = _timed(client, small, timeout=30)
            small_s.append(seconds)
        memory += _resident_bytes(server.process_id)
        for _ in range(large_calls):
            began = time.perf_counter()
            with suppress(DeadlineExceededError):  # the other right answer, besides an incumbent
                client.solve(large, timeout=CLIENT_DEADLINE_S)
                answered += 1
            large_s.append(time.perf_counter() - began)
            next_s.append(_timed(client, small, timeout=30)[0])
    return Latency(tuple(small_s), tuple(memory), tuple(large_s), answered, tuple(next_s), decision)


def _timed(
    client: Client, request: provisioning_service_pb2.SolveRequest, timeout: float
) -> tuple[float, decision_pb2.Decision]:
    began = time.perf_counter()
    decision = client.solve(request, timeout=timeout)
    return time.perf_counter() - began, decision


def _resident_bytes(process_id: int) -> list[int]:
    """Resident memory as Linux tells it; nothing elsewhere."""
    status = Path(f"/proc/{process_id}/status")
    if not status.exists():
        return []
    line = next(x for x in status.read_text(encoding="utf-8").splitlines() if x.startswith("VmRSS:"))
    return [int(line.split()[1]) * 1024]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m binwright_benchmarks.latency", description=__doc__)
    parser.add_argument("--small", type=int, default=1000, help="small calls (default 1000)")
    parser.add_argument("--large", type=int, default=10, help="large calls (default 10)")
    options = parser.parse_args(arguments)
    found = measure(options.small, options.large)
    milliseconds = sorted(seconds * 1e3 for seconds in found.small_s)
    cuts = statistics.quantiles(milliseconds, n=100)
    lines = [
        (
            f"small calls      {len(milliseconds)}: p50 {cuts[49]:.1f} ms, p90 {cuts[89]:.1f} ms, "
            f"p99 {cuts[98]:.1f} ms; {found.last.hourly_cost_usd:.4f} $/h, gap {found.last.gap:.2%}"
        ),
        (
            f"large calls      {len(found.large_s)} with a deadline of {CLIENT_DEADLINE_S * 1e3:.0f} ms: "
            f"{found.large_answered} incumbents, the others DEADLINE_EXCEEDED; "
            f"longest {max(found.large_s) * 1e3:.0f} ms"
        ),
        (
            f"next small call  median {statistics.median(found.next_s) * 1e3:.1f} ms, "
            f"longest {max(found.next_s) * 1e3:.1f} ms"
        ),
    ]
    if found.memory_bytes:
        before, after = (amount / 2**20 for amount in found.memory_bytes)
        lines.insert(1, f"server memory    {before:.0f} MiB before, {after:.0f} MiB after")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
