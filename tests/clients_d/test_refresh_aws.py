"""The AWS refresh against moto's EC2 (real instance types) and price lists in the documented form."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from binwright_clients.cli.main import main
from binwright_clients.inputs import read_catalog
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.catalog.refresh import RefreshedCatalog, RefreshError
from binwright_optimizer.catalog.refresh.aws import refresh_aws
from binwright_optimizer.catalog.refresh.aws_instance_types import row_of
from binwright_optimizer.catalog.refresh.aws_questions import Aws
from binwright_optimizer.catalog.refresh.cache import AnswerCache
from binwright_optimizer.catalog.tables import read_rows
from binwright_optimizer.model.offerings import CapacityType, Catalog, PriceSource
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from click.testing import CliRunner
from moto import mock_aws

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
NO_CACHE = AnswerCache(None, 0.0, lambda: 0.0)
PRICES = {"g4dn.xlarge": "0.5260000000", "c5.2xlarge": "0.3400000000", "m7g.large": "0.0816000000"}


def product(instance_type: str, dollars: str) -> str:
    """One entry of ``PriceList`` as GetProducts returns it: JSON in a string."""
    return json.dumps(
        {
            "product": {
                "productFamily": "Compute Instance",
                "attributes": {
                    "instanceType": instance_type,
                    "operatingSystem": "Linux",
                    "tenancy": "Shared",
                    "regionCode": "us-east-1",
                },
                "sku": f"SKU{instance_type}",
            },
            "serviceCode": "AmazonEC2",
            "terms": {
                "OnDemand": {
                    "X.JRTCKXETXF": {
                        "priceDimensions": {
                            "X.JRTCKXETXF.6YS6EN2CT7": {
                                "unit": "Hrs",
                                "pricePerUnit": {"USD": dollars},
                                "appliesTo": [],
                            }
                        },
                        "sku": f"SKU{instance_type}",
                        "effectiveDate": "2026-11-01T00:00:00Z",
                    }
                }
            },
            "publicationDate": "2026-11-20T00:00:00Z",
        }
    )


class PricedSession:
    """moto's session, with a price list that botocore's Stubber answers (moto has none)."""

    def __init__(self, prices: dict[str, str] | None = None, error: str = "") -> None:
        self._real = boto3.session.Session("testing", "testing")
        self._prices = PRICES if prices is None else prices
        self._error = error
        self.asked: list[str] = []

    def client(self, service_name: str, region_name: str | None = None, config: Any = None) -> Any:
        self.asked.append(service_name)
        client = self._real.client(service_name, region_name=region_name, config=config)
        if service_name == "pricing":
            stub = Stubber(client)
            if self._error:
                stub.add_client_error("get_products", self._error, "not authorized", 400)
            else:
                first, *rest = [product(*each) for each in self._prices.items()] or [None]
                page = {"FormatVersion": "aws_v1", "PriceList": [first] if first else []}
                stub.add_response("get_products", {**page, "NextToken": "more"})
                stub.add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": rest})
                stub.add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": []})
            stub.activate()
        return client


@pytest.fixture(scope="module")
def refreshed() -> Iterator[RefreshedCatalog]:
    with mock_aws():
        yield refresh_aws(PricedSession(), ["us-east-1"], now=NOW, cache=NO_CACHE)


def test_refreshed_types_are_the_embedded_ones() -> None:
    """On 1,300 real types the two tables agree in what decides where pods fit."""
    with mock_aws():
        described = Aws(PricedSession(), "us-east-1").instance_types()
    assert len(described) > 1_300
    embedded = {row["instance_type"]: row for row in read_rows("aws_instance_types.csv.gz")}
    deciding = (
        "arch", "vcpu", "memory_mib", "max_pods", "nvidia_gpu", "amd_gpu", "neuron", "neuroncore",
        "gaudi", "gpu_name", "gpu_count", "accelerator_name", "local_nvme_gb", "bare_metal", "efa",
    )  # fmt: skip
    rows = [row for each in described if (row := row_of(each)) is not None]
    known = [row for row in rows if row["instance_type"] in embedded]
    differing = {
        row["instance_type"]
        for row in known
        if any(row[column] != embedded[row["instance_type"]][column] for column in deciding)
    }
    assert len(known) > 1_300
    # EC2 tells half the interfaces of the embedded table for these.
    assert differing == {"i7ie.48xlarge", "i7ie.metal-48xl", "i8ge.48xlarge", "i8ge.metal-48xl"}


def test_macs_and_types_without_addresses_are_no_nodes() -> None:
    mac = {"InstanceType": "mac2.metal", "ProcessorInfo": {"SupportedArchitectures": ["arm64_mac"]}}
    assert row_of(mac) is None


def test_prices_have_source_and_date(refreshed: RefreshedCatalog) -> None:
    by_name = {sold.name: sold for sold in refreshed.catalog.instance_types}
    (gpu,) = [
        offering
        for offering in by_name["g4dn.xlarge"].offerings
        if offering.capacity_type is CapacityType.ON_DEMAND and offering.zone == "us-east-1a"
    ]
    assert gpu.price_microusd_per_hour == 526_000
    assert gpu.source == PriceSource("AWS Price List API", "2026-11-23")


def test_spot_prices_are_per_zone_and_dated(refreshed: RefreshedCatalog) -> None:
    spot = [
        offering
        for sold in refreshed.catalog.instance_types
        for offering in sold.offerings
        if offering.capacity_type is CapacityType.SPOT
    ]
    assert spot
    assert {offering.source for offering in spot} == {PriceSource("EC2 spot price history", "2026-11-23")}
    assert all(offering.zone.startswith("us-east-1") for offering in spot)


def test_spot_offerings_keep_the_interruption_rate_of_the_spot_advisor(refreshed: RefreshedCatalog) -> None:
    def rates(catalog: Catalog) -> dict[str, int | None]:
        return {
            sold.name: offering.interruption_ppm_per_month
            for sold in catalog.instance_types
            for offering in sold.offerings
            if offering.capacity_type is CapacityType.SPOT
        }

    known = rates(embedded_catalog("aws", ["us-east-1"]))
    kept = rates(refreshed.catalog)
    assert kept["g4dn.xlarge"] == known["g4dn.xlarge"] is not None
    assert all(kept[name] == rate for name, rate in known.items() if name in kept)


def test_what_has_no_price_is_left_out_and_told(refreshed: RefreshedCatalog) -> None:
    assert all(sold.offerings for sold in refreshed.catalog.instance_types)
    assert any("that cannot be nodes" in note for note in refreshed.notes)


@pytest.fixture
def one_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 tells one type only, which is quicker than all."""
    described = {
        "InstanceType": "c5.2xlarge",
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "VCpuInfo": {"DefaultVCpus": 8},
        "MemoryInfo": {"SizeInMiB": 16_384},
        "NetworkInfo": {"MaximumNetworkInterfaces": 4, "Ipv4AddressesPerInterface": 15},
    }
    monkeypatch.setattr(Aws, "instance_types", lambda _self: [described])


