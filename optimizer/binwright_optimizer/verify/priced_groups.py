"""Workloads that are alike, priced by where their pods are."""

from __future__ import annotations

from dataclasses import dataclass

Scope = tuple[tuple[str, str | None], ...]
"""Label values that a node carries; None: it lacks the label."""


@dataclass(frozen=True, slots=True)
class Group:
    """Workloads that are alike, split by domain.

    Parameters
    ----------
    workloads
        Those that the group stands for.
    pods
        Their pods that are placed.
    local, scopes
        The local workloads that it is split into, and the domain of each.
    """

    workloads: tuple[int, ...]
    pods: int
    local: tuple[int, ...]
    scopes: tuple[Scope, ...]
