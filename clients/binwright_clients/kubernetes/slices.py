"""Devices of running nodes that DRA drivers publish in ResourceSlices, counted like those of device plugins.

A node has its devices from a driver or from a device plugin; where the plugin's resource is missing, whole
devices of the slices take its place. Parts of devices (MIG, partitions) are not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from binwright_optimizer.model.devices import DRIVERS
from binwright_optimizer.model.gpus import WHOLE_DEVICES

from binwright_clients.kubernetes.objects import ManifestObject

_RESOURCES = {DRIVERS[maker]: resource for resource, maker in WHOLE_DEVICES.items() if maker in DRIVERS}
_WHOLE = frozenset({"", "gpu", "amdgpu"})
"""Values of the attribute ``type`` of whole devices; drivers whose devices have no parts leave it out."""


class DeviceSlices:
    """ResourceSlices of the input."""

    def __init__(self, slices: Iterable[ManifestObject]) -> None:
        newest: dict[tuple[str, str], int] = {}
        found: list[tuple[tuple[str, str], int, ManifestObject]] = []
        for thing in slices:
            spec, pool = thing.spec, thing.spec.get("pool") or {}
            key = spec.get("driver") or "", pool.get("name") or ""
            generation = pool.get("generation") or 0
            newest[key] = max(newest.get(key, generation), generation)
            found.append((key, generation, thing))
        self._counts: dict[str, Counter[str]] = {}
        for key, generation, thing in found:
            resource = _RESOURCES.get(key[0])
            if resource is None or generation < newest[key]:  # of another driver, or out of date
                continue
            for device in thing.spec.get("devices") or []:
                node = device.get("nodeName") or thing.spec.get("nodeName")
                if node and _kind(device, key[0]) in _WHOLE:
                    self._counts.setdefault(node, Counter())[resource] += 1

    def of(self, node: str) -> Mapping[str, int]:
        """Whole devices of a node by the resource that counts them."""
        return self._counts.get(node, Counter())


def _kind(device: Mapping[str, Any], driver: str) -> str:
    """The attribute ``type`` of a device; versions before v1beta2 have attributes in ``basic``."""
    attributes = device.get("attributes") or (device.get("basic") or {}).get("attributes") or {}
    value = attributes.get("type") or attributes.get(f"{driver}/type") or {}
    return str(value.get("string") or "")
