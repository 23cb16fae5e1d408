"""The gRPC server and the webhook beside a real control plane, and a configuration of kube-scheduler."""

from __future__ import annotations

import re
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml
from cluster import Cluster
from commands import BINWRIGHT, binwright
from kubernetes import client
from processes import Process, free_ports, listens


@dataclass(slots=True)
class Services:
    """The gRPC server and the webhook, as processes of a cluster."""

    cluster: Cluster
    token: Path
    ports: list[int]
    server: Process | None = None

    @classmethod
    def beside(cls, cluster: Cluster) -> Services:
        """Neither started yet; a token and free ports."""
        token = cluster.folder / "token"
        token.write_text("interop-extender-token\n")
        token.chmod(0o600)
        return cls(cluster, token, free_ports(3))

    @property
    def url(self) -> str:
        """Where kube-scheduler reaches the webhook."""
        return f"https://127.0.0.1:{self.ports[1]}"

    def start_server(self, log: str) -> Process:
        """``binwright serve`` behind TLS and a token, with metrics."""
        folder = self.cluster.folder
        self.server = self.cluster.adopt(
            BINWRIGHT, "serve", "--address", f"127.0.0.1:{self.ports[0]}",
            "--metrics-address", f"127.0.0.1:{self.ports[2]}", "--token-file", str(self.token),
            "--tls-cert", str(folder / "server.pem"), "--tls-key", str(folder / "server.key"), log=log,
        )  # fmt: skip
        address = f"127.0.0.1:{self.ports[0]}"
        self.server.wait_until(lambda: listens(address), "a listener", 60)
        return self.server

    def start_extender(self) -> Process:
        """``binwright extender --watch`` behind HTTPS."""
        folder = self.cluster.folder
        process = self.cluster.adopt(
            BINWRIGHT, "extender", "--server", f"127.0.0.1:{self.ports[0]}",
            "--tls-ca", str(folder / "ca.pem"), "--token-file", str(self.token),
            "--address", f"127.0.0.1:{self.ports[1]}", "--watch",
            "--kubeconfig", str(self.cluster.kubeconfig),
            "--http-cert", str(folder / "server.pem"), "--http-key", str(folder / "server.key"),
            "--http-client-ca", str(folder / "ca.pem"),
            log="extender.log",
        )  # fmt: skip
        process.wait_until(lambda: listens(f"127.0.0.1:{self.ports[1]}"), "a listener", 60)
        return process

    def calls(self) -> Counter[str]:
        """Calls that the server has answered, by method."""
        address = f"http://127.0.0.1:{self.ports[2]}/metrics"
        with urllib.request.urlopen(address, timeout=5) as response:
            text = response.read().decode()
        found: Counter[str] = Counter()
        for method, count in re.findall(
            r'^\w+_total\{[^}]*method="(\w+)"[^}]*\} ([\d.e+]+)', text, re.MULTILINE
        ):
            found[method] += int(float(count))
        return found


def scheduler_config(services: Services, *, node_cache_capable: bool = True, weight: int = 0) -> Path:
    """The file that ``binwright extender --print-config`` writes.

    Parameters
    ----------
    node_cache_capable
        Changed only for nodes that come whole.
    weight
        Of the extender; 0 leaves it.
    """
    folder = services.cluster.folder
    # The cluster's serving certificate is good for clients, too.
    written = binwright(
        folder, "extender", "--print-config", "--url", services.url, "--url-ca", str(folder / "ca.pem"),
        "--url-cert", str(folder / "server.pem"), "--url-key", str(folder / "server.key"),
        "--scheduler-kubeconfig", str(services.cluster.kubeconfig),
    )  # fmt: skip
    config = yaml.safe_load(written)
    config["extenders"][0]["nodeCacheCapable"] = node_cache_capable
    config["extenders"][0]["weight"] = weight or config["extenders"][0]["weight"]
    path = folder / "scheduler.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def ready(api: client.ApiClient) -> int:
    """Nodes that are ready."""
    nodes = client.CoreV1Api(api).list_node().items
    return sum(
        any(c.type == "Ready" and c.status == "True" for c in n.status.conditions or []) for n in nodes
    )
