# ruff: noqa: E501  (one case a line: the cases read as a table)
from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from binwright_clients.inputs import Inputs, read_inputs

Read = Callable[..., Inputs]
Mistakes = Callable[..., str]

ALIBABA = """\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
openb-pod-0000,12000,16384,1,1000,,LS,Running,0,12537496,0
openb-pod-0001,6000,12288,1,460,T4,LS,Running,427061,12902960,427061
openb-pod-0002,8000,30517,0,0,,BE,Pending,11811762,11827364,
openb-pod-0003,4000,8192,8,1000,V100M16|V100M32,LS,Running,1,2,1
"""


def test_a_minimal_table_gives_single_pods(read: Read) -> None:
    problem = read("name,cpu_milli,memory_mib\nweb,500,512\n", "pods.csv").problem
    [workload] = problem.workloads
    assert (workload.name, workload.replicas, workload.kind) == ("web", 1, "")
    assert dict(workload.template.containers[0].requests) == {"cpu": "500m", "memory": "512Mi"}


def test_decimals_round_up_to_milli_cpu_and_bytes(read: Read) -> None:
    [workload] = read("name,cpu_milli,memory_mib\nweb,0.2,0.0000001\n", "pods.csv").problem.workloads
    assert dict(workload.template.containers[0].requests) == {"cpu": "1m", "memory": "1"}


def test_every_optional_column_is_read(read: Read) -> None:
    header = (
        "name,replicas,cpu_milli,memory_mib,gpu_count,gpu_models,arch,zone,capacity_type,priority,"
        "namespace,resource:example.com/fpga,resource:ephemeral-storage,node_selector,tolerations"
    )
    row = "train,3,1000,1024,2,T4;A10G,amd64,a|b,spot,-5,ml,1,10Gi,team=ml|tier=1,team=ml:NoSchedule|x:NoExecute|*"
    [workload] = read(f"{header}\n{row}\n", "pods.csv").problem.workloads
    template = workload.template
    assert (workload.replicas, workload.namespace, template.priority) == (3, "ml", -5)
    assert dict(template.containers[0].requests) == {
        "cpu": "1",
        "memory": "1Gi",
        "nvidia.com/gpu": "2",
        "example.com/fpga": "1",
        "ephemeral-storage": "10Gi",
    }
    assert dict(template.node_selector) == {
        "team": "ml",
        "tier": "1",
        "kubernetes.io/arch": "amd64",
        "karpenter.sh/capacity-type": "spot",
    }
    [term] = template.node_affinity.required
    assert [(r.key, r.operator, list(r.values)) for r in term.match_expressions] == [
        ("binwright.dev/gpu-model", "In", ["a10g", "t4"]),
        ("topology.kubernetes.io/zone", "In", ["a", "b"]),
    ]
    assert [(t.key, t.operator, t.value, t.effect) for t in template.tolerations] == [
        ("team", "Equal", "ml", "NoSchedule"),
        ("x", "Exists", "", "NoExecute"),
        ("", "Exists", "", ""),
    ]


def test_resource_columns_alone_make_a_table(read: Read) -> None:
    workloads = read("name,resource:d1,resource:d2\na,3,0\nb,1,2\n", "items.csv").problem.workloads
    assert [dict(w.template.containers[0].requests) for w in workloads] == [
        {"d1": "3"},
        {"d1": "1", "d2": "2"},
    ]


def test_pods_without_requests_are_best_effort(read: Read) -> None:
    [workload] = read("name,cpu_milli,memory_mib\nidle,0,0\n", "pods.csv").problem.workloads
    assert dict(workload.template.containers[0].requests) == {}


def test_the_alibaba_trace_is_read_as_it_is(read: Read) -> None:
    inputs = read(ALIBABA, "trace.csv")
    gpus = [w.template.containers[0].requests.get("nvidia.com/gpu", "0") for w in inputs.problem.workloads]
    assert gpus == ["1", "1", "0", "8"]
    assert dict(inputs.problem.workloads[1].template.node_selector) == {"binwright.dev/gpu-model": "t4"}
    [term] = inputs.problem.workloads[3].template.node_affinity.required
    assert list(term.match_expressions[0].values) == ["v100-16gb", "v100-32gb"]
    shares = [
        w.template.gpu_share.milli for w in inputs.problem.workloads if w.template.HasField("gpu_share")
    ]
    assert len(shares) == 1
    assert inputs.notes == ()


def test_gzip_byte_order_mark_and_windows_line_ends_are_no_obstacle(read: Read) -> None:
    text = "\ufeffname,cpu_milli,memory_mib\r\nweb,500,512\r\n"
    assert read(gzip.compress(text.encode()), "pods.csv.gz").problem.workloads[0].name == "web"


