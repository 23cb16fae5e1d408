"""The quality run as tables: targets, gaps, savings, losses, deadlines, memory."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from binwright_benchmarks.baselines import RULES
from binwright_benchmarks.families import DEADLINES_S, MARKETS, SUITES
from binwright_benchmarks.measure import Answer, compare
from binwright_benchmarks.quality_result import Case, Quality
from binwright_benchmarks.results import markdown_table

LEAST_OVERRUN_S = 0.05
OVERRUN_SHARE = 0.05
"""A deadline is kept if it is overrun by at most the larger of both."""

MOST_MIB = 1536
"""Peak memory aimed at, 1.5 GB."""

FEASIBLE_S = {1_000: 0.05, 10_000: 0.15, 100_000: 1.0}
"""Time to the first feasible answer aimed at, by number of pods."""


@dataclass(frozen=True, slots=True)
class Section:
    """One table with a title and what it says in a sentence."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    def as_markdown(self) -> str:
        """Heading, table and note."""
        return f"## {self.title}\n\n{markdown_table(self.heads, self.rows)}\n\n{self.note}"


def sections(quality: Quality) -> tuple[Section, ...]:
    """All tables that have something to say."""
    found = (
        _targets(quality),
        _gaps(quality),
        _savings(quality),
        _losses(quality),
        _deadlines(quality),
        _memory(quality),
        _left_out(quality),
    )
    return tuple(section for section in found if section.rows)


