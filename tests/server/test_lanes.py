"""Lanes: solving in processes beside the one that callers reach."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from autoscaler import C5_LARGE, Options, k8s_node, k8s_pod, scale_up
from binwright.v1 import scheduling_service_pb2, scheduling_service_pb2_grpc
from binwright.vendor.autoscaler import expander_pb2_grpc
from binwright_clients.client import Client
from binwright_clients.rpc_errors import DeadlineExceededError, RpcError, SnapshotNeededError, exception_of
from binwright_clients.transport import RetryPolicy
from binwright_optimizer.errors import InvalidProblemError
from binwright_server.lanes.child import AUTOGROUP
from clusters import Cluster, delta, template
from harness import as_stream, solve_request, wait_until

OPTIONS: Options = {
    "dear": (1, k8s_node("m5.4xlarge"), [k8s_pod("web")]),
    "cheap": (1, k8s_node("c5.large", C5_LARGE), [k8s_pod("web")]),
}


class LanedServer:
    """``binwright serve`` in a process, with its lanes."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "binwright_clients.cli.main", "serve", "--address", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [*command, "--metrics-address", "127.0.0.1:0", "--workers", "1", "--log-format", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[-1]
        self.metrics_url = self.process.stdout.readline().split()[-1]

    def lanes(self) -> dict[str, psutil.Process]:
        """Processes by lane: one has the front's priority, the batch lane a lower one."""
        front = psutil.Process(self.process.pid)
        return {"batch" if child.nice() > front.nice() else "online": child for child in front.children()}

    def metrics(self) -> str:
        with urllib.request.urlopen(self.metrics_url, timeout=30) as reply:
            return str(reply.read().decode())


@pytest.fixture(scope="module")
def server() -> Iterator[LanedServer]:
    running = LanedServer()
    yield running
    lanes = running.lanes()
    running.process.send_signal(signal.SIGTERM)
    _, log = running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert [line for line in log.splitlines() if not line.startswith("{")] == []
    psutil.wait_procs(lanes.values(), timeout=10)
    assert not any(lane.is_running() for lane in lanes.values()), "lanes end with the front"


def test_calls_pass_through_with_answers_progress_and_errors(server: LanedServer) -> None:
    with Client(server.address, timeout=60) as client:
        assert client.solve(solve_request(pods=8, deadline_s=30)).hourly_cost_usd == 0.2
        events = list(client.solve_stream(as_stream(solve_request(pods=8, deadline_s=30))))
        assert events[-1].HasField("decision")
        assert client.list_catalogs().catalogs
        with pytest.raises(InvalidProblemError) as caught:
            client.solve(solve_request(cpu="x"))
        (violation,) = caught.value.violations
        assert violation.field == 'workloads[0].template.containers[0].requests["cpu"]'
        with pytest.raises(DeadlineExceededError):
            client.solve(solve_request(pods=8), timeout=0.001)


def test_bytes_that_are_no_message_are_an_invalid_argument_from_a_lane_too(server: LanedServer) -> None:
    with grpc.insecure_channel(server.address) as channel:
        for method in ("ProvisioningService/Solve", "SchedulingService/Filter"):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(f"/binwright.v1.{method}")(b"\xff\xff\xff", timeout=60)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "cannot be decoded" in caught.value.details()


def test_metrics_tell_of_calls_and_of_solves_in_the_lane(server: LanedServer) -> None:
    with Client(server.address, timeout=60) as client:
        client.solve(solve_request(pods=3, deadline_s=30))
    text = server.metrics()
    assert 'binwright_requests_total{code="OK",method="Solve"}' in text
    assert 'binwright_pods_total{outcome="placed"}' in text
    assert "binwright_solves_in_flight 0.0" in text
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))


