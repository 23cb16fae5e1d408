from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from binwright_clients import sources
from binwright_clients.errors import InputError
from binwright_clients.inputs import read_catalog, read_inputs

TABLE = "name,resource:d\np,1\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n"
JSON_POD = (
    '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}'
)


@pytest.mark.parametrize(
    "text", [TABLE, POD, JSON_POD, '"name",resource:d\np,1\n', gzip.compress(TABLE.encode(), mtime=0)]
)
def test_standard_input_is_recognised_by_its_beginning(
    monkeypatch: pytest.MonkeyPatch, text: str | bytes
) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert read_inputs(["-"]).problem.workloads[0].name == "p"


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pods.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(TABLE,))
    writer.start()
    assert read_inputs([str(pipe)]).problem.workloads[0].name == "p"
    writer.join()


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """It is 1 TiB of nothing: whoever reads it runs out of memory."""
    large = tmp_path / "large.yaml"
    with large.open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(InputError, match=r"large.yaml: is larger than 64 MiB; split it into several files"):
        read_inputs([str(large)])


def test_a_gzip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 2**20)
    bomb = tmp_path / "bomb.csv.gz"
    bomb.write_bytes(gzip.compress(b"x" * 2**22))
    with pytest.raises(InputError, match="is larger than 1 MiB"):
        read_inputs([str(bomb)])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("missing.yaml", "missing.yaml: cannot be read: No such file or directory"),
        ("empty", "empty: the folder holds no .yaml, .yml, .json, .csv, .csv.gz, .parquet file"),
        ("bad\0name", "cannot be read: embedded null byte"),
    ],
)
def test_a_path_that_gives_nothing_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        read_inputs([path])
    assert expected in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_text(TABLE)
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(InputError, match=r"closed: cannot be read: Permission denied"):
        read_inputs([str(tmp_path)])


def test_a_file_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.csv"
    Path(os.fsdecode(name)).write_text("instance_type,price_usd_h,resource:d\na,1,1\n")
    assert read_catalog(os.fsdecode(name)).name == "?.csv"


def test_no_paths_are_nothing_to_place() -> None:
    with pytest.raises(InputError, match="there are no pods to place"):
        read_inputs([])


def test_the_same_file_twice_is_a_mistake(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    with pytest.raises(InputError, match=r"t.csv: the file is given twice"):
        read_inputs([str(tmp_path), str(table)])


def test_mistakes_of_all_files_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,resource:d\np,-1\n")
    (tmp_path / "b.yaml").write_text("x: [")
    (tmp_path / "c.csv").write_text("nom,resource:d\np,1\n")
    with pytest.raises(InputError) as caught:
        read_inputs([str(tmp_path), "missing"])
    files = [Path(problem.file).name for problem in caught.value.problems]
    assert files == ["a.csv", "b.yaml", "c.csv", "missing"]
