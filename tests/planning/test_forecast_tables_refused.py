"""Forecast tables that are wrong: one error that names file, line, column and value of every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast
from forecast_texts import TABLE, complaint


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


DEVICES = """workload,region,period,cpu_milli,memory_mib,resource:example.com/fpga,p50
coder,us-east-1,2027-Q1,500,768,{},3
"""


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


def test_mistakes_of_all_kinds_are_told_at_once(tmp_path: Path) -> None:
    """A bad amount, a bad region, a profile nobody knows, a second currency, a row twice, one cut short."""
    text = """workload,region,period,cpu_milli,memory_mib,profile,replicas,currency
api,us-east-1,2027-Q1,500,768,office,-10,USD
api,us-east-1,2027-Q2,500,768,office,11,EUR
web,us-east-9,2027-Q1,500,768,office,5,USD
web,us-east-1,2027-Q2,500,768,office,5,USD
web,us-east-1,2027-Q2,500,768,office,6,USD
job,us-east-1,2027-Q1,500,768,noon,five,USD
job,us-east-1,2027-Q2,500,768
"""
    found = complaint(tmp_path, text)
    for message in (
        "line 2: replicas: must not be negative (got '-10')",
        "line 3: currency: mixes currencies: USD elsewhere in the file",
        "line 4: region: unknown region of aws",
        "line 6: period: was given before, in line 5",
        "line 7: profile: unknown profile",
        "line 7: replicas: is not a finite decimal number",
        "line 8: the row has 5 cells where the header has 8",
    ):
        assert message in found
    assert found.count("line ") == 8, "and nothing else: what a mistake leaves in doubt is not told"


def test_what_a_row_with_a_mistake_wants_is_not_missing(tmp_path: Path) -> None:
    text = """workload,region,period,cpu_milli,memory_mib,replicas
api,us-east-1,2027-Q1,500,768,ten
api,us-east-1,2027-Q2,500,768,11
job,us-east-1,2027-Q1,500,768,5
"""
    found = complaint(tmp_path, text)
    assert "line 2: replicas: is not a finite decimal number" in found
    assert "job in us-east-1 lacks 2027-Q2" in found
    assert "api in us-east-1 lacks" not in found
