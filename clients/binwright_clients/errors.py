"""Mistakes in what the user gave us, with the place of each.

::

    InputError    files that cannot be turned into a request: one InputProblem per mistake
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from binwright_optimizer.errors import BinwrightError

MAX_SHOWN = 20
"""Problems written out in the text of an `InputError`; the rest are counted."""

_MAX_KEPT = 1000
"""Problems kept as objects: a table with a wrong column has one per row."""


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One mistake in an input file.

    Parameters
    ----------
    file
        Path as the user gave it; ``-`` is standard input.
    place
        Where in the file: ``document 2 (Deployment default/web)`` or ``line 7``; empty if
        the mistake concerns the whole file.
    field
        Path of the field or name of the column; empty if it concerns the whole place.
    value
        The offending value as the user wrote it; empty if there is none.
    description
        What is wrong and, where short, what would be right.

    Examples
    --------
    >>> print(InputProblem("pods.csv", "line 7", "replicas", "-1", "must not be negative"))
    pods.csv, line 7: replicas: must not be negative (got '-1')
    """

    file: str
    place: str
    field: str
    value: str
    description: str

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        field = f" {self.field}:" if self.field else ""
        shown = self.value if len(self.value) <= 80 else self.value[:77] + "..."
        # A description that quotes the value itself need not be told it again.
        got = f" (got {shown!r})" if shown and repr(self.value) not in self.description else ""
        return f"{where}:{field} {self.description}{got}"


class InputError(BinwrightError):
    """Input files are wrong; nothing was sent.

    Parameters
    ----------
    problems
        At least one problem.
    uncounted
        Further problems that were found but not kept.
    """

    def __init__(self, problems: Iterable[InputProblem], uncounted: int = 0) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MAX_SHOWN]]
        hidden = len(self.problems) - len(lines) + uncounted
        if hidden:
            lines.append(f"and {hidden} more")
        super().__init__("\n".join(lines))

    @classmethod
    def of(
        cls, file: str, description: str, *, place: str = "", field: str = "", value: object = ""
    ) -> InputError:
        """Error with a single problem."""
        return cls((InputProblem(file, place, field, str(value), description),))


class Problems:
    """Collects problems, so that one run reports all mistakes of a file."""

    def __init__(self) -> None:
        self._kept: list[InputProblem] = []
        self._uncounted = 0

    def __len__(self) -> int:
        return len(self._kept) + self._uncounted

    def add(
        self, file: str, description: str, *, place: str = "", field: str = "", value: object = ""
    ) -> None:
        """Remember one problem."""
        if len(self._kept) < _MAX_KEPT:
            self._kept.append(InputProblem(file, place, field, str(value), description))
        else:
            self._uncounted += 1

    def extend(self, error: InputError) -> None:
        """Remember all problems of an error."""
        for problem in error.problems:
            self.add(
                problem.file,
                problem.description,
                place=problem.place,
                field=problem.field,
                value=problem.value,
            )

    def raise_if_any(self) -> None:
        """Raise InputError with what was collected, if anything was."""
        if self._kept:
            raise InputError(self._kept, self._uncounted)
