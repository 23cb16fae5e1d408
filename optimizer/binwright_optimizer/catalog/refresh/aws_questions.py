"""What is asked of AWS, and the answers as plain JSON.

Needs the permissions ``ec2:DescribeInstanceTypes``, ``ec2:DescribeInstanceTypeOfferings``,
``ec2:DescribeSpotPriceHistory`` and ``pricing:GetProducts``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from binwright_optimizer.catalog.refresh.refreshed import RefreshError

LINUX = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
"""Products of the spot price history that are Linux."""

_PRICING_REGIONS = {"ap": "ap-south-1", "eu": "eu-central-1"}
"""Where the Price List API answers, by the first part of a region; elsewhere in us-east-1."""

_PRICED = (
    {"productFamily": "Compute Instance", "tenancy": "Shared"},
    {"productFamily": "Compute Instance (bare metal)", "tenancy": "Dedicated"},
)
"""Bare metal is a product family of its own, priced as dedicated whoever asks."""


class Session(Protocol):
    """The part of ``boto3.session.Session`` that is used."""

    def client(self, service_name: str, region_name: str | None = None, config: Any = None) -> Any:
        """A client of one service in one region."""
        ...


def open_session(profile: str | None = None) -> Session:
    """A boto3 session with the credentials of the environment or of a profile.

    Raises
    ------
    RefreshError
        If there is no such profile.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session: Session = boto3.session.Session(profile_name=profile)
    except BotoCoreError as error:
        raise RefreshError(f"aws: {error}") from error
    return session


@dataclass(frozen=True, slots=True)
class Aws:
    """Asks about one region; every answer is JSON, so that it can be kept."""

    session: Session
    region: str

    def instance_types(self) -> list[dict[str, Any]]:
        """Descriptions of every type of the region."""
        pages = self._pages("ec2", self.region, "describe_instance_types", {})
        return [described for page in pages for described in page["InstanceTypes"]]

    def zones(self) -> list[list[str]]:
        """Pairs (instance type, zone) of what each zone offers."""
        arguments = {"LocationType": "availability-zone"}
        pages = self._pages("ec2", self.region, "describe_instance_type_offerings", arguments)
        return [
            [each["InstanceType"], each["Location"]]
            for page in pages
            for each in page["InstanceTypeOfferings"]
        ]

    def spot_prices(self, now: datetime) -> list[list[str]]:
        """Triples (instance type, zone, dollars an hour as text), the prices in force ``now``."""
        latest: dict[tuple[str, str], tuple[datetime, str]] = {}
        arguments = {"ProductDescriptions": list(LINUX), "StartTime": now}
        for page in self._pages("ec2", self.region, "describe_spot_price_history", arguments):
            for price in page["SpotPriceHistory"]:
                key = price["InstanceType"], price["AvailabilityZone"]
                found = price["Timestamp"], price["SpotPrice"]
                latest[key] = max(latest.get(key, found), found)
        return [[*key, dollars] for key, (_, dollars) in sorted(latest.items())]

    def on_demand_prices(self) -> dict[str, str]:
        """Dollars an hour as text by instance type: Linux, shared tenancy, nothing preinstalled."""
        where = _PRICING_REGIONS.get(self.region.partition("-")[0], "us-east-1")
        prices: dict[str, str] = {}
        for kind in _PRICED:
            terms = {
                "regionCode": self.region,
                "operatingSystem": "Linux",
                "preInstalledSw": "NA",
                "capacitystatus": "Used",
                "marketoption": "OnDemand",
                **kind,
            }
            filters = [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in terms.items()]
            arguments = {"ServiceCode": "AmazonEC2", "Filters": filters}
            for page in self._pages("pricing", where, "get_products", arguments):
                for product in page["PriceList"]:
                    found = price_of_product(json.loads(product))
                    if found is not None:
                        prices.setdefault(*found)
        return prices

    def _pages(
        self, service: str, region: str, action: str, arguments: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        # "standard" retries throttling and broken connections with exponential backoff and jitter.
        config = Config(retries={"mode": "standard", "max_attempts": 8}, connect_timeout=10, read_timeout=60)
        try:
            client = self.session.client(service, region_name=region, config=config)
            yield from client.get_paginator(action).paginate(**arguments)
        except ClientError as error:
            told = error.response.get("Error", {})
            raise RefreshError(
                f"aws {self.region}: {service}:{_camel(action)} was refused: "
                f"{told.get('Code', '')}: {told.get('Message', '')}"
            ) from error
        except BotoCoreError as error:
            raise RefreshError(f"aws {self.region}: {service}:{_camel(action)} failed: {error}") from error


def price_of_product(product: Mapping[str, Any]) -> tuple[str, str] | None:
    """Instance type and dollars an hour of a product of the price list; None if it has no such price.

    Examples
    --------
    >>> hourly = {"unit": "Hrs", "pricePerUnit": {"USD": "0.5260000000"}}
    >>> terms = {"OnDemand": {"A.B": {"priceDimensions": {"A.B.C": hourly}}}}
    >>> price_of_product({"product": {"attributes": {"instanceType": "g4dn.xlarge"}}, "terms": terms})
    ('g4dn.xlarge', '0.5260000000')
    """
    name = product.get("product", {}).get("attributes", {}).get("instanceType")
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            dollars = dimension.get("pricePerUnit", {}).get("USD")
            # Reservations and hosts have products of price zero under the same type.
            if name and dimension.get("unit") == "Hrs" and dollars and float(dollars) > 0:
                return str(name), str(dollars)
    return None


def _camel(action: str) -> str:
    return "".join(part.capitalize() for part in action.split("_"))
