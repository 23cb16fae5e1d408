"""When a batch of pods is complete: Karpenter's window, idle 1 s and at most 10 s.

A Deployment's pods arrive within a second or two of each other; solved together they pack better than
one by one (``BATCH_IDLE_DURATION`` and ``BATCH_MAX_DURATION`` in sigs.k8s.io/karpenter).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field


@dataclass(slots=True)
class Window:
    """Opens with the first pod, and closes once none has come for ``idle_s``, or after ``max_s``."""

    idle_s: float = 1.0
    max_s: float = 10.0
    _pods: frozenset[str] = frozenset()
    _opened_s: float = 0.0
    _grew_s: float = field(default=0.0)

    def observe(self, waiting: Set[str], now_s: float) -> None:
        """Take note of the pods (by UID) that wait and that nothing is planned for."""
        if not waiting:
            self._pods = frozenset()
            return
        if not self._pods:
            self._opened_s = now_s
        if not waiting <= self._pods:
            self._grew_s = now_s
        self._pods = frozenset(waiting)

    @property
    def is_open(self) -> bool:
        """Whether pods wait."""
        return bool(self._pods)

    def is_due(self, now_s: float) -> bool:
        """Whether the batch is complete.

        Examples
        --------
        >>> window = Window()
        >>> window.observe({"a"}, 0.0)
        >>> window.observe({"a", "b"}, 0.5)
        >>> window.is_due(1.25), window.is_due(1.5)
        (False, True)
        """
        return self.is_open and (now_s - self._grew_s >= self.idle_s or now_s - self._opened_s >= self.max_s)

    def close(self) -> None:
        """Begin anew with the next pod."""
        self._pods = frozenset()
