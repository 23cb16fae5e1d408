"""Warming up leaves nothing to compile for the first question."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOLVES = """
from pathlib import Path
from builders import existing_node, instance_type, node_pool, pod, problem
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.warmup import warm_up

def compiled():
    return {path.name for path in Path(CACHE).rglob("*.nbc")}

warm_up()
before = compiled()
types = [
    instance_type("small", cpu=4, memory_gib=16, price=0.11),
    instance_type("big", cpu=15, memory_gib=30, price=0.4),
]
pods = [pod(f"p{i}", cpu=0.3 + 0.37 * i, memory_gib=1 + 0.83 * i, replicas=7) for i in range(9)]
for pools, nodes in (
    (None, ()),
    ([node_pool(min_nodes=2, max_nodes=9)], ()),
    ([node_pool(limits={"cpu": 20_000})], [existing_node("old", cpu=3, memory_gib=8)]),
):
    solve(problem(pods, types, pools, existing=nodes), SolveParams(deadline_s=5.0))
print(sorted(compiled() - before))
"""


@pytest.mark.slow
def test_no_kernel_is_compiled_after_warming_up(tmp_path: Path) -> None:
    """With an empty cache of its own, every compiled file is there before the first solve."""
    script = SOLVES.replace("CACHE", repr(str(tmp_path)))
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env={
            **os.environ,
            "NUMBA_CACHE_DIR": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == "[]"


def test_a_warm_process_has_cp_sat_loaded() -> None:
    """Half a second that the first proof by whole nodes would otherwise take beyond its deadline."""
    script = (
        "import sys; from binwright_optimizer.warmup import warm_up; warm_up(); "
        "print('ortools.sat.python.cp_model' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    assert finished.stdout.strip() == "True"
