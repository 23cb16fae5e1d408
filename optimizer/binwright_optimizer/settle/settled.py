"""An answer with what it costs in all: dollars, interruptions, and wishes that pods go without."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.extract import Placed
from binwright_optimizer.model import Problem
from binwright_optimizer.penalties import interruption_cost, penalties_of
from binwright_optimizer.pod_wishes import PodWishes


@dataclass(frozen=True, slots=True)
class Settled:
    """Names for a packing whose pods and nodes may have moved, and its nodes' cost, micro-dollars an hour."""

    placed: Placed
    cost: int

    def total(self, problem: Problem, wishes: PodWishes | None) -> int:
        """What is minimised, micro-dollars per hour; without wishes between pods if None are given."""
        placed = self.placed
        penalties = penalties_of(problem, placed.node_claims, placed.existing, wishes)
        interruptions = interruption_cost(problem, placed.node_claims, placed.existing)
        return self.cost + interruptions + sum(penalty.microusd_per_hour for penalty in penalties)
