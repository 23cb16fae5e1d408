"""Node labels of many rows as coded columns, so that a requirement is one look-up.

A column holds, per row, the index of the label's value in a small vocabulary; index 0
means that the row lacks the label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import NodeSelectorTerm, Requirement

Mask = NDArray[np.bool_]
MOST_MASKS = 512
"""Requirements whose masks are kept per table, so that a long-lived server stays small."""


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one label over all rows.

    Parameters
    ----------
    codes
        int32 array (row,): index into ``vocabulary``.
    vocabulary
        Values in order of first appearance; the first entry is None, the label's absence.
    """

    codes: NDArray[np.int32]
    vocabulary: tuple[str | None, ...]


@dataclass(slots=True)
class LabelColumns:
    """Labels of ``n_rows`` rows, with the masks of requirements asked before."""

    n_rows: int
    columns: dict[str, Column]
    _masks: dict[Requirement, Mask] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, rows: Sequence[Iterable[tuple[str, str]]]) -> LabelColumns:
        """Columns from each row's label pairs."""
        codes: dict[str, NDArray[np.int32]] = {}
        vocabularies: dict[str, dict[str | None, int]] = {}
        for index, labels in enumerate(rows):
            for key, value in labels:
                if key not in codes:
                    codes[key] = np.zeros(len(rows), dtype=np.int32)
                    vocabularies[key] = {None: 0}
                vocabulary = vocabularies[key]
                codes[key][index] = vocabulary.setdefault(value, len(vocabulary))
        columns = {key: Column(codes[key], tuple(vocabularies[key])) for key in codes}
        return cls(len(rows), columns)

    def expand(self, rows: NDArray[np.intp]) -> LabelColumns:
        """The same labels for rows ``rows[0], rows[1], ...`` of this table."""
        columns = {k: Column(c.codes[rows], c.vocabulary) for k, c in self.columns.items()}
        return LabelColumns(len(rows), columns)

    def with_column(self, key: str, values: Sequence[str]) -> LabelColumns:
        """Columns with one more label, given for every row."""
        vocabulary: dict[str | None, int] = {None: 0}
        codes = np.fromiter(
            (vocabulary.setdefault(v, len(vocabulary)) for v in values), np.int32, count=len(values)
        )
        return LabelColumns(self.n_rows, {**self.columns, key: Column(codes, tuple(vocabulary))})

    def mask(self, requirement: Requirement) -> Mask:
        """Rows that satisfy one requirement: bool array (row,)."""
        known = self._masks.get(requirement)
        if known is None:
            column = self.columns.get(requirement.key)
            if column is None:
                known = np.full(self.n_rows, requirement.admits(None))
            else:
                admitted = np.array([requirement.admits(value) for value in column.vocabulary])
                known = admitted[column.codes]
            known.flags.writeable = False
            if len(self._masks) >= MOST_MASKS:
                self._masks.clear()
            self._masks[requirement] = known
        return known

    def mask_all(self, requirements: Iterable[Requirement], fixed: dict[str, str | None]) -> Mask:
        """Rows that satisfy all requirements; labels in ``fixed`` have that value on every row."""
        result = np.ones(self.n_rows, dtype=bool)
        for requirement in requirements:
            if requirement.key in fixed:
                if not requirement.admits(fixed[requirement.key]):
                    return np.zeros(self.n_rows, dtype=bool)
            else:
                result &= self.mask(requirement)
        return result

    def mask_any(self, terms: tuple[NodeSelectorTerm, ...], fixed: dict[str, str | None]) -> Mask:
        """Rows that satisfy one of the terms; every row if there are none."""
        if not terms:
            return np.ones(self.n_rows, dtype=bool)
        result = np.zeros(self.n_rows, dtype=bool)
        for term in terms:
            if term:  # Kubernetes: an empty term matches nothing
                result |= self.mask_all(term, fixed)
        return result
