"""What is said beside a plan's figures, as far as it follows from them: warnings, a note on the sizing rule.

What is said of the age of prices depends on the day, and why a search ended on the clock: of these nothing
can be checked afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.verify.plan.places import regions_near

MOST_GAP_PERCENT = 1
MOST_NAMED = 5
_GAP, _UPFRONT, _UNBOUND = (
    "the gap exceeds",
    "commitments are to be paid upfront",
    "to survive the loss of any",
)


def wrong_warnings(
    said: object,
    forecast: Forecast,
    total: int,
    bound: int,
    due: Mapping[date, int],
    counted: int,
    *,
    is_estimate: bool,
) -> Iterator[str]:
    """What is wrong with the warnings of a plan.

    Parameters
    ----------
    due
        Micro-dollars to be paid upfront, by day.
    counted
        What the total counts of the commitments that are paid for upfront.
    is_estimate
        Whether any of their discounts is one.
    """
    if not isinstance(said, list) or not all(isinstance(line, str) for line in said):
        yield "the warnings are no list of sentences"
        return
    remarks = list(forecast.remarks)
    if said[: len(remarks)] != remarks:
        yield f"the warnings do not begin with the forecast's remarks, {remarks}"
        return
    others = said[len(remarks) :]
    has_wide_gap = 100 * (total - bound) > MOST_GAP_PERCENT * total
    if has_wide_gap != any(line.startswith(f"{_GAP} {MOST_GAP_PERCENT}%") for line in others):
        yield f"the warnings {'miss' if has_wide_gap else 'say wrongly'} that the gap exceeds 1%"
    derived = [*_upfront(due, counted, is_estimate=is_estimate), *_unbound(forecast)]
    yield from (f"the warnings miss: {line}" for line in derived if line not in others)
    yield from (
        f"a warning is none of this plan: {line}"
        for line in others
        if (line.startswith(_UPFRONT) or _UNBOUND in line) and line not in derived
    )


def _upfront(due: Mapping[date, int], counted: int, *, is_estimate: bool) -> Iterator[str]:
    if sum(due.values()) > counted:
        days = ", ".join(f"{_dollars(amount)} on {day}" for day, amount in sorted(due.items()))
        line = f"{_UPFRONT}, {days}; the total counts {_dollars(counted)} of their cost"
        yield line + ("; their discounts are estimates" if is_estimate else "")


def _unbound(forecast: Forecast) -> Iterator[str]:
    """The promise for all that binds nothing where pods may run in one region only."""
    share = forecast.resilience.failover_ppm
    alone: dict[tuple[int, str], None] = {}
    for demand in forecast.demands:
        workload = forecast.workloads[demand.workload]
        if workload.resilience is None and demand.band.p99 and len(regions_near(forecast, demand)) < 2:
            alone[demand.workload, demand.region] = None
    if not share or not alone:
        return
    named = [f"{forecast.workloads[at].name} wanted in {home}" for at, home in list(alone)[:MOST_NAMED]]
    if len(alone) > MOST_NAMED:
        named.append(f"{len(alone) - MOST_NAMED} more")
    yield (
        f"{share / PPM:.0%} of all pods are {_UNBOUND} region, but nothing is promised for "
        f"{', '.join(named)}: no second region within reach may run them"
    )


def wrong_note(note: object, figure: object, forecast: Forecast, rule: int | None) -> Iterator[str]:
    """What is wrong with the note that says why the sizing rule has no figure.

    Parameters
    ----------
    figure
        What the plan says that the rule spends.
    rule
        What it spends by the verifier's reading; None if its nodes are not sold.
    """
    if figure is not None and note is not None:
        yield f"sizing_rule_note is {note!r}, but the rule has a figure"
    if figure is None and note is not None and not isinstance(note, str):
        yield f"sizing_rule_note is {note!r} and no text"
    if figure is None and forecast.cloud != "aws" and note != "it knows the machines of aws only":
        yield f"sizing_rule_note is {note!r}, but the forecast is for {forecast.cloud}"
    if figure is None and rule is not None and isinstance(note, str) and "does not sell" in note:
        yield f"sizing_rule_note is {note!r}, but the rule's nodes are sold"


def _dollars(microusd: int) -> str:
    return f"${(microusd + 500_000) // 1_000_000:,}"


def upfront_by_day(payments: Sequence[tuple[date, int]]) -> dict[date, int]:
    """What is to be paid on each day."""
    found: dict[date, int] = {}
    for day, amount in payments:
        if amount:
            found[day] = found.get(day, 0) + amount
    return found
