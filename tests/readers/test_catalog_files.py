from __future__ import annotations

from collections.abc import Callable

import pytest
from binwright_clients.errors import InputError
from binwright_clients.inputs import read_catalog

Write = Callable[..., str]

HEADER = "instance_type,price_usd_h,cpu_milli,memory_mib,gpu_count,gpu_model,zone,capacity_type,available\n"


def test_rows_of_one_instance_type_are_its_offerings(write: Write) -> None:
    rows = "a,0.5,1000,1024,1,Tesla T4,z1,,3\na,0.2,1000,1024,1,T4,z1,spot,\nb,1,2000,1,,,,,\n"
    catalog = read_catalog(write(HEADER + rows, "my.csv"))
    assert [t.name for t in catalog.instance_types] == ["a", "b"]
    first = catalog.instance_types[0]
    assert dict(first.allocatable) == {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}
    assert (first.gpu.model, first.gpu.count) == ("t4", 1)
    on_demand, spot = first.offerings
    assert (on_demand.capacity_type, on_demand.zone, on_demand.price_microusd_per_hour) == (
        "on-demand",
        "z1",
        500_000,
    )
    assert on_demand.available == 3
    assert spot.capacity_type == "spot"
    assert not spot.HasField("available")
    assert (spot.price_source.name, spot.price_source.date) == ("my.csv", "")


def test_arbitrary_resources_need_no_cpu_or_memory(write: Write) -> None:
    catalog = read_catalog(
        write("instance_type,price_usd_h,resource:d1,resource:d2\nbin,1,100,0\n", "vbp.csv")
    )
    assert dict(catalog.instance_types[0].allocatable) == {"d1": "100"}


def test_max_pods_arch_os_and_region_are_read(write: Write) -> None:
    text = "instance_type,price_usd_h,cpu_milli,memory_mib,max_pods,arch,os,region\na,1,1,1,0,arm64,linux,r\n"
    [instance_type] = read_catalog(write(text, "my.csv")).instance_types
    assert instance_type.allocatable["pods"] == "0"
    assert (instance_type.arch, instance_type.os, instance_type.offerings[0].region) == (
        "arm64",
        "linux",
        "r",
    )


def test_a_yaml_list_says_the_same_as_the_table(write: Write) -> None:
    table = read_catalog(write("instance_type,price_usd_h,cpu_milli,memory_mib\na,0.5,1000,512.5\n", "x.csv"))
    listed = read_catalog(
        write("- {instance_type: a, price_usd_h: 0.5, cpu_milli: 1000, memory_mib: 512.5}\n", "x.yaml")
    )
    listed.name = "x.csv"
    listed.instance_types[0].offerings[0].price_source.name = "x.csv"
    assert listed == table


