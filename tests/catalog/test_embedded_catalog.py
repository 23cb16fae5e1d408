"""The embedded catalogues: worked values, sanity of every type, helpful errors, speed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from binwright_optimizer import catalog
from binwright_optimizer.catalog import CatalogSummary, embedded_catalog
from binwright_optimizer.errors import CatalogError
from binwright_optimizer.model import labels
from binwright_optimizer.model.gpus import gpu_model
from binwright_optimizer.model.offerings import CapacityType, Catalog, InstanceType
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY, NVIDIA_GPU, PODS

MIB = 2**20
EVERY_REGION = [(cloud, region) for cloud in catalog.clouds() for region in catalog.regions(cloud)]


def one(cloud: str, region: str, name: str) -> InstanceType:
    (found,) = embedded_catalog(cloud, [region], [name]).instance_types
    return found


def price(found: InstanceType, capacity_type: CapacityType = CapacityType.ON_DEMAND) -> int:
    prices = {o.price_microusd_per_hour for o in found.offerings if o.capacity_type is capacity_type}
    assert len(prices) == 1  # one price for the whole region
    return prices.pop()


def test_g4dn_2xlarge_is_what_karpenter_says() -> None:
    found = one("aws", "us-east-1", "g4dn.2xlarge")
    assert found.allocatable[CPU] == 7_910
    assert found.allocatable[MEMORY] == 29_636 * MIB
    assert found.allocatable[PODS] == 29
    assert found.allocatable[NVIDIA_GPU] == found.capacity[NVIDIA_GPU] == 1
    assert (found.gpu_model, found.gpu_count, found.gpu_memory_bytes) == ("t4", 1, 16_384 * MIB)
    assert dict(found.labels)[labels.GPU_MODEL] == "t4"
    assert dict(found.labels)["karpenter.k8s.aws/instance-gpu-name"] == "t4"
    assert dict(found.labels)["karpenter.k8s.aws/instance-local-nvme"] == "225"


@pytest.mark.parametrize(
    ("cloud", "region", "name", "microusd"),
    [
        ("aws", "us-east-1", "g4dn.xlarge", 526_000),
        ("aws", "us-east-1", "g4dn.12xlarge", 3_912_000),
        ("aws", "us-east-1", "c5.2xlarge", 340_000),
        ("gcp", "us-central1", "n1-standard-4", 189_999),
        ("gcp", "us-central1", "g2-standard-4", 706_832),
        ("gcp", "us-central1", "a2-highgpu-1g", 3_673_385),
        ("azure", "eastus", "Standard_D4s_v5", 192_000),
        ("azure", "eastus", "Standard_E8s_v5", 504_000),
        ("azure", "eastus", "Standard_NC4as_T4_v3", 526_000),
    ],
)
def test_on_demand_prices(cloud: str, region: str, name: str, microusd: int) -> None:
    assert price(one(cloud, region, name)) == microusd


def test_spot_of_aws_is_an_estimate_for_the_region_in_each_of_its_zones() -> None:
    found = one("aws", "eu-west-1", "m5.large")
    spot = [o for o in found.offerings if o.capacity_type is CapacityType.SPOT]
    assert {o.zone for o in spot} == {"eu-west-1a", "eu-west-1b", "eu-west-1c"}
    assert all(o.source.is_estimate for o in spot)
    assert 0 < price(found, CapacityType.SPOT) < price(found)


def test_a_type_is_offered_only_in_the_zones_known_to_have_it() -> None:
    zones = {o.zone for o in one("aws", "us-east-1", "g4dn.xlarge").offerings}
    assert zones == {f"us-east-1{letter}" for letter in "abcdf"}  # never in us-east-1e


def test_a_gpu_attached_to_n1_is_a_type_with_both_prices() -> None:
    """n1-standard-4 at 0.189999 plus one T4 at 0.35; its nodes bear the machine type."""
    found = one("gcp", "us-central1", "n1-standard-4+t4x1")
    assert price(found) == 189_999 + 350_000
    assert price(found, CapacityType.SPOT) == 67_010 + 110_000
    assert all(o.source.is_estimate for o in found.offerings)
    assert (found.gpu_model, found.allocatable[NVIDIA_GPU]) == ("t4", 1)
    assert dict(found.labels)[labels.INSTANCE_TYPE] == "n1-standard-4"
    assert dict(found.labels)["cloud.google.com/gke-accelerator"] == "nvidia-tesla-t4"


def test_extended_resources_of_accelerators() -> None:
    assert one("aws", "us-east-1", "inf2.48xlarge").allocatable["aws.amazon.com/neuron"] == 12
    assert one("aws", "us-east-1", "trn1.32xlarge").allocatable["aws.amazon.com/neuroncore"] == 32
    assert one("aws", "us-east-1", "dl1.24xlarge").allocatable["habana.ai/gaudi"] == 8
    assert one("aws", "us-east-1", "g4ad.xlarge").allocatable["amd.com/gpu"] == 1
    assert one("aws", "us-east-1", "p5.48xlarge").allocatable["vpc.amazonaws.com/efa"] == 32
    assert one("aws", "us-east-1", "c5.2xlarge").allocatable["vpc.amazonaws.com/pod-eni"] == 38


def test_a_slice_of_a_gpu_is_never_taken_for_the_board() -> None:
    assert one("azure", "eastus", "Standard_NV6ads_A10_v5").gpu_model == "a10-4gb"
    assert one("azure", "eastus", "Standard_NV36ads_A10_v5").gpu_model == "a10"
    assert one("aws", "us-east-1", "g6f.large").allocatable[NVIDIA_GPU] == 0


def test_v100_boards_are_told_apart_by_memory() -> None:
    assert one("aws", "us-east-1", "p3.2xlarge").gpu_model == "v100-16gb"
    assert one("aws", "us-east-1", "p3dn.24xlarge").gpu_model == "v100-32gb"


def test_bare_metal_and_burstable_types_are_labelled() -> None:
    assert dict(one("aws", "us-east-1", "m5.metal").labels)[labels.BARE_METAL] == "true"
    assert dict(one("aws", "us-east-1", "t3.medium").labels)[labels.BURSTABLE] == "true"
    assert dict(one("gcp", "us-central1", "e2-medium").labels)[labels.BURSTABLE] == "true"
    assert labels.BARE_METAL not in dict(one("aws", "us-east-1", "m5.large").labels)


def test_axion_machines_are_arm64() -> None:
    assert one("gcp", "us-central1", "c4a-standard-4").arch == "arm64"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Standard_D4s_v5", {"family": "D", "series": "Ds_v5", "version": "5"}),
        ("Standard_NC4as_T4_v3", {"family": "N", "series": "NCas_v3", "version": "3", "gpu-name": "T4"}),
        ("Standard_E16-8s_v5", {"family": "E", "cpu": "8", "version": "5"}),
        ("Standard_DS2_v2", {"family": "D", "storage-premium-capable": "true"}),
    ],
)
def test_azure_names_are_taken_apart_into_labels(name: str, expected: dict[str, str]) -> None:
    found = dict(one("azure", "eastus", name).labels)
    assert {key: found[f"karpenter.azure.com/sku-{key}"] for key in expected} == expected


@pytest.mark.parametrize(("cloud", "region"), EVERY_REGION)
def test_every_instance_type_of_every_region_is_sane(cloud: str, region: str) -> None:
    loaded = embedded_catalog(cloud, [region])
    names = [t.name for t in loaded.instance_types]
    assert names == sorted(set(names))
    assert names
    sources = set(catalog.price_sources(cloud))
    for t in loaded.instance_types:
        assert t.cloud == cloud
        assert t.arch in ("amd64", "arm64")
        assert t.allocatable.fits_in(t.capacity)
        assert t.capacity[CPU] % 1_000 == 0
        for name in (CPU, MEMORY, EPHEMERAL_STORAGE, PODS):
            assert t.allocatable[name] > 0, (t.name, name)
        assert_labels_are_sane(t)
        assert_offerings_are_sane(t, region)
        assert {o.source for o in t.offerings} <= sources


def assert_labels_are_sane(t: InstanceType) -> None:
    found = dict(t.labels)
    assert t.labels == tuple(sorted(found.items()))
    assert found[labels.ARCH] == t.arch
    assert found[labels.OS] == t.os == "linux"
    assert found[labels.CLOUD] == t.cloud
    assert found[labels.INSTANCE_TYPE] == t.name.partition("+")[0]
    assert not {labels.REGION, labels.ZONE, labels.CAPACITY_TYPE} & found.keys()
    for value in found.values():
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", value), (t.name, value)
    assert found.get(labels.GPU_MODEL, "") == t.gpu_model
    assert bool(t.gpu_model) == (t.gpu_count > 0)
    if t.gpu_model:
        assert gpu_model(t.gpu_model).manufacturer
        if gpu_model(t.gpu_model).manufacturer == "nvidia":
            assert t.allocatable[NVIDIA_GPU] == t.gpu_count
            assert t.gpu_memory_bytes > 0
    assert (t.allocatable[NVIDIA_GPU] > 0) <= bool(t.gpu_model)


def assert_offerings_are_sane(t: InstanceType, region: str) -> None:
    seen = {(o.zone, o.capacity_type) for o in t.offerings}
    assert len(seen) == len(t.offerings) > 0
    on_demand = {
        o.zone: o.price_microusd_per_hour for o in t.offerings if o.capacity_type is CapacityType.ON_DEMAND
    }
    for o in t.offerings:
        assert o.region == region
        assert o.zone == "0" or o.zone.startswith(region)
        assert 0 < o.price_microusd_per_hour <= on_demand[o.zone]


def test_several_regions_merge_into_one_type_with_all_offerings() -> None:
    both = embedded_catalog("aws", ["us-east-1", "eu-west-1"], ["m5.large"])
    (found,) = both.instance_types
    alone = [one("aws", region, "m5.large").offerings for region in ("eu-west-1", "us-east-1")]
    assert set(found.offerings) == {*alone[0], *alone[1]}


def test_the_same_arguments_give_the_same_object() -> None:
    first = embedded_catalog("aws", ["us-east-1", "eu-west-1"], ["c5.*"], ["*.metal"])
    again = embedded_catalog("aws", ("eu-west-1", "us-east-1"), ("c5.*",), ("*.metal",))
    assert first is again


def test_globs_narrow_by_name_and_share_the_loaded_types() -> None:
    everything = {t.name: t for t in embedded_catalog("aws", ["us-east-1"]).instance_types}
    narrowed = embedded_catalog("aws", ["us-east-1"], ["c5.*", "r5.large"], ["*.metal", "*24xlarge"])
    names = [t.name for t in narrowed.instance_types]
    assert "c5.2xlarge" in names
    assert "r5.large" in names
    assert not [name for name in names if name.endswith(("metal", "24xlarge")) or name.startswith("c5d")]
    assert all(t is everything[t.name] for t in narrowed.instance_types)


def test_globs_ignore_case() -> None:
    assert one("azure", "eastus", "standard_d4s_v5").name == "Standard_D4s_v5"


def test_digests_tell_different_catalogues_apart() -> None:
    catalogs = [
        embedded_catalog("aws", ["us-east-1"]),
        embedded_catalog("aws", ["us-east-2"]),
        embedded_catalog("aws", ["us-east-1"], ["c5.*"]),
        embedded_catalog("aws", ["us-east-1"], (), ["c5.*"]),
        embedded_catalog("gcp", ["us-east1"]),
    ]
    assert len({c.digest for c in catalogs}) == len(catalogs)
    assert all(isinstance(c, Catalog) and c.name for c in catalogs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("awz", ["us-east-1"]), "unknown cloud 'awz'; did you mean aws"),
        (("aws", ["us-esat-1"]), "unknown region of aws 'us-esat-1'; did you mean .*us-east-1"),
        (("gcp", ["us-east-1"]), "unknown region of gcp 'us-east-1'; did you mean us-east1"),
        (("aws", []), "needs at least one region"),
        (("aws", ["us-east-1"], ["g4nd.*"]), r"unknown instance type of aws 'g4nd\.\*'; did you mean g4dn\."),
        (("aws", ["us-east-1"], ["c5.2xlarg"]), "did you mean c5.2xlarge"),
        (("aws", ["us-east-1"], ["*", "zzz"]), "unknown instance type of aws 'zzz'"),
        (("aws", ["eu-south-2"], ["p4d.24xlarge"]), "aws does not sell instance type .* in eu-south-2"),
        (("aws", ["us-east-1"], [], ["g4nd.*"]), "unknown instance type"),
        (("aws", ["us-east-1"], [], ["*"]), "every instance type of aws in us-east-1 is excluded"),
    ],
)
def test_unknown_names_are_errors_that_say_what_was_meant(
    arguments: tuple[str, list[str]], message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        embedded_catalog(*arguments)


def test_excluding_what_a_region_does_not_sell_is_no_error() -> None:
    assert embedded_catalog("aws", ["eu-south-2"], ["c5.*"], ["p4d.*"]).instance_types


@pytest.mark.parametrize("ask", [catalog.regions, catalog.price_sources, catalog.summary])
def test_an_unknown_cloud_is_an_error_everywhere(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(CatalogError, match="unknown cloud 'gpc'; did you mean gcp"):
        ask("gpc")


def test_summaries_count_regions_types_and_sources() -> None:
    summaries = {cloud: catalog.summary(cloud) for cloud in catalog.clouds()}
    assert list(summaries) == ["aws", "azure", "gcp"]
    assert [len(s.regions) for s in summaries.values()] == [30, 48, 37]
    for s in summaries.values():
        assert isinstance(s, CatalogSummary)
        assert s.instance_types > 600
        assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", source.date) for source in s.price_sources)
    assert [s.is_estimate for s in summaries["aws"].price_sources].count(True) == 2


def test_loading_a_region_reads_one_cloud_and_imports_no_solver() -> None:
    """In a fresh interpreter: what makes a cold start slow is not done."""
    program = """
