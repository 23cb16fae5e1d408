"""Forecast files: what is read, and one error that names file, place, column and value of every mistake."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from binwright_clients.cli.main import main
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast
from binwright_clients.forecast.history import SHAPE
from binwright_clients.forecast.table import KNOWN_COLUMNS
from binwright_optimizer.model.forecast import (
    PPM,
    Band,
    Link,
    Period,
    Profile,
    RegionLimit,
    Resilience,
    quarter,
)
from binwright_optimizer.planning.reference import REGIONS, reference_workloads
from click.testing import CliRunner

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "forecast.yaml"

TABLE = """workload,region,period,cpu_milli,memory_mib,gpu_count,gpu_models,capacity_type,profile,p50,p90,p99
api,us-east-1,2027-Q1,500,768,,,,office,100,110,130
api,us-east-1,2027-Q2,500,768,,,,office,120,,
model,us-east-1,2027-Q1,3000,12288,1,T4,,,4,5,6
model,us-east-1,2027-Q2,3000,12288,1,T4,,,4,5,6
night,eu-west-1,2027-Q1,1000,1536,,,spot,night,10,10,10
night,eu-west-1,2027-Q2,1000,1536,,,spot,night,0,0,0
"""

DOCUMENT = """apiVersion: binwright.dev/v1
kind: Forecast
regions: [us-east-1]
periods: [2027-Q1, 2027-Q2]
workloads:
  - name: api
    requests: {cpu: 500m, memory: 768Mi}
    demand:
      us-east-1: {2027-Q1: 100, 2027-Q2: {p50: 100, p90: 110}}
"""


def write(tmp_path: Path, text: str, name: str = "demand.csv") -> str:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def complaint(tmp_path: Path, text: str, name: str = "demand.csv") -> str:
    with pytest.raises(InputError) as caught:
        read_forecast(write(tmp_path, text, name))
    return str(caught.value)


def test_shipped_example_is_the_reference_platforms_demand_growing() -> None:
    forecast = read_forecast(str(EXAMPLE))
    assert [period.name for period in forecast.periods] == ["2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4"]
    for region in REGIONS:
        today = {w.name: w for w in reference_workloads(region)}
        for demand in forecast.demands:
            if (demand.region, demand.period) == (region.name, 0):
                workload = forecast.workloads[demand.workload]
                assert demand.band.p50 == today[workload.name].replicas
                assert workload.template.requests == today[workload.name].template.requests
    assert forecast.held[0].end == date(2027, 7, 1)
    assert [offer.discount_ppm for offer in forecast.offers] == [270_000, 310_000, 450_000]


def test_table_is_read(tmp_path: Path) -> None:
    forecast = read_forecast(write(tmp_path, TABLE))
    assert (forecast.cloud, forecast.regions) == ("aws", ("us-east-1", "eu-west-1"))
    assert [w.name for w in forecast.workloads] == ["api", "model", "night"]
    bands = {(d.workload, d.period): d.band for d in forecast.demands}
    assert bands[0, 0] == Band(100, 110, 130)
    assert bands[0, 1] == Band(120, 120, 120)
    assert bands[2, 1] == Band(0, 0, 0)
    assert [w.profile for w in forecast.workloads] == ["office", "flat", "night"]


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    source = write(tmp_path, TABLE)
    target = tmp_path / "demand.parquet"
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{source}', header = true)) TO '{target}' (FORMAT parquet)")
    assert read_forecast(str(target)) == read_forecast(source)


def test_periods_may_be_given_by_their_days(tmp_path: Path) -> None:
    text = """workload,region,period_start,period_end,cpu_milli,memory_mib,replicas
