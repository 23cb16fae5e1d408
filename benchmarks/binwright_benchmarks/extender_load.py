"""kube-scheduler's side of the extender, many times over: connections that ask filter and prioritize.

Each caller holds a connection and asks for one pod over all nodes by name (``nodeCacheCapable``). Callers
start at a given rate in all, whatever the answers take (open loop); rate 0 lets each ask again as soon as
it is answered (closed loop), which tells the throughput: with n callers a call takes n times what it costs.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from dataclasses import dataclass, field

VERBS = ("filter", "prioritize")
POD_SHAPES = (("250m", "512Mi"), ("500m", "1Gi"), ("1", "3Gi"), ("1500m", "2Gi"), ("2", "8Gi"))
DEFAULT_CALLERS = 200
DEFAULT_NODES = 5_000


def node_name(index: int) -> str:
    """A name of the length that AWS gives."""
    return f"ip-10-{index // 62_500}-{index // 250 % 250}-{index % 250}.us-east-1.compute.internal"


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked, and how fast.

    Parameters
    ----------
    rate
        Pods a second in all, each filtered and prioritized; 0 means a closed loop.
    is_rotated
        Whether each question has its names in an order of its own, as from a scheduler that looks at a
        part of the nodes and goes on from there; otherwise all are alike.
    changes
        Pods bound a second meanwhile, of which the server is told.
    """

    rate: float
    seconds: float
    callers: int = DEFAULT_CALLERS
    nodes: int = DEFAULT_NODES
    is_rotated: bool = False
    changes: float = 0.0


@dataclass(slots=True)
class Measured:
    """Milliseconds of each call by verb and of both together, and how many went wrong."""

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: {v: [] for v in (*VERBS, "both")})
    failures: int = 0
    took_s: float = 0.0

    def percentiles(self, verb: str) -> dict[str, float]:
        """p50, p90, p99 and the longest, in milliseconds."""
        cuts = statistics.quantiles(self.milliseconds[verb], n=100)
        longest = max(self.milliseconds[verb])
        return {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "longest": longest}

    @property
    def pods_per_second(self) -> float:
        """Pods asked about a second."""
        return len(self.milliseconds["both"]) / self.took_s


class Bodies:
    """ExtenderArgs as Go spells them; every caller has a pod of its own, of one of a few kinds."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._names = [json.dumps(node_name(index)) for index in range(load.nodes)]
        self._list = ",".join(self._names)

    def body(self, caller: int, turn: int) -> bytes:
        """The body of a caller's question."""
        cpu, memory = POD_SHAPES[caller % len(POD_SHAPES)]
        container = {
            "name": "main",
            "image": "example.com/app",
            "resources": {"requests": {"cpu": cpu, "memory": memory}},
        }
        pod = {
            "metadata": {"name": f"web-{caller}-{turn}", "namespace": "default", "uid": f"{caller:036d}"},
            "spec": {"containers": [container], "schedulerName": "default-scheduler"},
            "status": {"phase": "Pending"},
        }
        names = self._list
        if self._load.is_rotated:
            first = (turn * self._load.callers + caller) * 487 % len(self._names)
            names = ",".join((*self._names[first:], *self._names[:first]))
        return f'{{"Pod":{json.dumps(pod)},"Nodes":null,"NodeNames":[{names}]}}'.encode()


class Caller:
    """One connection."""

    def __init__(self, index: int, port: int, bodies: Bodies, measured: Measured) -> None:
        self._index = index
        self._port = port
        self._bodies = bodies
        self._measured = measured
        self._turn = 0

    async def connect(self) -> None:
        """Open the connection."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)

    def close(self) -> None:
        """Close it."""
        self._writer.close()

    async def ask(self, since: float) -> None:
        """Both verbs; ``since`` is when the first was due."""
        body = self._bodies.body(self._index, self._turn)
        self._turn += 1
        began = since
        for verb in VERBS:
            self._writer.write(_head(verb, len(body)) + body)
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            answer = await self._reader.readexactly(length)
            now = time.perf_counter()
            self._measured.milliseconds[verb].append((now - since) * 1e3)
            since = now
            ending = b'"Error":""}' if verb == "filter" else b"}]"
            self._measured.failures += b" 200 " not in head[:20] or not answer.endswith(ending)
        self._measured.milliseconds["both"].append((since - began) * 1e3)


async def offer(port: int, load: Load) -> Measured:
    """Ask the webhook on a port of this machine, for as long as the load says."""
    measured = Measured()
    bodies = Bodies(load)
    callers = [Caller(k, port, bodies, measured) for k in range(load.callers)]
    for caller in callers:
        await caller.connect()
    began = time.perf_counter()

    async def keep_asking(index: int, caller: Caller) -> None:
        turn = 0
        while True:
            due = time.perf_counter()
            if load.rate > 0:
                due = began + (index + turn * load.callers) / load.rate
                turn += 1
            if due >= began + load.seconds:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await caller.ask(due)

    await asyncio.gather(*(keep_asking(index, caller) for index, caller in enumerate(callers)))
    measured.took_s = time.perf_counter() - began
    for caller in callers:
        caller.close()
    return measured


def _head(verb: str, length: int) -> bytes:
    return (
        f"POST /{verb} HTTP/1.1\r\nHost: extender\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()
