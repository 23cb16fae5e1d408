"""Questions to the original programs, and what becomes of their answers; no Go program runs here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from binwright_benchmarks.baselines import BrokenBaselineError, Market, open_market
from binwright_benchmarks.peers.components import UNAVAILABLE
from binwright_benchmarks.peers.karpenter import Karpenter, PeerError
from binwright_benchmarks.peers.question import UnsaidError, pod_spec, quantities, question
from binwright_optimizer.model import Operator, PodTemplate, Requirement, Resources, Toleration
from binwright_optimizer.model.resources import CPU, MEMORY
from builders import existing_node, instance_type, microusd, node_pool, offering, pod, problem

NODE = instance_type("n", cpu=4, memory_gib=8, price=1.0)


def answering(folder: Path, answer: dict[str, Any], exit_code: int = 0) -> Path:
    """A program that answers this, whatever it is asked."""
    path = folder / "peer"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.stdin.read()\nprint({json.dumps(json.dumps(answer))})\n"
        f"print('went wrong', file=sys.stderr)\nraise SystemExit({exit_code})\n"
    )
    path.chmod(0o755)
    return path


def claim(count: int, kind: str = "n", **more: object) -> dict[str, Any]:
    """An answer of one NodeClaim with pods of the first workload."""
    place = {"nodePool": "default", "instanceType": kind, "zone": "zone-a", "capacityType": "on-demand"}
    bought = {**place, "pods": [{"workload": 0, "count": count}], **more}
    return {"nodeClaims": [bought], "standing": [], "unplaced": [], "seconds": 0.5, "timedOut": False}


def two_pods() -> Market:
    return open_market(problem([pod(cpu=2, replicas=2)], [NODE]))


def test_amounts_become_quantities() -> None:
    assert quantities(Resources.of({CPU: 1500, MEMORY: 2**30})) == {"cpu": "1500m", "memory": "1073741824"}


def test_a_selector_holds_beside_every_alternative_of_the_affinity() -> None:
    zone = Requirement("zone", Operator.IN, ("a",))
    fast = Requirement("disk", Operator.IN, ("fast",))
    large = Requirement("cpus", Operator.GT, ("8",))
    spec = pod_spec(PodTemplate(node_selector=(zone,), node_affinity=((fast,), (large,))))
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    keys = [[e["key"] for e in term["matchExpressions"]] for term in required["nodeSelectorTerms"]]
    assert keys == [["zone", "disk"], ["zone", "cpus"]]


def test_a_toleration_of_everything_has_no_key() -> None:
    spec = pod_spec(PodTemplate(tolerations=(Toleration(exists=True), Toleration("k", "v"))))
    assert spec["tolerations"] == [
        {"operator": "Exists"},
        {"operator": "Equal", "value": "v", "key": "k"},
    ]


def test_node_limits_count_every_node_as_one() -> None:
    asked = question(open_market(problem([pod(cpu=2)], [NODE], [node_pool(max_nodes=3)])))
    assert asked["nodePools"][0]["limits"] == {"nodes": "3"}
    assert asked["instanceTypes"][0]["capacity"]["nodes"] == "1"


def test_minimum_nodes_stand_already() -> None:
    asked = question(open_market(problem([pod(cpu=2)], [NODE], [node_pool(min_nodes=2)])))
    assert [node["name"] for node in asked["standingNodes"]] == ["standing-00000", "standing-00001"]


def test_what_cannot_be_said_is_refused() -> None:
    scarce = instance_type("n", cpu=4, memory_gib=8, price=1.0, available=3)
    with pytest.raises(UnsaidError, match="limited supply"):
        question(open_market(problem([pod(cpu=2)], [scarce])))
    two = [offering(1.0, region="r1", zone="a"), offering(1.0, region="r2", zone="b")]
    with pytest.raises(UnsaidError, match="2 regions"):
        question(open_market(problem([pod(cpu=2)], [instance_type("n", cpu=4, offerings=two)])))
    with pytest.raises(UnsaidError, match="existing_nodes"):
        question(open_market(problem([pod(cpu=2)], [NODE], existing=[existing_node(cpu=1)])))


def test_an_answer_is_counted_at_our_prices(tmp_path: Path) -> None:
    answer = Karpenter(two_pods(), program=answering(tmp_path, claim(2))).run(0)
    assert answer.result.cost_microusd_per_hour == microusd(1.0)
    assert answer.result.pods_unplaced == 0
    assert answer.seconds == 0.5


def test_an_answer_that_overfills_a_node_is_no_result(tmp_path: Path) -> None:
    market = open_market(problem([pod(cpu=2, replicas=3)], [NODE]))
    with pytest.raises(BrokenBaselineError):
        Karpenter(market, program=answering(tmp_path, claim(3))).run(0)


def test_failures_of_the_program_are_named(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="went wrong"):
        Karpenter(two_pods(), program=answering(tmp_path, claim(2), exit_code=1)).run(0)
    with pytest.raises(PeerError, match="not here"):
        Karpenter(two_pods(), program=answering(tmp_path, claim(2, "other"))).run(0)
    with pytest.raises(PeerError, match="no offering"):
        Karpenter(two_pods(), program=answering(tmp_path, claim(2, error="no offering"))).run(0)


def test_without_go_components_are_unavailable_rather_than_broken(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "binwright_benchmarks.peers.components", "kwok"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == UNAVAILABLE
    assert "Go is not installed" in done.stdout


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_without_a_network_components_are_unavailable_rather_than_broken(tmp_path: Path) -> None:
    nowhere = {"GOMODCACHE": str(tmp_path / "mod"), "GOPROXY": "off", "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "binwright_benchmarks.peers.components", "kwok"]
    done = subprocess.run(
        command, env={**os.environ, **nowhere}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == UNAVAILABLE
    assert "cannot be downloaded" in done.stdout


def test_components_that_there_is_no_time_for_are_each_named_and_not_begun(tmp_path: Path) -> None:
    environment = {
        "PATH": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\nexit 1\n")
    go.chmod(0o755)
    command = [sys.executable, "-m", "binwright_benchmarks.peers.components", "--limit", "-1", "kwok", "helm"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == UNAVAILABLE
    for name in ("kwok", "helm"):
        assert f"there is no time left to build {name}" in done.stdout
    assert not list(tmp_path.rglob("build.log"))


def test_a_peer_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "binwright_benchmarks.peers", "--instances", "worked-t4-pair"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "make components" in done.stderr