def quantile(values: Iterable[float], share: float) -> float:
    """Nearest rank: the least value that at least this share of them does not exceed.

    >>> quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9)
    9
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def gap_text(gap: float) -> str:
    """A gap with as many digits as matter.

    >>> [gap_text(gap) for gap in (0.1389, 0.00819, 0.0005, 0.000034, 0)]
    ['13.9 %', '0.82 %', '0.05 %', '0.0034 %', '0']
    """
    if gap == 0:
        return "0"
    return f"{100 * gap:.3g} %" if gap >= 0.1 else f"{100 * gap:.2g} %"


def _answers(cases: Iterable[Case], deadline_s: float) -> list[Answer]:
    return [answer for case in cases for answer in case.answers if answer.deadline_s == deadline_s]


def _by_instance(quality: Quality) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in quality.cases:
        found.setdefault(case.instance, []).append(case)
    return found


def _targets(quality: Quality) -> Section:
    """One row a group with targets: the p90 of its worst family."""
    by_instance = _by_instance(quality)
    rows = []
    for group in SUITES[quality.suite]:
        measured = [name for name in group.instances if name in by_instance]
        if not group.targets or not measured:
            continue
        cells = [group.name]
        for target, deadline in zip(group.targets, DEADLINES_S, strict=True):
            worst = max(
                (
                    (quantile((a.gap for a in answers), 0.9), name)
                    for name in measured
                    if (answers := _answers(by_instance[name], deadline))
                ),
                default=None,
            )
            if worst is None:
                cells.append("-")
                continue
            gap, name = worst
            verdict = "met" if gap <= target else f"MISSED x{gap / target:.1f}"
            aim = "feasible" if target == 1.0 else gap_text(target)
            where = f" ({name})" if len(measured) > 1 else ""
            cells.append(f"{gap_text(gap)} / {aim} {verdict}{where}")
        rows.append(tuple(cells))
    heads = ("Family", *(f"{deadline:g} s" for deadline in DEADLINES_S))
    count = min((len(cases) for cases in by_instance.values()), default=0)
    note = f"Proven gap / aim: p90 over the seeds (at least {count}) in the family's worst member."
    return Section("Targets", heads, tuple(rows), note)


def _gaps(quality: Quality) -> Section:
    heads = ["Instance", "Seeds", "Pods", "Classes", "Offerings"]
    for deadline in quality.deadlines_s:
        heads += [f"{deadline:g} s p50", "p90", "max"]
    rows = []
    for name, cases in _by_instance(quality).items():
        cells = [
            name,
            str(len(cases)),
            f"{cases[0].pods:,}",
            f"{round(statistics.median(case.classes for case in cases)):,}",
            f"{cases[0].offerings:,}",
        ]
        for deadline in quality.deadlines_s:
            gaps = [answer.gap for answer in _answers(cases, deadline)]
            cells += [gap_text(quantile(gaps, share)) for share in (0.5, 0.9, 1.0)]
        rows.append(tuple(cells))
    return Section("Proven gap", tuple(heads), tuple(rows), "Between the cost and the bound of the decision.")


def _savings(quality: Quality) -> Section:
    """Median saving at the longest deadline, by market and rule."""
    longest = quality.deadlines_s[-1]
    rules = [rule for rule in RULES if any(f.name == rule for case in quality.cases for f in case.baselines)]
    rows = []
    for market, globs in MARKETS.items():
        cases = [case for case in quality.cases if any(fnmatchcase(case.instance, glob) for glob in globs)]
        cells = [market]
        for rule in rules:
            found = [
                comparison.saving
                for case in cases
                for answer in _answers([case], longest)
                for figures in case.baselines
                if figures.name == rule
                if (comparison := compare(answer, figures)).saving is not None
            ]
            cells.append(f"{statistics.median(found):.1%} ({len(found)})" if found else "-")
        if any(cell != "-" for cell in cells[1:]):
            rows.append(tuple(cells))
    note = (
        f"Share of the rule's cost that our answer after {longest:g} s does not spend: median over the cases "
        "in brackets, those where both place equally many pods. Rules that draw between equals count with "
        "their mean."
    )
    return Section("Median saving", ("Market", *rules), tuple(rows), note)


def _losses(quality: Quality) -> Section:
    """Every case in which a rule did better, and how often by deadline."""
    rows = []
    counts = dict.fromkeys(quality.deadlines_s, 0)
    compared = dict.fromkeys(quality.deadlines_s, 0)
    for case in quality.cases:
        for answer in case.answers:
            for figures in case.baselines:
                compared[answer.deadline_s] += 1
                if not compare(answer, figures).is_loss:
                    continue
                counts[answer.deadline_s] += 1
                rows.append(
                    (
                        f"{case.instance} seed {case.seed}",
                        f"{answer.deadline_s:g} s",
                        figures.name,
                        f"{figures.least_usd:,.4f}",
                        f"{answer.cost_usd:,.4f}",
                        f"{figures.pods_unplaced:,} / {answer.pods_unplaced:,}",
                    )
                )
    said = ", ".join(
        f"{counts[deadline]} of {compared[deadline]} after {deadline:g} s" for deadline in quality.deadlines_s
    )
    heads = ("Case", "Deadline", "Rule", "its $/h", "ours", "unplaced: its / ours")
    if not rows and any(compared.values()):
        rows.append(("none", "", "", "", "", ""))
    return Section("Losses", heads, tuple(rows), f"Comparisons lost to the luckiest draw of a rule: {said}.")


def _deadlines(quality: Quality) -> Section:
    """First feasible answer and overrun by number of pods."""
    sizes = sorted({_size(case.pods) for case in quality.cases})
    heads = (
        "Pods, about",
        "First answer p50",
        "p90",
        "max",
        "aim",
        *(f"most overrun, {deadline:g} s" for deadline in quality.deadlines_s),
    )
    rows: list[tuple[str, ...]] = []
    for size in sizes:
        cases = [case for case in quality.cases if _size(case.pods) == size]
        first = [answer.first_s for case in cases for answer in case.answers]
        cells = [f"{size:,}", *(f"{1000 * quantile(first, share):.0f} ms" for share in (0.5, 0.9, 1.0))]
        cells.append(f"{1000 * FEASIBLE_S[size]:.0f} ms")
        for deadline in quality.deadlines_s:
            over = max((a.seconds - deadline for a in _answers(cases, deadline)), default=0.0)
            kept = over <= max(LEAST_OVERRUN_S, OVERRUN_SHARE * deadline)
            cells.append(f"{1000 * max(0.0, over):.0f} ms" + ("" if kept else " MISSED"))
        rows.append(tuple(cells))
    note = f"A deadline is kept if overrun by at most {LEAST_OVERRUN_S * 1e3:.0f} ms or {OVERRUN_SHARE:.0%}."
    return Section("First answer and deadlines", heads, tuple(rows), note)


def _size(pods: int) -> int:
    """The class of `FEASIBLE_S` that a number of pods falls into."""
    return next((size for size in sorted(FEASIBLE_S) if pods <= 2 * size), max(FEASIBLE_S))


def _memory(quality: Quality) -> Section:
    rows = tuple(
        (
            m.instance,
            f"{m.pods:,}",
            f"{m.before_mib:,.0f} MiB",
            f"{m.peak_mib:,.0f} MiB" + ("" if m.peak_mib <= MOST_MIB else " MISSED"),
            gap_text(m.gap),
        )
        for m in quality.memory
    )
    heads = ("Instance", "Pods", "before the solve", "peak", "gap")
    return Section("Peak memory", heads, rows, f"A process each; aimed at: at most {MOST_MIB:,} MiB.")


def _left_out(quality: Quality) -> Section:
    rows: Sequence[tuple[str, str]] = [*quality.skipped.items(), *quality.failed.items()]
    return Section("Not measured", ("What", "Why"), tuple(rows), "Skipped or failed.")
