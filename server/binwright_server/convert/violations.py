"""Everything wrong with one message, collected before anything is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from binwright_optimizer.errors import InvalidProblemError, Violation, WrongFieldError

_T = TypeVar("_T")

MAX_VIOLATIONS = 1_000
"""Kept per message. One wrong template may be shared by 100,000 pods; nobody reads more."""


class Violations:
    """Wrong fields found so far; `check` refuses the message if there are any."""

    def __init__(self) -> None:
        self.found: list[Violation] = []
        self._dropped = 0

    def add(self, field: str, value: object, description: str) -> None:
        """Record that ``field`` holds ``value``, which is wrong because of ``description``."""
        self.append(Violation(field, str(value), description))

    def build(self, path: str, make: Callable[[], _T]) -> _T | None:
        """What ``make`` returns, or None with the field recorded that it calls wrong."""
        try:
            return make()
        except WrongFieldError as error:
            dot = "." if error.field and not error.field.startswith("[") else ""
            self.add(f"{path}{dot}{error.field}", error.value, error.description)
            return None

    def choose(self, path: str, text: str, known: Mapping[str, _T], default: _T | None = None) -> _T | None:
        """The choice that ``text`` names, ``default`` if it is empty; None if it names none."""
        if not text and default is not None:
            return default
        if text not in known:
            may_be_empty = "empty or " if default is not None else ""
            self.add(path, text, f"must be {may_be_empty}one of {', '.join(known)}")
        return known.get(text)

    def refuse_repeated(self, path: str, field: str, keys: Iterable[Hashable]) -> None:
        """Record each key that an earlier element of the list at ``path`` has already."""
        first_index: dict[Hashable, int] = {}
        for k, key in enumerate(keys):
            first = first_index.setdefault(key, k)
            if first != k:
                shown = "/".join(map(str, key)) if isinstance(key, tuple) else key
                self.add(f"{path}[{k}].{field}", shown, f"is already the {field} of {path}[{first}]")

    def append(self, violation: Violation) -> None:
        """Record a violation; beyond `MAX_VIOLATIONS` only the count is kept."""
        if len(self.found) < MAX_VIOLATIONS:
            self.found.append(violation)
        else:
            self._dropped += 1

    def check(self) -> None:
        """Raise `InvalidProblemError` with everything found, if anything was."""
        if self._dropped:
            last = Violation("", str(self._dropped), "further violations are not listed")
            raise InvalidProblemError([*self.found, last])
        if self.found:
            raise InvalidProblemError(self.found)


def entry(path: str, key: str) -> str:
    """Path of one entry of a map field: ``requests["cpu"]``."""
    return f"{path}[{json.dumps(key)}]"
