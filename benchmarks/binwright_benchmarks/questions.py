"""Problems from files, read exactly as ``binwright solve`` reads them."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from binwright.v1 import provisioning_service_pb2
from binwright_clients.cli.question import build_question
from binwright_optimizer.model import Problem
from binwright_server.convert import request_to_problem

BUNDLED_TRACE = Path(__file__).parent / "data" / "openb_pod_list_default.csv.gz"
"""The 8,152 pods of the Alibaba GPU trace; see ``data/README.md``."""

REGION = "us-east-1"


class MissingDataError(Exception):
    """An instance needs a file that is not there; the message says which and how to give it."""


def read_problem(
    paths: Sequence[str],
    *,
    nodepools: Sequence[str] = (),
    instance_types: Sequence[str] = (),
    capacity_types: Sequence[str] = (),
) -> Problem:
    """The problem of files on the AWS catalogue in `REGION`; on demand unless said otherwise.

    Raises
    ------
    InputError
        If anything in the files is wrong.
    """
    question = build_question(
        paths,
        nodepools=nodepools,
        catalog="aws",
        regions=(REGION,),
        instance_types=instance_types,
        capacity_types=capacity_types,
    )
    return request_to_problem(question.request)[0]


@lru_cache(maxsize=8)
def trace_problem(
    path: Path = BUNDLED_TRACE,
    instance_types: tuple[str, ...] = (),
    capacity_types: tuple[str, ...] = (),
) -> Problem:
    """A trace file on the AWS catalogue; kept, because many instances are drawn from it.

    Its shares of GPUs count as whole ones, as they do to the rules of other autoscalers.
    """
    return with_whole_gpus(shared_trace_problem(path, instance_types, capacity_types))


@lru_cache(maxsize=8)
def shared_trace_problem(
    path: Path = BUNDLED_TRACE,
    instance_types: tuple[str, ...] = (),
    capacity_types: tuple[str, ...] = (),
) -> Problem:
    """The same with shares of GPUs, which pods pack per device."""
    return read_problem((str(path),), instance_types=instance_types, capacity_types=capacity_types)


def with_whole_gpus(problem: Problem) -> Problem:
    """The same problem, each pod with the GPUs that it shares to itself."""
    whole = {
        id(w.template): replace(w.template, gpu_share=None) if w.template.gpu_share else w.template
        for w in problem.workloads
    }
    return replace(
        problem, workloads=tuple(replace(w, template=whole[id(w.template)]) for w in problem.workloads)
    )


def ask_for_whole_gpus(request: provisioning_service_pb2.SolveRequest) -> None:
    """Make each pod of a request have the GPUs that it shares to itself."""
    for workload in request.problem.workloads:
        workload.template.ClearField("gpu_share")


def table_problem(table: str, nodepools: Sequence[str] = ()) -> Problem:
    """The problem of a workload table given as CSV text; raises InputError as `read_problem` does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workloads.csv"
        path.write_text(table, encoding="utf-8")
        return read_problem((str(path),), nodepools=nodepools)


def with_workloads(problem: Problem, indices: Sequence[int]) -> Problem:
    """The same problem with some of the workloads only, in their order."""
    return replace(problem, workloads=tuple(problem.workloads[w] for w in sorted(indices)))


def trace_rows(path: Path = BUNDLED_TRACE) -> list[dict[str, str]]:
    """Rows of a trace file in the order of arrival, ties by name, without shares of GPUs."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [
            {key: cell for key, cell in row.items() if key != "gpu_milli"} for row in csv.DictReader(file)
        ]
    return sorted(rows, key=lambda row: (int(row["creation_time"]), row["name"]))


def as_table(rows: Sequence[Mapping[str, object]]) -> str:
    """CSV text of rows that all have the keys of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def reference_node_pools() -> str:
    """Path of the five reference node pools in the checkout.

    Raises
    ------
    MissingDataError
        If this is an installed package without the checkout around it.
    """
    path = Path(__file__).parents[2] / "examples" / "nodepools.yaml"
    if not path.is_file():
        raise MissingDataError("examples/nodepools.yaml is only in a checkout of the repository")
    return str(path)
