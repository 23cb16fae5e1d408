"""What a baseline buys, and a decision of it that the independent checker can read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from binwright_optimizer.accelerators import accelerator_uses
from binwright_optimizer.explain import explain
from binwright_optimizer.extract import extract
from binwright_optimizer.model import Certificate, Decision, SolutionStatus, StopReason
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.packing import Packing
from binwright_optimizer.unenforced import WAIVED
from binwright_optimizer.verify import check_placement
from numpy.typing import NDArray

from binwright_benchmarks.baselines.market import Market

__all__ = ["BaselineResult", "BrokenBaselineError", "Filled", "result_of"]


class BrokenBaselineError(Exception):
    """A baseline broke a rule of the problem: a bug of ours, never a result."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Nodes with their pods, in the order in which they were opened.

    Parameters
    ----------
    candidates
        int64 array (n,): what each node is.
    patterns
        int32 array (n, i): pods of each class on it.
    """

    candidates: NDArray[np.int64]
    patterns: NDArray[np.int32]

    def __add__(self, other: Filled) -> Filled:
        return Filled(
            np.concatenate([self.candidates, other.candidates]),
            np.concatenate([self.patterns, other.patterns]),
        )


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """The answer of one rule.

    Parameters
    ----------
    cost_microusd_per_hour
        Sum of the prices of the nodes bought.
    nodes
        Nodes bought.
    pods_unplaced
        Pods that the rule left out, those that fit nothing included.
    """

    name: str
    cost_microusd_per_hour: int
    nodes: int
    pods_placed: int
    pods_unplaced: int
    market: Market
    filled: Filled

    def decision(self) -> Decision:
        """The answer in the terms of the problem, without a bound."""
        instance = self.market.instance
        packing = _packing(self.market, self.filled)
        placed = extract(instance, packing)
        status = SolutionStatus.PARTIAL if self.pods_unplaced else SolutionStatus.COMPLETE
        return Decision(
            status=status if self.pods_placed else SolutionStatus.NONE,
            stop_reason=StopReason.EXHAUSTED,
            cost_microusd_per_hour=packing.cost,
            bound_microusd_per_hour=0,
            node_claims=placed.node_claims,
            existing_placements=placed.existing,
            unschedulable=explain(instance, placed.left_out),
            certificate=Certificate(0, (0,) * len(instance.problem.workloads)),
            accelerators=accelerator_uses(instance.problem, placed.node_claims),
        )

    def checked(self) -> BaselineResult:
        """Itself, once the independent checker has found nothing wrong.

        Raises
        ------
        BrokenBaselineError
            With the first of its findings.
        """
        # Which of the pods that are alike get the places that it finds is no matter of what a rule buys.
        waived = WAIVED | {Rule.PRIORITIES}
        findings = check_placement(self.market.instance.problem, self.decision(), waived)
        if findings:
            raise BrokenBaselineError(f"{self.name}: {findings[0]} ({len(findings)} findings)")
        return self


def result_of(name: str, market: Market, filled: Filled) -> BaselineResult:
    """Count what a rule bought and placed."""
    replicas = sum(w.replicas for w in market.instance.problem.workloads)
    placed = int(filled.patterns.sum())
    return BaselineResult(
        name=name,
        cost_microusd_per_hour=int(market.instance.price[filled.candidates].sum()),
        nodes=int((filled.candidates < market.n_bought).sum()),
        pods_placed=placed,
        pods_unplaced=replicas - placed,
        market=market,
        filled=filled,
    )


def _packing(market: Market, filled: Filled) -> Packing:
    """Nodes of one pattern counted together."""
    table = np.column_stack([filled.candidates, filled.patterns]).astype(np.int64)
    distinct, counts = np.unique(table, axis=0, return_counts=True)
    return Packing.of(
        market.instance,
        distinct[:, 0].astype(np.intp),
        counts.astype(np.int64),
        np.ascontiguousarray(distinct[:, 1:].astype(np.int32)),
    )
