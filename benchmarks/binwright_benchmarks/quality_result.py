"""What a quality run measured, as its result file keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from binwright_benchmarks.measure import Answer, BaselineFigures, Step
from binwright_benchmarks.memory import Memory


@dataclass(frozen=True, slots=True)
class Case:
    """One instance and seed.

    Parameters
    ----------
    answers
        One for each deadline, ascending; only the last keeps its steps.
    baselines
        Empty where they were not asked for.
    """

    instance: str
    seed: int
    pods: int
    classes: int
    offerings: int
    answers: tuple[Answer, ...]
    baselines: tuple[BaselineFigures, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """What one run measured."""

    suite: str
    deadlines_s: tuple[float, ...]
    cases: tuple[Case, ...]
    memory: tuple[Memory, ...]
    skipped: dict[str, str]
    failed: dict[str, str]


def quality_of(payload: dict[str, Any]) -> Quality:
    """What a result file holds; raises KeyError or TypeError if it is none."""
    return Quality(
        suite=payload["suite"],
        deadlines_s=tuple(payload["deadlines_s"]),
        cases=tuple(_case_of(entry) for entry in payload["cases"]),
        memory=tuple(Memory(**entry) for entry in payload["memory"]),
        skipped=payload["skipped"],
        failed=payload["failed"],
    )


def _case_of(entry: dict[str, Any]) -> Case:
    answers = tuple(
        Answer(**{**answer, "steps": tuple(Step(**step) for step in answer["steps"])})
        for answer in entry["answers"]
    )
    baselines = tuple(BaselineFigures(**figures) for figures in entry["baselines"])
    return Case(**{**entry, "answers": answers, "baselines": baselines})