api,us-east-1,2027-01-01,2027-02-01,500,768,10
api,us-east-1,2027-02-01,2027-03-01,500,768,11
"""
    forecast = read_forecast(write(tmp_path, text))
    assert [period.hours for period in forecast.periods] == [31 * 24, 28 * 24]


def test_document_and_table_of_the_same_demand_agree(tmp_path: Path) -> None:
    document = read_forecast(write(tmp_path, DOCUMENT, "f.yaml"))
    table = read_forecast(
        write(
            tmp_path,
            "workload,region,period,cpu_milli,memory_mib,p50,p90\n"
            "api,us-east-1,2027-Q1,500,768,100,\napi,us-east-1,2027-Q2,500,768,100,110\n",
        )
    )
    assert document == table


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2027-Q2,500,768,,,,office,120,,", "2027-Q3,500,768,,,,office,120,,", "line 3: region: api in"),
        ("api,us-east-1,2027-Q2,500,768,,,,office,120,,\n", "", "api in us-east-1 lacks 2027-Q2"),
        ("office,100,110,130", "office,-100,110,130", "line 2: p50: must not be negative (got '-100')"),
        ("office,100,110,130", "office,100,90,130", "line 2: p90: must satisfy 0 <= p50 <= p90 <= p99"),
        ("office,100,110,130", "office,100,110,105", "line 2: p99: must satisfy 0 <= p50 <= p90 <= p99"),
        ("office,100,110,130", "office,1.5,110,130", "line 2: p50: must be a whole number (got '1.5')"),
        ("office,100,110,130", "office,,110,130", "line 2: p50: must not be empty"),
        ("office,100,110,130", "office,nan,110,130",
         "line 2: p50: is not a finite decimal number (got 'nan')"),
        ("api,us-east-1,2027-Q1", "api,us-east-9,2027-Q1",
         "line 2: region: unknown region of aws; did you mean"),
        ("api,us-east-1,2027-Q1", "api,us-east-1,2027-Q5",
         "line 2: period: is not a quarter such as 2027-Q1"),
        ("api,us-east-1,2027-Q2", "api,us-east-1,2027-Q1", "line 3: period: was given before, in line 2"),
        ("api,us-east-1,2027-Q2,500", "api,us-east-1,2027-Q2,600", "line 3: workload: has another shape"),
        ("T4,,,4,5,6\nmodel,us-east-1,2027-Q2", "T4,,,4,5,6\n,us-east-1,2027-Q2",
         "line 5: workload: must not be"),
        ("spot,night,10", "reserved,night,10",
         "line 6: capacity_type: must be on-demand or spot (got 'reserved')"),
        ("spot,night,10,10,10\nnight,eu-west-1,2027-Q2,1000,1536,,,spot,night",
         "spot,nite,10,10,10\nnight,eu-west-1,2027-Q2,1000,1536,,,spot,nite",
          "profile: unknown profile; did you mean 'night'"),
        ("api,us-east-1,2027-Q1,500,768", "api,us-east-1,2027-Q1,0,0",
         "line 2: cpu_milli: the pod requests nothing"),
        (",p50,p90,p99\n", ",q50,p90,p99\n", "q50: unknown column"),
        ("workload,region,period,", "workload,regoin,period,", "regoin: unknown column"),
    ],
)  # fmt: skip
def test_mistake_in_a_table_names_line_column_and_value(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TABLE
    text = complaint(tmp_path, TABLE.replace(old, new, 1))
    assert message in text
    assert "demand.csv" in text


def test_missing_quarter_is_named_where_the_next_one_is(tmp_path: Path) -> None:
    text = """workload,region,period,cpu_milli,memory_mib,replicas
api,us-east-1,2027-Q1,500,768,10
api,us-east-1,2027-Q3,500,768,11
"""
    found = complaint(tmp_path, text)
    assert "line 3: period: a period is missing before it: 2027-Q1 ends on 2027-04-01" in found
    assert "(got '2027-Q3')" in found


def test_overlapping_periods_are_named(tmp_path: Path) -> None:
    text = """workload,region,period_start,period_end,cpu_milli,memory_mib,replicas
