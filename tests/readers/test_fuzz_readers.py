"""Whatever the bytes, the readers answer with a message or an InputError, never a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.errors import InputError, InputProblem
from binwright_clients.inputs import read_catalog, read_inputs
from binwright_clients.kubernetes.documents import load_yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = Path(__file__).parents[2] / "examples"
MANIFEST = (EXAMPLES / "web.yaml").read_text()
POOLS = (EXAMPLES / "nodepools.yaml").read_text()
TABLE = (EXAMPLES / "workloads.csv").read_text()
CATALOG = (EXAMPLES / "catalog.csv").read_text()
RULES = (EXAMPLES / "constraints.yaml").read_text()
CLAIMS = (EXAMPLES / "device-claims.yaml").read_text()
DOCUMENTS = [
    document
    for text in (MANIFEST, POOLS, CLAIMS, RULES, RULES)  # twice: it has the most kinds
    for document in load_yaml(text)
    if document is not None
]
RULE_TABLE = (
    "name,replicas,cpu_milli,memory_mib,gpu_count,gpu_milli,gpu_memory_mib,labels,topology_spread,"
    "anti_affinity,max_per_node,gang,gang_min_members,gang_topology,min_on_demand,max_per_spot_pool\n"
    "a,3,100,100,1,500,1024,app=a,zone:1|rack:2,rack,2,ring,3,zone,30%,2\n"
)

fuzzing = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "-1", "1Gi", "NaN", "In", "Always", "default", "\ud7ff", "9" * 100]),
    st.just([]),
    st.just({}),
    st.just([None]),
    st.just([{}]),
    st.just({"x": None}),
    st.just([[[]]]),
    st.just({"kind": "List", "items": [None]}),
)


def answers(path: Path, content: bytes) -> None:
    """Reads content as input and as catalogue; InputError with a place is a good answer."""
    path.write_bytes(content)
    for read in (lambda: read_inputs([str(path)]), lambda: read_catalog(str(path))):
        problems: tuple[InputProblem, ...] = ()
        try:
            read()
        except InputError as error:
            problems = error.problems
        assert all(problem.file == str(path) and str(problem) for problem in problems)


@fuzzing
@given(st.binary(max_size=300), st.sampled_from(["f.yaml", "f.json", "f.csv", "f.csv.gz", "f.txt"]))
def test_random_bytes(tmp_path: Path, content: bytes, name: str) -> None:
    answers(tmp_path / name, content)


@fuzzing
@given(st.text("{}[]:,-&*!|>'\"%@` \n\tab1.?#~<", max_size=80))
def test_random_yaml_punctuation(tmp_path: Path, text: str) -> None:
    answers(tmp_path / "f.yaml", text.encode())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.yaml", MANIFEST),
        ("f.yaml", POOLS),
        ("f.yaml", RULES),
        ("f.yaml", CLAIMS),
        ("f.csv", TABLE),
        ("f.csv", CATALOG),
    ],
)
@settings(parent=fuzzing, max_examples=60)
@given(data=st.data())
def test_valid_files_with_bytes_cut_changed_or_put_in(
    tmp_path: Path, name: str, text: str, data: Any
) -> None:
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        cut = data.draw(st.integers(0, 20))
        content[at : at + cut] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"\n", b": ", b"- ", b",", b'"'])
        )
        content = content or bytearray(b"x")
    answers(tmp_path / name, bytes(content))


@settings(parent=fuzzing, max_examples=400)
@given(data=st.data())
def test_valid_manifests_with_any_value_replaced(tmp_path: Path, data: Any) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    parent: Any = document
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        key = data.draw(st.sampled_from(keys))
        child = parent[key]
        if not isinstance(child, (dict, list)) or not child or data.draw(st.integers(0, 4)) == 0:
            break
        parent = child
    action = data.draw(st.integers(0, 2))
    if action == 0:
        parent[key] = data.draw(JUNK)
    elif action == 1 and isinstance(parent, dict):
        parent[data.draw(st.text(max_size=5))] = parent.pop(key)
    else:
        del parent[key]
    answers(tmp_path / "f.json", json.dumps(document).encode())


@settings(parent=fuzzing, max_examples=300)
@given(data=st.data())
def test_valid_tables_with_any_cell_replaced(tmp_path: Path, data: Any) -> None:
    text = data.draw(st.sampled_from([TABLE, CATALOG, RULE_TABLE]))
    rows = [line.split(",") for line in text.splitlines()]
    row = data.draw(st.sampled_from(rows))
    cell = st.sampled_from(
        ["", "nan", "-1", "1e400", "1e-400", "|", "=", "*", "a=b:c", "9" * 30, "0x1", "٣", "2Ki"]
    )
    row[data.draw(st.integers(0, len(row) - 1))] = data.draw(cell | st.text(max_size=6))
    answers(tmp_path / "f.csv", "\n".join(",".join(cells) for cells in rows).encode("utf-8", "surrogatepass"))