def test_a_type_told_in_the_fewest_words_is_a_node(one_type: None) -> None:
    """4 interfaces x 14 addresses + 2 = 58 pods."""
    with mock_aws():
        catalog = refresh_aws(PricedSession(), ["us-east-1"], now=NOW, cache=NO_CACHE).catalog
    (sold,) = catalog.instance_types
    assert (sold.allocatable["pods"], sold.arch) == (58, "amd64")


def test_an_accelerator_of_tomorrow_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {
        "InstanceType": "c5.2xlarge",
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "VCpuInfo": {"DefaultVCpus": 8},
        "MemoryInfo": {"SizeInMiB": 16_384},
        "NetworkInfo": {"MaximumNetworkInterfaces": 4, "Ipv4AddressesPerInterface": 15},
    }
    gpu = {"Name": "Z900", "Manufacturer": "NVIDIA", "Count": 1, "MemoryInfo": {"SizeInMiB": 500_000}}
    tomorrow = {**plain, "InstanceType": "g4dn.xlarge", "GpuInfo": {"Gpus": [gpu]}}
    monkeypatch.setattr(Aws, "instance_types", lambda _self: [plain, tomorrow])
    with mock_aws():
        refreshed = refresh_aws(PricedSession(), ["us-east-1"], now=NOW, cache=NO_CACHE)
    assert [sold.name for sold in refreshed.catalog.instance_types] == ["c5.2xlarge"]
    assert refreshed.notes == (
        "left out: 1 instance type with an accelerator that is not known here (g4dn.xlarge)",
    )


