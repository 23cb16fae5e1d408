"""Worked cases: what is asked, and the answer as a person finds it on paper.

Each case is put to brute force first, so that the answer on paper is known to be right, and then to the
engine. While `unenforced` still names a rule that the case states, decisions say so in a warning, and the
case is an expected failure; once that line is gone, the engine has to give the answer on paper.

The bound that its certificate proves has to be the cost, so that the verifier knows the rule as well as the
search does. Where no prices prove that much, the case says what is unproven; once it is proven, it may not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import pytest
from binwright_optimizer.model import Decision, Problem, SolutionStatus
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.unenforced import WAIVED, unenforced
from binwright_optimizer.verify import verify
from binwright_optimizer.verify.rulebook import stated_rules
from brute_force import Node, Placement, Pod, charges, cheapest, paid
from builders import microusd
from decisions import findings, placement_of, stated

PARAMS = SolveParams(deadline_s=60.0, gap=0.0)


class Unproven(Enum):
    """Why no certificate proves the cost of some cases. Each makes the bound lower, never wrong."""

    WISHES = "wishes between pods are weighed after the search, and nobody prices them"
    ONE = "prices add up over domains: that one of them has to hold all pods is not known to them"
    MIXED = "counts of a spread are of pods that all state it; what others add to a domain is not known"
    FOLLOW = "where a pod starts a domain is free, even if others that it selects are pinned to one"
    PART = "what running pods leave is a node or none, not some of the places on it"
    SHARED = "volumes that pods share are attached once, which is no amount for each pod"
    CHOSEN = "labels that a decision chooses are the best for each pod, not one for all of a node"
    NODES = "whole nodes of domains are counted without what pods are charged there"


@dataclass(frozen=True)
class Answer:
    """A placement, as expectations look at it; pods are named by their workload."""

    question: Problem
    placement: Placement

    def by(self, key: str, name: str) -> dict[str | None, int]:
        """Pods of a workload by the value of a label of their nodes."""
        return dict(Counter(pod.node.label(key) for pod in self._pods(name)))

    def on(self, name: str) -> dict[str, int]:
        """Pods of a workload by name of their existing node; those on new nodes under ``new``."""
        return dict(Counter("new" if p.node.existing is None else p.node.name for p in self._pods(name)))

    def together(self) -> list[dict[str, int]]:
        """Pods by workload on each node that has any, in a fixed order."""
        nodes = {id(pod.node): pod.node for pod in self.placement.pods}
        found = [self._on(node) for node in nodes.values()]
        return sorted(found, key=lambda pods: sorted(pods.items()))

    def _on(self, node: Node) -> dict[str, int]:
        return dict(sorted(Counter(self._name(p) for p in self.placement.pods if p.node is node).items()))

    def _pods(self, name: str) -> list[Pod]:
        return [pod for pod in self.placement.pods if self._name(pod) == name]

    def _name(self, pod: Pod) -> str:
        return self.question.workloads[pod.workload].name


def conforms(
    question: Problem,
    dollars: float,
    expected: Callable[[Answer], object] | None = None,
    *,
    charged: float = 0,
    unproven: Unproven | None = None,
) -> None:
    """All pods are placed for so many dollars an hour, as expected: an answer that is falsy is wrong.

    Parameters
    ----------
    charged
        Dollars an hour of penalties and expected interruptions.
    unproven
        Why the certified bound is below the cost; None if it is the cost.
    """
    placement = cheapest(question)
    assert placement is not None
    assert paid(question, placement.nodes) == microusd(dollars)
    assert charges(question, placement.nodes, placement.pods) == microusd(charged)
    assert findings(question, stated(question, placement)) == ()
    assert expected is None or expected(Answer(question, placement))
    decision = answered(question)
    assert decision.status is SolutionStatus.COMPLETE
    assert decision.cost_microusd_per_hour == microusd(dollars)
    assert decision.total_microusd_per_hour - decision.cost_microusd_per_hour == microusd(charged)
    assert expected is None or expected(Answer(question, placement_of(question, decision)))
    is_proven = decision.bound_microusd_per_hour == decision.total_microusd_per_hour
    assert is_proven is (unproven is None), f"{decision.bound_microusd_per_hour} is proven"


def conforms_not(question: Problem, *, placed: int, reason: str = "") -> None:
    """Not all pods can be placed; so many are, and the reason of another names this constraint."""
    assert cheapest(question) is None
    decision = answered(question)
    assert decision.status is not SolutionStatus.COMPLETE
    assert len(placement_of(question, decision).pods) == placed
    told = [refusal.message for entry in decision.unschedulable for refusal in entry.refusals]
    assert any(reason in message for message in told), told


def answered(question: Problem) -> Decision:
    """The engine's decision; ends the test as an expected failure while the engine waives a stated rule."""
    if stated_rules(question) & WAIVED:
        told = unenforced(question)
        assert told
        pytest.xfail("; ".join(told))
    decision = solve(question, PARAMS)
    assert verify(question, decision) == ()
    return decision
