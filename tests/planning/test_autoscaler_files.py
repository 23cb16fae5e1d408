"""HorizontalPodAutoscaler manifests, load tables and ``binwright plan replicas``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("kubernetes", reason="manifests are checked against the kubernetes client's schema")

from binwright_clients.cli.main import main
from binwright_clients.errors import InputError
from binwright_clients.forecast.autoscalers import DEFAULT_METRIC, read_autoscalers
from binwright_clients.forecast.loads import read_loads
from binwright_optimizer.model.autoscaling import (
    DEFAULT_SCALE_UP,
    MetricSource,
    PolicyType,
    ScalingPolicy,
    SelectPolicy,
    TargetType,
)
from click.testing import CliRunner

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

HPA = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 10
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
  behavior:
    scaleDown: {tolerance: "0.05", policies: [{type: Pods, value: 2, periodSeconds: 60}]}
"""


def write(tmp_path: Path, text: str, name: str = "hpa.yaml") -> str:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_reference_autoscalers_are_read() -> None:
    found = read_autoscalers(str(EXAMPLES / "autoscalers.yaml"))
    api, llm = found["api-server"], found["llm-inference"]
    assert (api.min_replicas, api.max_replicas) == (10, 100)
    assert [(m.name, m.amount) for m in api.metrics] == [("cpu", 70), ("memory", 80)]
    assert api.behavior is not None
    assert api.behavior.scale_down.policies == (ScalingPolicy(PolicyType.PERCENT, 10, 60),)
    assert (llm.min_replicas, llm.max_replicas, llm.behavior) == (5, 50, None)
    gpu = llm.metrics[1]
    assert (gpu.source, gpu.target, gpu.amount) == (MetricSource.PODS, TargetType.AVERAGE_VALUE, 80_000)


def test_what_a_manifest_leaves_out_is_kubernetes_default(tmp_path: Path) -> None:
    found = read_autoscalers(write(tmp_path, HPA))["web"]
    assert found.min_replicas == 1
    assert found.behavior is not None
    assert found.behavior.scale_up == DEFAULT_SCALE_UP
    down = found.behavior.scale_down
    assert (down.stabilization_window_s, down.select, down.tolerance) == (300, SelectPolicy.MAX, 0.05)
    start, _, rest = HPA.partition("  metrics:\n")
    bare = start + "  behavior:" + rest.partition("  behavior:")[2]
    assert read_autoscalers(write(tmp_path, bare))["web"].metrics == (DEFAULT_METRIC,)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("maxReplicas: 10", "maxReplicas: 0", "spec: web: replicas must satisfy"),
        ("maxReplicas: 10", "minReplicas: 2", "spec.maxReplicas: must be given"),
        ("maxReplicas: 10", "maxReplica: 10", "spec.maxReplica: unknown field; did you mean 'maxReplicas'"),
        ("averageUtilization: 50", "averageUtilization: -5", "must be above zero"),
        ("averageUtilization: 50", "averageValue: 50", "averageUtilization: must be given"),
        ("type: Utilization", "type: Value", "value: must be given for a target of type Value"),
        ("type: Utilization", "type: Utilisation", "must be one of Utilization, Value, AverageValue"),
        ("type: Resource", "type: Pods", "spec.metrics[0].pods: must be given for type Pods"),
        ("value: 2", "value: 0", "policies[0]: the value of a scaling policy must be above zero"),
        ("periodSeconds: 60", "periodSeconds: 7200", "periodSeconds must be in 1..1800"),
        ("kind: Horizontal", "kind: Vertical", "holds no HorizontalPodAutoscaler"),
    ],
)
def test_mistake_in_an_autoscaler_names_its_path(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_autoscalers(write(tmp_path, HPA.replace(old, new)))
    assert message in str(caught.value)
    assert "hpa.yaml" in str(caught.value)


def test_quantities_may_be_numbers(tmp_path: Path) -> None:
    text = HPA.replace("type: Utilization, averageUtilization: 50", "type: AverageValue, averageValue: 2")
    found = read_autoscalers(write(tmp_path, text.replace('"0.05"', "0.05")))["web"]
    assert found.metrics[0].amount == 2_000
    assert found.behavior is not None
    assert found.behavior.scale_down.tolerance == 0.05


def test_same_name_twice_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"document 2: metadata.name: is there twice"):
        read_autoscalers(write(tmp_path, HPA + "---\n" + HPA))


def test_loads_are_read_in_thousandths(tmp_path: Path) -> None:
    text = "seconds,cpu,memory:per-pod\n0,1.5,1Ki\n60,,2Ki\n"
    table = read_loads(write(tmp_path, text, "load.csv"), ["cpu", "memory"])
    assert table.step_s == 60
    assert table.values == ((1500, None), (1_024_000, 2_048_000))
    assert table.is_shared == (True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seconds,mem\n0,1\n60,1\n", "lacks a column for metric 'cpu'"),
        ("seconds,cpu,cpu:per-pod\n0,1,1\n60,1,1\n", "has two columns for metric 'cpu'"),
        ("time,cpu\n0,1\n60,1\n", "lacks the column seconds"),
        (
            "seconds,cpu\n0,1\n60,1\n180,1\n",
            "line 4: seconds: must be 120: the rows are 60 s apart (got '180')",
        ),
        ("seconds,cpu\n60,1\n0,1\n", "seconds: must grow"),
        ("seconds,cpu\n0,-1\n60,1\n", "line 2: cpu: must not be negative"),
        ("seconds,cpu\n0,1\n", "needs at least two rows"),
    ],
)
def test_mistake_in_a_load_names_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_loads(write(tmp_path, text, "load.csv"), ["cpu"])
    assert message in str(caught.value)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["plan", "replicas", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_example_load_drives_the_reference_autoscalers() -> None:
    """At its peak the load is 30 cores: 30 / (0.5 * 0.7) = 86 pods, of which 10 % of tolerance leave 78."""
    files = str(EXAMPLES / "autoscalers.yaml"), str(EXAMPLES / "load.csv")
    code, out, error = run(
        *files, "--name", "api-server", "--request", "cpu=500m", "--request", "memory=768Mi", "-o", "json"
    )
    assert code == 0, error
    series = json.loads(out)
    assert (min(series["last"]), max(series["highest"])) == (23, 78)
    assert len(series["last"]) == 120
    code, out, error = run(*files, "--name", "llm-inference", "--request", "cpu=3")
    assert code == 0, error
    assert "5 to 50 replicas" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "holds several autoscalers: api-server, llm-inference"),
        (["--name", "api-sever"], "did you mean 'api-server'"),
        (["--name", "api-server"], "--request: cpu is needed"),
        (["--name", "llm-inference", "--request", "cpu=x"], "--request: is not a quantity"),
        (["--name", "llm-inference", "--request", "cpu=0"], "--request: must be above zero"),
    ],
)
def test_wrong_options_are_bad_input(arguments: list[str], message: str) -> None:
    code, _, error = run(str(EXAMPLES / "autoscalers.yaml"), str(EXAMPLES / "load.csv"), *arguments)
    assert code == 2
    assert message in error
