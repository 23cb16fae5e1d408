"""Our own programs as a user runs them, and further accounts of the cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from cluster import Cluster
from kubernetes import client

BINWRIGHT = Path(sys.executable).with_name("binwright")


def binwright(folder: Path, *arguments: str) -> str:
    """Standard output of the command, which must succeed."""
    done = subprocess.run(
        [str(BINWRIGHT), *arguments], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, f"binwright {' '.join(arguments)}\n{done.stderr}"
    return done.stdout


def account_kubeconfig(cluster: Cluster, namespace: str, name: str) -> Path:
    """A kubeconfig with a token of a service account, so that its permissions apply and no others."""
    with cluster.api() as api:
        body = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
        asked = client.CoreV1Api(api).create_namespaced_service_account_token(name, namespace, body)
    known = yaml.safe_load(cluster.kubeconfig.read_text())
    known["users"][0]["user"] = {"token": asked.status.token}
    path = cluster.folder / f"kubeconfig-{name}"
    path.write_text(yaml.safe_dump(known))
    path.chmod(0o600)
    return path
