"""The expander, as a process behind TLS, given pods and nodes in the API server's own protobuf.

Cluster Autoscaler serialises the objects that it got from the API server with the same generated code,
so these bytes are those that it sends.
"""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path
from ssl import create_default_context

import grpc
import pytest
from binwright.vendor.autoscaler import expander_pb2, expander_pb2_grpc
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import InstanceType
from binwright_optimizer.model.resources import CPU
from cluster import Cluster
from karpenter_cluster import apply, pod
from processes import Process, free_ports, listens
from transcript import Transcript

pytestmark = pytest.mark.interop

ENVELOPE = b"k8s\x00"
ZONE = "us-east-1a"
COUNTS = {"g4dn.xlarge": 2, "g5.xlarge": 2, "g4dn.12xlarge": 1}
PODS = [pod(f"t4-{n}", {"cpu": "2", "memory": "13Gi", "nvidia.com/gpu": "1"}) for n in range(2)]


@pytest.fixture
def server(cluster: Cluster) -> tuple[Process, str]:
    """``binwright serve`` with a certificate of the cluster's authority, and its address."""
    (port,) = free_ports(1)
    program = Path(sys.executable).with_name("binwright")
    process = cluster.adopt(
        program, "serve", "--address", f"127.0.0.1:{port}",
        "--tls-cert", str(cluster.folder / "server.pem"), "--tls-key", str(cluster.folder / "server.key"),
        log="binwright.log",
    )  # fmt: skip
    return process, f"127.0.0.1:{port}"


def protobuf(cluster: Cluster, path: str) -> bytes:
    """An object as the API server serialises it, without the envelope."""
    headers = {"Accept": "application/vnd.kubernetes.protobuf", "Authorization": f"Bearer {cluster.token}"}
    request = urllib.request.Request(f"{cluster.url}{path}", headers=headers)
    context = create_default_context(cafile=str(cluster.folder / "ca.pem"))
    with urllib.request.urlopen(request, timeout=10, context=context) as response:
        body = response.read()
    assert body.startswith(ENVELOPE)
    return raw_of_unknown(body[len(ENVELOPE) :])


def raw_of_unknown(message: bytes) -> bytes:
    """Field 2 (``raw``) of a k8s.io.apimachinery runtime.Unknown."""
    place = 0
    while place < len(message):
        tag = message[place]
        assert tag & 7 == 2, "every field of runtime.Unknown is length-delimited"
        length, place = varint(message, place + 1)
        if tag >> 3 == 2:
            return message[place : place + length]
        place += length
    raise AssertionError("runtime.Unknown has no raw")


def varint(message: bytes, place: int) -> tuple[int, int]:
    """An integer of variable length, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place


def template_node(kind: InstanceType) -> dict[str, object]:
    """The node that Cluster Autoscaler expects of a group of this type."""
    capacity = {name: f"{amount}m" if name == CPU else str(amount) for name, amount in kind.capacity}
    allocatable = {name: f"{amount}m" if name == CPU else str(amount) for name, amount in kind.allocatable}
    place = {"topology.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/zone": ZONE}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"template-{kind.name}", "labels": dict(kind.labels) | place},
        "status": {"capacity": capacity, "allocatable": allocatable},
    }


@pytest.mark.parametrize("form", ["nodeBytesMap", "nodeMap"])
def test_the_expander_chooses_the_cheapest_group(
    cluster: Cluster, server: tuple[Process, str], transcript: Transcript, form: str
) -> None:
    """Two T4 pods: of three groups that hold both, two g4dn.xlarge cost least."""
    process, address = server
    kinds = embedded_catalog("aws", ("us-east-1",), tuple(COUNTS)).instance_types
    with cluster.api() as api:
        apply(api, [*PODS, *map(template_node, kinds)])
    pods = [protobuf(cluster, f"/api/v1/namespaces/default/pods/{p['metadata']['name']}") for p in PODS]
    request = expander_pb2.BestOptionsRequest()
    for name, count in COUNTS.items():
        option = request.options.add(nodeGroupId=f"{name}-group", nodeCount=count, debug=name)
        (option.podBytes if form == "nodeBytesMap" else option.pod).extend(pods)
        getattr(request, form)[f"{name}-group"] = protobuf(cluster, f"/api/v1/nodes/template-{name}")
    transcript.ask(f"the expander, in the form with {form}: which of {COUNTS} for two T4 pods?")
    authority = grpc.ssl_channel_credentials((cluster.folder / "ca.pem").read_bytes())
    process.wait_until(lambda: listens(address), "a listener", 60)
    with grpc.secure_channel(address, authority) as channel:
        # It listens before it serves, and calls wait meanwhile: longer than Cluster Autoscaler's 5 s.
        answer = expander_pb2_grpc.ExpanderStub(channel).BestOptions(request, timeout=120)
    for option in answer.options:
        transcript.saw(f"kept {option.nodeGroupId}: {option.debug}")
    assert [option.nodeGroupId for option in answer.options] == ["g4dn.xlarge-group"]
