"""The whole controller against an API server over HTTP, with the real optimizer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from binwright_clients.cli.controller import _solver
from binwright_clients.cli.engines import LocalEngine
from binwright_clients.cli.exports import cloud_of
from binwright_clients.cli.main import main
from binwright_clients.cli.question import build_question
from binwright_clients.cluster.access import open_cluster
from binwright_clients.cluster.api import ClusterApi
from binwright_clients.cluster.errors import ClusterError
from binwright_clients.controller import cycle
from binwright_clients.controller.feed import PendingFeed
from binwright_clients.controller.leader import NAME
from binwright_clients.controller.permissions import controller_permissions
from binwright_clients.controller.planner import Asked, OptimizingPlanner
from binwright_clients.controller.run import Settings, run_controller
from click.testing import CliRunner
from kube_double import KARPENTER, KubeDouble, kube_double, node, node_class, node_pool, pod, write_kubeconfig
from published_schemas import expect_kubernetes, expect_node_claim


@pytest.fixture
def double() -> Iterator[KubeDouble]:
    """A node with 4 CPU free and a NodePool of c5.2xlarge."""
    with kube_double() as running:
        running.put("nodes", node("n1"))
        running.put("pods", pod("web-1", on="n1", cpu="4"))
        pool = node_pool()
        pool["metadata"]["annotations"] = {"karpenter.sh/nodepool-hash": "123"}
        pool["spec"]["template"]["spec"]["taints"] = [{"key": "team", "value": "a", "effect": "NoSchedule"}]
        pool["spec"]["template"]["spec"]["terminationGracePeriod"] = "1h"
        running.put("nodepools", pool)
        running.put("ec2nodeclasses", node_class())
        yield running


def big(name: str, **more: Any) -> dict[str, Any]:
    """A pod of 6 CPU that only a node of its own holds."""
    tolerated = [{"key": "team", "operator": "Exists"}]
    return pod(name, cpu="6", memory="4Gi", tolerations=tolerated, **more)


@pytest.fixture
def api(double: KubeDouble, tmp_path: Path) -> ClusterApi:
    return open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig"))


@contextlib.contextmanager
def controller(api: ClusterApi, *, apply: bool = True, name: str = "one") -> Iterator[list[dict[str, Any]]]:
    """A controller in a thread while the block runs; yields its records."""
    records: list[dict[str, Any]] = []
    stop = threading.Event()

    def ask_for(source: Any) -> Asked:
        question = build_question((), snapshot=source, deadline_s=2.0)
        cloud = cloud_of(question.request.problem.catalog)
        return Asked(question.request, dict(question.node_classes), cloud, question.origins)

    def remark(message: str) -> None:
        records.append({"event": "remark", "reason": message})

    planner = OptimizingPlanner(ask_for, _solver(lambda: contextlib.nullcontext(LocalEngine()), stop), remark)
    settings = Settings(apply, "kube-system", name, idle_s=0.3, max_s=3.0)
    thread = threading.Thread(
        target=run_controller, args=(api, planner, settings, stop, records.append), daemon=True
    )
    thread.start()
    try:
        yield records
    finally:
        stop.set()
        thread.join(timeout=90)
        assert not thread.is_alive()


def until(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
    """What the condition gives once it is true; the first solve of a machine compiles its kernels."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def events_of(records: list[dict[str, Any]]) -> list[str]:
    return [record["event"] for record in records]


@pytest.mark.parametrize(
    ("apply", "mode"),
    [
        (True, "creating NodeClaims as one"),
        (False, "dry run, nothing is created without --apply"),
    ],
)
def test_the_first_line_tells_mode_cluster_pools_and_window(
    api: ClusterApi, double: KubeDouble, apply: bool, mode: str
) -> None:
    double.put("nodepools", node_pool("spare"))
    with controller(api, apply=apply) as records:
        until(lambda: records)
    assert records[0] == {
        "event": "start",
        "reason": f"{mode}; cluster test; NodePools general, spare; "
        "batches end after 0.3 s of quiet, 3 s at most",
    }


def test_the_first_line_tells_of_a_cluster_without_karpenter(api: ClusterApi, double: KubeDouble) -> None:
    double.missing = set(KARPENTER)
    with controller(api, apply=False) as records:
        until(lambda: records)
    assert "; no NodePools: Karpenter's are not installed; " in records[0]["reason"]


