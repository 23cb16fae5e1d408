"""Taints of nodes and the tolerations of pods.

Semantics: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class TaintEffect(StrEnum):
    """What a taint does to a pod that does not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


@dataclass(frozen=True, slots=True)
class Taint:
    """A mark on a node that keeps pods away."""

    key: str
    value: str = ""
    effect: TaintEffect = TaintEffect.NO_SCHEDULE

    @property
    def repels(self) -> bool:
        """Whether it forbids scheduling, rather than discouraging it."""
        return self.effect is not TaintEffect.PREFER_NO_SCHEDULE

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True, slots=True)
class Toleration:
    """A pod's permission to ignore matching taints.

    An empty ``key`` with ``exists`` tolerates every taint; ``effect`` None matches all effects.
    """

    key: str = ""
    value: str = ""
    exists: bool = False
    effect: TaintEffect | None = None

    def __post_init__(self) -> None:
        if not self.key and not self.exists:
            raise ValueError("a toleration without a key must use operator Exists")
        if self.exists and self.value:
            raise ValueError("a toleration with operator Exists takes no value")

    def tolerates(self, taint: Taint) -> bool:
        """Whether this toleration matches ``taint``."""
        if self.effect is not None and self.effect is not taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.exists or self.value == taint.value


def untolerated(taints: Iterable[Taint], tolerations: Iterable[Toleration]) -> Taint | None:
    """The first repelling taint that no toleration matches, or None."""
    allowed = tuple(tolerations)
    for taint in taints:
        if taint.repels and not any(toleration.tolerates(taint) for toleration in allowed):
            return taint
    return None
