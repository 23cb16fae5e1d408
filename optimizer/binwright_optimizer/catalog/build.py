"""Makes the committed data files: ``python -m binwright_optimizer.catalog.build SOURCE``.

``SOURCE`` is the folder of source tables that ``data/README.md`` describes, with the rules by which rows
are kept, dropped and corrected. The same source gives the same bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from binwright_optimizer.catalog.attachable import ATTACHABLE_GPUS, AttachableGpu
from binwright_optimizer.catalog.tables import INSTANCE_TYPES, OFFERINGS, PRICE_SOURCES, ZONES
from binwright_optimizer.model.quantity import parse_price

Row = dict[str, str]

DATA = Path(__file__).parent / "data"

_SOURCES: tuple[tuple[str, str, str, str, str], ...] = (
    ("a0", "aws", "Karpenter AWS provider, built-in prices", "2026-07-20", "0"),
    ("a1", "aws", "instances.vantage.sh, accelerator types", "2026-01-21", "0"),
    ("a2", "aws", "vantage-sh/ec2instances.info", "2024-04-03", "0"),
    ("a3", "aws", "on-demand price less the saving of the AWS Spot Advisor", "2025-06-28", "1"),
    ("a4", "aws", "vantage-sh/ec2instances.info, average spot price", "2024-04-03", "1"),
    ("g0", "gcp", "Karpenter GCP provider, built-in prices", "2026-08-03", "0"),
    ("g1", "gcp", "Karpenter GCP provider, plus GPU list price of Cluster Autoscaler", "2026-06-01", "1"),
    ("z0", "azure", "Karpenter Azure provider, built-in prices", "2026-06-18", "0"),
)
_AWS_SOURCE_CODES = {
    "karpenter_2026-07-20": "a0",
    "gpu_2026-01-21": "a1",
    "vantage_2024-04-03": "a2",
}
_AWS_SPOT_SOURCE_CODES = {"advisor_2025-06-28": "a3", "vantage_2024-04-03": "a4", "": ""}

_AWS_COLUMNS = (
    "instance_type", "family", "size", "generation", "category", "arch", "vcpu", "memory_mib",
    "cpu_manufacturer", "cpu_clock_mhz", "gpu_count", "gpu_name", "gpu_manufacturer", "gpu_memory_mib",
    "accelerator_name", "accelerator_count", "accelerator_manufacturer", "local_nvme_gb",
    "network_mbps", "ebs_mbps", "hypervisor", "is_flex", "nvidia_gpu", "amd_gpu", "neuron",
    "neuroncore", "gaudi", "efa", "pod_eni", "max_pods", "bare_metal", "burstable",
)  # fmt: skip
_GCP_COLUMNS = (
    "instance_type", "machine_type", "family", "arch", "vcpu", "memory_mib", "gpu_name", "gpu_count",
    "gpu_memory_mib", "local_ssd_gib", "shared_cpu",
)  # fmt: skip
_AZURE_COLUMNS = (
    "instance_type", "arch", "vcpu", "memory_mib", "gpu_name", "gpu_count", "gpu_memory_mib",
    "burstable",
)  # fmt: skip
_OFFERING_COLUMNS = (
    "region", "instance_type", "on_demand_microusd", "on_demand_source", "spot_microusd",
    "spot_source", "zone_suffixes",
)  # fmt: skip
_AWS_OFFERING_COLUMNS = (*_OFFERING_COLUMNS, "interruption_band")

_AWS_NAME = re.compile(r"^([a-z]+)(?:-\d+tb)?(\d+).*\.")


def build(source: Path, target: Path = DATA) -> None:
    """Write every data file under ``target``."""
    zones = _zones(source)
    _write(target / ZONES, ("cloud", "region", "zone"), (
        {"cloud": cloud, "region": region, "zone": region + suffix if suffix != "0" else suffix}
        for (cloud, region), suffixes in sorted(zones.items())
        for suffix in suffixes
    ))  # fmt: skip
    columns = ("code", "cloud", "name", "date", "is_estimate")
    _write(target / PRICE_SOURCES, columns, (dict(zip(columns, s, strict=True)) for s in _SOURCES))
    for cloud, type_columns, offering_columns, (types, offerings) in (
        ("aws", _AWS_COLUMNS, _AWS_OFFERING_COLUMNS, _aws(source, zones)),
        ("azure", _AZURE_COLUMNS, _OFFERING_COLUMNS, _azure(source)),
        ("gcp", _GCP_COLUMNS, _OFFERING_COLUMNS, _gcp(source, zones)),
    ):
        sold = {row["instance_type"] for row in offerings}
        kept = sorted((t for t in types if t["instance_type"] in sold), key=lambda t: t["instance_type"])
        offerings.sort(key=lambda row: (row["region"], row["instance_type"]))
        _write(target / INSTANCE_TYPES.format(cloud=cloud), type_columns, kept)
        _write(target / OFFERINGS.format(cloud=cloud), offering_columns, offerings)


def _zones(source: Path) -> dict[tuple[str, str], list[str]]:
    """Sorted zone suffixes by cloud and region: ``a`` (AWS), ``-a`` (GCP), ``-1`` or ``0`` (Azure)."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in _read(source / "zones.csv.gz"):
        if row["status"] != "ACTIVE":
            continue
        cloud, region, name = row["cloud"], row["region"], row["zone_name"]
        if cloud == "aws":
            suffix = name.removeprefix(region)
        elif cloud == "gcp":
            # The source numbers GCP's regions; the zone's name starts with the region's.
            region, _, letter = name.rpartition("-")
            suffix = f"-{letter}"
        else:
            # AKS labels nodes <region>-<zone>, and 0 where the region has no zones.
            suffix = f"-{name}" if name != "0" else name
        found.setdefault((cloud, region), []).append(suffix)
    # Priced, but not in the list of zones: a region of restricted access without zones.
    found.setdefault(("azure", "swedensouth"), ["0"])
    return {key: sorted(suffixes) for key, suffixes in found.items()}