def test_refusal_names_the_permission(one_type: None) -> None:
    with (
        mock_aws(),
        pytest.raises(RefreshError, match=r"pricing:GetProducts was refused: AccessDeniedException"),
    ):
        refresh_aws(PricedSession(error="AccessDeniedException"), ["us-east-1"], now=NOW, cache=NO_CACHE)


def test_no_network_is_one_clear_error() -> None:
    class Unreachable:
        def client(self, *_arguments: Any, **_options: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://ec2.us-east-1.amazonaws.com/")

    with pytest.raises(RefreshError, match=r"aws us-east-1: ec2:DescribeInstanceTypes failed: Could not"):
        refresh_aws(Unreachable(), ["us-east-1"], now=NOW, cache=NO_CACHE)


def test_a_region_without_any_price_is_refused(one_type: None) -> None:
    with mock_aws(), pytest.raises(RefreshError, match="told no price of any known instance type"):
        refresh_aws(PricedSession({}), ["us-east-1"], now=NOW, cache=NO_CACHE, with_spot=False)


def test_answers_are_kept_until_they_are_old(tmp_path: Path) -> None:
    clock = [1e9]
    cache = AnswerCache(tmp_path, 60.0, lambda: clock[0])
    asked = []

    def ask() -> list[int]:
        asked.append(1)
        return [1]

    assert cache.get("q", ask) == [1]
    (kept,) = tmp_path.glob("*.json")
    clock[0] = kept.stat().st_mtime + 30
    assert cache.get("q", ask) == [1]
    assert len(asked) == 1
    kept.write_text("{ cut off")
    assert cache.get("q", ask) == [1]
    clock[0] = kept.stat().st_mtime + 61
    assert cache.get("q", ask) == [1]
    assert len(asked) == 3
    assert not list(tmp_path.glob("*.part"))


def test_a_refreshed_catalogue_is_read_back_and_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent pods get amd64 on demand as on the embedded catalogue, though arm64 and spot are cheaper.

    moto's spot prices are stubs of 0.00001 $/h; a 2-CPU GPU pod fits g4dn.xlarge at 0.526 $/h.
    """
    monkeypatch.setattr(
        "binwright_optimizer.catalog.refresh.aws_questions.open_session", lambda _profile: PricedSession()
    )
    file, pods = tmp_path / "aws.json", tmp_path / "pods.csv"
    with mock_aws():
        result = CliRunner().invoke(
            main,
            ["catalog", "refresh", "aws", "--save", str(file), "--cache-dir", str(tmp_path / "cache")],
        )
    assert result.exit_code == 0, result.output
    assert read_catalog(str(file)).name.startswith("aws us-east-1 ")
    pods.write_text("name,replicas,cpu_milli,memory_mib,gpu_count\ntrain,1,2000,13312,1\n")
    solved = CliRunner().invoke(
        main, ["solve", "-f", str(pods), "--catalog", str(file), "-o", "json", "--deadline", "2s"]
    )
    assert solved.exit_code == 0, solved.output
    decision = json.loads(solved.stdout)
    (claim,) = decision["node_claims"]
    assert (claim["instance_type"], claim["capacity_type"]) == ("g4dn.xlarge", "on-demand")
    assert decision["hourly_cost_usd"] == 0.526
    assert decision["warnings"] == []


def test_the_file_must_be_named_json(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["catalog", "refresh", "aws", "--save", str(tmp_path / "x.pb")])
    assert result.exit_code == 2
    assert "must be named *.json" in result.stderr
