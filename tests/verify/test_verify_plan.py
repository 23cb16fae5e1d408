"""Plans doubted from files alone: sound ones hold, and every tampering is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cli.main import main
from binwright_clients.cli.plan_forecast import plan_document
from binwright_optimizer.model import CapacityType, Catalog, Offering, PodTemplate, PriceSource, Resources
from binwright_optimizer.model.forecast import (
    EVENING,
    FLAT,
    Band,
    Demand,
    Forecast,
    ForecastWorkload,
    Link,
    Period,
    RegionLimit,
    Resilience,
    Sampling,
    quarter,
)
from binwright_optimizer.model.offers import (
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
    Scope,
    Upfront,
)
from binwright_optimizer.planning.commit import Risk
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.verify.plan import UnverifiableError, verify_plan
from builders import instance_type
from click.testing import CliRunner

Document = dict[str, Any]
SOURCE = PriceSource("test", "2027-01-01")


def prices() -> dict[str, Catalog]:
    """Region r sells two types in two zones, one of them on spot; region q one type."""

    def sold(name: str, cpu: int, cents: int, zones: str, region: str) -> Any:
        offers = [
            Offering(region, f"{region}{zone}", capacity_type, 10_000 * cents * share // 10, SOURCE)
            for zone in zones
            for capacity_type, share in ((CapacityType.ON_DEMAND, 10), (CapacityType.SPOT, 4))
        ]
        return instance_type(name, cpu, 4 * cpu, offerings=offers)

    return {
        "r": Catalog("r", (sold("c4", 4, 10, "ab", "r"), sold("c16", 16, 36, "a", "r"))),
        "q": Catalog("q", (sold("c4", 4, 12, "a", "q"),)),
    }


def asked(**changes: Any) -> Forecast:
    """Two regions, three quarters, three workloads, one of them bought on spot; commitments of all kinds."""
    spot = replace(PodTemplate(Resources.of({"cpu": 700})), node_selector=(_on("spot"),))
    plain = replace(PodTemplate(Resources.of({"cpu": 900})), node_selector=(_on("on-demand"),))
    large = replace(PodTemplate(Resources.of({"cpu": 1300})), node_selector=(_on("on-demand"),))
    found = Forecast(
        "aws",
        ("r", "q"),
        tuple(quarter(f"2027-Q{number}") for number in (1, 2, 3)),
        (
            ForecastWorkload("plain", plain, "evening"),
            ForecastWorkload("large", large),
            ForecastWorkload("batch", spot),
        ),
        tuple(
            Demand(workload, region, period, Band(*(n + 2 * period for n in band)))
            for workload, band in ((0, (9, 11, 14)), (1, (5, 5, 6)), (2, (4, 6, 7)))
            for region in ("r", "q")
            for period in range(3)
            if (workload, region) != (1, "q")
        ),
        profiles=(FLAT, EVENING),
        offers=(
            CommitmentOffer("all", 1, Upfront.NONE, 270_000),
            CommitmentOffer("c4 only", 3, Upfront.PARTIAL, 400_000, scope=Scope(("c4",), "r")),
        ),
        reservations=(ReservationOffer("nodes", "c16", "r", 1, Upfront.NONE, discount_ppm=350_000),),
        held=(HeldCommitment("old", 50_000, 300_000, date(2026, 1, 1), date(2027, 7, 1)),),
        held_reservations=(HeldReservation("kept", "c4", "q", 1, date(2026, 1, 1), date(2028, 1, 1)),),
        utilisation_ppm=800_000,
        headroom_ppm=100_000,
    )
    return replace(found, **changes)


def _on(capacity_type: str) -> Any:
    from binwright_optimizer.model import Requirement, labels
    from binwright_optimizer.model.requirements import Operator

    return Requirement(labels.CAPACITY_TYPE, Operator.IN, (capacity_type,))


def made(forecast: Forecast, **params: Any) -> Document:
    plan = make_plan(forecast, PlanParams(600.0, **params), catalogs=prices())
    document: Document = json.loads(json.dumps(plan_document(plan)))
    return document


def findings(forecast: Forecast, document: Document) -> tuple[str, ...]:
    return verify_plan(forecast, prices(), (STEADY,), document).findings


@pytest.fixture(scope="module")
def document() -> Document:
    return made(asked())


def test_a_plan_with_commitments_of_every_kind_holds(document: Document) -> None:
    found = verify_plan(asked(), prices(), (STEADY,), document)
    assert found.findings == ()
    assert found.total_microusd == round(document["total_cost_usd"] * 1e6)
    assert found.bound_microusd == round(document["lower_bound_usd"] * 1e6)
    assert 0 < document["lower_bound_usd"] <= document["total_cost_usd"]
    assert found.mixes > 10
    assert document["commitments"], "otherwise the plan shows too little"


@pytest.mark.parametrize(
    ("changes", "params"),
    [
        ({}, {"risk": Risk(Fraction(1, 2), Fraction(9, 10))}),
        ({}, {"charges_whole_term": True}),
        ({"sampling": Sampling(7, 3)}, {}),
        ({"service_ppm": 800_000}, {}),
        ({"offers": (), "reservations": ()}, {}),
        ({"held": (), "held_reservations": (), "offers": (), "reservations": ()}, {}),
    ],
)
def test_plans_by_other_measures_hold_too(changes: dict[str, Any], params: dict[str, Any]) -> None:
    forecast = asked(**changes)
    assert findings(forecast, made(forecast, **params)) == ()


def certificate(change: Callable[[Document], None]) -> Callable[[Document], None]:
    return lambda document: change(document["certificate"])


def first_answer(at: int, value: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        answers = document["certificate"]["answers"]
        where = next(i for i, text in enumerate(answers) if text.split()[at] != value)
        parts = answers[where].split()
        parts[at] = value
        answers[where] = " ".join(parts)

    return change


def replaced(field: str, at: int, change: Callable[[str], str]) -> Callable[[Document], None]:
    def mutate(document: Document) -> None:
        document["certificate"][field][at] = change(document["certificate"][field][at])

    return mutate


def part_of_pattern(at: int, value: str) -> Callable[[str], str]:
    return lambda text: "|".join(value if k == at else part for k, part in enumerate(text.split("|")))


def one_node_fewer(document: Document) -> None:
    mix = document["certificate"]["mixes"][0]
    first, *rest = mix[0].split()
    pattern, count = first.split(":")
    mix[0] = " ".join([f"{pattern}:{int(count) - 1}", *rest] if int(count) > 1 else rest)


def more_pods_on_a_node(document: Document) -> None:
    patterns = document["certificate"]["patterns"]
    head, _, pods = patterns[0].rpartition("|")
    workload, _, count = pods.split()[0].partition(":")
    patterns[0] = f"{head}|{workload}:{int(count) + 40}"


def lowered(document: Document) -> None:
    """Every dual price of pods halved; raising them would be made good by the proof itself."""
    for entry in document["certificate"]["certificates"]:
        if "pods" in entry:
            entry["pods"] = " ".join(str(int(price) // 2) for price in entry["pods"].split())


def set_in(path: str, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        inner: Any = document
        for part in parents:
            inner = inner[part]
        assert inner[last] != value
        inner[last] = value

    return change


def appended(name: str, line: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document[name].append(line)

    return change


def without(name: str, start: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        left = [line for line in document[name] if not line.startswith(start)]
        assert len(left) < len(document[name])
        document[name] = left

    return change


def scaled_prices(document: Document) -> None:
    rows = document["certificate"]["commitment_prices"]
    document["certificate"]["commitment_prices"] = [
        " ".join(str(Fraction(part) / 2) for part in row.split()) for row in rows
    ]


def dropped_commitment(document: Document) -> None:
    document["certificate"]["units"].pop()


def cheaper_statement(document: Document) -> None:
    document["total_cost_usd"] -= 1.0
    document["certificate"]["total_microusd"] -= 1_000_000


def better_statement(document: Document) -> None:
    document["lower_bound_usd"] += 1.0
    document["certificate"]["bound_microusd"] += 1_000_000


def shifted_weights(document: Document) -> None:
    weights = [Fraction(text) for text in document["certificate"]["scenario_weights"]]
    weights[0] -= Fraction(1, 10)
    weights[-1] += Fraction(1, 10)
    document["certificate"]["scenario_weights"] = [str(weight) for weight in weights]


def an_hour_moved(document: Document) -> None:
    hours = document["certificate"]["block_of_hour"].split()
    hours[0] = "0" if hours[0] == "1" else "1"
    document["certificate"]["block_of_hour"] = " ".join(hours)


MUTATIONS: dict[str, Callable[[Document], None]] = {
    "cost stated too low": cheaper_statement,
    "bound stated too high": better_statement,
    "readable cost too low": set_in("total_cost_usd", 1.0),
    "readable bound too high": set_in("lower_bound_usd", 10.0**9),
    "gap of zero": set_in("gap", 0.0),
    "expected cost": set_in("expected_cost_usd", 1.0),
    "another probability": set_in("scenarios.0.probability", 0.5),
    "another scenario cost": set_in("scenarios.1.cost_usd", 1.0),
    "nodes that do not run": one_node_fewer,
    "more pods than fit": more_pods_on_a_node,
    "a price that is not asked": replaced("patterns", 0, part_of_pattern(5, "1")),
    "a zone that does not exist": replaced("patterns", 0, part_of_pattern(3, "rz")),
    "another type": replaced("patterns", 0, part_of_pattern(1, "c64")),
    "another way to buy": replaced("patterns", 0, part_of_pattern(4, "reserved")),
    "another NodePool": replaced("patterns", 0, part_of_pattern(0, "pool")),
    "prices of pods lowered": lowered,
    "a mix's bound raised": set_in("certificate.mixes.0.2", 10**9),
    "a mix's cost lowered": set_in("certificate.mixes.0.1", 1),
    "pods left out": first_answer(0, "-"),
    "spot pods left out": first_answer(2, "-"),
    "a proof left out": first_answer(1, "-"),
    "a mix that is not there": first_answer(0, "999999"),
    "another block's mix": first_answer(0, "0"),
    "commitments that are not paid for": dropped_commitment,
    "commitments for nothing": set_in("certificate.units.0.2", 10**6),
    "a commitment that is held, bought": set_in("certificate.units.0.0", 3),
    "a purchase before the first period": set_in("certificate.units.0.1", 7),
    "other prices of commitments": scaled_prices,
    "weights that favour the dear future": shifted_weights,
    "another risk measure": set_in("certificate.risk.aversion", "1/2"),
    "the whole term charged": set_in("certificate.charges_whole_term", True),
    "an hour in another block": an_hour_moved,
    "a family of another region": set_in("certificate.families.0.region", "q"),
    "a family without its workloads": set_in("certificate.families.0.workloads", [0]),
    "readable commitments": set_in("commitments.0.usd_per_hour", 0.5),
    "a discount nobody offered": set_in("commitments.0.discount", 0.9),
    "less paid upfront": set_in("commitments.0.upfront_usd", -1.0),
    "an obligation left out": set_in("commitments.0.obligation_usd", 0.0),
    "another term": set_in("commitments.0.years", 5),
    "a wider scope": set_in("commitments.0.covers.region", "everywhere"),
    "an estimate sold as a quote": set_in("commitments.0.discount_is_estimate", None),
    "a cheaper period": set_in("periods.1.expected_cost_usd", 1.0),
    "a period of other days": set_in("periods.1.end", "2027-06-29"),
    "less paid for commitments": set_in("periods.0.paid.commitments_usd", 0.01),
    "less paid on demand": set_in("periods.0.paid.on_demand_usd", 0.01),
    "less paid for spot": set_in("periods.0.paid.other_usd", 0.01),
    "commitments better used": set_in("periods.0.coverage.0.used_usd", 10.0**6),
    "a commitment worth more": set_in("periods.0.coverage.0.worth_usd", 10.0**6),
    "nothing to gain without commitments": set_in("without_commitments_usd", 10.0**6),
    "another mix alone": first_answer(3, "0"),
    "churn for nothing": set_in("churn_usd", 5.0),
    "all demand served": set_in("service_level", 0.5),
    "another cloud": set_in("cloud", "gcp"),
    "nothing held": set_in("held_commitments", []),
    "more held": set_in("held_commitments.0.usd_per_hour", 1000.0),
    "no warnings": set_in("warnings", None),
    "a wide gap that is not told": without("warnings", "the gap exceeds"),
    "a payment upfront that nobody asks for": appended(
        "warnings", "commitments are to be paid upfront, $9 on 2027-01-01; the total counts $1 of their cost"
    ),
    "a sizing rule from nowhere": set_in("sizing_rule_usd", 10.0**6),
    "a backtest from nowhere": set_in("backtests", [{"workload": "plain"}]),
    "a later price list": set_in("price_sources.0.date", "2028-01-01"),
    "a price list left out": set_in("price_sources", []),
    "a node's price": set_in("periods.0.mixes.0.on_demand.purchases.0.hourly_price_usd", 0.0001),
    "where a price is from": set_in("periods.0.mixes.0.on_demand.purchases.0.price_source", "hearsay"),
    "when a price was": set_in("periods.0.mixes.0.on_demand.purchases.0.price_date", "2028-01-01"),
    "a month's price": set_in("periods.0.mixes.0.on_demand.monthly_cost_usd", 0.0),
    "a mix's proven bound": set_in("periods.0.mixes.0.on_demand.lower_bound_usd", 10.0**6),
    "a mix's gap": set_in("periods.0.mixes.0.on_demand.gap", -1.0),
    "a commitment from another day": set_in("commitments.0.start", "2027-01-02"),
    "readable nodes": set_in("periods.0.mixes.0.on_demand.nodes", 1_000),
    "readable price of a block": set_in("periods.0.mixes.0.on_demand.hourly_cost_usd", 0.0),
    "a block of another scenario": set_in("periods.0.mixes.0.scenario", "extreme"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_tampering_is_refused(name: str, document: Document) -> None:
    changed = copy.deepcopy(document)
    MUTATIONS[name](changed)
    assert findings(asked(), changed) != ()


@pytest.mark.parametrize(
    "changes",
    [
        {"utilisation_ppm": 700_000},
        {"headroom_ppm": 0},
        {"offers": asked().offers[:1]},
        {"held": ()},
        {"periods": (Period(date(2027, 1, 1), date(2027, 3, 31), "2027-Q1"), *asked().periods[1:])},
        {"demands": (replace(asked().demands[0], band=Band(50, 60, 70)), *asked().demands[1:])},
        {"sampling": Sampling(3)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_plan_for_another_forecast_is_refused(changes: dict[str, Any], document: Document) -> None:
    assert findings(asked(**changes), document) != ()


def test_a_plan_at_other_prices_is_refused(document: Document) -> None:
    dearer = prices()
    kind = dearer["r"].instance_types[0]
    offers = tuple(replace(o, price_microusd_per_hour=o.price_microusd_per_hour + 1) for o in kind.offerings)
    dearer["r"] = replace(
        dearer["r"], instance_types=(replace(kind, offerings=offers), *dearer["r"].instance_types[1:])
    )
    assert verify_plan(asked(), dearer, (STEADY,), document).findings != ()


@pytest.mark.parametrize(
    ("mutate", "message"),
    [
        (lambda document: document.pop("certificate"), "holds no certificate"),
        (set_in("certificate.form", 1), "form 1"),
        (set_in("certificate.answers", 3), "cannot be read: TypeError"),
        (set_in("certificate.patterns", ["a|b"]), "cannot be read: ValueError"),
        (set_in("certificate.risk.level", "x"), "cannot be read: ValueError"),
        (set_in("certificate.block_of_hour", "0 2"), "168 hours"),
        (set_in("certificate.total_microusd", 1.5), "no whole number"),
    ],
)
def test_what_cannot_be_read_is_neither_proven_nor_refuted(
    mutate: Callable[[Document], Any], message: str, document: Document
) -> None:
    changed = copy.deepcopy(document)
    mutate(changed)
    with pytest.raises(UnverifiableError, match=message):
        findings(asked(), changed)


# --- pods over several places ---------------------------------------------------------------------------


def spread(**changes: Any) -> Forecast:
    """One quarter; large pods may run in both regions, batch survives a spot pool, the others a zone."""
    whole = asked(reservations=(), held=(), held_reservations=())
    plain, large, batch = whole.workloads
    found = replace(
        whole,
        periods=whole.periods[:1],
        workloads=(
            plain,
            replace(
                large,
                regions=("r", "q"),
                most_latency_ms=90,
                egress_mib_per_hour=512,
                resilience=Resilience(zones=1, failover_ppm=400_000),
            ),
            replace(batch, resilience=Resilience(spot_pools=1, protected_ppm=500_000)),
        ),
        demands=tuple(
            d for d in whole.demands if d.period == 0 and (d.workload, d.region) not in ((2, "q"),)
        ),
        resilience=Resilience(zones=1, protected_ppm=700_000),
        links=(Link("r", "q", 80, 20_000),),
        limits=(RegionLimit("q", 60_000),),
    )
    return replace(found, **changes)


def places() -> dict[str, Catalog]:
    """The same price lists, with a second zone in q."""
    found = prices()
    kind = found["q"].instance_types[0]
    more = tuple(replace(o, zone="qb") for o in kind.offerings)
    found["q"] = Catalog("q", (replace(kind, offerings=(*kind.offerings, *more)),))
    return found


@pytest.fixture(scope="module")
def split_document() -> Document:
    plan = make_plan(spread(), PlanParams(600.0), catalogs=places())
    document: Document = json.loads(json.dumps(plan_document(plan)))
    return document


def spread_findings(document: Document, **changes: Any) -> tuple[str, ...]:
    return verify_plan(spread(**changes), places(), (STEADY,), document).findings


def test_a_plan_over_several_places_with_promises_and_a_quota_holds(split_document: Document) -> None:
    found = verify_plan(spread(), places(), (STEADY,), split_document)
    assert found.findings == ()
    assert found.total_microusd == round(split_document["total_cost_usd"] * 1e6)
    assert 0.7 * found.total_microusd < found.bound_microusd <= found.total_microusd
    assert {s["zone"] for s in split_document["periods"][0]["splits"]} == {"ra", "rb", "qa", "qb"}


def in_split(change: Callable[[Document], None], kind: int = 0) -> Callable[[Document], None]:
    """A change of the first split of on-demand pods (0) or spot pods (1)."""
    return lambda document: change(document["certificate"]["splits"][kind])


def part_of_pods(at: int, change: Callable[[int], int]) -> Callable[[Document], None]:
    def mutate(split: Document) -> None:
        first, *rest = split["pods"].split()
        parts = [int(part) for part in first.split(":")]
        parts[at] = change(parts[at])
        split["pods"] = " ".join([":".join(map(str, parts)), *rest])

    return mutate


def heavier_cuts(split: Document) -> None:
    pairs = [text.split(":") for text in split["cuts"].split()]
    split["cuts"] = " ".join(f"{cut}:{Fraction(weight) * 3}" for cut, weight in pairs)


def dearer_losses(split: Document) -> None:
    split["losses"] = [[demand, name, str(-1 - Fraction(phi))] for demand, name, phi in split["losses"]]


def dearer_cuts(document: Document) -> None:
    """Prices of pods that no node is worth: the verifier divides them until they prove something, less."""
    for number in document["certificate"]["cut_certificates"]:
        entry = document["certificate"]["certificates"][number]
        while "split" in entry and not entry["pods"]:
            entry = entry["split"]["fewer"]
        prices = [int(price) for price in entry["pods"].split()]
        entry["pods"] = " ".join(str(price * (1 + 9 * (at % 2))) for at, price in enumerate(prices))


SPLIT_MUTATIONS: dict[str, Callable[[Document], None]] = {
    "a pod held less": in_split(part_of_pods(2, lambda pods: pods - 1)),
    "a pod held more": in_split(part_of_pods(2, lambda pods: pods + 1)),
    "a pod that does not run": in_split(part_of_pods(3, lambda pods: pods - 1)),
    "more run than are held": in_split(part_of_pods(3, lambda pods: pods + 50)),
    "pods on another site": in_split(part_of_pods(1, lambda site: 3 - site)),
    "pods on a site that is not there": in_split(part_of_pods(1, lambda _: 9)),
    "pods of another demand": in_split(part_of_pods(0, lambda _: 99)),
    "spot pods held less": in_split(part_of_pods(2, lambda pods: pods - 1), kind=1),
    "weights above one": in_split(heavier_cuts),
    "losses of a negative price": in_split(dearer_losses),
    "a price for a quota that is not there": in_split(lambda s: s["quotas"].update({"r": "1"})),
    "cuts that are not there": in_split(lambda s: s.update(cuts="999:1")),
    "a split left out": lambda document: document["certificate"]["splits"].__setitem__(0, None),
    "a bound too high": better_statement,
    "a cost too low": cheaper_statement,
    "readable pods held": set_in("periods.0.splits.0.pods_held", 99),
    "readable pods running": set_in("periods.0.splits.0.pods_running", 99),
    "a readable split left out": lambda document: document["periods"][0]["splits"].pop(),
    "data for nothing": set_in("periods.0.paid.other_usd", 0.01),
}


def test_cuts_of_dearer_pods_prove_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cells are too large to be counted in whole pods, cuts are all that proves the bound."""
    monkeypatch.setattr("binwright_optimizer.verify.whole_split.MOST_STEPS", -1)
    plan = make_plan(spread(), PlanParams(600.0), catalogs=places())
    changed: Document = json.loads(json.dumps(plan_document(plan)))
    assert spread_findings(changed) == ()
    dearer_cuts(changed)
    assert spread_findings(changed) != ()