def test_the_json_form_of_the_message_is_read(write: Write) -> None:
    text = """\
    {"name": "mine", "instanceTypes": [
      {"name": "a", "allocatable": {"cpu": "4"}, "offerings": [{"zone": "z", "priceMicrousdPerHour": "7"}]}
    ]}
    """
    catalog = read_catalog(write(text, "x.json"))
    assert catalog.instance_types[0].offerings[0].price_microusd_per_hour == 7


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a,nan,1,1,,,,,", "line 2: price_usd_h: is not a price in dollars such as 0.526 (got 'nan')"),
        ("a,,1,1,,,,,", "price_usd_h: must not be empty"),
        ("a,-1,1,1,,,,,", "price_usd_h: must be a price of zero or more dollars (got '-1')"),
        ("a,1e999999999,1,1,,,,,", "price_usd_h: is not a price"),
        (",1,1,1,,,,,", "instance_type: must not be empty"),
        ("a,1,,,,,,,", "instance_type: has no capacity at all (got 'a')"),
        ("a,1,x,1,,,,,", "cpu_milli: is not a finite decimal number (got 'x')"),
        ("a,1,1,1,,T4,,,", "gpu_model: names a GPU model where gpu_count is 0 (got 'T4')"),
        ("a,1,1,1,1,V100,,,", "gpu_model: may mean v100-16gb or v100-32gb; name one (got 'V100')"),
        ("a,1,1,1,,,,cheap,", "capacity_type: must be one of on-demand, spot, reserved (got 'cheap')"),
        ("a,1,1,1,,,,,-2", "available: must not be negative (got '-2')"),
        ("a,1,1,1,,,z,,\na,1,2,1,,,y,,", "line 3: instance_type: has other capacities"),
        ("a,1,1,1,,,z,,\na,2,1,1,,,z,,", "line 3: instance_type: is offered in this zone and capacity type"),
        ("a,1", "line 2: the row has 2 cells where the header has 9"),
    ],
)
def test_a_wrong_row_is_reported_with_line_column_and_value(write: Write, row: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read_catalog(write(HEADER + row + "\n", "my.csv"))
    assert str(caught.value).startswith("my.csv, line ")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.csv", "instance_type,cpu_milli,memory_mib\na,1,1\n", "lacks the column price_usd_h"),
        ("x.csv", "instance_type,price_usd_h\na,1\n", "lacks the column cpu_milli, memory_mib"),
        (
            "x.csv",
            "instance_type,price_usd_h,cpu,memory_mib\na,1,1,1\n",
            "unknown column; did you mean 'cpu_milli'",
        ),
        ("x.csv", "instance_type,price_usd_h,resource:d\n", "the table has no rows"),
        (
            "x.csv",
            "instance_type,price_usd_h,resource:d\na,0.0000001,1\n",
            "line 2: price_usd_h: is too small for an hourly price",
        ),
        ("x.yaml", "", "x.yaml: is empty"),
        ("x.yaml", "[]", "x.yaml: the header lacks the column"),
        ("x.yaml", "just text", "x.yaml: is no catalogue: it must be a list"),
        ("x.yaml", "a: 1\n---\nb: 2\n", "x.yaml: holds more than one document"),
        ("x.yaml", "- 5\n", "item 1: must be a mapping (got '5')"),
        (
            "x.yaml",
            "- {instance_type: a, price_usd_h: [1], resource:d: 1}\n",
            "item 1: price_usd_h: must be a text",
        ),
        ("x.yaml", "instanceTypes: []\n", "instanceTypes: must not be empty"),
        ("x.yaml", "instancetypes: []\n", 'has no field named "instancetypes"'),
        ("x.json", '{"instanceTypes": [{"name": 5}]}', "x.json: is no catalogue"),
        ("x.json", '{"instanceTypes": [', "x.json: line 1: is not JSON"),
        ("missing", None, "missing: cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_catalogue_is_reported(write: Write, name: str, text: str | None, expected: str) -> None:
    if text is not None:
        write(text, name)
    with pytest.raises(InputError) as caught:
        read_catalog(name)
    assert expected in str(caught.value)


def test_interruption_rate_of_spot_rows_is_read(write: Write) -> None:
    header = "instance_type,price_usd_h,cpu_milli,memory_mib,capacity_type,interruption_percent\n"
    catalog = read_catalog(write(header + "a,1,1,1,spot,7.5\na,2,1,1,on-demand,\n", "my.csv"))
    spot, on_demand = catalog.instance_types[0].offerings
    assert spot.interruption_ppm_per_month == 75_000
    assert not on_demand.HasField("interruption_ppm_per_month")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a,1,1,1,on-demand,5", "line 2: interruption_percent: is understood of spot offerings only"),
        ("a,1,1,1,spot,101", "interruption_percent: must be at most 100 (got '101')"),
        ("a,1,1,1,spot,often", "interruption_percent: is not a finite decimal number"),
    ],
)
def test_wrong_interruption_rates_are_refused(write: Write, row: str, expected: str) -> None:
    header = "instance_type,price_usd_h,cpu_milli,memory_mib,capacity_type,interruption_percent\n"
    with pytest.raises(InputError) as caught:
        read_catalog(write(f"{header}{row}\n", "my.csv"))
    assert expected in str(caught.value)
