"""Azure and Google price interfaces: the documented forms, served by a local HTTP server."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cli.main import main
from binwright_optimizer.catalog.refresh import RefreshError
from binwright_optimizer.catalog.refresh.azure import refresh_azure
from binwright_optimizer.catalog.refresh.cache import AnswerCache
from binwright_optimizer.catalog.refresh.gcp import refresh_gcp
from binwright_optimizer.catalog.refresh.json_client import JsonClient
from binwright_optimizer.errors import CatalogError
from binwright_optimizer.model.offerings import CapacityType
from click.testing import CliRunner
from json_server import Answer, JsonServer, json_server

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
NO_CACHE = AnswerCache(None, 0.0, lambda: 0.0)


def azure_item(size: str, dollars: float, **changes: Any) -> dict[str, Any]:
    """A price as the Retail Prices API's documentation shows it."""
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": dollars,
        "unitPrice": dollars,
        "armRegionName": "westeurope",
        "location": "EU West",
        "effectiveStartDate": "2026-10-01T00:00:00Z",
        "meterId": "000a794b-bdb0-58be-a0cd-0c3a0f222923",
        "meterName": "D4s v5",
        "productName": "Virtual Machines Dsv5 Series",
        "skuName": "D4s v5",
        "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": size,
        **changes,
    }


D4 = "Standard_D4s_v5"


def test_azure_pages_are_followed_and_prices_told_apart() -> None:
    """On demand 0.24, spot 0.05; Windows, Low Priority, reservations and the future do not count."""
    first = [
        azure_item(D4, 0.24),
        azure_item(D4, 0.42, productName="Virtual Machines Dsv5 Series Windows"),
        azure_item(D4, 0.01, skuName="D4s v5 Low Priority", meterName="D4s v5 Low Priority"),
    ]
    second = [
        azure_item(D4, 0.05, skuName="D4s v5 Spot", meterName="D4s v5 Spot"),
        azure_item(D4, 900.0, type="Reservation", unitOfMeasure="1 Year"),
        azure_item(D4, 0.20, effectiveStartDate="2027-01-01T00:00:00Z"),
        azure_item("Standard_Unknown_v9", 1.0),
    ]

    def answer(query: dict[str, str], server: JsonServer) -> Answer:
        if query.get("$skip") == "1000":
            return 200, {"Items": second, "NextPageLink": None, "Count": len(second)}
        link = f"{server.url}?$skip=1000"
        return 200, {"BillingCurrency": "USD", "Items": first, "NextPageLink": link, "Count": len(first)}

    with json_server(answer) as server:
        refreshed = refresh_azure(JsonClient(), ["westeurope"], now=NOW, cache=NO_CACHE, endpoint=server.url)
    assert "armRegionName eq 'westeurope'" in server.queries[0]["$filter"]
    (sold,) = refreshed.catalog.instance_types
    assert sold.name == D4
    prices = {(o.capacity_type, o.price_microusd_per_hour, o.source.date) for o in sold.offerings}
    assert prices == {
        (CapacityType.ON_DEMAND, 240_000, "2026-11-23"),
        (CapacityType.SPOT, 50_000, "2026-11-23"),
    }
    assert {o.zone for o in sold.offerings} == {"westeurope-1", "westeurope-2", "westeurope-3"}
    assert refreshed.notes == ("left out: 1 instance type of unknown shape (Standard_Unknown_v9)",)


def test_a_link_to_another_host_is_not_followed() -> None:
    page = {"Items": [], "NextPageLink": "https://elsewhere.example/"}
    with (
        json_server(lambda _query, _server: (200, page)) as server,
        pytest.raises(RefreshError, match="another host"),
    ):
        refresh_azure(JsonClient(), ["westeurope"], now=NOW, cache=NO_CACHE, endpoint=server.url)


def test_a_busy_server_is_asked_again_when_it_says_so() -> None:
    waited: list[float] = []

    def answer(_query: dict[str, str], server: JsonServer) -> Answer:
        if len(server.queries) == 1:
            return 429, {}, {"Retry-After": "3"}
        if len(server.queries) == 2:
            return 503, {}
        return 200, {"Items": [azure_item(D4, 0.24)], "NextPageLink": ""}

    with json_server(answer) as server:
        client = JsonClient(sleep=waited.append)
        refresh_azure(client, ["westeurope"], now=NOW, cache=NO_CACHE, endpoint=server.url)
    assert len(server.queries) == 3
    assert waited[0] == 3.0
    assert 1.0 <= waited[1] <= 2.0


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, {}), "did not answer: HTTP 404"),
        ((200, b"<html>"), "did not answer with JSON"),
        ((200, {"error": {}}), "answered without Items"),
    ],
)
def test_other_answers_are_one_clear_error(answer: Answer, told: str) -> None:
    with json_server(lambda _query, _server: answer) as server, pytest.raises(RefreshError, match=told):
        refresh_azure(JsonClient(), ["westeurope"], now=NOW, cache=NO_CACHE, endpoint=server.url)


def test_an_unreachable_endpoint_is_given_up_after_some_tries() -> None:
    waited: list[float] = []
    client = JsonClient(attempts=3, sleep=waited.append)
    with pytest.raises(RefreshError, match="refused"):
        refresh_azure(client, ["westeurope"], now=NOW, cache=NO_CACHE, endpoint="http://127.0.0.1:9/api")
    assert len(waited) == 2