def test_plans_come_from_the_lane_and_scores_follow_them(server: LanedServer) -> None:
    cluster = Cluster().node("a").node("b").pod("p", "a", template("1")).pod("q", "b", template("2"))
    with grpc.insecure_channel(server.address) as channel:
        stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        stub.UpdateCluster(cluster.update, timeout=30)
        plans = stub.WatchPlan(scheduling_service_pb2.WatchPlanRequest(), timeout=30)
        plan = next(iter(plans)).plan
        plans.cancel()
        assert {node.name: node.is_kept for node in plan.nodes} == {"a": False, "b": True}
        question = scheduling_service_pb2.PrioritizeRequest(pod=template("1"), node_names=["a", "b"])
        scores = stub.Prioritize(question, timeout=30).scores
        assert scores[0] < 40 <= 70 <= scores[1]


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this system does not share processors by session")
def test_batch_lane_steps_back_behind_other_sessions_as_well(server: LanedServer) -> None:
    """A lane is a session of its own; niceness alone would count among its own threads."""
    niceness = {
        name: int(Path(f"/proc/{lane.pid}/autogroup").read_text().rpartition(" ")[2])
        for name, lane in server.lanes().items()
    }
    assert niceness == {"online": 0, "batch": server.lanes()["batch"].nice()}


def test_expander_answers_while_the_batch_lane_is_full(server: LanedServer) -> None:
    request = solve_request(pods=1, deadline_s=600)
    request.problem.workloads[0].replicas = 20_000
    for k in range(40):
        pods = request.problem.workloads.add(name=f"w{k}", replicas=500)
        pods.template.containers.add(requests={"cpu": f"{100 + 37 * k}m"})
    with Client(server.address, timeout=60, retry=RetryPolicy(max_attempts=1)) as client:
        ended: list[object] = []

        def solve() -> None:
            try:
                ended.append(client.solve(request, timeout=600))
            except RpcError as error:
                ended.append(error)

        threads = [threading.Thread(target=solve) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: "binwright_solves_in_flight 1.0" in server.metrics(), within_s=120)
        with grpc.insecure_channel(server.address) as channel:
            answer = expander_pb2_grpc.ExpanderStub(channel).BestOptions(scale_up(OPTIONS), timeout=120)
            assert [option.nodeGroupId for option in answer.options] == ["cheap"]
        assert len(ended) < len(threads), "the batch lane still has work"
        client.close()
        for thread in threads:
            thread.join(120)
    wait_until(lambda: "binwright_solves_in_flight 0.0" in server.metrics(), within_s=120)


def test_lane_that_is_killed_is_started_again_and_its_callers_retry(server: LanedServer) -> None:
    server.lanes()["batch"].kill()
    with Client(server.address, timeout=60) as client:
        assert client.solve(solve_request(pods=8, deadline_s=30), timeout=60).hourly_cost_usd == 0.2


def test_planning_lane_that_is_killed_gets_a_snapshot_again(server: LanedServer) -> None:
    cluster = Cluster("k1").node("a").node("b")
    with grpc.insecure_channel(server.address) as channel:
        stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        stub.UpdateCluster(cluster.update, timeout=30)
        server.lanes()["online"].kill()
        question = scheduling_service_pb2.FilterRequest(pod=template("1"))
        deadline = time.monotonic() + 60
        while True:
            assert len(stub.Filter(question, timeout=30).passed) == 2, "questions are answered all the while"
            try:
                stub.UpdateCluster(delta("k1").pod("p").update, timeout=30)
            except grpc.RpcError as error:
                mapped = exception_of(error.code(), error.details(), ())
                assert isinstance(mapped, SnapshotNeededError)
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        stub.UpdateCluster(cluster.update, timeout=30)
        stub.UpdateCluster(delta("k1").pod("p").update, timeout=30)


def test_lanes_end_when_the_front_is_killed() -> None:
    server = LanedServer()
    lanes = list(server.lanes().values())
    assert len(lanes) == 2
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.communicate(timeout=30)
    _, alive = psutil.wait_procs(lanes, timeout=20)
    assert alive == []


def test_socket_of_a_lane_is_for_its_user_only(server: LanedServer) -> None:
    for lane in server.lanes().values():
        for connection in lane.net_connections("unix"):
            path = str(connection.laddr)
            if path.startswith("/") and "binwright-" in path:
                assert Path(path).parent.stat().st_mode & 0o077 == 0
                break
        else:
            pytest.fail("no socket of the lane found")


def test_log_lines_of_lanes_name_their_lane() -> None:
    server = LanedServer()
    with Client(server.address, timeout=60) as client:
        client.solve(solve_request(pods=8, deadline_s=30))
    server.process.send_signal(signal.SIGTERM)
    _, log = server.process.communicate(timeout=60)
    lines = [json.loads(line) for line in log.splitlines()]
    calls = [line.get("lane") for line in lines if line["event"] == "call" and line["method"] == "Solve"]
    assert sorted(calls, key=str) == [None, "batch"]