def test_quoted_cells_and_blank_lines_are_read(read: Read) -> None:
    workloads = read('name,cpu_milli,memory_mib\n\n"a,b",1,1\n\n', "pods.csv").problem.workloads
    assert [w.name for w in workloads] == ["a,b"]


def test_parquet_and_csv_of_the_same_table_give_the_same_message(tmp_path: Path) -> None:
    csv, parquet = tmp_path / "t.csv", tmp_path / "[t]*.parquet"
    csv.write_text(
        "name,replicas,cpu_milli,memory_mib,gpu_models,gpu_count\na,2,500,1.5,,\nb,1,1000,2,T4,1\n"
    )
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_csv('{csv}')) TO '{parquet}' (FORMAT parquet)")
    assert read_inputs([str(parquet)]).problem == read_inputs([str(csv)]).problem


def test_a_complaint_about_a_workload_is_traced_to_its_line(read: Read) -> None:
    inputs = read("name,cpu_milli,memory_mib\na,1,1\nb,1,1\n", "pods.csv")
    assert (
        inputs.locate("workloads[1].template.containers[0]") == "pods.csv, line 3 (b): template.containers[0]"
    )


HEADER = "name,replicas,cpu_milli,memory_mib,gpu_count,gpu_models,zone,capacity_type,priority,resource:d\n"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("web,1,NaN,1,,,,,,", "line 2 (web): cpu_milli: is not a finite decimal number (got 'NaN')"),
        ("web,1,inf,1,,,,,,", "cpu_milli: is not a finite decimal number (got 'inf')"),
        ("web,1,-1,1,,,,,,", "cpu_milli: must not be negative (got '-1')"),
        ("web,1,1e300,1,,,,,,", "cpu_milli: is too large (at most 9007199254740992) (got '1e300')"),
        ("web,1,1e9999,1,,,,,,", "cpu_milli: is not a finite decimal number (got '1e9999')"),
        ("web,1,500m,1,,,,,,", "cpu_milli: is not a finite decimal number (got '500m')"),
        ("web,1,,1,,,,,,", "cpu_milli: must not be empty; write 0 for no request"),
        ("web,1,1,9007199254740993,,,,,,", "memory_mib: is too large (at most 8589934592)"),
        ("web,1.5,1,1,,,,,,", "replicas: must be a whole number (got '1.5')"),
        ("web,-1,1,1,,,,,,", "replicas: must not be negative (got '-1')"),
        ("web,2147483648,1,1,,,,,,", "replicas: is too large (at most 2147483647)"),
        ("web,many,1,1,,,,,,", "replicas: is not a finite decimal number (got 'many')"),
        (",1,1,1,,,,,,", "line 2: name: must not be empty"),
        ("web,1,1,1,0.5,,,,,", "gpu_count: must be a whole number (got '0.5')"),
        ("web,1,1,1,0,T4,,,,", "gpu_models: names GPU models where gpu_count is 0 (got 'T4')"),
        ("web,1,1,1,1,T4||V100,,,,", "gpu_models: has an empty alternative"),
        ("web,1,1,1,,,,prepaid,,", "capacity_type: 'prepaid' is no capacity type; known are on-demand"),
        ("web,1,1,1,,,,,high,", "priority: is not a finite decimal number (got 'high')"),
        ("web,1,1,1,,,,,--5,", "priority: is not a finite decimal number (got '--5')"),
        ("web,1,1,1,,,,,-2147483648,", "priority: is too large (at most 2147483647)"),
        ("web,1,1,1,,,,,,2Q", "resource:d: is not a quantity such as 500m, 2, 1.5Gi or 1e3 (got '2Q')"),
        ("web,1,1,1,,,,,,0.5", "resource:d: must be a whole number"),
        ("web,1,1,1,,,,,", "line 2: the row has 9 cells where the header has 10"),
        (
            "web,1,1,1,,,,,,\nweb,1,1,1,,,,,,",
            "line 3 (web): name: duplicate name: line 2 (web) has it already",
        ),
    ],
)
def test_a_wrong_cell_is_reported_with_line_column_and_value(
    mistakes: Mistakes, row: str, expected: str
) -> None:
    text = mistakes(HEADER + row + "\n", "pods.csv")
    assert text.startswith("pods.csv, line ")
    assert expected in text


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("", "pods.csv: the table is empty"),
        ("\n\n", "pods.csv: the table is empty"),
        ("name,cpu_milli,memory_mib\n", "pods.csv: the table has no rows"),
        ("cpu_milli,memory_mib\n1,1\n", "line 1: the header lacks the column name"),
        ("name,replicas\na,1\n", "line 1: the header lacks the column cpu_milli, memory_mib"),
        (
            "name,cpu_milli,memory_mb\na,1,1\n",
            "line 1: memory_mb: unknown column; did you mean 'memory_mib'?",
        ),
        ("name,cpu_milli,memory_mib,gpus\na,1,1,1\n", "line 1: gpus: unknown column; did you mean"),
        ("name,cpu_milli,memory_mib,name\na,1,1,b\n", "line 1: name: the column is there twice"),
        ("name,cpu_milli,memory_mib,\na,1,1,\n", "line 1: the header has a column without a name"),
        (
            "name,cpu_milli,memory_mib,gpu_count,num_gpu\na,1,1,1,1\n",
            "num_gpu: says the same as column 'gpu_count'",
        ),
        (
            "name,cpu_milli,memory_mib,resource:cpu\na,1,1,1\n",
            "resource:cpu: says the same as column 'cpu_milli'",
        ),
        ("name,resource:\na,1\n", "resource:: names no resource"),
        ("name,resource:pods\na,1\n", "resource:pods: pod slots are counted by the number of pods"),
        (
            "name,cpu_milli,memory_mib,zone,node_selector\na,1,1,a,topology.kubernetes.io/zone=b\n",
            "zone: contradicts the row's node_selector (got 'a')",
        ),
        ("name,resource:d,node_selector\na,1,team\n", "node_selector: must look like key=value|key=value"),
        ("name,resource:d,node_selector\na,1,t=1|t=2\n", "node_selector: gives t two values"),
        (
            "name,resource:d,tolerations\na,1,team:NoScheduling\n",
            "tolerations: must look like key=value:Effect",
        ),
        (
            "name,num_gpu,cpu_milli,memory_mib,gpu_milli\na,0,1,1,500\n",
            "gpu_milli: asks for a share of a GPU",
        ),
        (
            "name,num_gpu,cpu_milli,memory_mib,gpu_milli\na,1,1,1,1500\n",
            "gpu_milli: must be at most 1000, or a multiple of 1000",
        ),
        ('name,cpu_milli,memory_mib\n"a,1,1\n', "is not a CSV table: unexpected end of data"),
    ],
)
def test_a_wrong_table_is_reported(mistakes: Mistakes, table: str, expected: str) -> None:
    assert expected in mistakes(table, "pods.csv")


