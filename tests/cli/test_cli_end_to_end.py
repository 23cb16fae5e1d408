"""The installed command in a process of its own, with the real solver and the real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
TWO_T4_PODS = "name,replicas,cpu_milli,memory_mib,gpu_count,gpu_models\ntrain,2,2000,13312,1,T4\n"
CUSTOM = "instance_type,price_usd_h,cpu_milli,memory_mib\nsmall,0.1,4000,8192\nlarge,0.3,16000,65536\n"
PATIENT = ("--deadline", "60s")
"""These problems are solved to the optimum in milliseconds, once kernels are compiled."""
COMMAND = (sys.executable, "-m", "binwright_clients.cli.main")


def binwright(*arguments: str | Path, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answer(*arguments: str | Path, cwd: Path, stdin: str = "") -> dict[str, Any]:
    """The decision that ``solve`` prints as JSON, alone on standard output."""
    done = binwright("solve", *arguments, *PATIENT, "-o", "json", cwd=cwd, stdin=stdin)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_two_t4_pods_cost_two_small_nodes(tmp_path: Path) -> None:
    """Two g4dn.xlarge at 0.526 $/h; one node with more GPUs costs 3.912 $/h."""
    (tmp_path / "pods.csv").write_text(TWO_T4_PODS)
    decision = answer("-f", "pods.csv", "--catalog", "aws", "--region", "us-east-1", cwd=tmp_path)
    assert decision["hourly_cost_usd"] == 1.052
    assert decision["gap"] == 0
    assert decision["stop_reason"] == "STOP_REASON_OPTIMAL"
    assert [claim["instance_type"] for claim in decision["node_claims"]] == ["g4dn.xlarge"] * 2


@pytest.mark.parametrize("suffix", ["json", "pb"])
def test_a_saved_decision_on_the_reference_pools_is_verified(tmp_path: Path, suffix: str) -> None:
    problem, decision = f"problem.{suffix}", f"decision.{suffix}"
    solved = binwright(
        *("solve", "-f", EXAMPLES / "web.yaml", "--nodepools", EXAMPLES / "nodepools.yaml"),
        *PATIENT,
        *("--save-problem", problem, "--save-decision", decision),
        cwd=tmp_path,
    )
    assert solved.returncode == 0, solved.stderr
    assert "64 of 64 pods placed" in solved.stdout
    verified = binwright("verify", problem, decision, cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_what_json_prints_is_a_decision_file_and_a_cheaper_claim_is_refuted(tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_text(TWO_T4_PODS)
    decision = answer("-f", "pods.csv", "--save-problem", "p.json", cwd=tmp_path)
    (tmp_path / "d.json").write_text(json.dumps(decision))
    assert binwright("verify", "p.json", "d.json", cwd=tmp_path).returncode == 0
    decision["node_claims"].pop()
    (tmp_path / "d.json").write_text(json.dumps(decision))
    refuted = binwright("verify", "p.json", "d.json", "-o", "json", cwd=tmp_path)
    assert refuted.returncode == 1
    assert json.loads(refuted.stdout)["verified"] is False


def test_a_custom_catalogue_from_a_file_is_solved_and_verified(tmp_path: Path) -> None:
    """Four pods of 4 CPU: four small nodes cost 0.4 $/h, one large one 0.3 $/h."""
    (tmp_path / "catalog.csv").write_text(CUSTOM)
    table = "name,replicas,cpu_milli,memory_mib\nweb,4,4000,1024\n"
    decision = answer(
        *("-f", "-", "--catalog", "catalog.csv", "--save-problem", "p.json", "--save-decision", "d.json"),
        cwd=tmp_path,
        stdin=table,
    )
    assert decision["hourly_cost_usd"] == 0.3
    assert decision["gap"] == 0
    verified = binwright("verify", "p.json", "d.json", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_pods_that_fit_nowhere_come_back_with_reasons(tmp_path: Path) -> None:
    table = "name,replicas,cpu_milli,memory_mib\nhuge,3,5000000,1024\nweb,1,1000,1024\n"
    (tmp_path / "pods.csv").write_text(table)
    decision = answer("-f", "pods.csv", cwd=tmp_path)
    assert [pod["pod"] for pod in decision["unschedulable_pods"]] == ["huge-0", "huge-1", "huge-2"]
    assert all(pod["reasons"] for pod in decision["unschedulable_pods"])
    assert len(decision["node_claims"]) == 1
    shown = binwright("solve", "-f", "pods.csv", "--fail-unschedulable", cwd=tmp_path)
    assert shown.returncode == 3
    assert "3 pods: huge-0, huge-1, huge-2" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100


def test_karpenter_manifests_buy_what_the_decision_says(tmp_path: Path) -> None:
    arguments = ("-f", EXAMPLES / "workloads.csv", "--nodepools", EXAMPLES / "nodepools.yaml")
    decision = answer(*arguments, cwd=tmp_path)
    printed = binwright("solve", *arguments, *PATIENT, "-o", "karpenter", cwd=tmp_path)
    manifests = list(yaml.safe_load_all(printed.stdout))
    pools = [m["metadata"]["labels"]["karpenter.sh/nodepool"] for m in manifests]
    assert pools == [c["node_pool"] for c in decision["node_claims"]]
    assert len({m["metadata"]["name"] for m in manifests}) == len(manifests)
    cost = sum(float(m["metadata"]["annotations"]["binwright.dev/hourly-cost-usd"]) for m in manifests)
    assert cost == pytest.approx(decision["hourly_cost_usd"])
    pools = {m["metadata"]["labels"]["karpenter.sh/nodepool"]: m for m in manifests}
    assert pools["gpu-compute"]["spec"]["taints"] == [
        {"key": "workload", "value": "gpu", "effect": "NoSchedule"}
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a server in another process."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--address", "127.0.0.1:0", "--workers", "1", "--log-level", "error"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("binwright serves on "), "the server did not start"
    yield line.split()[-1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    watchdog.cancel()
    process.stdout.close()


def test_a_server_gives_the_same_answer_as_the_process(tmp_path: Path, server: str) -> None:
    (tmp_path / "pods.csv").write_text(TWO_T4_PODS)
    local = answer("-f", "pods.csv", cwd=tmp_path)
    remote = answer("-f", "pods.csv", "--server", server, cwd=tmp_path)
    for document in (local, remote):
        document.pop("timings")
    assert remote == local


def test_a_servers_complaint_names_the_option(tmp_path: Path, server: str) -> None:
    (tmp_path / "pods.csv").write_text(TWO_T4_PODS)
    done = binwright("solve", "-f", "pods.csv", "--region", "mars", "--server", server, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "--region" in done.stderr
    assert "mars" in done.stderr


def test_a_servers_catalogue_is_that_of_the_process(tmp_path: Path, server: str) -> None:
    arguments = ("catalog", "show", "g4dn.xlarge", "-o", "json")
    local = binwright(*arguments, cwd=tmp_path)
    remote = binwright(*arguments, "--server", server, cwd=tmp_path)
    assert json.loads(remote.stdout) == json.loads(local.stdout)


def test_serving_on_a_taken_port_is_one_message(tmp_path: Path, server: str) -> None:
    done = binwright("serve", "--address", server, cwd=tmp_path)
    assert done.returncode == 2
    assert server in done.stderr
    assert "Traceback" not in done.stderr


SHORT_GANG = """
apiVersion: scheduling.x-k8s.io/v1alpha1
kind: PodGroup
metadata: {name: ring}
spec: {minMember: 3}
---
apiVersion: batch/v1
kind: Job
metadata: {name: ring}
spec:
  parallelism: 2
  template:
    metadata: {labels: {scheduling.x-k8s.io/pod-group: ring}}
    spec:
      restartPolicy: Never
      containers: [{name: c, image: i, resources: {requests: {cpu: "1"}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: odd}
spec: {containers: [{name: c, image: i, resources: {limits: {nvidia.com/mig-9g.99gb: "1"}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: claims}
spec: {containers: [{name: c, image: i}], resourceClaims: [{name: g, resourceClaimTemplateName: t}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: c, image: i, resources: {requests: {cpu: "3"}}}]}
"""


def test_a_gang_that_is_short_and_pods_that_nothing_serves_leave_the_rest_to_be_solved(
    tmp_path: Path,
) -> None:
    """One small node for the pod of 3 CPU; the others are told by name what they lack."""
    (tmp_path / "catalog.csv").write_text(CUSTOM)
    decision = answer("-f", "-", "--catalog", "catalog.csv", cwd=tmp_path, stdin=SHORT_GANG)
    assert [claim["pods"] for claim in decision["node_claims"]] == [["web"]]
    told = {pod["pod"]: pod["reasons"][0]["message"] for pod in decision["unschedulable_pods"]}
    assert told["ring-0"] == told["ring-1"] == "gang ring needs at least 3 members and has only 2"
    assert "no GPU offers this MIG profile" in told["odd"]
    assert told["claims"] == "claim g: ResourceClaimTemplate t is not among the inputs"
