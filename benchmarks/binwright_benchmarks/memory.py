"""Peak memory of one solve, in a process of its own.

``python -m binwright_benchmarks.memory INSTANCE --seed N --deadline S`` prints it as JSON. The peak is that
of the resident set (``VmHWM`` of Linux); what is resident before the solve (Python, libraries, compiled
kernels, the problem itself) is part of it and told beside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from binwright_optimizer.warmup import warm_up

from binwright_benchmarks.measure import pods_of, solve_timed
from binwright_benchmarks.registry import SharedData, instances

STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MiB, before the solve and at its peak."""

    instance: str
    seed: int
    pods: int
    deadline_s: float
    before_mib: float
    peak_mib: float
    gap: float


def peak_memory(instance: str, seed: int, deadline_s: float) -> Memory:
    """Measured in a fresh process; raises CalledProcessError if that fails."""
    command = [sys.executable, "-m", __name__, instance, "--seed", str(seed), "--deadline", str(deadline_s)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Memory(**json.loads(done.stdout))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure in this process and print JSON."""
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__.split("\n\n")[0])
    parser.add_argument("instance", help="a bundled instance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds")
    options = parser.parse_args(arguments)
    found = instances(options.instance)
    if len(found) != 1:
        parser.error(f"{len(found)} instances are called {options.instance!r}")
    (instance,) = found
    warm_up()
    problem = instance.build(options.seed, SharedData())
    before = _resident_mib("VmRSS")
    answer = solve_timed(problem, options.deadline, options.seed)
    measured = Memory(
        instance=instance.name,
        seed=options.seed,
        pods=pods_of(problem),
        deadline_s=options.deadline,
        before_mib=before,
        peak_mib=_resident_mib("VmHWM"),
        gap=answer.gap,
    )
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")
    return 0


def _resident_mib(name: str) -> float:
    """A figure of this process; ``getrusage`` would count the parent's peak before the start as ours."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return round(int(kib) / 1024, 1)


if __name__ == "__main__":
    raise SystemExit(main())
