"""Plans doubted from files alone: every tampering with one is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction

import pytest
from plans_doubted import Document, asked, better_statement, cheaper_statement, findings, made, set_in


@pytest.fixture(scope="module")
def document() -> Document:
    return made(asked())


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
