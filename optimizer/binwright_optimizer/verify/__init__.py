"""The independent checker: every decision passes it before it leaves the process.

It imports the domain model and shares no code with the solver, so that a mistake would have to
be made twice to go unnoticed. Read `placement` for room, labels and limits, `constraints` for the
rules between pods, `statement` for what a decision says about itself, and `bound` for the proof of the
lower bound, with `market`, `options`, `purchase` and `knapsack` below it, and `whole_choice` where prices
are not enough.
"""

from __future__ import annotations

from collections.abc import Iterator

from binwright_optimizer.model import Decision, PodRange, Problem
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.unenforced import WAIVED
from binwright_optimizer.verify import whole_choice, whole_split
from binwright_optimizer.verify.bound import prove_bound
from binwright_optimizer.verify.knapsacks import compile_kernels
from binwright_optimizer.verify.market import market
from binwright_optimizer.verify.placement import check_placement
from binwright_optimizer.verify.rulebook import rulebook, stated_rules
from binwright_optimizer.verify.statement import check_statement

__all__ = ["check_placement", "check_statement", "placed_pods", "prepare", "prove_bound", "verify", "warm_up"]

PROOF_TIME_S = 20.0
"""Longest time `verify` spends on the proof, by the clock and in CP-SAT's own count of work: well above what
the solver spends on it, so that a slow moment does not refuse a sound decision."""


def verify(problem: Problem, decision: Decision, waived: frozenset[Rule] = WAIVED) -> tuple[str, ...]:
    """Everything that is wrong with a decision; empty if it may leave.

    Placement, cost, status and stop reason are checked, and the certificate must prove the bound.
    Rules that are ``waived`` are not looked at: by default those that decisions say they do not hold.
    """
    findings = (*check_placement(problem, decision, waived), *check_statement(decision))
    if any(not 0 <= pods.workload < len(problem.workloads) for pods in _placed_ranges(decision)):
        return findings  # already among them; there is no demand to prove a bound for
    stated = decision.bound_microusd_per_hour
    proven = proven_of(problem, decision)
    if proven < stated:
        return (*findings, f"the certificate proves a bound of {proven}, {stated} is stated")
    return findings


def proven_of(problem: Problem, decision: Decision) -> int:
    """Micro-dollars per hour that a decision's certificate proves, up to the bound that it states."""
    return prove_bound(
        problem,
        decision.certificate,
        placed_pods(problem, decision),
        time_limit_s=PROOF_TIME_S,
        goal=decision.bound_microusd_per_hour,
        counted_s=PROOF_TIME_S,
    )


def prepare(problem: Problem) -> None:
    """Read a problem's market and rules, which are kept, so that a later proof has its time to itself."""
    market(problem)
    if stated_rules(problem) - WAIVED - {Rule.PRIORITIES}:  # those are looked at where pods are left out
        rulebook(problem)


def placed_pods(problem: Problem, decision: Decision) -> list[int]:
    """Number of pods of each workload that are placed, on bought or existing nodes."""
    placed = [0] * len(problem.workloads)
    for pods in _placed_ranges(decision):
        placed[pods.workload] += pods.count
    return placed


def _placed_ranges(decision: Decision) -> Iterator[PodRange]:
    for claim in decision.node_claims:
        yield from claim.pods
    for placement in decision.existing_placements:
        yield from placement.pods


def warm_up() -> None:
    """Compile the kernels, or load them from numba's cache, and load CP-SAT."""
    compile_kernels()
    whole_split.compile_kernels()
    whole_choice.load()
