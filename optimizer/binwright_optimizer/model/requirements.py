"""Node selector requirements: which label values a node may carry.

Semantics are those of ``nodeSelectorTerms`` in Kubernetes
(https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/): ``In``,
``Exists``, ``Gt`` and ``Lt`` need the label; ``NotIn`` and ``DoesNotExist`` also admit a node
without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Operator(StrEnum):
    """How a requirement compares a label with its values."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    LT = "Lt"
    GTE = "Gte"
    LTE = "Lte"


_VALUE_COUNT = {
    Operator.EXISTS: "none",
    Operator.DOES_NOT_EXIST: "none",
    Operator.GT: "one integer",
    Operator.LT: "one integer",
    Operator.GTE: "one integer",
    Operator.LTE: "one integer",
    Operator.IN: "at least one",
    Operator.NOT_IN: "at least one",
}
_COMPARISONS = frozenset({Operator.GT, Operator.LT, Operator.GTE, Operator.LTE})


def as_integer(text: str) -> int | None:
    """The integer a label value spells, or None; Gt and Lt compare only such labels."""
    digits = text[1:] if text[:1] in "+-" else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label; values are sorted and distinct.

    Raises
    ------
    ValueError
        If the number or kind of values does not fit the operator.
    """

    key: str
    operator: Operator
    values: tuple[str, ...] = ()
    min_values: int | None = None

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("a requirement needs a label key")
        object.__setattr__(self, "values", tuple(sorted(set(self.values))))
        count = len(self.values)
        wanted = _VALUE_COUNT[self.operator]
        if (
            (wanted == "none" and count)
            or (wanted == "at least one" and not count)
            or (wanted == "one integer" and (count != 1 or as_integer(self.values[0]) is None))
        ):
            raise ValueError(
                f"operator {self.operator} on {self.key} takes {wanted} value(s), got {list(self.values)}"
            )

    def admits(self, value: str | None) -> bool:
        """Whether a node whose label has this value (None: label absent) satisfies it."""
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
        number = None if value is None else as_integer(value)
        if number is None:
            return False
        limit = int(self.values[0])
        match self.operator:
            case Operator.GT:
                return number > limit
            case Operator.LT:
                return number < limit
            case Operator.GTE:
                return number >= limit
        return number <= limit

    def __str__(self) -> str:
        if self.operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
            return f"{self.key} {self.operator}"
        return f"{self.key} {self.operator} [{', '.join(self.values)}]"


NodeSelectorTerm = tuple[Requirement, ...]
"""Requirements that hold together (AND)."""


def contradiction(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Requirements on one key that no value, nor absence, satisfies; empty if none clash."""
    by_key: dict[str, list[Requirement]] = {}
    for requirement in requirements:
        by_key.setdefault(requirement.key, []).append(requirement)
    for group in by_key.values():
        if not _is_satisfiable(group):
            return tuple(group)
    return ()


def _is_satisfiable(group: list[Requirement]) -> bool:
    """Whether some value or the label's absence satisfies all requirements on one key."""
    finite = [set(r.values) for r in group if r.operator is Operator.IN]
    if finite:
        return any(all(r.admits(value) for r in group) for value in set.intersection(*finite))
    if all(r.admits(None) for r in group):
        return True
    if any(r.operator is Operator.DOES_NOT_EXIST for r in group):
        return False
    if not any(r.operator in _COMPARISONS for r in group):
        return True  # Exists and NotIn only: any unlisted value will do
    lows = [
        int(r.values[0]) + (r.operator is Operator.GT)
        for r in group
        if r.operator in (Operator.GT, Operator.GTE)
    ]
    highs = [
        int(r.values[0]) - (r.operator is Operator.LT)
        for r in group
        if r.operator in (Operator.LT, Operator.LTE)
    ]
    excluded = {
        n
        for r in group
        if r.operator is Operator.NOT_IN
        for v in r.values
        if (n := as_integer(v)) is not None
    }
    if not lows or not highs:
        return True
    low, high = max(lows), min(highs)
    return high - low + 1 > len({n for n in excluded if low <= n <= high})
