"""Manifests that we write, and our examples, against the schemas of the real API server and CRDs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from availability import require
from cluster import Cluster
from karpenter_cluster import install_crds
from kubernetes import client, dynamic
from transcript import Transcript

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def written(*arguments: str) -> list[dict[str, Any]]:
    """Manifests that ``binwright solve`` prints."""
    program = str(Path(sys.executable).with_name("binwright"))
    command = [program, "solve", "--quiet", "--deadline", "2s", *arguments]
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def try_create(api: client.ApiClient, manifest: dict[str, Any]) -> str:
    """Have the API server check a manifest strictly without keeping it; its kind and name."""
    known = dynamic.DynamicClient(api)
    kind = known.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
    kind.create(
        body=manifest,
        namespace=manifest["metadata"].get("namespace"),
        dry_run="All",
        field_validation="Strict",
    )
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def test_the_api_server_accepts_the_cluster_autoscaler_deployment(
    cluster: Cluster, transcript: Transcript
) -> None:
    manifests = written(
        "-f", "web.yaml", "-o", "clusterautoscaler", "--expander-url", "binwright.default:50051"
    )
    transcript.ask(f"the API server: take {len(manifests)} manifests of -o clusterautoscaler, strictly")
    with cluster.api() as api:
        for manifest in manifests:
            transcript.saw(f"accepted {try_create(api, manifest)}")


def test_karpenters_crds_accept_the_examples_and_our_node_claims(
    cluster: Cluster, transcript: Transcript
) -> None:
    require("karpenter-kwok")  # its module brings the CRDs
    pools = list(yaml.safe_load_all((EXAMPLES / "nodepools.yaml").read_text()))
    claims = written("-f", "pods.csv", "--nodepools", "nodepools.yaml", "-o", "karpenter")
    transcript.ask(
        f"the API server with Karpenter's CRDs: take {len(pools)} NodePools, {len(claims)} NodeClaims"
    )
    with cluster.api() as api:
        install_crds(api)
        for manifest in [*pools, *claims[:20]]:
            transcript.saw(f"accepted {try_create(api, manifest)}")


def test_a_node_claim_with_a_misspelt_field_is_refused(cluster: Cluster) -> None:
    """The check can fail: strict validation is on."""
    require("karpenter-kwok")
    (claim, *_) = written("-f", "web.yaml", "-o", "karpenter")
    claim["spec"]["requirement"] = claim["spec"].pop("requirements")
    with cluster.api() as api:
        install_crds(api)
        with pytest.raises(client.ApiException, match="requirement"):
            try_create(api, claim)