def _offering(
    region: str, name: str, prices: tuple[int, str, int | None, str], zone_suffixes: str = ""
) -> Row:
    on_demand, on_demand_source, spot, spot_source = prices
    return {
        "region": region,
        "instance_type": name,
        "on_demand_microusd": str(on_demand),
        "on_demand_source": on_demand_source,
        "spot_microusd": "" if spot is None else str(spot),
        "spot_source": "" if spot is None else spot_source,
        "zone_suffixes": zone_suffixes,
    }


# --- AWS ---------------------------------------------------------------------------------------


def _aws(source: Path, zones: Mapping[tuple[str, str], list[str]]) -> tuple[list[Row], list[Row]]:
    types = []
    for row in _read(source / "aws_instance_types.csv.gz"):
        if not row["vcpu"] or not row["max_pods_eni"]:
            continue  # without specs, or without ENI limits and so without a number of pods
        scheme = _AWS_NAME.match(row["instance_type"])
        row["category"] = row["category"] or (scheme[1] if scheme else "")
        row["generation"] = row["generation"] or (scheme[2] if scheme else "")
        row["gpu_memory_mib"] = row["gpu_memory_mib_per_gpu"]
        row["local_nvme_gb"] = row["local_nvme_gb"] if row["local_nvme_gb"] != "0" else ""
        row["gaudi"] = row["accelerator_count"] if row["accelerator_name"] == "gaudi" else ""
        row["max_pods"] = row["max_pods_eni"]
        types.append(row)
    known = {row["instance_type"] for row in types}
    available = _aws_zones(source)
    offerings = []
    for row in _read(source / "aws_offerings.csv.gz"):
        region, name = row["region"], row["instance_type"]
        on_demand = parse_price(row["on_demand_usd_h"] or "0")
        if name not in known or not on_demand:
            continue
        spot = parse_price(row["spot_usd_h"] or "0") or None
        prices = (
            on_demand,
            _AWS_SOURCE_CODES[row["on_demand_source"]],
            spot,
            _AWS_SPOT_SOURCE_CODES[row["spot_source"]],
        )
        where = available.get((region, name), set())
        suffixes = [s for s in zones["aws", region] if region + s in where]
        everywhere = len(suffixes) in (0, len(zones["aws", region]))
        offering = _offering(region, name, prices, "" if everywhere else " ".join(suffixes))
        # The band is a word about spot capacity: without a spot offering there is nothing to say it of.
        offerings.append(offering | {"interruption_band": row["interruption_band"] if spot else ""})
    return types, offerings


