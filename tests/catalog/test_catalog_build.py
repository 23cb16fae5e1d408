"""The script that makes the data files, on a source small enough to follow by eye."""

from __future__ import annotations

import doctest
import gzip
import importlib
import os
from pathlib import Path

import pytest
from binwright_optimizer.catalog import build as builder

AWS_TYPE_COLUMNS = (
    "instance_type,family,size,generation,category,arch,vcpu,memory_mib,cpu_manufacturer,cpu_clock_mhz,"
    "gpu_count,gpu_name,gpu_manufacturer,gpu_memory_mib_per_gpu,accelerator_name,accelerator_count,"
    "accelerator_manufacturer,local_nvme_gb,network_mbps,ebs_mbps,hypervisor,is_flex,nvidia_gpu,amd_gpu,"
    "neuron,neuroncore,efa,pod_eni,max_pods_eni,bare_metal,burstable"
)
GCP_TYPE_COLUMNS = (
    "instance_type,family,arch,vcpu,memory_mib,gpu_count,gpu_manufacturer,gpu_model,gpu_memory_mib_per_gpu,"
    "local_storage_gb,local_storage_type,network_gbps,burstable,shared_cpu,status"
)
AZURE_TYPE_COLUMNS = (
    "instance_type,family,arch,vcpu,memory_mib,gpu_count,gpu_manufacturer,gpu_model,gpu_model_from_name,"
    "gpu_memory_mib_per_gpu,local_storage_gb,local_storage_type,network_gbps,burstable,shared_cpu,status,"
    "sku_family,spec_source"
)
SOURCE = {
    "zones.csv.gz": """cloud,region,zone_id,zone_name,status
aws,r-1,z1,r-1b,ACTIVE
aws,r-1,z2,r-1a,ACTIVE
aws,r-1,z3,r-1c,INACTIVE
gcp,1000,2000,g-east1-b,ACTIVE
gcp,1000,2001,g-east1-c,ACTIVE
azure,somewhere,0,0,ACTIVE
azure,elsewhere,1,1,ACTIVE
""",
    "aws_instance_types.csv.gz": AWS_TYPE_COLUMNS
    + """
m5.large,m5,large,5,m,amd64,2,8192,intel,3100,0,,,,,0,,0,750,4750,nitro,0,0,0,0,0,0,9,29,0,0
p3.2xlarge,p3,2xlarge,,,amd64,8,62464,,,1,v100,nvidia,16384,,,,0,,,,,1,,,,,,58,0,0
p2.xlarge,p2,xlarge,,,amd64,4,62464,,,1,k80,nvidia,12288,,,,0,,,,,1,,,,,,,0,0
cc2.8xlarge,cc2,8xlarge,,,,,,,,,,,,,,,,,,,,,,,,,,,0,
""",
    "aws_offerings.csv.gz": """region,instance_type,on_demand_usd_h,on_demand_source,spot_usd_h,spot_source"""
    """,interruption_band
r-1,p3.2xlarge,3.06,vantage_2024-04-03,,,4
r-1,m5.large,0.0960005,karpenter_2026-07-20,0.0312344999,advisor_2025-06-28,1
r-1,p2.xlarge,0.9,vantage_2024-04-03,,,
r-1,cc2.8xlarge,2.0,vantage_2024-04-03,,,
""",
    "aws_zone_availability_2021-06.csv.gz": """region,zone_id,instance_type,available
r-1,z1,m5.large,1
r-1,z2,m5.large,1
r-1,z1,p3.2xlarge,1
r-1,z2,p3.2xlarge,0
""",
    "gcp_instance_types.csv.gz": GCP_TYPE_COLUMNS
    + """
n1-standard-16,n1,amd64,16,61440,0,,,,0,,,0,0,ACTIVE
c4a-standard-4,c4a,amd64,4,16384,0,,,,0,,,0,0,ACTIVE
f1-micro,f1,amd64,1,614,0,,,,0,,,0,1,ACTIVE
z3-highmem-88,z3,amd64,88,720896,0,,,,36000,NVME_SSD,,0,0,INACTIVE
""",
    "gcp_offerings.csv.gz": """region,instance_type,on_demand_usd_h,spot_usd_h
g-east1,n1-standard-16,0.76,0.16
g-east1,c4a-standard-4,0.18,
g-east1,f1-micro,0.0076,0.0007
g-east1,z3-highmem-88,9.1,2.0
g-east1,unknown-4,1.0,0.5
""",
    "gcp_machine_type_zones_2023-05.csv.gz": """instance_type,vcpu,memory_gb,shared_cpu,zone
n1-standard-16,16,60.00,0,g-east1-b
n1-standard-16,16,60.00,0,g-east1-c
""",
    "gcp_accelerator_zones.csv.gz": """accelerator,zone
nvidia-tesla-v100,g-east1-c
""",
    "gcp_attachable_gpu_prices.csv": """gpu,on_demand_usd_h_per_gpu,spot_usd_h_per_gpu,gpu_memory_mib
nvidia-tesla-v100,2.48,0.74,16384
""",
    "azure_instance_types.csv.gz": AZURE_TYPE_COLUMNS
    + """
Standard_D2s_v5,DSv5,amd64,2,8192,0,,,,,0,,,0,0,ACTIVE,,sparecores
Standard_A1_v2,Av2,amd64,1,2048,0,,,,,10,,,0,0,ACTIVE,,sparecores
Standard_NV6ads_A10_v5,NV,amd64,6,56320,1,,,A10,,184,,,0,0,ACTIVE,,sparecores
Standard_NV4as_v4,NVSv4,amd64,4,14336,1,,,MI25,,90,,,0,0,ACTIVE,,sparecores
""",
    "azure_offerings.csv.gz": """region,instance_type,on_demand_usd_h
elsewhere,Standard_D2s_v5,0.096
somewhere,Standard_NV6ads_A10_v5,0.454
somewhere,Standard_A1_v2,0.04
somewhere,Standard_NV4as_v4,0.233
somewhere,Standard_D2s_v5,0
""",
}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    source, target = tmp_path / "source", tmp_path / "data"
    source.mkdir()
    target.mkdir()
    for file, text in SOURCE.items():
        raw = text.encode()
        (source / file).write_bytes(gzip.compress(raw) if file.endswith(".gz") else raw)
    builder.build(source, target)
    return target


