"""Caps per node: at most so many pods of one kind beside a pod of another.

Kubernetes has no field for this (hostname anti-affinity is the cap 0); it comes from annotations.
The rule binds a node only while a pod that has the cap is on it, as the interference rules of the
Alibaba Tianchi data do: *if a pod of A is on the node, at most k pods of B are*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.selectors import LabelSelector


@dataclass(frozen=True, slots=True)
class NodeCap:
    """On a node with the pod that has it, at most ``max_pods`` selected pods of its namespace.

    The pod itself counts if it selects itself, so that ``max_pods`` 1 on the own labels means one
    pod a node.
    """

    selector: LabelSelector
    max_pods: int

    def __post_init__(self) -> None:
        if not 0 <= self.max_pods < 2**31:
            raise WrongFieldError("max_pods", self.max_pods, "must not be negative")

    def check_admits_itself(self, own_labels: Mapping[str, str]) -> None:
        """Raise WrongFieldError if no node could ever hold a pod with these labels and this cap."""
        if self.max_pods == 0 and self.selector.matches(own_labels):
            raise WrongFieldError("max_pods", 0, "must be at least 1: the cap counts the pod itself")
