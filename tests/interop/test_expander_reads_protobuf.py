"""The expander, as a process behind TLS, asked by a Go program with Cluster Autoscaler's own libraries.

`components/expander-client` reads pods and template nodes from the API server with client-go, has their
generated types write themselves into the message, and asks over TLS with the autoscaler's time limit, as the
autoscaler's ``grpc_client.go`` does. The autoscaler itself is not among the components.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from availability import require
from binwright_benchmarks.peers.components import component
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import InstanceType
from binwright_optimizer.model.resources import CPU
from cluster import Cluster
from karpenter_cluster import apply, pod
from processes import Process, free_ports
from transcript import Transcript

pytestmark = pytest.mark.interop

ZONE = "us-east-1a"
COUNTS = {"g4dn.xlarge": 2, "g5.xlarge": 2, "g4dn.12xlarge": 1}
PODS = [pod(f"t4-{n}", {"cpu": "2", "memory": "13Gi", "nvidia.com/gpu": "1"}) for n in range(2)]
START_S = 240.0
"""The first start on a machine compiles kernels."""


@pytest.fixture
def server(cluster: Cluster) -> tuple[Process, str]:
    """``binwright serve`` with a certificate of the cluster's authority, and its address."""
    require("expander-client")
    (port,) = free_ports(1)
    program = Path(sys.executable).with_name("binwright")
    process = cluster.adopt(
        program, "serve", "--address", f"127.0.0.1:{port}",
        "--tls-cert", str(cluster.folder / "server.pem"), "--tls-key", str(cluster.folder / "server.key"),
        log="binwright.log",
    )  # fmt: skip
    return process, f"127.0.0.1:{port}"


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


def asked(cluster: Cluster, address: str, form: str) -> dict[str, Any]:
    """What Cluster Autoscaler would go on with."""
    question = [
        {
            "nodeGroup": f"{name}-group",
            "nodeCount": count,
            "node": f"template-{name}",
            "pods": [p["metadata"]["name"] for p in PODS],
        }
        for name, count in COUNTS.items()
    ]
    command = [
        str(component("expander-client")), "--kubeconfig", str(cluster.kubeconfig), "--form", form,
        "--grpc-expander-url", address, "--grpc-expander-cert", str(cluster.folder / "ca.pem"),
    ]  # fmt: skip
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("form", ["old", "both", "new"])
def test_the_expander_chooses_the_cheapest_group(
    cluster: Cluster, server: tuple[Process, str], transcript: Transcript, form: str
) -> None:
    """Two T4 pods: of three groups that hold both, two g4dn.xlarge cost least.

    Before the server serves, and after it is gone, the autoscaler keeps every option and goes on.
    """
    process, address = server
    kinds = embedded_catalog("aws", ("us-east-1",), tuple(COUNTS)).instance_types
    with cluster.api() as api:
        apply(api, [*PODS, *map(template_node, kinds)])
    transcript.ask(
        f"the expander over TLS, in the {form} form of the message: which of {COUNTS} for two T4 pods?"
    )
    answer: dict[str, Any] = {}

    def is_answered() -> bool:
        answer.update(asked(cluster, address, form))
        return bool(answer["chosen"])

    process.wait_until(is_answered, "an answer", START_S)
    transcript.saw(
        f"kept {answer['kept']} after {answer['milliseconds']} ms, of 5,000; {answer['bytes']} bytes of pods"
    )
    transcript.quote("For the autoscaler's log:", "\n".join(answer["debug"]))
    assert answer["kept"] == ["g4dn.xlarge-group"]
    assert "cheapest mix for 2 pods over 3 options: 2 x g4dn.xlarge-group at 1.0520 $/h" in answer["debug"][0]
    process.kill()
    transcript.ask("the same after the server was killed")
    answer = asked(cluster, address, form)
    transcript.saw(f"no choice, and every option stays for the next expander: {answer['error']}")
    assert not answer["chosen"]
    assert len(answer["kept"]) == len(COUNTS)