def test_an_unknown_region_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(RefreshError, match="no region 'atlantis'"):
        refresh_azure(JsonClient(), ["atlantis"], now=NOW, cache=NO_CACHE)


def sku(description: str, nanos: int, usage: str = "OnDemand", unit: str = "h") -> dict[str, Any]:
    """A SKU as the Cloud Billing Catalog API's documentation shows it."""
    rate = {"startUsageAmount": 0, "unitPrice": {"currencyCode": "USD", "units": "0", "nanos": nanos}}
    return {
        "name": "services/6F81-5844-456A/skus/0000-0000-0000",
        "description": description,
        "category": {
            "serviceDisplayName": "Compute Engine",
            "resourceFamily": "Compute",
            "resourceGroup": "CPU",
            "usageType": usage,
        },
        "serviceRegions": ["us-central1"],
        "pricingInfo": [
            {
                "effectiveTime": "2026-11-22T00:00:00Z",
                "pricingExpression": {"usageUnit": unit, "tieredRates": [rate]},
            }
        ],
    }


SKUS = [
    sku("N2 Instance Core running in Americas", 30_000_000),
    sku("N2 Instance Ram running in Americas", 4_000_000, unit="GiBy.h"),
    sku("N2 Custom Instance Core running in Americas", 1),
    sku("Commitment v1: N2 Cpu in Americas for 1 Year", 1, usage="Commit1Yr"),
    sku("N1 Predefined Instance Core running in Americas", 31_611_000),
    sku("N1 Predefined Instance Ram running in Americas", 4_237_000, unit="GiBy.h"),
    sku("Nvidia Z900 500GB GPU running in Americas", 350_000_000),
    sku("Nvidia Tesla T4 GPU running in Americas", 350_000_000),
    sku("Spot Preemptible N2 Instance Core running in Americas", 7_000_000, usage="Preemptible"),
    sku("Spot Preemptible N2 Instance Ram running in Americas", 1_000_000, "Preemptible", "GiBy.h"),
]


def google(query: dict[str, str], _server: JsonServer) -> Answer:
    if query["key"] != "right":
        return 400, {"error": {"message": "API key not valid."}}
    if query.get("pageToken") == "second":
        return 200, {"skus": SKUS[4:], "nextPageToken": ""}
    return 200, {"skus": SKUS[:4], "nextPageToken": "second"}


def test_google_machines_cost_the_sum_of_their_parts() -> None:
    """n2-standard-4: 4 x 0.03 + 16 x 0.004 = 0.184; n1-standard-4+t4x1: 0.126444 + 0.063555 + 0.35."""
    with json_server(google) as server:
        refreshed = refresh_gcp(
            JsonClient(), ["us-central1"], api_key="right", now=NOW, cache=NO_CACHE, endpoint=server.url
        )
    prices = {
        (sold.name, o.capacity_type): o.price_microusd_per_hour
        for sold in refreshed.catalog.instance_types
        for o in sold.offerings
    }
    assert prices["n2-standard-4", CapacityType.ON_DEMAND] == 184_000
    assert prices["n2-standard-4", CapacityType.SPOT] == 44_000
    assert prices["n1-standard-4+t4x1", CapacityType.ON_DEMAND] == 539_999
    assert ("n1-standard-4", CapacityType.SPOT) not in prices
    assert not any(name.startswith("c3") for name, _ in prices)
    assert any("without a price made of cores, memory and GPUs" in note for note in refreshed.notes)


def test_a_refused_key_does_not_appear_in_the_error() -> None:
    with json_server(google) as server, pytest.raises(RefreshError) as caught:
        refresh_gcp(
            JsonClient(), ["us-central1"], api_key="secret-key", now=NOW, cache=NO_CACHE, endpoint=server.url
        )
    assert "HTTP 400" in str(caught.value)
    assert "secret-key" not in str(caught.value)


def test_an_unknown_google_region_is_named() -> None:
    with json_server(google) as server, pytest.raises(CatalogError, match="atlantis"):
        refresh_gcp(JsonClient(), ["atlantis"], api_key="right", now=NOW, cache=NO_CACHE, endpoint=server.url)


def test_the_command_writes_azure_prices(tmp_path: Path) -> None:
    page = {"Items": [azure_item(D4, 0.24)], "NextPageLink": None}
    file = tmp_path / "azure.json"
    with json_server(lambda _query, _server: (200, page)) as server:
        arguments = ["catalog", "refresh", "azure", "--region", "westeurope", "--save", str(file)]
        arguments += ["--endpoint", server.url, "--cache-dir", str(tmp_path / "cache")]
        runs = [CliRunner().invoke(main, arguments) for _ in range(2)]
    assert [run.exit_code for run in runs] == [0, 0], runs[0].output
    assert len(server.queries) == 1  # the second run takes the answer that was kept
    assert json.loads(file.read_text())["instance_types"][0]["name"] == D4
    assert re.search(r"offerings +3 *\nprice sources +Azure Retail Prices API, ", runs[1].stdout)


def test_the_command_needs_a_key_for_google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    result = CliRunner().invoke(main, ["catalog", "refresh", "gcp", "--save", str(tmp_path / "g.json")])
    assert result.exit_code == 2
    assert "--api-key-file: gcp needs an API key" in result.stderr