def _aws_zones(source: Path) -> dict[tuple[str, str], set[str]]:
    """Names of the zones that offered a type in 2021, by region and type."""
    names = {
        row["zone_id"]: row["zone_name"] for row in _read(source / "zones.csv.gz") if row["cloud"] == "aws"
    }
    found: dict[tuple[str, str], set[str]] = {}
    for row in _read(source / "aws_zone_availability_2021-06.csv.gz"):
        if row["available"] == "1" and row["zone_id"] in names:
            found.setdefault((row["region"], row["instance_type"]), set()).add(names[row["zone_id"]])
    return found


# --- GCP ---------------------------------------------------------------------------------------

_GCP_ARM64_FAMILIES = frozenset({"c4a", "n4a", "t2a"})
"""The source has arm64 for t2a only, yet C4A and N4A are Axion machines (arm64) too."""

_GCP_NOT_ON_GKE = frozenset({"f1-micro", "g1-small"})
"""Below what a node needs; GKE's reservations are not published for them."""


def _gcp(source: Path, zones: Mapping[tuple[str, str], list[str]]) -> tuple[list[Row], list[Row]]:
    types = {
        row["instance_type"]: _gcp_type(row)
        for row in _read(source / "gcp_instance_types.csv.gz")
        if row["status"] == "ACTIVE" and row["instance_type"] not in _GCP_NOT_ON_GKE
    }
    machine_zones = _gcp_zones(source / "gcp_machine_type_zones_2023-05.csv.gz", "instance_type")
    gpu_zones = _gcp_zones(source / "gcp_accelerator_zones.csv.gz", "accelerator")
    gpu_prices = {row["gpu"]: row for row in _read(source / "gcp_attachable_gpu_prices.csv")}
    with_gpus: dict[str, Row] = {}
    offerings = []
    for row in _read(source / "gcp_offerings.csv.gz"):
        region, name = row["region"], row["instance_type"]
        on_demand, spot = parse_price(row["on_demand_usd_h"]), parse_price(row["spot_usd_h"] or "0")
        if name not in types or not on_demand or ("gcp", region) not in zones:
            continue
        known = zones["gcp", region]
        where = [s for s in known if s in machine_zones.get((name, region), ())] or known
        suffixes = "" if where == known else " ".join(where)
        offerings.append(_offering(region, name, (on_demand, "g0", spot or None, "g0"), suffixes))
        for gpu, count in _attachments(types[name]):
            both = [s for s in where if s in gpu_zones.get((gpu.accelerator, region), ())]
            if not both:
                continue
            price = gpu_prices[gpu.accelerator]
            total = on_demand + count * parse_price(price["on_demand_usd_h_per_gpu"])
            spot_total = spot + count * parse_price(price["spot_usd_h_per_gpu"]) if spot else None
            combined = f"{name}+{gpu.short_name}x{count}"
            with_gpus[combined] = types[name] | {
                "instance_type": combined,
                "gpu_name": gpu.model,
                "gpu_count": str(count),
                "gpu_memory_mib": price["gpu_memory_mib"],
            }
            prices = (total, "g1", spot_total, "g1")
            offerings.append(_offering(region, combined, prices, " ".join(both)))
    return [*types.values(), *with_gpus.values()], offerings


def _gcp_type(row: Row) -> Row:
    has_gpu = row["gpu_count"] != "0"
    return {
        "instance_type": row["instance_type"],
        "machine_type": row["instance_type"],
        "family": row["family"],
        "arch": "arm64" if row["family"] in _GCP_ARM64_FAMILIES else row["arch"],
        "vcpu": row["vcpu"],
        "memory_mib": row["memory_mib"],
        "gpu_name": row["gpu_model"] if has_gpu else "",
        "gpu_count": row["gpu_count"] if has_gpu else "",
        "gpu_memory_mib": row["gpu_memory_mib_per_gpu"] if has_gpu else "",
        "local_ssd_gib": row["local_storage_gb"] if row["local_storage_type"] else "",
        "shared_cpu": row["shared_cpu"],
    }


