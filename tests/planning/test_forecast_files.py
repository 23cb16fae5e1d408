"""Forecast files: what is read of documents, tables and Parquet."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from binwright_clients.cli.main import main
from binwright_clients.forecast import read_forecast
from binwright_clients.forecast.history import SHAPE
from binwright_clients.forecast.table import KNOWN_COLUMNS
from binwright_optimizer.model.forecast import (
    PPM,
    Band,
    Link,
    RegionLimit,
    Resilience,
)
from binwright_optimizer.planning.reference import REGIONS, reference_workloads
from click.testing import CliRunner
from forecast_texts import DOCUMENT, TABLE, write

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "forecast.yaml"


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


def test_custom_profile_counts_the_hours_of_the_week(tmp_path: Path) -> None:
    text = DOCUMENT.replace(
        "workloads:",
        "profiles: {shop: {base: 0.25, peaks: [{days: sat-sun, hours: 10-18, factor: 1}]}}\nworkloads:",
    ).replace("    requests:", "    profile: shop\n    requests:")
    profile = read_forecast(write(tmp_path, text, "f.yaml")).profiles[0]
    assert profile.ppm.count(PPM) == 16
    assert profile.ppm[24 * 5 + 10] == PPM
    assert profile.ppm[0] == 250_000


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