def test_all_wrong_rows_are_counted_and_the_first_twenty_shown(mistakes: Mistakes) -> None:
    rows = "".join(f"w{n},-1,1\n" for n in range(2000))
    lines = mistakes("name,cpu_milli,memory_mib\n" + rows, "pods.csv").splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 1980 more"


def test_a_parquet_file_that_is_none_is_reported(mistakes: Mistakes) -> None:
    assert "pods.parquet: is not a Parquet table" in mistakes(b"PAR1 but not really", "pods.parquet")


@pytest.mark.parametrize(("row", "count"), [("a,1", 2), ("a,1,1,1", 4)])
def test_a_ragged_row_is_the_only_mistake_of_its_table(
    mistakes: Callable[[str, str], str], row: str, count: int
) -> None:
    text = mistakes(f"name,cpu_milli,memory_mib\n{row}\n", "pods.csv")
    assert text == f"pods.csv, line 2: the row has {count} cells where the header has 3 (got {row!r})"


@pytest.mark.parametrize(
    ("cells", "gpus", "milli"),
    [
        (",500", "1", 500),
        ("1,500", "1", 500),
        ("2,250", "2", 250),
        ("1,1000", "1", None),
        ("1,", "1", None),
        (",1000", "1", None),
        (",3000", "3", None),
        ("3,3000", "3", None),
        ("0,0", None, None),
        (",0", None, None),
    ],
)
def test_gpu_milli_is_a_share_of_each_gpu_or_whole_gpus(
    read: Read, cells: str, gpus: str | None, milli: int | None
) -> None:
    table = f"name,cpu_milli,memory_mib,gpu_count,gpu_milli\na,1,1,{cells}\n"
    [workload] = read(table, "t.csv").problem.workloads
    assert workload.template.containers[0].requests.get("nvidia.com/gpu") == gpus
    assert workload.template.HasField("gpu_share") is (milli is not None)
    assert workload.template.gpu_share.milli == (milli or 0)


def test_gpu_memory_alone_is_a_share_by_memory(read: Read) -> None:
    [workload] = read(
        "name,cpu_milli,memory_mib,gpu_count,gpu_memory_mib\na,1,1,1,4096\n", "t.csv"
    ).problem.workloads
    assert (workload.template.gpu_share.milli, workload.template.gpu_share.memory_bytes) == (0, 4 * 2**30)


