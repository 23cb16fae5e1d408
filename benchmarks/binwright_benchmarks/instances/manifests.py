"""Requests of real workloads, read from public Kubernetes manifests."""

from __future__ import annotations

import csv
import gzip

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import PodTemplate, Problem, Resources, Workload
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, IMPLICIT_NODE_POOL, with_defaults
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU

from binwright_benchmarks.questions import REGION
from binwright_benchmarks.registry import SharedData, register

FILE = "traces/k8s_manifest_requests.csv.gz"
COPIES = 20
"""Replicas per replica of the manifest: as a demonstration ships them, most have only one."""


@register("manifests", f"workloads of public manifests, {COPIES} times each; AWS {REGION} on demand")
def manifests(_seed: int, data: SharedData) -> Problem:
    """Requests only: selectors and affinities name labels of their authors' clusters."""
    with gzip.open(data.file(FILE), "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    workloads = []
    for number, row in enumerate(rows):
        amounts = {
            CPU: round(float(row["cpu_request_milli"] or 0)),
            MEMORY: round(float(row["memory_request_mib"] or 0) * 2**20),
            row["gpu_resource"] or NVIDIA_GPU: int(row["gpu_request"] or 0),
        }
        template = with_defaults(PodTemplate(Resources.of(amounts)), EMBEDDED_CATALOG_DEFAULTS)
        workloads.append(
            Workload(
                f"{row['name']}-{number}", template, COPIES * int(row["replicas"] or 1), kind=row["kind"]
            )
        )
    return Problem(tuple(workloads), (IMPLICIT_NODE_POOL,), embedded_catalog("aws", (REGION,)))
