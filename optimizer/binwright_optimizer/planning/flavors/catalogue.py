"""What the flavours are: prices of control planes and support with source and date, limits, abilities.

List prices in US dollars without taxes and discounts. Control planes cost the same in all commercial regions
that `Area` names. Prices that providers only negotiate are None, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from binwright_optimizer.model import HOURS_PER_MONTH, PriceSource

_MICRO = 1_000_000


class Area(StrEnum):
    """Part of the world; each cloud's region there is near the others'."""

    US = "us"
    EU = "eu"
    ASIA = "asia"


REGION_OF: Mapping[tuple[str, Area], str] = {
    ("aws", Area.US): "us-east-1",
    ("aws", Area.EU): "eu-west-1",
    ("aws", Area.ASIA): "ap-southeast-1",
    ("gcp", Area.US): "us-central1",
    ("gcp", Area.EU): "europe-west1",
    ("gcp", Area.ASIA): "asia-southeast1",
    ("azure", Area.US): "eastus",
    ("azure", Area.EU): "northeurope",
    ("azure", Area.ASIA): "southeastasia",
}
"""Virginia/Iowa/Virginia, Ireland/Belgium/Ireland, and Singapore three times."""


class Tier(StrEnum):
    """How long a Kubernetes version is supported, and whether the control plane has an SLA."""

    FREE = "free"
    STANDARD = "standard"
    EXTENDED = "extended"


class SupportLevel(StrEnum):
    """How fast the provider answers when production is down."""

    NONE = "none"
    BUSINESS = "business"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class TierPrice:
    """A control plane: micro-dollars an hour and cluster, and the most nodes it carries."""

    microusd_per_hour: int
    max_nodes: int
    source: PriceSource


@dataclass(frozen=True, slots=True)
class SupportPlan:
    """A support plan billed by the month.

    Parameters
    ----------
    minimum_usd
        Least charge.
    bands
        Pairs (upper end of the band in dollars a month, or None; per cent of the bill within it);
        the charges of the bands add up, as taxes do.
    """

    name: str
    minimum_usd: int
    source: PriceSource
    bands: tuple[tuple[int | None, int], ...] = ()

    def microusd_per_month(self, bill_microusd: int) -> int:
        """The charge on a month's bill.

        Examples
        --------
        AWS's own example: 85,000 $ cost 1,000 + 4,900 + 250 = 6,150 $.

        >>> AWS_BUSINESS.microusd_per_month(85_000 * 10**6)
        6150000000
        """
        charge, lower = 0, 0
        for upper, per_cent in self.bands:
            end = bill_microusd if upper is None else min(bill_microusd, upper * _MICRO)
            charge += max(0, end - lower) * per_cent // 100
            lower = max(lower, end)
        return max(charge, self.minimum_usd * _MICRO)


_SMALL_BANDS = ((10_000, 10), (80_000, 7), (250_000, 5), (None, 3))
_LARGE_BANDS = ((150_000, 10), (500_000, 7), (1_000_000, 5), (None, 3))
_EKS_PRICES = PriceSource("Amazon EKS price list, us-east-1", "2026-04-01")
_EKS_EXTENDED = PriceSource("AWS Containers Blog, EKS extended support pricing", "2024-04-01")
_GKE_PRICES = PriceSource(
    "Google Kubernetes Engine pricing page, fee unchanged since its start", "2020-06-06"
)
_GKE_EXTENDED = PriceSource("Google Cloud blog, GKE extended support: six times the fee", "2024-07-17")
_AKS_PRICES = PriceSource(
    "Azure Kubernetes Service pricing tiers, documentation and price page", "2026-05-20"
)
_AWS_SUPPORT = PriceSource("AWS Support pricing page, bands confirmed by guides of that year", "2026-01-01")
_GCP_SUPPORT = PriceSource(
    "Google Cloud Customer Care prices since 2024-11-01, as resold by DoiT", "2024-11-01"
)
_AZURE_SUPPORT = PriceSource("Azure support plans, indicative prices", "2026-01-01", is_estimate=True)

AWS_BUSINESS = SupportPlan("AWS Business", 100, _AWS_SUPPORT, _SMALL_BANDS)
AWS_ENTERPRISE = SupportPlan("AWS Enterprise", 15_000, _AWS_SUPPORT, _LARGE_BANDS)
GCP_ENHANCED = SupportPlan("Google Enhanced", 100, _GCP_SUPPORT, _SMALL_BANDS)
GCP_PREMIUM = SupportPlan("Google Premium", 15_000, _GCP_SUPPORT, _LARGE_BANDS)
AZURE_PRODIRECT = SupportPlan("Azure Professional Direct", 1_000, _AZURE_SUPPORT)


@dataclass(frozen=True, slots=True)
class Flavor:
    """One way to have Kubernetes.

    Parameters
    ----------
    cloud
        Whose machines it runs on; empty for servers of one's own.
    tiers
        What its control plane costs; empty where one runs it oneself.
    support
        Plans by level; a level that is missing has no list price.
    has_own_control_plane
        Whether control-plane machines are bought and run like others.
    is_on_premises, has_windows
        Abilities that may be required; Windows means node images that the provider maintains.
    max_nodes
        Largest cluster that is documented, over all tiers; 5,000 is what Kubernetes itself is
        tested for (its documentation on large clusters), EKS announced 100,000 and GKE 65,000.
    portability, control
        Judgements from 1 to 5: how little ties workloads to the provider, and how much of the
        control plane one may configure. They are assumptions; set their weights to zero to drop them.
    """

    name: str
    title: str
    cloud: str
    tiers: Mapping[Tier, TierPrice] = field(default_factory=dict)
    support: Mapping[SupportLevel, SupportPlan] = field(default_factory=dict)
    has_own_control_plane: bool = False
    is_on_premises: bool = False
    has_windows: bool = False
    max_nodes: int = 5_000
    portability: int = 3
    control: int = 3


VANILLA = Flavor(
    name="vanilla",
    title="Kubernetes installed by oneself on AWS machines",
    cloud="aws",
    support={SupportLevel.BUSINESS: AWS_BUSINESS, SupportLevel.ENTERPRISE: AWS_ENTERPRISE},
    has_own_control_plane=True,
    portability=5,
    control=5,
)
EKS = Flavor(
    name="eks",
    title="Amazon EKS",
    cloud="aws",
    tiers={
        Tier.STANDARD: TierPrice(100_000, 100_000, _EKS_PRICES),
        Tier.EXTENDED: TierPrice(600_000, 100_000, _EKS_EXTENDED),
    },
    support={SupportLevel.BUSINESS: AWS_BUSINESS, SupportLevel.ENTERPRISE: AWS_ENTERPRISE},
    has_windows=True,
    max_nodes=100_000,
    portability=3,
    control=2,
)
GKE = Flavor(
    name="gke",
    title="Google Kubernetes Engine, Standard mode, regional cluster",
    cloud="gcp",
    tiers={
        Tier.STANDARD: TierPrice(100_000, 15_000, _GKE_PRICES),
        Tier.EXTENDED: TierPrice(600_000, 15_000, _GKE_EXTENDED),
    },
    support={SupportLevel.BUSINESS: GCP_ENHANCED, SupportLevel.ENTERPRISE: GCP_PREMIUM},
    has_windows=True,
    max_nodes=65_000,
    portability=3,
    control=2,
)
AKS = Flavor(
    name="aks",
    title="Azure Kubernetes Service",
    cloud="azure",
    tiers={
        Tier.FREE: TierPrice(0, 1_000, _AKS_PRICES),
        Tier.STANDARD: TierPrice(100_000, 5_000, _AKS_PRICES),
        Tier.EXTENDED: TierPrice(600_000, 5_000, _AKS_PRICES),
    },
    support={SupportLevel.BUSINESS: AZURE_PRODIRECT},
    has_windows=True,
    portability=3,
    control=2,
)
BARE_METAL = Flavor(
    name="bare-metal",
    title="Kubernetes on servers of one's own",
    cloud="",
    has_own_control_plane=True,
    is_on_premises=True,
    portability=4,
    control=5,
)

FLAVORS = (VANILLA, EKS, GKE, AKS, BARE_METAL)


def microusd_per_month(tier: TierPrice) -> int:
    """A control plane by the month."""
    return tier.microusd_per_hour * HOURS_PER_MONTH