RULES = (
    "name,replicas,cpu_milli,memory_mib,labels,topology_spread,anti_affinity,max_per_node,restart_cost_usd"
)


def test_rules_about_the_rows_own_pods(read: Read) -> None:
    table = f"{RULES}\nweb,9,1,1,app=web,zone:1|rack:2:ScheduleAnyway,kubernetes.io/hostname,3,0.05\n"
    [workload] = read(table, "t.csv").problem.workloads
    template = workload.template
    spread = [
        (c.topology_key, c.max_skew, c.when_unsatisfiable) for c in template.topology_spread_constraints
    ]
    assert spread == [("zone", 1, "DoNotSchedule"), ("rack", 2, "ScheduleAnyway")]
    assert template.pod_anti_affinity.required[0].topology_key == "kubernetes.io/hostname"
    assert template.node_caps[0].max_pods == 3
    own = {"app": "web"}
    assert dict(template.labels) == dict(template.node_caps[0].label_selector.match_labels) == own
    assert template.restart_cost_microusd == 50_000


WORKLOAD = (
    "name,replicas,cpu_milli,memory_mib,gang,gang_min_members,gang_topology,min_on_demand,max_per_spot_pool"
)


def test_gang_and_spot_policy_of_a_row(read: Read) -> None:
    table = f"{WORKLOAD}\na,1,1,1,ring,4,zone|rack,,\nb,3,1,1,ring,,,30%,2\n"
    problem = read(table, "t.csv").problem
    [gang] = problem.gangs
    assert (gang.name, gang.min_members, [t.topology_key for t in gang.topology]) == (
        "ring",
        4,
        ["zone", "rack"],
    )
    assert [workload.gang for workload in problem.workloads] == ["ring", "ring"]
    assert not problem.workloads[0].HasField("spot")
    spot = problem.workloads[1].spot
    assert (spot.min_on_demand, spot.max_per_pool) == ("30%", "2")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (f"{RULES}\nweb,9,1,1,,zone:1,,,\n", "topology_spread: needs the column labels"),
        (
            f"{RULES}\nweb,9,1,1,a=b,zone:0,,,\n",
            "line 2 (web): topology_spread: must be at least 1 (got 'zone:0')",
        ),
        (f"{RULES}\nweb,9,1,1,a=b,zone,,,\n", "topology_spread: must look like"),
        (f"{RULES}\nweb,9,1,1,a=b,zone:-1,,,\n", "topology_spread: must look like"),
        (f"{RULES}\nweb,9,1,1,a=b,zone:1:Never,,,\n", "'Never' must be one of DoNotSchedule, ScheduleAnyway"),
        (f"{RULES}\nweb,9,1,1,a=b,zone:1|zone:2,,,\n", "names a key twice"),
        (f"{RULES}\nweb,9,1,1,a=b,,no key,,\n", "anti_affinity: 'no key' is no node label"),
        (f"{RULES}\nweb,9,1,1,a=b,,,0,\n", "max_per_node: must be at least 1: the cap counts the pod itself"),
        (f"{RULES}\nweb,9,1,1,a b=c,,,,\n", "labels: 'a b' is no label key"),
        (f"{RULES}\nweb,9,1,1,a=b,,,,free\n", "restart_cost_usd: is not a price"),
        (f"{WORKLOAD}\na,1,1,1,ring,0,,,\n", "gang_min_members: must be at least 1"),
        (f"{WORKLOAD}\na,1,1,1,,4,,,\n", "gang_min_members: goes with a gang"),
        (
            f"{WORKLOAD}\na,3,1,1,r,2,,,\nb,3,1,1,r,3,,,\n",
            "line 3 (b): gang_min_members: differs from line 2 (a)",
        ),
        (f"{WORKLOAD}\na,3,1,1,r,,z,,\nb,3,1,1,r,,y,,\n", "gang_topology: differs from line 2 (a)"),
        (f"{WORKLOAD}\na,1,1,1,,,,half,\n", "min_on_demand: must be a number of pods"),
        (f"{WORKLOAD}\na,1,1,1,,,,,101%\n", "max_per_spot_pool: must be at most 100%"),
        (
            "name,cpu_milli,memory_mib,gpu_count,gpu_milli\na,1,1,2,3000\n",
            "gpu_milli: contradicts gpu_count, 2",
        ),
        (
            "name,cpu_milli,memory_mib,gpu_memory_mib\na,1,1,1\n",
            "gpu_memory_mib: asks for GPU memory where gpu_count is 0",
        ),
    ],
)
def test_wrong_rules_name_line_column_and_value(mistakes: Mistakes, table: str, expected: str) -> None:
    assert expected in mistakes(table, "t.csv")
