"""``binwright solve`` around the solver, which a stand-in replaces here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from binwright.v1 import catalog_pb2, catalog_service_pb2, decision_pb2, provisioning_service_pb2
from binwright_clients.cli import solve as solve_module
from binwright_clients.cli.connection import Connection
from binwright_clients.cli.files import read_decision, read_request
from binwright_clients.cli.main import main
from binwright_clients.errors import InputError
from binwright_optimizer.errors import BinwrightError, InvalidProblemError
from click.testing import CliRunner, Result
from handmade_decisions import add_claims, mixed_decision

TABLE = "name,replicas,cpu_milli,memory_mib\nweb,2,1000,1024\n"


class StandIn:
    """An engine that gives the same decision to every request and remembers the last one."""

    can_cancel = True

    def __init__(self, decision: decision_pb2.Decision, error: Exception | None = None) -> None:
        self.decision = decision
        self.error = error
        self.request = provisioning_service_pb2.SolveRequest()

    def solve(
        self,
        request: provisioning_service_pb2.SolveRequest,
        on_progress: Callable[[decision_pb2.Progress], None],
        _cancel: threading.Event,
    ) -> decision_pb2.Decision:
        self.request = request
        on_progress(decision_pb2.Progress(phase="columns", hourly_cost_usd=2.0))
        if self.error is not None:
            raise self.error
        return self.decision

    def list_instance_types(
        self, _request: catalog_service_pb2.ListInstanceTypesRequest
    ) -> list[catalog_pb2.InstanceType]:
        sold = catalog_pb2.InstanceType(name="c5.2xlarge")
        offering = sold.offerings.add(region="us-east-1", zone="us-east-1a", capacity_type="spot")
        offering.price_source.name = "Spot table"
        return [sold]


Run = Callable[..., tuple[Result, StandIn]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``solve -f pods.csv`` with more arguments against a stand-in."""
    monkeypatch.chdir(tmp_path)
    Path("pods.csv").write_text(TABLE)

    def invoke(*arguments: str, engine: StandIn | None = None) -> tuple[Result, StandIn]:
        used = engine or StandIn(mixed_decision())

        @contextmanager
        def open_stand_in(_connection: Connection | None) -> Iterator[StandIn]:
            yield used

        monkeypatch.setattr(solve_module, "open_engine", open_stand_in)
        return CliRunner().invoke(main, ["solve", "-f", "pods.csv", *arguments]), used

    return invoke