api,us-east-1,2027-01-01,2027-04-01,500,768,10
api,us-east-1,2027-03-15,2027-06-01,500,768,11
"""
    found = complaint(tmp_path, text)
    assert "line 3: period_start: overlaps 2027-01-01 to 2027-04-01" in found
    assert "(got '2027-03-15')" in found


@pytest.mark.parametrize(
    ("currencies", "message"),
    [
        (("USD", "EUR"), "line 3: currency: mixes currencies: USD elsewhere in the file (got 'EUR')"),
        (("EUR", "EUR"), "line 2: currency: must be USD, the currency of the price lists (got 'EUR')"),
    ],
)
def test_currency_mix_up_is_named(tmp_path: Path, currencies: tuple[str, str], message: str) -> None:
    text = "workload,region,period,cpu_milli,memory_mib,replicas,currency\n" + "".join(
        f"api,us-east-1,2027-Q{at},500,768,10,{currency}\n" for at, currency in enumerate(currencies, start=1)
    )
    assert message in complaint(tmp_path, text)


def test_all_mistakes_come_in_one_error(tmp_path: Path) -> None:
    text = TABLE.replace("office,100", "office,-100").replace("T4,,,4,5,6", "T4,,,x,5,6", 1)
    found = complaint(tmp_path, text)
    assert "line 2" in found
    assert "line 4" in found


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


def test_reservations_are_read(tmp_path: Path) -> None:
    text = (
        DOCUMENT
        + """commitments:
  offers: []
  reservations:
    - {instanceType: m5.large, region: us-east-1, zone: us-east-1a, years: 3, upfront: all, discount: 0.56}
    - {name: quote, instanceType: m5.large, region: us-east-1, years: 1, usdPerHour: 0.02, upfrontUsd: 100}
  heldReservations:
    - {name: old, instanceType: m5.large, region: us-east-1, count: 4, start: 2026-01-01, end: 2028-01-01}
"""
    )
    forecast = read_forecast(write(tmp_path, text, "f.yaml"))
    first, quote = forecast.reservations
    assert (first.name, first.zone, first.discount_ppm) == ("m5.large, 3 years", "us-east-1a", 560_000)
    assert (quote.microusd_per_hour, quote.upfront_microusd, quote.discount_ppm) == (20_000, 10**8, None)
    assert [(held.count, held.zone) for held in forecast.held_reservations] == [(4, "")]
    assert forecast.offers == ()


def test_where_pods_may_run_is_read(tmp_path: Path) -> None:
    text = (
        DOCUMENT.replace(
            "    demand:",
            "    regions: [us-east-1, eu-west-1]\n    maxLatencyMs: 90\n    egressGiBPerHour: 0.5\n"
            "    resilience: {zones: 0}\n    demand:",
        )
        + """headroom: 0.1
resilience: {zones: 1, spotPools: 1, regionFailoverShare: 0.25, protectedShare: 0.9}
links: [{between: [us-east-1, eu-west-1], latencyMs: 75, usdPerGiB: 0.02}]
quotas: {eu-west-1: {cpu: 500}}
"""
    )
    forecast = read_forecast(write(tmp_path, text, "f.yaml"))
    workload = forecast.workloads[0]
    assert workload.regions == ("us-east-1", "eu-west-1")
    assert (workload.most_latency_ms, workload.egress_mib_per_hour) == (90, 512)
    assert workload.resilience == Resilience()
    assert forecast.resilience == Resilience(1, 1, 250_000, 900_000)
    assert forecast.links == (Link("us-east-1", "eu-west-1", 75, 20_000),)
    assert forecast.limits == (RegionLimit("eu-west-1", 500_000),)
    assert (forecast.headroom_ppm, forecast.fill_ppm) == (100_000, 770_000)


def test_cloud_of_the_option_must_agree(tmp_path: Path) -> None:
    path = write(tmp_path, DOCUMENT.replace("workloads:", "cloud: aws\nworkloads:"), "f.yaml")
    with pytest.raises(InputError, match="is not the gcp of --cloud"):
        read_forecast(path, "gcp")


def test_custom_profile_counts_the_hours_of_the_week(tmp_path: Path) -> None:
    text = DOCUMENT.replace(
        "workloads:",
        "profiles: {shop: {base: 0.25, peaks: [{days: sat-sun, hours: 10-18, factor: 1}]}}\nworkloads:",
    ).replace("    requests:", "    profile: shop\n    requests:")
    profile = read_forecast(write(tmp_path, text, "f.yaml")).profiles[0]
    assert profile.ppm.count(PPM) == 16
    assert profile.ppm[24 * 5 + 10] == PPM
    assert profile.ppm[0] == 250_000


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


def test_fields_left_empty_are_as_good_as_absent(tmp_path: Path) -> None:
    """An empty base or factor is the busiest hour's, an empty share of the common cause a half."""
    empty = DOCUMENT + (
        "profiles: {day: {base: , peaks: [{days: , hours: 8-20, factor: }], hourly: }}\n"
        "scenarios: {count: 5, seed: , common: }\n"
    )
    absent = DOCUMENT + "profiles: {day: {peaks: [{hours: 8-20}]}}\nscenarios: {count: 5}\n"
    assert read_forecast(write(tmp_path, empty, "a.yaml")) == read_forecast(write(tmp_path, absent, "b.yaml"))


