"""What the readable part of a saved plan says, held against what was worked out from its certificate.

Every figure a reader may rely on is written here once more, from the forecast, the price lists and the
certificate, and compared: costs, bounds, nodes and their prices with source and date, commitments with
discount and upfront payment, what each period's cost is made of, splits over places, backtests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from binwright_optimizer.model import CapacityType, Catalog, PriceSource
from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.model.mixes import PackedMix
from binwright_optimizer.model.offers import CommitmentOffer, ReservationOffer, Scope, Upfront
from binwright_optimizer.verify.plan.accounts import Account
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.demand import Future, Hours
from binwright_optimizer.verify.plan.document import AnswerRecord, CertificateRecord
from binwright_optimizer.verify.plan.places import Site
from binwright_optimizer.verify.plan.rule import sizing_rule
from binwright_optimizer.verify.plan.said import upfront_by_day, wrong_note, wrong_warnings

MICRO = 1_000_000
HOURS_OF_MONTH = 730
_UPFRONT_HALVES = {Upfront.NONE: 0, Upfront.PARTIAL: 1, Upfront.ALL: 2}
"""Halves of a commitment's cost that are paid on its first day."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """Micro-dollars over the horizon: of the plan, proven, by future, expected, with nothing bought ahead.

    ``churn`` is the expected cost of nodes that an earlier plan does not have.
    """

    total: int
    bound: int
    by_future: tuple[int, ...]
    expected: int
    without_commitments: int
    churn: int
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """The readable part of a plan, and all that it is held against."""

    document: Mapping[str, Any]
    forecast: Forecast
    catalogs: Mapping[str, Catalog]
    sites: Sequence[Site]
    futures: Sequence[Future]
    blocks: Sequence[Hours]
    instruments: Instruments
    record: CertificateRecord
    found: Recomputed
    sources: dict[tuple[object, ...], PriceSource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for region, catalog in self.catalogs.items():
            for kind in catalog.instance_types:
                for o in kind.offerings:
                    key = region, kind.name, o.zone, o.capacity_type, o.price_microusd_per_hour
                    self.sources.setdefault(key, o.source)

    def contradictions(self) -> list[str]:
        """Where the document says something else."""
        says = []
        for name, value in self._figures().items():
            says += differences(name, self.document.get(name), value)
        bought = self.document.get("commitments")
        if isinstance(bought, list) and all(isinstance(entry, dict) for entry in bought):
            bought = sorted(bought, key=_when)
        says += differences("commitments", bought, sorted(self._commitments(), key=_when))
        says += self._warnings()
        said = self.document.get("sizing_rule_usd")
        rule = sizing_rule(self.forecast, self.catalogs, self.futures, self.instruments)
        if said is not None:
            says += differences("sizing_rule_usd", said, None if rule is None else rule / MICRO)
        says += wrong_note(self.document.get("sizing_rule_note"), said, self.forecast, rule)
        try:
            says += self._periods()
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            says.append(f"the periods cannot be read: {type(error).__name__}: {error}")
        return says

    def _warnings(self) -> Iterator[str]:
        upfront = [
            (self.forecast.periods[bought].start, self._upfront(instrument, bought, units))
            for instrument, bought, units in self.record.units
        ]
        paid = [units for units, (_, amount) in zip(self.record.units, upfront, strict=True) if amount]
        return wrong_warnings(
            self.document.get("warnings"),
            self.forecast,
            self.found.total,
            self.found.bound,
            upfront_by_day(upfront),
            sum(units * self.instruments.cost(instrument, bought) for instrument, bought, units in paid),
            is_estimate=any(self._offers[instrument].is_estimate for instrument, _, _ in paid),
        )

    def _figures(self) -> dict[str, Any]:
        """Everything but periods and commitments."""
        found, forecast = self.found, self.forecast
        wanted = sum(demand.band.p99 for demand in forecast.demands)
        served = sum(forecast.most_served(demand) for demand in forecast.demands)
        return {
            "cloud": forecast.cloud,
            "held_commitments": [*self._held()],
            "total_cost_usd": found.total / MICRO,
            "lower_bound_usd": found.bound / MICRO,
            "gap": (found.total - found.bound) / found.total if found.total else 0.0,
            "expected_cost_usd": found.expected / MICRO,
            "without_commitments_usd": found.without_commitments / MICRO,
            "churn_usd": found.churn / MICRO,
            "upfront_usd": sum(self._upfront(*units) for units in self.record.units) / MICRO,
            "service_level": served / wanted if wanted else 1.0,
            "scenarios": [
                {"name": future.name, "probability": future.permille / 1000, "cost_usd": cost / MICRO}
                for future, cost in zip(self.futures, found.by_future, strict=True)
            ],
            "backtests": [
                {
                    "workload": test.workload,
                    "region": test.region,
                    "spans": test.spans,
                    "points": test.points,
                    "p50": test.p50,
                    "p90": test.p90,
                    "p99": test.p99,
                }
                for test in forecast.backtests
            ],
            "price_sources": self._price_sources(),
        }

    def _held(self) -> Iterator[dict[str, Any]]:
        """What the forecast holds: committed spend, then reserved nodes."""
        for spend in self.forecast.held:
            yield {
                "name": spend.name,
                "covers": _covers(spend.scope),
                "nodes": None,
                "discount": spend.discount_ppm / PPM,
                "start": str(spend.start),
                "end": str(spend.end),
                "usd_per_hour": spend.microusd_per_hour / MICRO,
            }
        for nodes in self.forecast.held_reservations:
            yield {
                "name": nodes.name,
                "covers": _covers(nodes.scope),
                "nodes": nodes.count,
                "discount": None,
                "start": str(nodes.start),
                "end": str(nodes.end),
                "usd_per_hour": None,
            }

    def _price_sources(self) -> list[dict[str, Any]]:
        used = {
            source
            for site, answer in self._answers()
            for number in (answer.on_demand, answer.spot)
            if number is not None
            for *_, source in self._bought(self.record.mixes[number])
        }
        ordered = sorted(used, key=lambda source: (source.date, source.name), reverse=True)
        return [{"name": s.name, "date": s.date, "is_estimate": s.is_estimate} for s in ordered]

    def _answers(self) -> Iterator[tuple[Site, AnswerRecord]]:
        n_cells = len(self.forecast.periods) * len(self.futures) * len(self.blocks)
        for at, answer in enumerate(self.record.answers):
            yield self.sites[at // n_cells], answer

    def _bought(self, mix: PackedMix) -> Iterator[tuple[str, CapacityType, str, int, int, PriceSource]]:
        """Type, way to buy, zone, nodes, price and its source of every pattern."""
        for pattern, count in mix.nodes:
            yield (
                pattern.instance_type,
                pattern.capacity_type,
                pattern.zone,
                count,
                pattern.price_microusd_per_hour,
                self.sources[
                    pattern.region, pattern.instance_type, pattern.zone, pattern.capacity_type,
                    pattern.price_microusd_per_hour,
                ],
            )  # fmt: skip

    @property
    def _offers(self) -> tuple[CommitmentOffer | ReservationOffer, ...]:
        return *self.forecast.offers, *self.forecast.reservations

    def _upfront(self, instrument: int, bought: int, units: int) -> int:
        """Micro-dollars that a commitment asks for on its first day."""
        offer, start = self._offers[instrument], self.forecast.periods[bought].start
        if isinstance(offer, ReservationOffer) and offer.discount_ppm is None:
            return units * offer.upfront_microusd
        hours = 24 * (offer.end_of(start) - start).days
        return (
            units * self.instruments.all[instrument].unit_price * hours * _UPFRONT_HALVES[offer.upfront] // 2
        )

    def _commitments(self) -> list[dict[str, Any]]:
        found = []
        for instrument, bought, units in self.record.units:
            offer, start = self._offers[instrument], self.forecast.periods[bought].start
            end = offer.end_of(start)
            hourly = units * self.instruments.all[instrument].unit_price
            obligation = hourly * 24 * (end - start).days
            found.append(
                {
                    "offer": offer.name,
                    "years": offer.years,
                    "upfront": str(offer.upfront),
                    "covers": _covers(offer.scope),
                    "nodes": units if isinstance(offer, ReservationOffer) else None,
                    "discount": None if offer.discount_ppm is None else offer.discount_ppm / PPM,
                    "discount_is_estimate": offer.is_estimate,
                    "start": str(start),
                    "end": str(end),
                    "usd_per_hour": hourly / MICRO,
                    "counted_cost_usd": units * self.instruments.cost(instrument, bought) / MICRO,
                    "obligation_usd": obligation / MICRO,
                    "upfront_usd": self._upfront(instrument, bought, units) / MICRO,
                }
            )
        return found

    def _periods(self) -> Iterator[str]:
        said = self.document["periods"]
        yield from differences("number of periods", len(said), len(self.forecast.periods))
        for at, (own, period) in enumerate(zip(said, self.forecast.periods, strict=True)):
            account = self.found.accounts[at]
            total = account.committed + account.on_demand + account.other
            expected = {
                "name": period.name or f"{period.start}",
                "start": str(period.start),
                "end": str(period.end),
                "expected_cost_usd": total / MICRO,
                "paid": {
                    "commitments_usd": account.committed / MICRO,
                    "on_demand_usd": account.on_demand / MICRO,
                    "other_usd": account.other / MICRO,
                },
                "coverage": [
                    {"commitment": name, "worth_usd": worth / MICRO, "used_usd": used / MICRO}
                    for name, worth, used in account.coverage
                ],
            }
            for name, value in expected.items():
                yield from differences(f"periods[{at}].{name}", own[name], value)
            yield from self._mixes(at, own["mixes"])
            yield from self._splits(at, own["splits"])

    def _mixes(self, period: int, entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Nodes and hourly costs of every block of a period."""
        said: dict[tuple[object, ...], Mapping[str, Any]] = {}
        for mix in entries:
            shares = tuple(sorted(mix["share_of_busiest_hour"].items()))
            key = mix["region"], mix["zone"], mix["scenario"], mix["hours_of_week"], shares
            if key in said:
                yield f"{key[:4]} is there twice"
            said[key] = mix
        names = [profile.name for profile in self.forecast.profiles]
        n_blocks, n_futures = len(self.blocks), len(self.futures)
        for s, site in enumerate(self.sites):
            for f, future in enumerate(self.futures):
                for b, block in enumerate(self.blocks):
                    cell = ((s * len(self.forecast.periods) + period) * n_futures + f) * n_blocks + b
                    answer = self.record.answers[cell]
                    shares = tuple(
                        sorted((name, ppm / PPM) for name, ppm in zip(names, block.ppm, strict=True))
                    )
                    wanted = site.region, site.zone, future.name, block.count, shares
                    where = f"{self.forecast.periods[period].name}, {site.name}, {future.name}"
                    if wanted not in said:
                        yield f"{where}: {block.count} hours of the week are missing"
                        continue
                    own = said.pop(wanted)
                    for kind, number in (("on_demand", answer.on_demand), ("spot", answer.spot)):
                        held = None if number is None else self.record.mixes[number]
                        yield from (f"{where}: {line}" for line in self._mix(kind, own[kind], held))
        for left in said:
            yield f"{left[:4]} is none of the forecast's blocks"

    def _mix(self, kind: str, said: Mapping[str, Any], mix: PackedMix | None) -> Iterator[str]:
        counts: Counter[tuple[object, ...]] = Counter()
        for entry in said["purchases"]:
            key = tuple(entry[name] for name in _PURCHASE)
            counts[key] += entry["nodes"]
        own: Counter[tuple[object, ...]] = Counter()
        for kind_of, capacity_type, zone, count, price, source in self._bought(mix) if mix else ():
            own[
                kind_of,
                capacity_type.value,
                zone,
                price / MICRO,
                source.name,
                source.date,
                source.is_estimate,
            ] += count
        cost = mix.cost_microusd_per_hour if mix else 0
        if counts != own:
            yield f"the {kind} nodes are not those of the certificate"
        bound = mix.bound_microusd_per_hour if mix else 0
        is_proven = mix is None or bool(mix.certificate.pod_prices or mix.certificate.split)
        expected = {
            "hourly_cost_usd": cost / MICRO,
            "monthly_cost_usd": HOURS_OF_MONTH * cost / MICRO,
            "nodes": sum(own.values()),
            "lower_bound_usd": bound / MICRO if is_proven else None,
            "gap": ((cost - bound) / cost if cost else 0.0) if is_proven else None,
        }
        for name, value in expected.items():
            yield from differences(f"{kind}.{name}", said[name], value)

    def _splits(self, period: int, entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Where pods run and stand by."""
        own: Counter[tuple[object, ...]] = Counter()
        n_blocks, n_futures = len(self.blocks), len(self.futures)
        for f, future in enumerate(self.futures):
            for b, block in enumerate(self.blocks):
                cell = (period * n_futures + f) * n_blocks + b
                for split in filter(None, self.record.splits[2 * cell : 2 * cell + 2]):
                    for (number, at), pods in split.held.items():
                        demand, site = self.forecast.demands[number], self.sites[at]
                        own[
                            self.forecast.workloads[demand.workload].name, demand.region, site.region,
                            site.zone, future.name, block.count, b, pods,
                            split.running.get((number, at), 0),
                        ] += 1  # fmt: skip
        if own != Counter(tuple(entry[name] for name in _SPLIT) for entry in entries):
            yield f"{self.forecast.periods[period].name}: the splits are not those of the certificate"


_PURCHASE = (
    "instance_type", "capacity_type", "zone", "hourly_price_usd", "price_source", "price_date", "is_estimate",
)  # fmt: skip
_SPLIT = (
    "workload", "wanted_in", "region", "zone", "scenario", "hours_of_week", "block", "pods_held",
    "pods_running",
)  # fmt: skip


def _covers(scope: Scope) -> dict[str, Any]:
    return {"instance_types": list(scope.instance_types), "region": scope.region, "zone": scope.zone}


def _when(commitment: Mapping[str, Any]) -> tuple[str, str]:
    return str(commitment.get("start")), str(commitment.get("offer"))


def differences(path: str, said: object, expected: object) -> list[str]:
    """Where two values differ, with the path of the first place.

    Examples
    --------
    >>> differences("paid", {"a": 1, "b": [2, 3]}, {"a": 1, "b": [2, 4]})
    ['paid.b[1] is 3, should be 4']
    """
    if isinstance(expected, dict) and isinstance(said, Mapping) and set(said) == set(expected):
        return [line for key in expected for line in differences(f"{path}.{key}", said[key], expected[key])]
    if isinstance(expected, list) and isinstance(said, list) and len(said) == len(expected):
        pairs = zip(said, expected, strict=True)
        return [
            line for at, (one, other) in enumerate(pairs) for line in differences(f"{path}[{at}]", one, other)
        ]
    if said != expected or isinstance(said, bool) != isinstance(expected, bool):
        return [f"{path} is {said}, should be {expected}"]
    return []
