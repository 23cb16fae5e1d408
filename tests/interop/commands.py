"""Our own programs as a user runs them, and further accounts of the cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from cluster import Cluster
from karpenter_cluster import apply
from kubernetes import client

BINWRIGHT = Path(sys.executable).with_name("binwright")


def binwright(folder: Path, *arguments: str) -> str:
    """Standard output of the command, which must succeed."""
    done = subprocess.run(
        [str(BINWRIGHT), *arguments], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, f"binwright {' '.join(arguments)}\n{done.stderr}"
    return done.stdout


def install_account(cluster: Cluster, api: client.ApiClient, rbac: str) -> Path:
    """Create what ``--print-rbac`` prints; the kubeconfig of its service account, with no rights beside."""
    manifests = list(yaml.safe_load_all(rbac))
    (account,) = [m["metadata"] for m in manifests if m["kind"] == "ServiceAccount"]
    core = client.CoreV1Api(api)
    if account["namespace"] not in {found.metadata.name for found in core.list_namespace().items}:
        core.create_namespace({"metadata": {"name": account["namespace"]}})
    apply(api, manifests)
    body = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    asked = core.create_namespaced_service_account_token(account["name"], account["namespace"], body)
    known = yaml.safe_load(cluster.kubeconfig.read_text())
    known["users"][0]["user"] = {"token": asked.status.token}
    path = cluster.folder / f"kubeconfig-{account['name']}"
    path.write_text(yaml.safe_dump(known))
    path.chmod(0o600)
    return path