@pytest.mark.parametrize("name", SPLIT_MUTATIONS)
def test_every_tampering_with_splits_is_refused(name: str, split_document: Document) -> None:
    changed = copy.deepcopy(split_document)
    SPLIT_MUTATIONS[name](changed)
    assert spread_findings(changed) != ()


@pytest.mark.parametrize(
    "changes",
    [
        {"resilience": Resilience(zones=1)},
        {"limits": (RegionLimit("q", 1_000),)},
        {"links": (Link("r", "q", 80, 40_000),)},
        {"links": (Link("r", "q", 95, 20_000),)},
    ],
    ids=["a larger promise", "a smaller quota", "dearer data", "a longer way"],
)
def test_a_split_for_another_promise_is_refused(changes: dict[str, Any], split_document: Document) -> None:
    assert spread_findings(split_document, **changes) != ()


FILE = """
apiVersion: binwright.dev/v1
kind: Forecast
regions: [us-east-1]
periods: [2027-Q1]
workloads:
  - name: web
    requests: {cpu: 500m, memory: 1Gi}
    demand: {us-east-1: {2027-Q1: {p50: 20, p90: 24, p99: 30}}}
"""


def test_the_command_says_what_holds_and_what_is_refuted(tmp_path: Path) -> None:
    forecast, plan = tmp_path / "f.yaml", tmp_path / "p.json"
    forecast.write_text(FILE)
    runner = CliRunner()
    made = runner.invoke(main, ["plan", str(forecast), "-q", "--workers", "1", "-o", "json"])
    assert made.exit_code == 0, made.output
    plan.write_text(made.stdout)
    held = runner.invoke(main, ["plan", "verify", str(plan), str(forecast)])
    assert held.exit_code == 0, held.output
    assert "holds" in held.output
    document = json.loads(made.stdout)
    document["total_cost_usd"] -= 1
    plan.write_text(json.dumps(document))
    refuted = runner.invoke(main, ["plan", "verify", str(plan), str(forecast), "-o", "json"])
    assert refuted.exit_code == 1
    answer = json.loads(refuted.stdout)
    assert not answer["holds"]
    assert any(finding.startswith("total_cost_usd is") for finding in answer["findings"])
    plan.write_text("{}")
    empty = runner.invoke(main, ["plan", "verify", str(plan), str(forecast)])
    assert empty.exit_code == 2
    said = " ".join(empty.output.split())
    assert "is no plan of `binwright plan -o json`: total_cost_usd is missing" in said
    plan.write_text("[]")
    wrong = runner.invoke(main, ["plan", "verify", str(plan), str(forecast)])
    assert wrong.exit_code == 2
    assert "is no plan" in wrong.output
