"""Everything wrong with one message, collected before anything is refused."""

from __future__ import annotations

import json

from binwright_optimizer.errors import InvalidProblemError, Violation

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
