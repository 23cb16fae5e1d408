"""Latency of the Cluster Autoscaler expander: many options, each with all pending pods.

Run as ``python -m binwright_benchmarks.expander_latency``. Client and server are separate processes. The
options are AWS instance types in us-east-1; each lists every pod that fits its template node, serialized
as Kubernetes does, so that the question carries the pods once per option, as Cluster Autoscaler's does.
Two cases are measured: pods of 25 shapes, and pods that nearly all ask for something else.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from binwright.vendor.autoscaler import expander_pb2
from binwright.vendor.kubernetes import core_v1_pb2
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import InstanceType, Resources
from binwright_optimizer.model import labels as label_keys
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import CPU, MEMORY

from binwright_benchmarks.machine import machine_note
from binwright_benchmarks.results import default_folder, write_dated
from binwright_benchmarks.server_process import running_server

REGION = "us-east-1"
MAX_MESSAGE_BYTES = 2**31 - 1
CLASSES = 25
METHOD = "/grpcplugin.Expander/BestOptions"
GIB = 2**30
MIB = 2**20


@dataclass(frozen=True, slots=True)
class PodShape:
    """Requests of one class of pods: milli-CPU, bytes, GPUs."""

    cpu_milli: int
    memory_bytes: int
    gpus: int

    @property
    def requests(self) -> Resources:
        """The same as resources, with the pod's slot."""
        amounts = {"cpu": self.cpu_milli, "memory": self.memory_bytes, "nvidia.com/gpu": self.gpus}
        return Resources.of({**amounts, "pods": 1})


