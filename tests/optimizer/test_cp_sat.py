"""CP-SAT finds nothing cheaper: a second opinion on problems that are too large to try everything.

Its model has a variable for each node that might be bought and for the pods of each workload on it, and
shares nothing with the engine: neither patterns nor prices nor the order in which anything is tried. The
checker asks CP-SAT as well (`verify.whole_choice`), but about patterns: an error of CP-SAT itself is looked
for by enumeration, in `test_whole_choice`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from binwright_optimizer.model import LabelSelector, NodeCap, Problem, StopReason
from binwright_optimizer.model.labels import INSTANCE_TYPE
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import instance_type, node_pool, pod, problem, requires
from ortools.sat.python import cp_model

TAINT = "gpu=only:NoSchedule"
MOST_NODES = 20
"""Nodes of a type that the model may buy."""


@dataclass(frozen=True)
class Kind:
    """A workload or an instance type: milli-CPU, MiB, GPUs; pods or micro-dollars; most pods a node."""

    cpu: int
    memory: int
    gpu: int
    amount: int
    cap: int = 99


@dataclass(frozen=True)
class Question:
    """Types are sold by a pool with a limit on CPU, by one without, or, with GPUs, by one with a taint."""

    workloads: tuple[Kind, ...]
    types: tuple[Kind, ...]
    limited: frozenset[int]
    most_cpu: int


def question(seed: int) -> Question:
    """Eight workloads of up to five pods, some with a GPU, some spread thin; six types."""
    rng = random.Random(seed)
    workloads = tuple(
        Kind(
            cpu=250 * rng.randint(1, 20),
            memory=256 * rng.randint(1, 40),
            gpu=int(rng.random() < 0.25),
            amount=rng.randint(1, 5),
            cap=rng.choice([1, 2, 99]),
        )
        for _ in range(8)
    )
    types = tuple(
        Kind(
            cpu=1000 * cpu,
            memory=1024 * memory,
            gpu=gpu,
            amount=int((30_000 * cpu + 4_000 * memory + 300_000 * gpu) * rng.uniform(0.8, 1.2)),
        )
        for cpu, memory, gpu in ((4, 8, 0), (4, 32, 0), (8, 16, 0), (16, 64, 0), (8, 32, 1), (32, 96, 4))
    )
    return Question(workloads, types, frozenset(rng.sample(range(3), 2)), 1000 * rng.choice([4, 8, 12]))


def as_problem(asked: Question) -> Problem:
    """What the engine is asked."""
    pods = []
    for n, kind in enumerate(asked.workloads):
        plain = pod(
            f"w{n}",
            kind.cpu / 1000,
            kind.memory / 1024,
            kind.gpu,
            replicas=kind.amount,
            tolerations=[TAINT] if kind.gpu else [],
        )
        cap = NodeCap(LabelSelector.of_labels({"app": plain.name}), kind.cap)
        template = replace(plain.template, labels=(("app", plain.name),), node_caps=(cap,))
        pods.append(replace(plain, template=template))
    types = [
        instance_type(f"t{n}", kind.cpu / 1000, kind.memory / 1024, kind.gpu, price=kind.amount / 1e6)
        for n, kind in enumerate(asked.types)
    ]

    def sells(chosen: set[int]) -> object:
        return requires(INSTANCE_TYPE, "In", *(f"t{n}" for n in sorted(chosen)))

    with_gpus = {n for n, kind in enumerate(asked.types) if kind.gpu}
    others = set(range(len(types))) - with_gpus - asked.limited
    pools = [
        node_pool("limited", sells(set(asked.limited)), limits={"cpu": asked.most_cpu}),
        node_pool("open", sells(others)),
        node_pool("gpus", sells(with_gpus), taints=[TAINT]),
    ]
    return problem(pods, types, pools)


def cheapest(asked: Question) -> int:
    """Micro-dollars an hour of the cheapest nodes that hold all pods, as CP-SAT proves them."""
    model = cp_model.CpModel()
    nodes, limited_cpu, held = [], [], [[] for _ in asked.workloads]
    for t, kind in enumerate(asked.types):
        before = None
        for _ in range(MOST_NODES):
            is_bought = model.new_bool_var("")
            if before is not None:
                model.add_implication(is_bought, before)  # equal nodes are bought in one order
            before = is_bought
            nodes.append(kind.amount * is_bought)
            if t in asked.limited:
                limited_cpu.append(kind.cpu * is_bought)
            pods = [
                model.new_int_var(0, min(w.amount, w.cap) if bool(kind.gpu) <= bool(w.gpu) else 0, "")
                for w in asked.workloads
            ]
            for resource in ("cpu", "memory", "gpu"):
                used = [getattr(w, resource) * p for w, p in zip(asked.workloads, pods, strict=True)]
                model.add(sum(used) <= getattr(kind, resource) * is_bought)
            for mine, p in zip(held, pods, strict=True):
                mine.append(p)
    for w, mine in zip(asked.workloads, held, strict=True):
        model.add(sum(mine) == w.amount)
    model.add(sum(limited_cpu) <= asked.most_cpu)
    model.minimize(sum(nodes))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 2
    solver.parameters.max_time_in_seconds = 120
    assert solver.solve(model) == cp_model.OPTIMAL
    return round(solver.objective_value)


@pytest.mark.parametrize("seed", range(40))
def test_cp_sat_finds_nothing_cheaper_and_the_bound_is_met(seed: int) -> None:
    asked = question(seed)
    least = cheapest(asked)
    stated = as_problem(asked)
    decision = solve(stated, SolveParams(deadline_s=20.0))
    assert verify(stated, decision) == ()
    assert decision.bound_microusd_per_hour <= least
    assert decision.cost_microusd_per_hour == least
    assert decision.stop_reason is StopReason.OPTIMAL