def test_commitments_that_count_for_nothing_and_regions_without_demand_are_remarked(tmp_path: Path) -> None:
    """One ends within the second quarter, one begins after it, one counts in both."""
    held = (
        "commitments:\n  held:\n"
        "    - {name: mid, usdPerHour: 5, discount: 0.3, start: 2026-01-01, end: 2027-06-01}\n"
        "    - {name: late, usdPerHour: 5, discount: 0.3, start: 2027-08-01, end: 2028-06-01}\n"
        "    - {name: good, usdPerHour: 5, discount: 0.3, start: 2026-01-01, end: 2027-07-01}\n"
    )
    text = DOCUMENT.replace("regions: [us-east-1]", "regions: [us-east-1, eu-west-1]") + held
    at, nothing = "commitments.held", "and counts for nothing"
    assert read_forecast(write(tmp_path, text, "f.yaml")).remarks == (
        "regions[1]: no workload wants anything in eu-west-1",
        f"{at}[0].end: commitment mid ends on 2027-06-01, within 2027-Q2, {nothing} in that period",
        f"{at}[1].start: commitment late begins on 2027-08-01, after the last period, {nothing}",
    )
    assert read_forecast(write(tmp_path, DOCUMENT, "g.yaml")).remarks == ()


def test_shipped_table_has_every_kind_of_column_and_is_read() -> None:
    """Two quarters of api in two regions, of inference and of batch; a p50 alone is certain."""
    found = read_forecast(str(EXAMPLE.with_suffix(".csv")))
    assert [workload.name for workload in found.workloads] == ["api", "inference", "batch"]
    assert found.regions == ("us-east-1", "eu-west-1")
    assert len(found.demands) == 8
    assert found.demands[-1].band == Band.exactly(32)


@pytest.mark.parametrize(
    ("command", "columns"),
    [("forecast", sorted(KNOWN_COLUMNS)), ("history", ["workload", "region", "date", "replicas", *SHAPE])],
)
def test_help_names_every_column_of_a_table(command: str, columns: list[str]) -> None:
    said = CliRunner().invoke(main, ["plan", command, "--help"]).stdout
    assert [name for name in columns if not re.search(rf"\b{name}\b", said)] == []


DEVICES = """workload,region,period,cpu_milli,memory_mib,resource:example.com/fpga,p50
coder,us-east-1,2027-Q1,500,768,{},3
"""


def test_further_resources_of_a_table_are_requested(tmp_path: Path) -> None:
    forecast = read_forecast(write(tmp_path, DEVICES.format(2)))
    assert dict(forecast.workloads[0].template.requests)["example.com/fpga"] == 2


def test_a_further_resource_that_is_no_amount_is_named(tmp_path: Path) -> None:
    message = complaint(tmp_path, DEVICES.format("two"))
    assert "resource:example.com/fpga" in message
    assert "two" in message


def test_units_in_numeric_columns_are_two_mistakes_and_no_third(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text(
        "workload,period,region,cpu_milli,memory_mib,p50\napi,2027-Q1,us-east-1,500m,768Mi,20\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError) as caught:
        read_forecast(str(file))
    assert [problem.field for problem in caught.value.problems] == ["cpu_milli", "memory_mib"]
