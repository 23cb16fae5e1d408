"""Forecast documents that are wrong: one error that names file, path and value of every mistake."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from binwright_clients.cli.main import main
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast
from binwright_optimizer.model.forecast import (
    Period,
    Profile,
    quarter,
)
from click.testing import CliRunner
from forecast_texts import DOCUMENT, complaint, write

HELD = (
    "commitments:\n  held: [{name: old, usdPerHour: 5, discount: 0.3, start: 2025-01-01, end: 2026-06-01}]\n"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DOCUMENT + HELD, "commitments.held[0].end: commitment old is past its end: it ended on 2026-06-01"),
        (DOCUMENT.replace("workloads:", "currency: EUR\nworkloads:"), "currency: must be USD"),
        (DOCUMENT.replace("2027-Q2:", "2027-Q3:"), "is not among the forecast's periods"),
        (DOCUMENT.replace("us-east-1:", "eu-west-1:"), "is not among the forecast's regions"),
        (DOCUMENT.replace("[us-east-1]", "[us-esat-1]"), "regions[0]: unknown region of aws; did you mean"),
        (DOCUMENT.replace("100, 2027", "-3, 2027"),
         "workloads[0].demand.us-east-1.2027-Q1: must not be negative"),
        (DOCUMENT.replace("100, 2027", "true, 2027"), "must be a number of replicas"),
        (DOCUMENT.replace("p90: 110", "p95: 110"), "p95: unknown field; did you mean"),
        (DOCUMENT.replace("p90: 110", "p90: 90"), "must satisfy 0 <= p50 <= p90 <= p99"),
        (DOCUMENT.replace("[2027-Q1, 2027-Q2]", "[2027-Q1, 2027-Q2, 2027-Q4]"),
         "periods[2]: a period is missing"),
        (DOCUMENT.replace("[2027-Q1, 2027-Q2]", "[2027-Q1, 2027-Q2, 2027-Q3]"),
         "api in us-east-1 lacks 2027-Q3"),
        (DOCUMENT.replace("500m", "5x"), "workloads[0].requests[cpu]: is not a quantity"),
        (DOCUMENT.replace("kind: Forecast", "kind: Forcast"), "is no forecast"),
        (DOCUMENT.replace("cpu: 500m, memory: 768Mi", ""), "the pod requests nothing"),
        (DOCUMENT.replace("workloads:", "targetUtilisation: 1.2\nworkloads:"),
         "targetUtilisation: must be above 0"),
        (DOCUMENT.replace("workloads:", "cloud: awz\nworkloads:"), "cloud: unknown cloud; known: aws"),
        (
            DOCUMENT.replace("workloads:", "profiles: {odd: {base: 2}}\nworkloads:"),
            "profiles.odd.base: must be in 0..1",
        ),
        (
            DOCUMENT.replace("workloads:", "profiles: {odd: {hourly: [1, 1]}}\nworkloads:"),
            "profiles.odd.hourly: must have 168",
        ),
        (
            DOCUMENT.replace("workloads:", "profiles: {odd: {peaks: [{days: fri-mon}]}}\nworkloads:"),
            "profiles.odd.peaks[0].days: must look like mon-fri",
        ),
        (DOCUMENT + "commitments: {offers: [{name: x, years: 2, discount: 0.3}]}\n", "years: must be 1 or 3"),
        (DOCUMENT + "commitments: {offers: [{name: x, years: 1, discount: 1.3}]}\n",
         "discount: must be above 0"),
        (DOCUMENT + "commitments: {offers: [{years: 1, discount: 0.3, region: us-esat-1}]}\n",
         "commitments.offers[0].region: is not among the forecast's regions; did you mean"),
        (DOCUMENT + "commitments: {offers: [{years: 1, discount: 0.3, instanceTypes: [m5.lrage]}]}\n",
         "commitments.offers[0].instanceTypes[0]: is not sold on demand in aws; did you mean"),
        (DOCUMENT + "commitments: {offers: [{years: 1, discount: 0.3, zone: us-east-1a}]}\n",
         "commitments.offers[0].zone: needs the region that it is in (got 'us-east-1a')"),
        (DOCUMENT + "commitments: {reservations: [{instanceType: m5.lrage, region: us-east-1, years: 1, "
         "discount: 0.3}]}\n",
         "commitments.reservations[0].instanceType: is not sold on demand in us-east-1"),
        (DOCUMENT + "commitments: {reservations: [{instanceType: m5.large, region: us-east-1, "
         "zone: us-east-1z, years: 1, discount: 0.3}]}\n",
         "commitments.reservations[0].zone: is no zone of us-east-1"),
        (DOCUMENT + "commitments: {reservations: [{instanceType: m5.large, region: us-east-1, years: 1}]}\n",
         "commitments.reservations[0].discount: must be given, or usdPerHour and upfrontUsd"),
        (DOCUMENT + "commitments: {reservations: [{instanceType: m5.large, region: us-east-1, years: 1, "
         "discount: 0.3, usdPerHour: 1}]}\n", "reservations[0].usdPerHour: is given beside a discount"),
        (DOCUMENT + "commitments: {heldReservations: [{name: old, instanceType: m5.large, region: us-east-1, "
         "count: -1, start: 2026-01-01, end: 2028-01-01}]}\n",
         "commitments.heldReservations[0].count: must not be negative (got '-1')"),
        (DOCUMENT + "commitments: {heldReservations: [{name: old, instanceType: m5.large, region: us-east-1, "
         "count: 1, start: 2025-01-01, end: 2026-01-01}]}\n",
         "commitments.heldReservations[0].end: commitment old is past its end"),
        (DOCUMENT + "commitments: {held: [{name: old, instanceType: m5.large, region: us-east-1, count: 1, "
         "start: 2025-01-01, end: 2028-01-01}]}\n",
         "held[0].instanceType: is of reserved nodes: those are listed in commitments.heldReservations"),
        (DOCUMENT + "commitments: {offers: [{name: a, years: 1, discount: 0.3}, {name: a, years: 3, "
         "discount: 0.5}]}\n",
         "commitments.offers[1].name: is the name of commitments.offers[0], too (got 'a')"),
        (DOCUMENT + "commitments: {offers: [{years: 1, discount: 0.3}, {years: 1, upfront: all, "
         "discount: 0.4}]}\n",
         "commitments.offers[1].name: is the name of commitments.offers[0], too (got '1 years')"),
        (DOCUMENT.replace("{2027-Q1: 100, 2027-Q2: {p50: 100, p90: 110}}", "{2027-Q1: 100}"),
         "workloads[0].demand.us-east-1: api in us-east-1 lacks 2027-Q2; write 0 where nothing is wanted"),
        (DOCUMENT + "  - {name: b, requests: {cpu: 1}, history: {file: none.csv}}\n",
         "workloads[1].history.file: there is no file "),
        (DOCUMENT + "resilience: {zones: 2}\n",
         "resilience.zones: must be 0 or 1: how many may be lost at once (got '2')"),
        (DOCUMENT + "resilience: {zone: 1}\n", "resilience.zone: unknown field; did you mean"),
        (DOCUMENT + "resilience: {regionFailoverShare: 1.5}\n",
         "resilience.regionFailoverShare: must be in 0..1 (got '1.5')"),
        (DOCUMENT + "headroom: -0.2\n", "headroom: must be in 0..1 (got '-0.2')"),
        (DOCUMENT + "quotas: {us-east-9: {cpu: 100}}\n",
         "quotas.us-east-9: unknown region of aws; did you mean"),
        (DOCUMENT + "quotas: {us-east-1: {}}\n", "quotas.us-east-1.cpu: must be given"),
        (DOCUMENT + "links: [{between: [us-east-1]}]\n", "links[0].between: must name two different regions"),
        (DOCUMENT + "links: [{between: [us-east-1, eu-west-1], usdPerGiB: -1}]\n",
         "links[0].usdPerGiB: must be a price of zero or more dollars (got '-1')"),
        (DOCUMENT + "links: [{between: [us-east-1, eu-west-1]}, {between: [eu-west-1, us-east-1]}]\n",
         "links[1].between: names a link twice"),
        (DOCUMENT.replace("    demand:", "    regions: [us-est-1]\n    demand:"),
         "workloads[0].regions[0]: unknown region of aws; did you mean"),
        (DOCUMENT.replace("    demand:", "    maxLatencyMs: 5\n    demand:"),
         "workloads[0].maxLatencyMs: means nothing without regions (got '5')"),
        (DOCUMENT + "---\n" + DOCUMENT, "holds more than one document"),
        ("", "is empty"),
    ],
)  # fmt: skip
def test_mistake_in_a_document_names_its_path(tmp_path: Path, text: str, message: str) -> None:
    found = complaint(tmp_path, text, "f.yaml")
    assert message in found
    assert "f.yaml" in found


def test_cloud_of_the_option_must_agree(tmp_path: Path) -> None:
    path = write(tmp_path, DOCUMENT.replace("workloads:", "cloud: aws\nworkloads:"), "f.yaml")
    with pytest.raises(InputError, match="is not the gcp of --cloud"):
        read_forecast(path, "gcp")


@pytest.mark.parametrize("text", ["2027-Q0", "2027Q1", "27-Q1", "2027-Q12", ""])
def test_what_is_no_quarter_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quarter"):
        quarter(text)


@pytest.mark.parametrize("text", ["1999-Q1", "9999-Q4"])
def test_quarter_of_another_age_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be in the years 2000 to 2200"):
        quarter(text)


@pytest.mark.parametrize("option", ["--risk-aversion", "--tail", "--churn-cost"])
def test_what_is_no_number_is_refused_by_its_option(tmp_path: Path, option: str) -> None:
    result = CliRunner().invoke(main, ["plan", write(tmp_path, DOCUMENT, "f.yaml"), option, "nan"])
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.stderr


def test_domain_refuses_impossible_values() -> None:
    assert quarter("2028-Q1").hours == (31 + 29 + 31) * 24
    with pytest.raises(ValueError, match="not after its start"):
        Period(date(2027, 1, 1), date(2027, 1, 1))
    with pytest.raises(ValueError, match="168 hours"):
        Profile("short", (1,))
