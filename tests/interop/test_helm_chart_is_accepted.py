"""The Helm chart, rendered by helm itself, against the schemas of the real API server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from availability import require
from binwright_benchmarks.peers.components import KUBERNETES, component
from cluster import Cluster
from test_manifests_are_accepted import ROOT, try_create
from transcript import Transcript

pytestmark = pytest.mark.interop

CHART = ROOT / "server" / "helm" / "binwright"
EVERYTHING = (
    "listenOn=[::],controller.enabled=true,controller.apply=true,controller.arguments={--gap=1%},extender.bind=true,"
    "extender.httpsSecretName=https,extender.demandCertificate=true,tls.secretName=tls,tokens.secretName=tokens,server.settings.workers=2,"
    "server.nodeSelector.disk=ssd,imagePullSecrets[0].name=pull"
)


@pytest.fixture(autouse=True)
def _program() -> None:
    require("helm")


def helm(folder: Path, *arguments: str) -> str:
    """Standard output of helm, which must succeed; its own files are kept in the folder."""
    homes = {f"HELM_{kind}_HOME": str(folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    done = subprocess.run(
        [str(component("helm")), *arguments], env=homes, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("values", "deployments"),
    [("", 2), (EVERYTHING, 3), ("extender.enabled=false", 1)],
    ids=["as-it-comes", "everything", "server-alone"],
)
def test_the_api_server_accepts_what_helm_renders(
    cluster: Cluster, tmp_path: Path, transcript: Transcript, values: str, deployments: int
) -> None:
    options = ("--set", values) if values else ()
    helm(tmp_path, "lint", "--strict", str(CHART), *options)
    where = ("--namespace", "kube-system", "--kube-version", KUBERNETES)
    rendered = helm(tmp_path, "template", "prod", str(CHART), *where, *options)
    manifests: list[dict[str, Any]] = [each for each in yaml.safe_load_all(rendered) if each]
    transcript.ask(f"helm: render the chart with {values or 'no values'}; the API server: take it, strictly")
    with cluster.api() as api:
        for manifest in manifests:
            if not manifest["kind"].startswith("Cluster"):
                manifest["metadata"]["namespace"] = "kube-system"  # where helm would install it
            transcript.saw(f"accepted {try_create(api, manifest)}")
    assert [manifest["kind"] for manifest in manifests].count("Deployment") == deployments
