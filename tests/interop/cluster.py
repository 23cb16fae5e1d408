"""A real control plane: etcd and kube-apiserver, with nodes played by kwok where asked for.

Certificates, tokens and data live in one temporary folder; ports are free ones of the loopback
address. There is no controller manager: pods, nodes and whatever else a scenario needs are created by
it, and the admission plugins that would wait for controllers are off.
"""

from __future__ import annotations

import secrets
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from ssl import create_default_context
from types import TracebackType
from typing import Self

import yaml
from binwright_benchmarks.peers.components import component, module_folder
from kubernetes import client
from kubernetes.config import new_client_from_config
from processes import Process, free_ports

ADMIN = "interop-admin"


@dataclass(slots=True)
class Cluster:
    """A control plane; enter it to start, leave it to stop.

    Parameters
    ----------
    folder
        Empty folder for certificates, data and configuration.
    logs
        Folder for the logs of the components.
    token
        The administrator's.
    """

    folder: Path
    logs: Path
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    _processes: list[Process] = field(default_factory=list)
    _port: int = 0

    def __enter__(self) -> Self:
        try:
            self._certify()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all components, the last one started first."""
        while self._processes:
            self._processes.pop().stop()

    @property
    def url(self) -> str:
        """Address of the API server."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def kubeconfig(self) -> Path:
        """Credentials of the administrator."""
        return self.folder / "kubeconfig"

    def api(self) -> client.ApiClient:
        """A client as the administrator."""
        return new_client_from_config(str(self.kubeconfig))

    def run(self, program: str, *arguments: str, **environment: str) -> Process:
        """Start a further component, to be stopped with the cluster."""
        process = Process(component(program), arguments, self.logs / f"{program}.log", **environment)
        self._processes.append(process)
        return process

    def adopt(self, program: Path, *arguments: str, log: str, **environment: str) -> Process:
        """Start any other program, likewise."""
        process = Process(program, arguments, self.logs / log, **environment)
        self._processes.append(process)
        return process

    def start_kwok(self) -> None:
        """Let kwok keep every node ready and run every pod that is bound, by its own fast stages."""
        stages = module_folder("kwok", "sigs.k8s.io/kwok") / "kustomize" / "stage"
        files = sorted(
            [*(stages / "node" / "fast").glob("node-*.yaml"), *(stages / "pod" / "fast").glob("pod-*.yaml")]
        )
        self.run(
            "kwok", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes=true", "--cidr=10.244.0.0/16",
            *(f"--config={file}" for file in files),
        )  # fmt: skip

    def _certify(self) -> None:
        """An authority and a serving certificate for this cluster alone, good for a day."""
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        self._openssl(
            "req", "-x509", *curve, "-days", "1", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"
        )
        self._openssl(
            "req", *curve, "-subj", "/CN=kube-apiserver", "-keyout", "server.key", "-out", "server.csr"
        )
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._openssl(
            "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "1", "-extfile", "names", "-out", "server.pem",
        )  # fmt: skip
        self._openssl("genrsa", "-out", "accounts.key", "2048")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60)

    def _start(self) -> None:
        self._port, etcd, peer = free_ports(3)
        etcd_url, peer_url = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
        store = self.run(
            "etcd", f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync", "--name=interop",
            f"--listen-client-urls={etcd_url}", f"--advertise-client-urls={etcd_url}",
            f"--listen-peer-urls={peer_url}", f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=interop={peer_url}", "--log-level=warn",
        )  # fmt: skip
        store.wait_until(lambda: _answers(f"{etcd_url}/health"), "health")
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f"{self.token},{ADMIN},{ADMIN},system:masters\n")
        tokens.chmod(0o600)
        self._write_kubeconfig()
        server = self.run(
            "kube-apiserver", f"--etcd-servers={etcd_url}", f"--secure-port={self._port}",
            "--bind-address=127.0.0.1", f"--cert-dir={self.folder}",
            f"--tls-cert-file={self.folder / 'server.pem'}",
            f"--tls-private-key-file={self.folder / 'server.key'}",
            f"--token-auth-file={tokens}", "--authorization-mode=RBAC",
            "--service-account-issuer=https://interop.invalid",
            f"--service-account-key-file={self.folder / 'accounts.key'}",
            f"--service-account-signing-key-file={self.folder / 'accounts.key'}",
            "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition,DefaultStorageClass",
        )  # fmt: skip
        server.wait_until(
            lambda: _answers(f"{self.url}/readyz", self.folder / "ca.pem", self.token), "readyz"
        )

    def _write_kubeconfig(self) -> None:
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "interop",
                    "clusters": [
                        {
                            "name": "interop",
                            "cluster": {
                                "server": self.url,
                                "certificate-authority": str(self.folder / "ca.pem"),
                            },
                        }
                    ],
                    "users": [{"name": ADMIN, "user": {"token": self.token}}],
                    "contexts": [{"name": "interop", "context": {"cluster": "interop", "user": ADMIN}}],
                }
            )
        )
        self.kubeconfig.chmod(0o600)


def _answers(url: str, authority: Path | None = None, token: str = "") -> bool:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    context = create_default_context(cafile=str(authority)) if authority else None
    try:
        with urllib.request.urlopen(request, timeout=2, context=context) as response:
            return response.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
