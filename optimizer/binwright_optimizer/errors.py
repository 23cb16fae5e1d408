"""Every exception the optimizer raises on purpose.

::

    BinwrightError
    +-- InvalidProblemError    the input is wrong: one Violation per field
    +-- WrongFieldError        one field of a domain object is wrong; readers add where it was written
    +-- CatalogError           a catalogue file or name is wrong
    +-- PlanningError          a plan cannot be made
    |   +-- UnservedError      no plan can serve some demand: one Unserved per part of the forecast
    |   +-- MetricError        an autoscaler's metric proposes nothing (planning.hpa)
    |   +-- ScalingError       an autoscaler cannot decide (planning.hpa)
    +-- VerificationError      an answer failed the independent checker: our own bug

A problem that cannot be satisfied is not an error: it is a decision with reasons.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field of the input.

    Parameters
    ----------
    field
        Path of the field, such as ``node_pools[2].requirements[0].operator``.
    value
        The offending value as the user wrote it.
    description
        What is wrong with it and what would be right.

    Examples
    --------
    >>> print(Violation("gap", "2", "must be below 1"))
    gap: must be below 1 (got '2')
    >>> print(Violation("region", "mars-1", "unknown region 'mars-1'"))  # the value is told once
    region: unknown region 'mars-1'
    """

    field: str
    value: str
    description: str

    def __str__(self) -> str:
        if self.value and repr(self.value) in self.description:
            return f"{self.field}: {self.description}"
        shown = self.value if len(self.value) <= 80 else self.value[:77] + "..."
        return f"{self.field}: {self.description} (got {shown!r})"


class BinwrightError(Exception):
    """Base of every error raised on purpose."""


class InvalidProblemError(BinwrightError):
    """The input is wrong; nothing was solved."""

    def __init__(self, violations: list[Violation] | tuple[Violation, ...]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(str(violation) for violation in self.violations))

    @classmethod
    def of(cls, field: str, value: object, description: str) -> InvalidProblemError:
        """Error with a single violation."""
        return cls((Violation(field, str(value), description),))


class WrongFieldError(BinwrightError, ValueError):
    """One field of a domain object is wrong.

    The rules of an object are stated once, where it is built; whoever reads it from a message or a
    manifest says where the field was written there.

    Parameters
    ----------
    field
        Name of the field, such as ``max_skew`` or ``requirements[1].operator``.
    value
        The offending value.
    description
        What is wrong with it and what would be right.
    """

    def __init__(self, field: str, value: object, description: str) -> None:
        self.field = field
        self.value = str(value)
        self.description = description
        super().__init__(str(Violation(field, self.value, description)))


class CatalogError(BinwrightError):
    """A catalogue, region or instance type is unknown, or a catalogue file is malformed."""


class PlanningError(BinwrightError):
    """A plan cannot be made; nothing partial is returned."""


@dataclass(frozen=True, slots=True)
class Unserved:
    """A part of a forecast because of which some demand cannot be served.

    Parameters
    ----------
    field
        Path in `model.forecast.Forecast`: ``workloads[2].template.requests["cpu"]``, ``limits[0].cpu_milli``.
    value
        What is there, for whoever does not know how it was written.
    description
        What is wrong, and which demand it concerns.
    demand
        That demand's index in the forecast; -1 if it is not about a single one.
    """

    field: str
    value: str
    description: str
    demand: int = -1


class UnservedError(PlanningError):
    """No plan serves all demand of the forecast."""

    def __init__(self, parts: list[Unserved] | tuple[Unserved, ...]) -> None:
        self.parts = tuple(parts)
        super().__init__(
            "; ".join(str(Violation(part.field, part.value, part.description)) for part in self.parts)
        )


class VerificationError(BinwrightError):
    """The independent checker refused an answer; it must not leave the process."""

    def __init__(self, findings: list[str] | tuple[str, ...]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(self.findings))