import sys
opened = set()
sys.addaudithook(lambda event, what: event == "open" and opened.add(str(what[0]).rpartition("/")[2]))
from binwright_optimizer.catalog import embedded_catalog
embedded_catalog("aws", ["us-east-1"])
print(*sorted(name for name in opened if name.endswith(".csv.gz")))
print(*sorted({"numpy", "numba", "ortools", "highspy", "google.protobuf"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    files, imported = done.stdout.split("\n")[:2]
    assert files.split() == [
        "aws_instance_types.csv.gz",
        "aws_offerings.csv.gz",
        "price_sources.csv.gz",
        "zones.csv.gz",
    ]
    assert imported == ""


def test_spot_offerings_of_aws_carry_the_interruption_rate_of_their_band() -> None:
    """g4dn.xlarge in us-east-1 is in a band; on-demand capacity and other clouds have no rate."""
    [sold] = embedded_catalog("aws", ["us-east-1"], ["g4dn.xlarge"]).instance_types
    rates = {offering.capacity_type.value: offering.interruption_ppm_per_month for offering in sold.offerings}
    assert rates["on-demand"] is None
    assert rates["spot"] in (25_000, 75_000, 125_000, 175_000, 250_000)
    for kind in embedded_catalog("gcp", ["us-central1"]).instance_types:
        assert all(offering.interruption_ppm_per_month is None for offering in kind.offerings)
