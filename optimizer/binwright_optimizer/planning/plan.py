"""What a plan is: commitments to buy now, node mixes to run then, its cost and its proven bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from binwright_optimizer.model import CapacityType, PriceSource
from binwright_optimizer.model.forecast import Forecast
from binwright_optimizer.model.offers import CommitmentOffer, ReservationOffer, Upfront
from binwright_optimizer.planning.accounts import Account
from binwright_optimizer.planning.blocks import HourBlock
from binwright_optimizer.planning.evidence import Evidence
from binwright_optimizer.planning.mix import Mix, sources_of, stale_prices
from binwright_optimizer.planning.promises import unbound_promises
from binwright_optimizer.planning.scenarios import Scenario
from binwright_optimizer.planning.sites import Site
from binwright_optimizer.planning.spread import SpreadCell

MOST_GAP = 0.01
"""Gap above which a plan says so."""
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class BlockMix:
    """The nodes of one region, or one zone of it, in one period, scenario and block of hours."""

    region: str
    zone: str
    period: int
    scenario: int
    block: int
    on_demand: Mix
    spot: Mix


@dataclass(frozen=True, slots=True)
class Purchase:
    """A commitment to buy at the start of a period.

    Parameters
    ----------
    microusd_per_hour
        What it costs an hour, payments upfront spread over its term.
    cost_microusd
        What the plan's total counts of it.
    nodes
        Nodes that it reserves; 0 for committed spend.
    """

    offer: CommitmentOffer | ReservationOffer
    period: int
    start: date
    end: date
    microusd_per_hour: int
    cost_microusd: int
    nodes: int = 0

    @property
    def obligation_microusd(self) -> int:
        """What the whole term costs."""
        return self.microusd_per_hour * 24 * (self.end - self.start).days

    @property
    def upfront_microusd(self) -> int:
        """What is paid on its first day: all, nothing, or half, which is what clouds mean by partial."""
        if isinstance(self.offer, ReservationOffer) and self.offer.discount_ppm is None:
            return self.nodes * self.offer.upfront_microusd
        shares = {Upfront.NONE: 0, Upfront.PARTIAL: 1, Upfront.ALL: 2}
        return self.obligation_microusd * shares[self.offer.upfront] // 2


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with its bound; amounts in micro-dollars over the horizon.

    Parameters
    ----------
    evidence
        What proves total and bound.
    total
        The objective: expected cost, or its mixture with the tail's mean.
    bound
        Proven: no plan of this form serves the forecast for less.
    expected, by_scenario
        Expected cost in all and cost in each scenario, commitments included.
    accounts
        For each period, what the expected cost is made of.
    without_commitments
        The objective if nothing is bought ahead: each period solved alone, split as suits the list prices.
    sizing_rule
        Expected cost of the sizing rule's nodes, less what held commitments pay for (see `baseline`); None
        where the rule has no answer.
    sizing_note
        Why it has none.
    churn
        Expected cost of nodes that the plan held did not have, part of the total.
    was_stopped
        Whether the deadline left out rounds that would have made it better or its bound tighter.
    spread, sites
        Where demand is split over sites: how, by (period, scenario, block) and kind, items and sites by
        their index.
    """

    forecast: Forecast
    scenarios: tuple[Scenario, ...]
    blocks: tuple[HourBlock, ...]
    mixes: tuple[BlockMix, ...]
    commitments: tuple[Purchase, ...]
    total: int
    bound: int
    expected: int
    by_scenario: tuple[int, ...]
    accounts: tuple[Account, ...]
    without_commitments: int
    sizing_rule: int | None
    sizing_note: str = ""
    spread: Mapping[tuple[tuple[int, int, int], CapacityType], SpreadCell] = field(default_factory=dict)
    sites: tuple[Site, ...] = ()
    churn: int = 0
    evidence: Evidence | None = None
    was_stopped: bool = False

    @property
    def by_period(self) -> tuple[int, ...]:
        """Expected cost of each period, commitments included."""
        return tuple(account.total for account in self.accounts)

    @property
    def gap(self) -> float:
        """(total - bound) / total; 0 for a free plan."""
        return (self.total - self.bound) / self.total if self.total else 0.0

    @property
    def price_sources(self) -> tuple[PriceSource, ...]:
        """Sources of all prices paid, latest first."""
        return sources_of(self._all_mixes)

    @property
    def upfront_microusd(self) -> int:
        """What its commitments ask to be paid on their first days."""
        return sum(bought.upfront_microusd for bought in self.commitments)

    def warnings(self, today: date) -> tuple[str, ...]:
        """What to know about it: remarks, periods that are over, its gap, payments, prices that are old."""
        return (
            *self.forecast.remarks,
            *unbound_promises(self.forecast),
            *self._past(today),
            *self._wide_gap(),
            *self._payments(),
            *stale_prices(self._all_mixes, today),
        )

    def _wide_gap(self) -> Iterator[str]:
        if self.gap > MOST_GAP:
            why = (
                "the deadline stopped the search, and a longer one may narrow it"
                if self.was_stopped
                else "the search ended by itself, and a longer deadline does not narrow it"
            )
            yield f"the gap exceeds {MOST_GAP:.0%}: {why}"

    def _past(self, today: date) -> Iterator[str]:
        """Periods that are over: nothing can be bought for them any more."""
        over = [period for period in self.forecast.periods if period.end <= today]
        if over:
            until = f"up to {over[-1].name or over[-1].start}, {len(over)} of {len(self.forecast.periods)},"
            yield (
                f"the forecast's periods {until} are past on {today}: nothing can be bought for them, and "
                "prices are those of now"
            )

    def _payments(self) -> Iterator[str]:
        """Payments upfront that are more than what the total counts of their commitments."""
        paid: dict[date, int] = {}
        for bought in self.commitments:
            if bought.upfront_microusd:
                paid[bought.start] = paid.get(bought.start, 0) + bought.upfront_microusd
        concerned = [bought for bought in self.commitments if bought.upfront_microusd]
        counted = sum(bought.cost_microusd for bought in concerned)
        if self.upfront_microusd <= counted:
            return
        due = ", ".join(f"{_dollars(amount)} on {day}" for day, amount in sorted(paid.items()))
        said = (
            f"commitments are to be paid upfront, {due}; the total counts {_dollars(counted)} of their cost"
        )
        if any(bought.offer.is_estimate for bought in concerned):
            said += "; their discounts are estimates"
        yield said

    @property
    def _all_mixes(self) -> tuple[Mix, ...]:
        return tuple(mix for block in self.mixes for mix in (block.on_demand, block.spot))


def _dollars(microusd: int) -> str:
    """Whole dollars, rounded half up."""
    return f"${(microusd + _MICRO // 2) // _MICRO:,}"
