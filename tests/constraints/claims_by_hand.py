"""Device claims as `brute_force` reads them: selectors as functions of an instance type, devices one by one.

Selectors are known by their text; what each means of the devices of a type is said beside it. Devices that
pods of a node have are counted by listing them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from binwright_optimizer.model import DeviceClaim, DeviceRequest, InstanceType, PodTemplate, Resources

D = 'device.attributes["gpu.nvidia.com"]'
MEANING: Mapping[str, Callable[[InstanceType], bool]] = {
    "device.driver == 'gpu.nvidia.com'": lambda kind: kind.allocatable["nvidia.com/gpu"] > 0,
    "device.driver != 'gpu.nvidia.com'": lambda kind: kind.allocatable["amd.com/gpu"] > 0,
    f"{D}.productName == 'Tesla T4'": lambda kind: kind.gpu_model == "t4",
    f"has({D}.productName) && !({D}.productName == 'Tesla T4')": lambda kind: kind.gpu_model == "a100-40gb",
    f"{D}.productName.lowerAscii().contains('a100') || device.driver == 'gpu.amd.com'": lambda kind: (
        kind.gpu_model != "t4"
    ),
    f"{D}.driverVersion == '1'": lambda _: False,
}
"""What selectors mean of types with T4, A100 with 40 GB, or AMD devices."""
MAKERS = ("nvidia.com/gpu", "amd.com/gpu")


def takes(claim: DeviceClaim, kind: InstanceType | None, total: int, most: int) -> int | None:
    """Devices of a node that a claim takes, by trying choices in order; None if none fits.

    Parameters
    ----------
    total, most
        Devices of the node, and those that may be had.
    """
    if claim.missing:
        return None
    if not claim.requests:
        return 0
    if kind is None or not total:
        return None
    if any(not name.endswith("/type") for name in claim.match_attributes):
        return None
    for choice in itertools.product(*claim.requests):
        numbers = [_takes(request, kind, total) for request in choice]
        known = [number for number in numbers if number is not None]
        if len(known) == len(numbers) and sum(known) <= most:
            return sum(known)
    return None


def _takes(request: DeviceRequest, kind: InstanceType, total: int) -> int | None:
    if not all(MEANING[selector.text](kind) for selector in request.selectors):
        return None
    number = total if request.count == 0 else request.count
    if number > total:
        return None
    return 0 if request.is_admin else number


Titled = tuple[str, str, int]
"""Name of a shared claim with its namespace, or nothing; what the pod calls it; devices."""


def devices_of(
    namespace: str,
    template: PodTemplate,
    kind: InstanceType | None,
    total: int,
    most: int,
    held: Sequence[tuple[str, str]],
) -> list[Titled] | None:
    """Devices of one pod by claim, requests first; None if a claim is not met.

    Parameters
    ----------
    held
        Shared claims that have their devices on the node already.
    """
    found: list[Titled] = [("", "", sum(template.requests[name] for name in MAKERS))]
    for claim in template.device_claims:
        if claim.name and (namespace, claim.name) in held:
            continue
        number = takes(claim, kind, total, most)
        if number is None:
            return None
        found.append((f"{namespace}/{claim.name}" if claim.name else "", claim.label, number))
    return found


def whole_devices(room: Resources) -> int:
    """Devices among these amounts."""
    return sum(room[name] for name in MAKERS)