def test_json_is_alone_on_standard_output_with_the_promised_keys(run: Run) -> None:
    result, _ = run("-o", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    promised = {"hourly_cost_usd", "lower_bound_usd", "gap", "stop_reason", "node_claims"}
    assert promised | {"unschedulable_pods"} <= set(document)
    assert "6 pods unschedulable" in result.stderr


def test_empty_lists_stay_in_the_json(run: Run) -> None:
    empty = decision_pb2.Decision(status=decision_pb2.SOLUTION_STATUS_COMPLETE)
    result, _ = run("-o", "json", engine=StandIn(empty))
    document = json.loads(result.stdout)
    assert document["node_claims"] == []
    assert document["unschedulable_pods"] == []
    assert document["gap"] == 0.0


def test_yaml_says_the_same_as_json(run: Run) -> None:
    as_yaml, as_json = run("-o", "yaml")[0], run("-o", "json")[0]
    assert yaml.safe_load(as_yaml.stdout) == json.loads(as_json.stdout)


def test_the_table_says_which_catalogue_was_assumed_and_where_prices_come_from(run: Run) -> None:
    result, _ = run()
    assert "catalogue aws, us-east-1 (default" in result.stdout
    assert "Spot table" in result.stdout
    assert result.stderr == ""


def test_notes_go_to_standard_error_unless_quiet(run: Run) -> None:
    assert "catalogue aws" in run("-o", "json")[0].stderr
    assert run("-o", "json", "--quiet")[0].stderr == ""


@pytest.mark.parametrize(
    ("cloud", "region"), [("aws", "us-east-1"), ("gcp", "us-central1"), ("azure", "eastus")]
)
def test_each_cloud_has_its_default_region(run: Run, cloud: str, region: str) -> None:
    _, engine = run("--catalog", cloud)
    assert engine.request.problem.catalog.embedded == catalog_pb2.EmbeddedCatalog(
        cloud=cloud, regions=[region]
    )


def test_options_reach_the_request(run: Run) -> None:
    _, engine = run(
        *(
            "--region",
            "eu-west-1",
            "--region",
            "eu-west-2",
            "--instance-types",
            "c5.*",
            "--exclude",
            "*metal",
        ),
        *("--deadline", "1500ms", "--gap", "0.5%", "--seed", "7", "--capacity-type", "spot"),
        *("--work-limit", "2000000"),
    )
    embedded, params = engine.request.problem.catalog.embedded, engine.request.params
    assert list(embedded.regions) == ["eu-west-1", "eu-west-2"]
    assert list(embedded.instance_types) == ["c5.*"]
    assert list(embedded.exclude) == ["*metal"]
    assert (params.deadline.seconds, params.deadline.nanos) == (1, 500_000_000)
    assert (params.gap, params.seed, list(params.capacity_types)) == (0.005, 7, ["spot"])
    assert params.work_limit == 2_000_000


def test_prices_of_wishes_and_restarts_reach_the_request(run: Run) -> None:
    policies = run("--preference-price", "0.0002", "--restart-cost", "1.5")[1].request.problem.policies
    assert (policies.microusd_per_weight_hour, policies.restart_cost_microusd) == (200, 1_500_000)
    assert run("--preference-price", "0")[1].request.problem.policies.HasField("microusd_per_weight_hour")
    assert not run()[1].request.problem.HasField("policies")


def test_a_gap_that_is_not_given_is_left_to_the_solver_and_a_zero_is_not(run: Run) -> None:
    assert not run()[1].request.params.HasField("gap")
    assert run("--gap", "0")[1].request.params.HasField("gap")


def test_any_capacity_type_means_all_of_them(run: Run) -> None:
    _, engine = run("--capacity-type", "any")
    assert list(engine.request.params.capacity_types) == ["on-demand", "spot", "reserved"]


def test_a_catalogue_file_is_sent_with_the_request_and_narrowed_by_globs(run: Run) -> None:
    Path("catalog.csv").write_text(
        "instance_type,price_usd_h,cpu_milli,memory_mib\nsmall,0.1,4000,8192\nlarge,0.3,16000,65536\n"
    )
    _, engine = run("--catalog", "catalog.csv", "--exclude", "LARGE")
    assert [sold.name for sold in engine.request.problem.catalog.inline.instance_types] == ["small"]


def test_problem_and_decision_are_saved_whole(run: Run) -> None:
    result, engine = run("--save-problem", "p.json", "--save-decision", "d.pb")
    assert result.exit_code == 0
    assert read_request(Path("p.json")) == engine.request
    assert read_decision(Path("d.pb")) == mixed_decision()


def test_a_decision_that_cannot_be_saved_is_still_printed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(path: Path, _message: object) -> None:
        raise InputError.of(str(path), "cannot be written: No space left on device")

    monkeypatch.setattr(solve_module, "write_message", full_disk)
    result, _ = run("-o", "json", "--save-decision", "d.json")
    assert result.exit_code == 2
    assert len(json.loads(result.stdout)["node_claims"]) == 55
    assert "d.json: cannot be written" in result.stderr


def test_a_server_lost_after_the_solve_costs_the_price_sources_only(run: Run) -> None:
    class Forgetful(StandIn):
        def list_instance_types(
            self, _request: catalog_service_pb2.ListInstanceTypesRequest
        ) -> list[catalog_pb2.InstanceType]:
            raise BinwrightError("connection lost")

    result, _ = run(engine=Forgetful(mixed_decision()))
    assert result.exit_code == 0
    assert "sources of the prices are unknown: connection lost" in result.stdout


def test_unschedulable_pods_fail_only_when_asked(run: Run) -> None:
    assert run()[0].exit_code == 0
    assert run("--fail-unschedulable")[0].exit_code == 3
    assert json.loads(run("--fail-unschedulable", "-o", "json")[0].stdout)["unschedulable_pods"]


def test_all_pods_placed_is_never_a_failure(run: Run) -> None:
    decision = decision_pb2.Decision(status=decision_pb2.SOLUTION_STATUS_COMPLETE)
    add_claims(decision, "default", "c5.2xlarge", 340_000)
    assert run("--fail-unschedulable", engine=StandIn(decision))[0].exit_code == 0


def test_karpenter_output_is_one_manifest_per_node(run: Run) -> None:
    result, _ = run("-o", "karpenter")
    manifests = list(yaml.safe_load_all(result.stdout))
    assert [manifest["kind"] for manifest in manifests] == ["NodeClaim"] * 55


def test_karpenter_output_names_the_node_class_of_the_node_pool(run: Run) -> None:
    Path("pools.yaml").write_text(
        textwrap.dedent(
            """\
            apiVersion: karpenter.sh/v1
            kind: NodePool
            metadata: {name: gpu-compute}
            spec:
              template:
                spec:
                  nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: accelerated}
                  requirements: []
                  taints: [{key: workload, value: gpu, effect: NoSchedule}]
            """
        )
    )
    result, _ = run("-o", "karpenter", "--nodepools", "pools.yaml")
    first = next(yaml.safe_load_all(result.stdout))
    assert first["spec"]["nodeClassRef"]["name"] == "accelerated"
    assert first["spec"]["taints"] == [{"key": "workload", "value": "gpu", "effect": "NoSchedule"}]


def test_a_violation_names_the_place_in_the_file(run: Run) -> None:
    error = InvalidProblemError.of("workloads[0].template.node_selector", "x", "is wrong")
    result, _ = run(engine=StandIn(mixed_decision(), error))
    assert result.exit_code == 2
    assert "pods.csv, line 2" in result.stderr
    assert "is wrong" in result.stderr


def test_a_violation_of_a_parameter_names_the_option(run: Run) -> None:
    error = InvalidProblemError.of("catalog.embedded.regions[0]", "mars", "is no region")
    result, _ = run(engine=StandIn(mixed_decision(), error))
    assert "Error: --region: is no region (got 'mars')" in result.stderr


def test_an_error_nobody_foresaw_is_one_message_and_exit_1(run: Run) -> None:
    result, _ = run(engine=StandIn(mixed_decision(), ZeroDivisionError("oops")))
    assert result.exit_code == 1
    assert "internal error: ZeroDivisionError: oops" in result.stderr
    assert "Traceback" not in result.output


def test_an_unreachable_server_is_a_failure_of_ours(run: Run, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["solve", "-f", "pods.csv", "--server", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.stderr


SLOW_SOLVER = """
import sys
from contextlib import contextmanager
from binwright.v1 import decision_pb2
from binwright_clients.cli import solve
from binwright_clients.cli.main import main

class Slow:
    can_cancel = {can_cancel}
    def solve(self, request, on_progress, cancel):
        on_progress(decision_pb2.Progress(phase="columns", hourly_cost_usd=2.0))
        print("started", file=sys.stderr, flush=True)
        cancel.wait() if {stops} else __import__("time").sleep(60)
        return decision_pb2.Decision(status=1, stop_reason=decision_pb2.STOP_REASON_CANCELLED)
    def list_instance_types(self, request):
        return []

@contextmanager
def open_slow(connection):
    yield Slow()

solve.open_engine = open_slow
main(prog_name="binwright")
"""


def start_slow(tmp_path: Path, *, stops: bool = True, can_cancel: bool = True) -> subprocess.Popen[str]:
    (tmp_path / "pods.csv").write_text(TABLE)
    script = SLOW_SOLVER.format(stops=stops, can_cancel=can_cancel)
    process = subprocess.Popen(
        [sys.executable, "-c", script, "solve", "-f", "pods.csv", "-o", "json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "started" not in process.stderr.readline():
        assert process.poll() is None, "the solve never began"
    return process


def test_the_first_interrupt_prints_the_best_so_far(tmp_path: Path) -> None:
    process = start_slow(tmp_path)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(stdout)["stop_reason"] == "STOP_REASON_CANCELLED"
    assert "the best decision so far follows" in stderr


def test_the_second_interrupt_quits_with_130(tmp_path: Path) -> None:
    process = start_slow(tmp_path, stops=False)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "stopping" not in process.stderr.readline():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr


def test_an_interrupted_server_call_quits_with_130_and_says_how_far_it_was(tmp_path: Path) -> None:
    process = start_slow(tmp_path, can_cancel=False)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stdout == ""
    assert "interrupted at: columns  $2.0000/h" in stderr
