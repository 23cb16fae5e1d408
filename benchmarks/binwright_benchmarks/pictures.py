"""Pictures of kept results: ``python -m binwright_benchmarks.pictures RESULT.json ... --output DIR``.

A quality result gives performance profiles, gap-over-time curves and a table of cost ratios; a growth
result gives the growth plot, one of spot risk the cost by what a reclaim takes. Nothing is measured again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from binwright_benchmarks.baselines import RULES
from binwright_benchmarks.gap_curves import write_gap_curves
from binwright_benchmarks.growth import points_of
from binwright_benchmarks.growth_plot import write_growth
from binwright_benchmarks.heatmap import Cell, write_heatmap
from binwright_benchmarks.measure import compare
from binwright_benchmarks.profile import write_profile
from binwright_benchmarks.quality_result import Case, Quality, quality_of
from binwright_benchmarks.results import default_folder
from binwright_benchmarks.spot_risk import points_of as spot_points_of
from binwright_benchmarks.spot_risk_plot import write_spot_risk


def draw(result: Path, folder: Path) -> list[Path]:
    """Every picture of one result file.

    Raises
    ------
    ValueError
        If the file holds no such result.
    """
    try:
        payload = json.loads(result.read_text(encoding="utf-8"))
        if "points" in payload:
            points = points_of(payload)
            return [write_growth(folder / "growth.png", points, float(payload["limit_s"]))]
        if "spot_risk" in payload:
            return [write_spot_risk(folder / "spot-risk.png", spot_points_of(payload))]
        quality = quality_of(payload)
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{result}: no result of quality, growth or spot risk ({error!r})") from error
    found = [write_gap_curves(folder / "gap-curves.png", quality)]
    if any(case.baselines for case in quality.cases):
        found.append(write_profile(folder / "performance-profile.png", quality.cases))
        found.append(_heatmap(folder / "cost-by-rule.png", quality))
    return found


def _heatmap(path: Path, quality: Quality) -> Path:
    by_instance: dict[str, list[Case]] = {}
    for case in quality.cases:
        by_instance.setdefault(case.instance, []).append(case)
    rules = [rule for rule in RULES if any(f.name == rule for case in quality.cases for f in case.baselines)]
    cells = [[_cell(cases, rule) for rule in rules] for cases in by_instance.values()]
    title = f"What other rules pay for the same pods (ours after {quality.deadlines_s[-1]:g} s)"
    return write_heatmap(path, title, list(by_instance), rules, cells)


def _cell(cases: Sequence[Case], rule: str) -> Cell:
    """Median over the seeds on which both place equally many pods."""
    pairs = [(case.answers[-1], f) for case in cases for f in case.baselines if f.name == rule]
    if not pairs:
        return Cell(None, "-")
    compared = [compare(answer, figures) for answer, figures in pairs]
    ratios = [comparison.ratio for comparison in compared if comparison.ratio is not None]
    is_loss = any(comparison.is_loss for comparison in compared)
    if not ratios:
        return Cell(None, "more out", is_loss)
    return Cell(statistics.median(ratios), is_loss=is_loss)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw; returns 2 where a file cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m binwright_benchmarks.pictures", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("results", metavar="RESULT", type=Path, nargs="+", help="JSON of a run")
    parser.add_argument("--output", metavar="DIR", type=Path, help="default: pictures beside the results")
    options = parser.parse_args(arguments)
    folder = options.output or default_folder().parent / "pictures"
    for result in options.results:
        try:
            found = draw(result, folder)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        for path in found:
            sys.stderr.write(f"picture written to {path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
