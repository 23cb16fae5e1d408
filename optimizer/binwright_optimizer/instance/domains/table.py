"""Labels over candidates: which domain of a topology key each of them is in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.candidates import Shelved, existing_labels
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.model import Problem

NO_DOMAIN = -1
"""Code of a candidate without the label."""


class DomainTable:
    """Values of node labels over candidates: what each variant may buy in turn, then existing nodes."""

    def __init__(self, problem: Problem, shelf: Shelf, shelved: Sequence[Shelved]) -> None:
        self._shelf = shelf
        self._shelved = shelved
        self._existing = existing_labels(problem.existing_nodes)
        self.n_existing = len(problem.existing_nodes)
        self.n_candidates = sum(len(part.rows) for part in shelved) + self.n_existing
        self._known: dict[str, tuple[NDArray[np.intp], tuple[str, ...]]] = {}

    @property
    def is_existing(self) -> NDArray[np.bool_]:
        """Candidates that already run: bool array (c,)."""
        return np.arange(self.n_candidates) >= self.n_candidates - self.n_existing

    def codes(self, key: str) -> NDArray[np.intp]:
        """Domain of each candidate: intp array (c,), index into `values`, `NO_DOMAIN` without the label."""
        return self._of(key)[0]

    def values(self, key: str) -> tuple[str, ...]:
        """Values of a label, sorted."""
        return self._of(key)[1]

    def existing_codes(self, key: str) -> NDArray[np.intp]:
        """Domains of the existing nodes: intp array (node,)."""
        return self.codes(key)[self.n_candidates - self.n_existing :]

    def _of(self, key: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._read(key)
        return known

    def _read(self, key: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
        parts: list[tuple[NDArray[np.int32], tuple[str | None, ...]]] = []
        for part in self._shelved:
            fixed = dict(part.variant.fixed)
            column = self._shelf.labels.columns.get(key)
            if key in fixed:
                parts.append((np.zeros(len(part.rows), dtype=np.int32), (fixed[key],)))
            elif column is None:
                parts.append((np.zeros(len(part.rows), dtype=np.int32), (None,)))
            else:
                parts.append((column.codes[part.rows], column.vocabulary))
        own = self._existing.columns.get(key)
        nobody = np.zeros(self.n_existing, dtype=np.int32)
        parts.append((nobody, (None,)) if own is None else (own.codes, own.vocabulary))
        used = {words[code] for codes, words in parts for code in np.unique(codes)}
        values = tuple(sorted(value for value in used if value is not None))
        index: dict[str | None, int] = {value: number for number, value in enumerate(values)}
        index[None] = NO_DOMAIN
        codes = [np.array([index.get(w, NO_DOMAIN) for w in words])[codes] for codes, words in parts]
        return np.concatenate(codes).astype(np.intp), values
