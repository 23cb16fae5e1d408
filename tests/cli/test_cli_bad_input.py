"""Wrong options and wrong files: exit code 2, one message that names the place, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from binwright_clients.cli.main import main
from click.testing import CliRunner

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: main
    resources: {requests: {cpu: "1", memory: 1Gi}}
"""
POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpu, annotations: {binwright.dev/min-node: "3"}}
spec: {template: {spec: {requirements: []}}}
"""
TABLE = "name,replicas,cpu_milli,memory_mib\nweb,2,1000,1024\n"
CATALOG = "instance_type,price_usd_h,cpu_milli,memory_mib\nsmall,0.1,4000,8192\n"
SOLVE = ("solve", "-f")

# name of the case: (content of the file, arguments with FILE for its path, words of the message)
CASES: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "no file": ("x", "", ("solve", "-f", "missing.yaml"), ("missing.yaml",)),
    "no -f": ("x", "", ("solve",), ("--filename",)),
    "empty file": ("empty.yaml", "", (*SOLVE, "FILE"), ("empty.yaml",)),
    "truncated json": ("cut.json", '{"kind": "Pod", ', (*SOLVE, "FILE"), ("cut.json",)),
    "unknown field": (
        "field.yaml",
        POD + "  colour: red\n",
        (*SOLVE, "FILE"),
        ("field.yaml", "document 1", "colour"),
    ),
    "misspelt annotation": (
        "pool.yaml",
        POOL,
        (*SOLVE, "EXAMPLE", "--nodepools", "FILE"),
        ("pool.yaml", "document 1 (NodePool gpu)", "binwright.dev/min-node]", "'binwright.dev/min-nodes'"),
    ),
    "table of workloads for NodePools": (
        "pods.csv",
        TABLE,
        (*SOLVE, "FILE", "--nodepools", "FILE"),
        ("pods.csv", "holds no NodePool"),
    ),
    "negative quantity": (
        "minus.yaml",
        POD.replace('"1"', '"-1"'),
        (*SOLVE, "FILE"),
        ("minus.yaml", "cpu", "-1"),
    ),
    "malformed quantity": (
        "bad.yaml",
        POD.replace("1Gi", "1Gb"),
        (*SOLVE, "FILE"),
        ("bad.yaml", "memory", "1Gb"),
    ),
    "overflow": (
        "big.yaml",
        POD.replace("1Gi", "1e99"),
        (*SOLVE, "FILE"),
        ("big.yaml", "memory", "too large"),
    ),
    "duplicate names": (
        "twice.yaml",
        POD + "---\n" + POD,
        (*SOLVE, "FILE"),
        ("twice.yaml", "document 2", "duplicate", "web"),
    ),
    "NaN in a table": ("nan.csv", TABLE.replace("1000", "nan"), (*SOLVE, "FILE"), ("nan.csv", "cpu_milli")),
    "negative replicas": ("neg.csv", TABLE.replace(",2,", ",-2,"), (*SOLVE, "FILE"), ("neg.csv", "replicas")),
    "unknown region": ("t.csv", TABLE, (*SOLVE, "FILE", "--region", "mars-1"), ("--region", "mars-1")),
    "unknown type": (
        "t.csv",
        TABLE,
        (*SOLVE, "FILE", "--instance-types", "zz.*"),
        ("--instance-types", "zz.*"),
    ),
    "unknown catalogue": ("t.csv", TABLE, (*SOLVE, "FILE", "--catalog", "nocloud"), ("nocloud", "aws")),
    "bad catalogue file": (
        "catalog.csv",
        CATALOG.replace("0.1", "cheap"),
        (*SOLVE, "EXAMPLE", "--catalog", "FILE"),
        ("catalog.csv", "price_usd_h", "cheap"),
    ),
    "glob without a match in a catalogue file": (
        "catalog.csv",
        CATALOG,
        (*SOLVE, "EXAMPLE", "--catalog", "FILE", "--exclude", "huge*"),
        ("catalog.csv", "--exclude", "huge*"),
    ),
    "region not in a catalogue file": (
        "catalog.csv",
        CATALOG,
        (*SOLVE, "EXAMPLE", "--catalog", "FILE", "--region", "mars"),
        ("catalog.csv", "--region", "mars"),
    ),
    "zero deadline": ("t.csv", TABLE, (*SOLVE, "FILE", "--deadline", "0s"), ("--deadline", "0s")),
    "gap above one": ("t.csv", TABLE, (*SOLVE, "FILE", "--gap", "150%"), ("--gap", "150%")),
    "NaN gap": ("t.csv", TABLE, (*SOLVE, "FILE", "--gap", "nan"), ("--gap", "nan")),
    "negative seed": ("t.csv", TABLE, (*SOLVE, "FILE", "--seed", "-1"), ("--seed", "-1")),
    "unknown format": ("t.csv", TABLE, (*SOLVE, "FILE", "-o", "xml"), ("xml",)),
    "unknown option": ("t.csv", TABLE, (*SOLVE, "FILE", "--gpus"), ("--gpus",)),
    "TLS without server": ("t.csv", TABLE, (*SOLVE, "FILE", "--tls"), ("--server",)),
    "key without certificate": (
        "key.pem",
        "x",
        (*SOLVE, "EXAMPLE", "--server", "localhost:1", "--tls-key", "FILE"),
        ("--tls-cert",),
    ),
    "save into a missing folder": (
        "t.csv",
        TABLE,
        (*SOLVE, "FILE", "--save-problem", "nowhere/p.json"),
        ("nowhere/p.json",),
    ),
    "verify garbage": ("p.json", "{", ("verify", "FILE", "FILE"), ("p.json", "truncated")),
    "verify a missing file": ("x", "", ("verify", "gone.json", "gone.json"), ("gone.json",)),
    "verify an unknown field": ("p.json", '{"pods": 3}', ("verify", "FILE", "FILE"), ("p.json", "pods")),
    "verify a bad quantity": (
        "p.json",
        '{"status": 1, "workloads": [{"name": "w"}]}',
        ("verify", "FILE", "FILE"),
        ("p.json", "status"),
    ),
    "serve unknown setting": ("s.yaml", "colour: red\n", ("serve", "--config", "FILE"), ("s.yaml", "colour")),
    "serve bad value": ("x", "", ("serve", "--check", "--workers", "many"), ("--workers", "many")),
    "serve bad address": ("x", "", ("serve", "--check", "--address", "nowhere"), ("--address", "nowhere")),
    "catalog unknown type": ("x", "", ("catalog", "show", "g9.huge"), ("TYPE", "g9.huge")),
    "catalog glob to show": ("x", "", ("catalog", "show", "g4dn.*"), ("TYPE", "g4dn.*")),
    "catalog unknown region": ("x", "", ("catalog", "list", "--region", "mars"), ("--region", "mars")),
    "catalog bad quantity": ("x", "", ("catalog", "list", "--min-cpu", "lots"), ("--min-cpu", "lots")),
    "benchmark bad deadline": ("x", "", ("benchmark", "--deadline", "soon"), ("--deadline", "soon")),
    "unknown command": ("x", "", ("slove",), ("slove",)),
}


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("solve", "-f", "t.csv", "--region", "mars-1"), "mars-1"),
        (("solve", "-f", "t.csv", "--instance-types", "zz.*"), "zz.*"),
        (("catalog", "show", "g9.huge"), "g9.huge"),
        (("solve", "-f", "minus.yaml"), "-1"),
    ],
)
def test_a_wrong_value_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TABLE)
    Path("minus.yaml").write_text(POD.replace('"1"', '"-1"'))
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count(f"'{value}'") == 1


@pytest.mark.parametrize("case", CASES)
def test_bad_input_exits_with_2_and_names_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    name, content, arguments, words = CASES[case]
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content)
    Path("example.csv").write_text(TABLE)
    given = [{"FILE": name, "EXAMPLE": "example.csv"}.get(argument, argument) for argument in arguments]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({name, "example.csv"})