def test_pending_pods_get_exact_node_claims_with_events(api: ClusterApi, double: KubeDouble) -> None:
    """4 CPU are free on n1: each pod of 6 CPU needs a c5.2xlarge, 0.34 $/h on demand."""
    double.put("pods", big("big-1"))
    double.put("pods", big("big-2"))
    double.put("pods", pod("small", cpu="1"))
    with controller(api) as records:
        claims = until(lambda: len(double.all("nodeclaims")) == 2 and double.all("nodeclaims"))
        events = until(lambda: len(double.all("events")) >= 4 and double.all("events"))
    for claim in claims:
        expect_node_claim(claim)
        wanted = {each["key"]: each["values"] for each in claim["spec"]["requirements"]}
        assert wanted["node.kubernetes.io/instance-type"] == ["c5.2xlarge"]
        assert wanted["topology.kubernetes.io/zone"][0].startswith("us-east-1")
        assert wanted["karpenter.sh/capacity-type"] == ["on-demand"]
        assert claim["spec"]["expireAfter"] == "Never"
        assert claim["spec"]["terminationGracePeriod"] == "1h"
        assert claim["spec"]["taints"] == [{"key": "team", "value": "a", "effect": "NoSchedule"}]
        (owner,) = claim["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("NodePool", "general")
        annotations = claim["metadata"]["annotations"]
        assert annotations["karpenter.sh/nodepool-hash"] == "123"
        assert annotations["binwright.dev/hourly-cost-usd"] == "0.340000"
        assert annotations["binwright.dev/decision-lower-bound-usd"] == "0.680000"
    assert len({claim["metadata"]["annotations"]["binwright.dev/decision"] for claim in claims}) == 1
    for event in events:
        expect_kubernetes(event)
    uids = {claim["metadata"]["uid"] for claim in claims}
    about_claims = [e["involvedObject"] for e in events if e["involvedObject"]["kind"] == "NodeClaim"]
    assert {about["uid"] for about in about_claims} <= uids
    told = {(event["involvedObject"]["kind"], event["reason"]) for event in events}
    assert told == {("NodeClaim", "Decided"), ("Pod", "Nominated")}
    assert all("0.6800 $/h, proven bound 0.6800 $/h" in event["message"] for event in events)
    assert events_of(records).count("node-claim-created") == 2


def test_a_restart_makes_no_second_node(api: ClusterApi, double: KubeDouble) -> None:
    double.put("pods", big("big-1"))
    with controller(api):
        until(lambda: double.all("nodeclaims"))
    with controller(api, name="two") as records:
        until(lambda: "leading" in events_of(records))
        looks = len(double.requests)
        time.sleep(2.0)
        assert len(double.requests) > looks
    assert len(double.all("nodeclaims")) == 1


@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0])
def test_clocks_that_differ_make_no_second_node(
    api: ClusterApi, double: KubeDouble, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    """Where our clock is an hour ahead, the claim seems to be an hour old, and given up, at every look."""
    monkeypatch.setattr(cycle, "RESYNC_S", 0.3)
    double.clock_ahead_s = ahead_s
    double.put("pods", big("big-1"))
    with controller(api) as records:
        (claim,) = until(lambda: double.all("nodeclaims"))
        claim["status"] = {"providerID": "i-1"}
        double.put("nodeclaims", claim)
        time.sleep(3.0)
    assert len(double.all("nodeclaims")) == 1
    sign = "+" if ahead_s < 0 else "-"
    told = rf"; the clock here is \{sign}(3599|360[01]) s off the cluster's, which counts"
    assert re.search(told, records[0]["reason"])


def test_a_pod_that_comes_later_gets_its_own_batch(api: ClusterApi, double: KubeDouble) -> None:
    with controller(api):
        double.put("pods", big("big-1"))
        (claim,) = until(lambda: double.all("nodeclaims"))
        claim["status"] = {
            "providerID": "i-1",
            "allocatable": {"cpu": "7910m", "memory": "14Gi", "pods": "58"},
        }
        double.put("nodeclaims", claim)
        double.put("pods", big("big-2"))
        until(lambda: len(double.all("nodeclaims")) == 2)


def test_a_dry_run_writes_nothing(api: ClusterApi, double: KubeDouble) -> None:
    double.put("pods", big("big-1"))
    with controller(api, apply=False) as records:
        until(lambda: "node-claim-planned" in events_of(records))
    assert {method for method, _, _ in double.requests} == {"GET"}


def test_limits_of_a_node_pool_hold_and_are_told(api: ClusterApi, double: KubeDouble) -> None:
    double.put("nodepools", node_pool(limits={"nodes": "1"}))
    double.put("pods", pod("big-1", cpu="6"))
    double.put("pods", pod("big-2", cpu="6"))
    with controller(api):
        warning = until(lambda: [e for e in double.all("events") if e["type"] == "Warning"])
        until(lambda: double.all("nodeclaims"))
        time.sleep(1.0)
    assert len(double.all("nodeclaims")) == 1
    assert warning[0]["reason"] == "NoNodeWouldHelp"
    assert "NodePool general may add at most nodes 1" in warning[0]["message"]


def test_one_malformed_object_does_not_stop_the_others(api: ClusterApi, double: KubeDouble) -> None:
    broken = big("broken")
    broken["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "lots"
    double.put("pods", broken)
    double.put("pods", big("big-1"))
    with controller(api) as records:
        until(lambda: double.all("nodeclaims"))
    assert any("left out:" in r["reason"] and "lots" in r["reason"] for r in records)


def test_a_cluster_without_node_pools_is_told_for_each_pod(api: ClusterApi, double: KubeDouble) -> None:
    double.remove("nodepools", "general")
    double.put("pods", big("big-1"))
    with controller(api) as records:
        until(lambda: "pod-unschedulable" in events_of(records))
    assert any("there is no NodePool" in record["reason"] for record in records)


def test_failures_of_the_server_are_recorded_and_outlived(api: ClusterApi, double: KubeDouble) -> None:
    double.put("pods", big("big-1"))
    double.forbidden = {"nodeclaims"}
    with controller(api) as records:
        until(lambda: any("no permission to list nodeclaims" in r["reason"] for r in records))
        double.forbidden = set()
        until(lambda: double.all("nodeclaims"))


def test_an_unreachable_api_server_is_one_clear_error_and_waited_for(tmp_path: Path) -> None:
    """Nobody listens at first; then the API server is there, and a pod gets its node."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    away = open_cluster(write_kubeconfig(KubeDouble(), tmp_path / "kubeconfig", url=url))
    with controller(away) as records:
        first = until(lambda: [record for record in records if record["event"] == "error"])[0]
        assert f"127.0.0.1:{port}" in first["reason"]
        assert "Connection refused" in first["reason"]
        with kube_double(port) as double:
            double.put("nodes", node("n1", cpu="4"))
            double.put("nodepools", node_pool())
            double.put("ec2nodeclasses", node_class())
            double.put("pods", big("big-1"))
            until(lambda: double.all("nodeclaims"))


def test_a_node_pool_without_its_node_class_buys_nothing_until_that_is_there(
    api: ClusterApi, double: KubeDouble
) -> None:
    """A NodeClaim would never launch; the NodePool has an event that says so, and the pod the reason."""
    double.remove("ec2nodeclasses", "default")
    with controller(api) as records:
        until(lambda: "leading" in events_of(records))
        double.put("pods", big("big-1"))
        until(lambda: "pod-unschedulable" in events_of(records))
        until(lambda: len(double.all("events")) == 2)
        events = {event["reason"]: event for event in double.all("events")}
        assert not double.all("nodeclaims")
    told = next(record for record in records if record["event"] == "node-pool-left-out")
    assert told["node_pool"] == "general"
    assert told["reason"] == "EC2NodeClass default is not there"
    about = events["LeftOut"]["involvedObject"]
    assert (about["kind"], about["name"]) == ("NodePool", "general")
    assert about["uid"] == double.all("nodepools")[0]["metadata"]["uid"]
    assert events["LeftOut"]["message"] == "left out of decisions: EC2NodeClass default is not there"
    assert "NodePool general is left out" in events["NoNodeWouldHelp"]["message"]
    expect_kubernetes(events["LeftOut"])
    double.put("ec2nodeclasses", node_class())
    with controller(api, name="two"):
        until(lambda: double.all("nodeclaims"))


def test_a_write_that_fails_is_tried_again(api: ClusterApi, double: KubeDouble) -> None:
    with controller(api) as records:
        until(lambda: "leading" in events_of(records))
        double.fail_next = [500]
        double.put("pods", big("big-1"))
        until(lambda: double.all("nodeclaims"))
    assert len(double.all("nodeclaims")) == 1


@pytest.mark.parametrize("is_chunked", [True, False])
def test_the_feed_follows_pods_that_come_and_are_bound(
    api: ClusterApi, double: KubeDouble, is_chunked: bool
) -> None:
    """At once, whether the watch comes in chunks or, through a proxy, as one long answer."""
    double.is_chunked = is_chunked
    errors: list[ClusterError] = []
    feed = PendingFeed(api, errors.append, lambda: None)
    feed.start()
    double.put("pods", big("big-1"))
    until(lambda: feed.waiting() == {"uid-default-big-1"}, seconds=3.0)
    double.put("pods", big("big-1", on="n1"))
    until(lambda: feed.waiting() == frozenset(), seconds=3.0)
    feed.stop()
    assert errors == []


def test_an_outage_of_the_api_server_is_told_once_and_its_end_too(
    api: ClusterApi, double: KubeDouble
) -> None:
    """Watch and Lease fail some five times within four seconds."""
    with controller(api) as records:
        until(lambda: "leading" in events_of(records))
        double.token = "changed"
        double.gone_watches = 1
        double.put("pods", big("big-1"))
        until(lambda: "error" in events_of(records))
        before = len(records)
        time.sleep(4.5)
        assert "error" not in events_of(records[before:])
        double.token = "right"
        until(lambda: any("the API server answers again after" in r["reason"] for r in records))


def test_the_feed_lists_again_when_its_version_is_gone(api: ClusterApi, double: KubeDouble) -> None:
    errors: list[ClusterError] = []
    double.put("pods", big("big-1"))
    double.gone_watches = 1
    feed = PendingFeed(api, errors.append, lambda: None)
    feed.start()

    def lists() -> int:
        with double.changed:
            return sum(1 for _, path, query in double.requests if path.endswith("pods") and "limit" in query)

    until(lambda: lists() == 2)
    double.put("pods", big("big-2"))
    until(lambda: len(feed.waiting()) == 2)
    feed.stop()
    assert errors == []


def test_the_command_ends_cleanly_on_sigterm(double: KubeDouble, tmp_path: Path) -> None:
    double.put("pods", big("big-1"))
    kubeconfig = write_kubeconfig(double, tmp_path / "kubeconfig")
    arguments = ["--kubeconfig", str(kubeconfig), "--apply", "--deadline", "1s", "-o", "json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "binwright_clients.cli.main", "controller", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        until(lambda: double.all("nodeclaims"))
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert errors == ""
    steps = [json.loads(line) for line in output.splitlines()]
    assert {"leading", "node-claim-created"} <= set(events_of(steps))
    (lease,) = double.all("leases")
    assert lease["metadata"]["name"] == NAME
    assert lease["spec"]["holderIdentity"] == ""


def test_the_controller_needs_no_permission_beyond_those_printed(api: ClusterApi, double: KubeDouble) -> None:
    double.put("pods", big("big-1"))
    with controller(api):
        until(lambda: double.all("events"))
    allowed: set[tuple[str, str]] = set()
    for manifest in controller_permissions():
        expect_kubernetes(manifest)
        rules: Any = manifest.get("rules") or []
        for rule in rules:
            allowed |= {(resource, verb) for resource in rule["resources"] for verb in rule["verbs"]}
    for method, path, query in double.requests:
        parts = path.split("/")
        resource = parts[-2] if path.endswith(f"/{NAME}") else parts[-1]
        verb = {"POST": "create", "PUT": "update"}.get(method, "get" if path.endswith(NAME) else "list")
        assert (resource, "watch" if "watch" in query else verb) in allowed, (method, path)


def test_the_shipped_controller_permissions_are_those_that_are_printed() -> None:
    printed = CliRunner().invoke(main, ["controller", "--print-rbac"]).stdout
    shipped = (Path(__file__).parents[2] / "examples" / "controller.yaml").read_text()
    documents = list(yaml.safe_load_all(shipped))
    assert documents[:-1] == list(yaml.safe_load_all(printed))
    assert documents[-1]["kind"] == "Deployment"
    expect_kubernetes(documents[-1])