def _gcp_zones(path: Path, column: str) -> dict[tuple[str, str], set[str]]:
    """Zone suffixes by (what is sold, region)."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in _read(path):
        region, _, letter = row["zone"].rpartition("-")
        found.setdefault((row[column], region), set()).add(f"-{letter}")
    return found


def _attachments(machine: Row) -> Iterator[tuple[AttachableGpu, int]]:
    if machine["family"] != "n1":
        return
    for gpu in ATTACHABLE_GPUS:
        for count, most_vcpu, most_memory_gib in gpu.machine_limits:
            if int(machine["vcpu"]) <= most_vcpu and int(machine["memory_mib"]) <= most_memory_gib * 1024:
                yield gpu, count


# --- Azure -------------------------------------------------------------------------------------

AKS_LEAST_VCPU = 2
AKS_LEAST_MEMORY_MIB = 3584
"""AKS refuses smaller machines as nodes."""

_AZURE_GPUS: tuple[tuple[str, str], ...] = (
    (r"NC\d+r?s_v3", "v100-16gb"),
    (r"ND40rs_v2", "v100-32gb"),
    (r"ND96asr_v4", "a100-40gb"),
    (r"(NC\d+ads|ND96amsr)_A100_v4", "a100-80gb"),
    (r"NCC?\d+adi?s_H100_v5", "h100-94gb"),
    (r"ND96isr?_H100_v5", "h100-80gb"),
    (r"NV6ads_A10_v5", "a10-4gb"),
    (r"NV12ads_A10_v5", "a10-8gb"),
    (r"NV18ads_A10_v5", "a10-12gb"),
    (r"NG8ads_V620_v1", "radeon-pro-v620-8gb"),
    (r"NG16ads_V620_v1", "radeon-pro-v620-16gb"),
    (r"NV4ads_V710_v5", "radeon-pro-v710-4gb"),
    (r"NV8ads_V710_v5", "radeon-pro-v710-8gb"),
    (r"NV12ads_V710_v5", "radeon-pro-v710-12gb"),
)
"""Where the board's name leaves its memory open, or the machine has a slice of a board."""

_AZURE_GPU_COUNTS = {
    "Standard_NV12s_v2": "2",
    "Standard_NV24s_v2": "4",
    "Standard_NV48s_v3": "4",
    "Standard_NV24ads_V710_v5": "1",
}
"""Where the source contradicts its own prices, which rise with the number of boards: NV24s_v2 costs four
times NV6s_v2 and NV48s_v3 four times NV12s_v3, each with one M60; NV24ads twice NV12ads, with half a V710."""

_AZURE_LEFT_OUT = re.compile(r"^Standard_(NV\d+as_v4|NC\d+ads_A10_v4|NCC40ads_H100_v5)$")
"""NVv4 runs only Windows; the source does not say what part of an A10 each NC A10 has, and has no GPU on
NCC, which has an H100."""


def _azure(source: Path) -> tuple[list[Row], list[Row]]:
    types = [
        _azure_type(row)
        for row in _read(source / "azure_instance_types.csv.gz")
        if row["status"] != "INACTIVE"
        and not _AZURE_LEFT_OUT.match(row["instance_type"])
        and int(row["vcpu"]) >= AKS_LEAST_VCPU
        and int(row["memory_mib"]) >= AKS_LEAST_MEMORY_MIB
    ]
    known = {row["instance_type"] for row in types}
    offerings = []
    for row in _read(source / "azure_offerings.csv.gz"):
        price = parse_price(row["on_demand_usd_h"])
        if row["instance_type"] in known and price:
            offerings.append(_offering(row["region"], row["instance_type"], (price, "z0", None, "")))
    return types, offerings


def _azure_type(row: Row) -> Row:
    name = row["instance_type"]
    has_gpu = row["gpu_count"] != "0"
    sku = name.partition("_")[2]
    exact = next((model for pattern, model in _AZURE_GPUS if re.fullmatch(pattern, sku)), None)
    return {
        "instance_type": name,
        "arch": row["arch"],
        "vcpu": row["vcpu"],
        "memory_mib": row["memory_mib"],
        "gpu_name": (exact or row["gpu_model_from_name"]) if has_gpu else "",
        "gpu_count": _AZURE_GPU_COUNTS.get(name, row["gpu_count"]) if has_gpu else "",
        "gpu_memory_mib": row["gpu_memory_mib_per_gpu"] if has_gpu else "",
        "burstable": row["burstable"],
    }


# --- Files -------------------------------------------------------------------------------------


def _read(path: Path) -> Iterator[Row]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return csv.DictReader(text.splitlines())


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode("ascii"), compresslevel=9, mtime=0))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m binwright_optimizer.catalog.build SOURCE")
    build(Path(sys.argv[1]))