def pod_shapes(seed: int, distinct: int = CLASSES) -> list[PodShape]:
    """Classes of pods, every fifth with a GPU; beyond `CLASSES`, each with up to half more."""
    rng = random.Random(seed)
    shapes = [
        PodShape(rng.choice((250, 500, 1000, 1500, 2000, 3500)), rng.choice((1, 2, 3, 6, 12)) * GIB, 1)
        if k % 5 == 0
        else PodShape(rng.choice((100, 250, 500, 1000, 2000)), rng.choice((1, 2, 4, 8)) * GIB // 2, 0)
        for k in range(CLASSES)
    ]
    if distinct <= CLASSES:
        return shapes[:distinct]
    return [
        PodShape(
            round(shape.cpu_milli * rng.uniform(1, 1.5)),
            round(shape.memory_bytes / MIB * rng.uniform(1, 1.5)) * MIB,
            shape.gpus,
        )
        for shape in (shapes[k % CLASSES] for k in range(distinct))
    ]


def serialized_pod(shape: PodShape, name: str, padding: int) -> bytes:
    """A pod as ``v1.Pod`` on the wire, with an annotation of ``padding`` bytes for what is not read."""
    pod = core_v1_pb2.Pod()
    pod.metadata.name, pod.metadata.namespace = name, "default"
    pod.metadata.uid = f"{abs(hash(name)):036d}"[:36]
    pod.metadata.annotations["example.com/padding"] = "x" * padding
    requests = pod.spec.containers.add(name="main").resources.requests
    for resource, amount in shape.requests:
        if resource != "pods":
            requests[resource].string = format_quantity(amount, resource)
    return pod.SerializeToString()


def serialized_node(sold: InstanceType) -> bytes:
    """The template node of a group of this type, on demand in the first zone."""
    node = core_v1_pb2.Node()
    node.metadata.name = f"template-{sold.name}"
    node.metadata.labels.update(dict(sold.labels))
    node.metadata.labels[label_keys.REGION] = REGION
    for resource, amount in sold.allocatable:
        node.status.allocatable[resource].string = format_quantity(amount, resource)
    return node.SerializeToString()


def question(
    options: int, pods: int, padding: int, seed: int, distinct: int = CLASSES
) -> expander_pb2.BestOptionsRequest:
    """Options over as many instance types, each with all the pods that fit one of its nodes."""
    shapes = pod_shapes(seed, distinct)
    sold = [
        t
        for t in embedded_catalog("aws", (REGION,)).instance_types
        if t.arch == "amd64" and any(shape.requests.fits_in(t.allocatable) for shape in shapes)
    ]
    rng = random.Random(seed)
    with_gpu = [t for t in sold if t.allocatable["nvidia.com/gpu"]]
    without = [t for t in sold if not t.gpu_model]
    chosen = rng.sample(with_gpu, min(options // 4, len(with_gpu)))
    chosen += rng.sample(without, options - len(chosen))
    pending = [(shapes[k % len(shapes)], f"pod-{k:05d}") for k in range(pods)]
    data = [(shape, serialized_pod(shape, name, padding)) for shape, name in pending]
    request = expander_pb2.BestOptionsRequest()
    for kind in chosen:
        held = [(shape, pod) for shape, pod in data if shape.requests.fits_in(kind.allocatable)]
        fitting = [pod for _, pod in held]
        count = _node_count([shape for shape, _ in held], kind)
        request.options.add(nodeGroupId=f"group-{kind.name}", nodeCount=count, podBytes=fitting)
        request.nodeBytesMap[f"group-{kind.name}"] = serialized_node(kind)
    return request


def _node_count(held: Sequence[PodShape], kind: InstanceType) -> int:
    """About what the autoscaler's estimator would say: the scarcest one, CPU and memory filled to 90 %."""
    totals = Counter[str]()
    for shape, times in Counter(held).items():
        for name, amount in shape.requests:
            totals[name] += amount * times
    fill = {CPU: 0.9, MEMORY: 0.9}
    return max(
        1,
        *(
            math.ceil(total / (fill.get(name, 1.0) * kind.allocatable[name]))
            for name, total in totals.items()
        ),
    )


def measure(request: expander_pb2.BestOptionsRequest, calls: int) -> tuple[list[float], list[float], str]:
    """Seconds of each call, those that the caller took to encode it, and the last reason.

    The server is a process of its own.
    """
    seconds, encoding = [], []
    options = (
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    )
    with running_server() as server, grpc.insecure_channel(server.address, options=options) as channel:
        call: Any = channel.unary_unary(
            METHOD, response_deserializer=expander_pb2.BestOptionsResponse.FromString
        )
        for _ in range(calls + 1):
            began = time.perf_counter()
            message = request.SerializeToString()
            encoded = time.perf_counter()
            answer = call(message, timeout=60)
            seconds.append(time.perf_counter() - encoded)
            encoding.append(encoded - began)
    return seconds[1:], encoding[1:], answer.options[0].debug


def _case(options: argparse.Namespace, distinct: int) -> tuple[dict[str, Any], str]:
    """Figures and text of one case."""
    request = question(options.options, options.pods, options.padding, options.seed, distinct)
    megabytes = request.ByteSize() / 1e6
    carried = sum(len(option.podBytes) for option in request.options)
    seconds, encoding, reason = measure(request, options.calls)
    text = (
        f"{len(request.options)} options x {options.pods} pods of {distinct} shapes, {carried} pods carried,"
        f" {megabytes:.0f} MB: median {statistics.median(seconds):.3f} s,"
        f" p90 {statistics.quantiles(seconds, n=10)[8]:.3f} s, longest {max(seconds):.3f} s over"
        f" {len(seconds)} calls; encoding it took this caller another {statistics.median(encoding):.3f} s"
        f" each\n\n{reason}"
    )
    return {"shapes": distinct, "seconds": seconds, "encoding": encoding}, text


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.expander_latency", description=__doc__
    )
    parser.add_argument("--options", type=int, default=100, help="options (default 100)")
    parser.add_argument("--pods", type=int, default=10_000, help="pending pods (default 10000)")
    parser.add_argument(
        "--distinct", type=int, default=10_000, help="shapes of pods in the second case (default 10000)"
    )
    parser.add_argument("--padding", type=int, default=0, help="further bytes a pod (default 0)")
    parser.add_argument("--calls", type=int, default=30, help="calls (default 30)")
    parser.add_argument("--keep", action="store_true", help="keep the result among the dated ones")
    parser.add_argument("--seed", type=int, default=0, help="of shapes and types (default 0)")
    options = parser.parse_args(arguments)
    when, machine = datetime.now(UTC), machine_note()
    cases = [_case(options, distinct) for distinct in (CLASSES, options.distinct)]
    text = "\n\n".join(text for _, text in cases)
    sys.stdout.write(text + "\n")
    if options.keep:
        kept = {"options": options.options, "pods": options.pods, "cases": [figures for figures, _ in cases]}
        paths = write_dated(default_folder(), "expander", when, machine, kept, "Expander latency", text)
        sys.stdout.write(f"kept as {paths[1]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
