"""The columns found so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance


class ColumnPool:
    """Columns found so far, each pattern once per candidate."""

    def __init__(self, instance: Instance) -> None:
        self._seen: set[bytes] = set()
        self._candidates: list[int] = []
        self._patterns: list[NDArray[np.int32]] = []
        self._width = instance.n_classes

    def __len__(self) -> int:
        return len(self._candidates)

    def add(
        self, candidates: NDArray[np.intp], patterns: NDArray[np.int32]
    ) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Remember columns; returns those not seen before."""
        fresh = []
        for position, (j, pattern) in enumerate(zip(candidates, patterns, strict=True)):
            key = int(j).to_bytes(4, "little") + pattern.tobytes()
            if key not in self._seen:
                self._seen.add(key)
                self._candidates.append(int(j))
                self._patterns.append(pattern.copy())
                fresh.append(position)
        return candidates[fresh], patterns[fresh]

    def chosen(
        self, positions: NDArray[np.intp], is_wanted: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Those of some columns whose candidates are wanted: intp array (p,) and int32 array (p, i)."""
        wanted = [p for p in positions.tolist() if is_wanted[self._candidates[p]]]
        patterns = np.array([self._patterns[p] for p in wanted], dtype=np.int32)
        candidates = np.array([self._candidates[p] for p in wanted], dtype=np.intp)
        return candidates, patterns.reshape(len(wanted), self._width)

    def arrays(self) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """All columns: intp array (p,) and int32 array (p, i)."""
        patterns = np.array(self._patterns, dtype=np.int32).reshape(len(self), self._width)
        return np.array(self._candidates, dtype=np.intp), patterns
