"""What the readable part of a saved plan says, held against what was worked out from its certificate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from binwright_optimizer.model.forecast import PPM, CommitmentOffer, Forecast, ReservationOffer
from binwright_optimizer.model.mixes import PackedMix
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.demand import Future, Hours
from binwright_optimizer.verify.plan.document import CertificateRecord

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Recomputed:
    """Micro-dollars over the horizon: of the plan, proven, in each future, expected."""

    total: int
    bound: int
    by_future: tuple[int, ...]
    expected: int


def contradictions(
    document: Mapping[str, Any],
    forecast: Forecast,
    futures: Sequence[Future],
    blocks: Sequence[Hours],
    instruments: Instruments,
    record: CertificateRecord,
    found: Recomputed,
) -> list[str]:
    """Where the document says something else than its certificate."""
    says = []
    gap = (found.total - found.bound) / found.total if found.total else 0.0
    for name, value in (
        ("total_cost_usd", found.total / MICRO),
        ("lower_bound_usd", found.bound / MICRO),
        ("expected_cost_usd", found.expected / MICRO),
        ("gap", gap),
    ):
        if document.get(name) != value:
            says.append(f"{name} is {document.get(name)}, should be {value}")
    scenarios = [
        {"name": future.name, "probability": future.permille / 1000, "cost_usd": cost / MICRO}
        for future, cost in zip(futures, found.by_future, strict=True)
    ]
    if document.get("scenarios") != scenarios:
        says.append("the scenarios, their probabilities or costs are not those of the certificate")
    if _commitments_said(document) != _commitments(forecast, instruments, record):
        says.append("the commitments are not those of the certificate")
    try:
        says += _mixes(document, forecast, futures, blocks, record)
    except (KeyError, TypeError, ValueError) as error:
        says.append(f"the periods cannot be read: {type(error).__name__}: {error}")
    return says


def _commitments_said(document: Mapping[str, Any]) -> Counter[tuple[object, ...]]:
    fields = ("offer", "start", "end", "usd_per_hour", "nodes", "counted_cost_usd", "obligation_usd")
    entries = document.get("commitments")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return Counter()
    return Counter(tuple(str(entry.get(field)) for field in fields) for entry in entries)


def _commitments(
    forecast: Forecast, instruments: Instruments, record: CertificateRecord
) -> Counter[tuple[object, ...]]:
    offers: tuple[CommitmentOffer | ReservationOffer, ...] = (*forecast.offers, *forecast.reservations)
    found: Counter[tuple[object, ...]] = Counter()
    for instrument, bought, units in record.units:
        offer, start = offers[instrument], forecast.periods[bought].start
        end = offer.end_of(start)
        hourly = units * instruments.all[instrument].unit_price
        said = (
            offer.name,
            start,
            end,
            hourly / MICRO,
            units if isinstance(offer, ReservationOffer) else None,
            units * instruments.cost(instrument, bought) / MICRO,
            hourly * 24 * (end - start).days / MICRO,
        )
        found[tuple(map(str, said))] += 1
    return found


def _mixes(
    document: Mapping[str, Any],
    forecast: Forecast,
    futures: Sequence[Future],
    blocks: Sequence[Hours],
    record: CertificateRecord,
) -> Iterator[str]:
    """Nodes and hourly costs of every block."""
    answers = iter(record.answers)
    said = {}
    for period in document["periods"]:
        for mix in period["mixes"]:
            shares = tuple(sorted(mix["share_of_busiest_hour"].items()))
            key = period["name"], mix["region"], mix["scenario"], mix["hours_of_week"], shares
            if key in said:
                yield f"{key[:4]} is there twice"
            said[key] = mix
    expected = 0
    for region in forecast.regions:
        for period in forecast.periods:
            for future in futures:
                for block in blocks:
                    answer = next(answers)
                    names = [profile.name for profile in forecast.profiles]
                    shares = tuple(
                        sorted((name, ppm / PPM) for name, ppm in zip(names, block.ppm, strict=True))
                    )
                    key = period.name or f"{period.start}", region, future.name, block.count, shares
                    expected += 1
                    if key not in said:
                        yield f"{key[:4]} is missing"
                        continue
                    for kind, number in (("on_demand", answer.on_demand), ("spot", answer.spot)):
                        own = None if number is None else record.mixes[number]
                        if not _is_same(said[key][kind], own):
                            yield f"{key[:4]}: the {kind} nodes are not those of the certificate"
    if expected != len(said):
        yield f"{len(said)} blocks are stated, the forecast has {expected}"


def _is_same(said: Mapping[str, Any], mix: PackedMix | None) -> bool:
    counts: Counter[tuple[str, str, str, float]] = Counter()
    for entry in said["purchases"]:
        key = entry["instance_type"], entry["capacity_type"], entry["zone"], entry["hourly_price_usd"]
        counts[key] += entry["nodes"]
    own: Counter[tuple[str, str, str, float]] = Counter()
    for pattern, count in mix.nodes if mix else ():
        price = pattern.price_microusd_per_hour / MICRO
        own[pattern.instance_type, pattern.capacity_type.value, pattern.zone, price] += count
    cost = mix.cost_microusd_per_hour / MICRO if mix else 0.0
    return counts == own and said["hourly_cost_usd"] == cost and said["nodes"] == sum(own.values())