def lines(file: Path) -> list[str]:
    return gzip.decompress(file.read_bytes()).decode().splitlines()[1:]


def test_aws_rows_need_a_price_a_shape_and_eni_limits(built: Path) -> None:
    """Prices round half up; zones of 2021 count only where they leave some of the region out.

    p3.2xlarge has no spot price, so that its interruption band says nothing.
    """
    assert lines(built / "aws_offerings.csv.gz") == [
        "r-1,m5.large,96001,a0,31234,a3,,1",
        "r-1,p3.2xlarge,3060000,a2,,,b,",
    ]
    types = [line.split(",")[:5] for line in lines(built / "aws_instance_types.csv.gz")]
    assert types == [["m5.large", "m5", "large", "5", "m"], ["p3.2xlarge", "p3", "2xlarge", "3", "p"]]


def test_gpus_attach_to_n1_where_number_machine_and_zone_allow(built: Path) -> None:
    """16 vCPUs are too many for one V100; T4 is in no zone here."""
    assert lines(built / "gcp_offerings.csv.gz") == [
        "g-east1,c4a-standard-4,180000,g0,,,",
        "g-east1,n1-standard-16,760000,g0,160000,g0,",
        "g-east1,n1-standard-16+v100x2,5720000,g1,1640000,g1,-c",
        "g-east1,n1-standard-16+v100x4,10680000,g1,3120000,g1,-c",
        "g-east1,n1-standard-16+v100x8,20600000,g1,6080000,g1,-c",
    ]
    arch = {line.split(",")[0]: line.split(",")[3] for line in lines(built / "gcp_instance_types.csv.gz")}
    assert arch["c4a-standard-4"] == "arm64"
    assert arch["n1-standard-16"] == "amd64"


def test_azure_sizes_must_be_fit_for_linux_nodes(built: Path) -> None:
    assert lines(built / "azure_offerings.csv.gz") == [
        "elsewhere,Standard_D2s_v5,96000,z0,,,",
        "somewhere,Standard_NV6ads_A10_v5,454000,z0,,,",
    ]
    assert lines(built / "azure_instance_types.csv.gz")[1] == (
        "Standard_NV6ads_A10_v5,amd64,6,56320,a10-4gb,1,,0"
    )


def test_zones_are_named_as_nodes_bear_them(built: Path) -> None:
    assert lines(built / "zones.csv.gz") == [
        "aws,r-1,r-1a",
        "aws,r-1,r-1b",
        "azure,elsewhere,elsewhere-1",
        "azure,somewhere,0",
        "azure,swedensouth,0",
        "gcp,g-east1,g-east1-b",
        "gcp,g-east1,g-east1-c",
    ]


def test_the_committed_files_have_no_time_stamp_and_are_small() -> None:
    files = sorted(builder.DATA.glob("*.gz"))
    assert len(files) == 8
    assert sum(file.stat().st_size for file in files) < 10**6
    for file in files:
        assert file.read_bytes()[4:8] == bytes(4)  # gzip's modification time


def test_the_committed_files_are_what_the_source_gives(tmp_path: Path) -> None:
    shared = os.environ.get("BINWRIGHT_SHARED_DATA", "")
    if not shared:
        pytest.skip("BINWRIGHT_SHARED_DATA does not name the folder that holds the source tables (cloud/)")
    builder.build(Path(shared) / "cloud", tmp_path)
    for file in sorted(builder.DATA.glob("*.gz")):
        assert gzip.decompress((tmp_path / file.name).read_bytes()) == gzip.decompress(file.read_bytes())


@pytest.mark.parametrize(
    "module",
    [
        "binwright_optimizer.catalog.aws",
        "binwright_optimizer.catalog.azure",
        "binwright_optimizer.catalog.gcp",
        "binwright_optimizer.model.reserved",
        "binwright_optimizer.catalog.select",
        "binwright_optimizer.catalog.zones",
        "binwright_optimizer.model.gpus",
    ],
)
def test_examples_in_docstrings_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0
