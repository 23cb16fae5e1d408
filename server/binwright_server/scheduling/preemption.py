"""Which of the nodes that a scheduler could free by evictions are worth it.

kube-scheduler finds for each node the fewest pods whose eviction makes room, and takes the node where least
is lost: fewest disruption budgets broken, then the lowest highest priority, then the lowest sum of
priorities, then the fewest pods (``pickOneNodeForPreemption`` in k8s.io/kubernetes). Only where these tie
does it look at anything else (when the pods started), and there is room for the plan to decide: among the
nodes that tie, those remain that score best for the pod.

A pod whose priority nobody knows could turn that order around; where there is one, kube-scheduler keeps its
choice and only nodes that could not take the pod even when emptied are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAST_PRIORITY = -(2**31)
"""Priorities are 32 bits wide; counted from here, a sum of them is never less for more pods."""


@dataclass(frozen=True, slots=True)
class Eviction:
    """What would have to go from one node.

    Parameters
    ----------
    priorities
        Of the pods to be evicted; None where it is not known.
    """

    node: str
    priorities: tuple[int | None, ...]
    broken_budgets: int = 0


def worth_evicting(
    evictions: Sequence[Eviction], hopeless: frozenset[str], scores: Mapping[str, int]
) -> list[int]:
    """Positions of the evictions that remain, in their order.

    Parameters
    ----------
    hopeless
        Nodes that could not take the pod even when emptied.
    scores
        Score of each node for the pod.

    Examples
    --------
    One pod of priority 5 goes rather than one of priority 7 or two of 5; the score decides between equals:

    >>> evictions = [Eviction("a", (7,)), Eviction("b", (5, 5)), Eviction("c", (5,)), Eviction("d", (5,))]
    >>> worth_evicting(evictions, frozenset(), {"a": 90, "b": 90, "c": 20, "d": 70})
    [3]
    """
    possible = [k for k, eviction in enumerate(evictions) if eviction.node not in hopeless]
    losses = {k: _loss(evictions[k]) for k in possible}
    known = [loss for loss in losses.values() if loss is not None]
    if len(known) < len(possible) or not known:
        return possible
    least = min(known)
    equal = [k for k in possible if losses[k] == least]
    best = max(scores[evictions[k].node] for k in equal)
    return [k for k in equal if scores[evictions[k].node] == best]


def _loss(eviction: Eviction) -> tuple[int, int, int, int] | None:
    priorities = [priority for priority in eviction.priorities if priority is not None]
    if len(priorities) < len(eviction.priorities):
        return None
    total = sum(priority - LEAST_PRIORITY for priority in priorities)
    return eviction.broken_budgets, max(priorities, default=LEAST_PRIORITY), total, len(priorities)
