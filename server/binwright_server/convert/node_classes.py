"""Node classes: messages to domain types, and back."""

from __future__ import annotations

from collections.abc import Mapping

from binwright.v1 import node_class_pb2
from binwright_optimizer.model.nodeclasses import AmiFamily, EvictionThreshold, NodeClass
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import EPHEMERAL_STORAGE, MEMORY

from binwright_server.convert.amounts import amounts_from_map
from binwright_server.convert.violations import Violations, entry

EVICTION_SIGNALS = {"memory.available": MEMORY, "nodefs.available": EPHEMERAL_STORAGE}
"""Signals of the kubelet that keep room free, and what of."""

_SIGNALS = {resource: signal for signal, resource in EVICTION_SIGNALS.items()}
_FAMILIES = {family.value: family for family in AmiFamily}


def node_class_from_message(
    message: node_class_pb2.NodeClass, path: str, out: Violations
) -> NodeClass | None:
    """The node class; None if it is wrong."""
    before = len(out.found)
    family = out.choose(f"{path}.ami_family", message.ami_family, _FAMILIES, AmiFamily.AL2023)
    kube_reserved = amounts_from_map(message.kube_reserved, f"{path}.kube_reserved", out)
    system_reserved = amounts_from_map(message.system_reserved, f"{path}.system_reserved", out)
    evicts_below = _thresholds(message.eviction_hard, f"{path}.eviction_hard", out)
    root_disk = {EPHEMERAL_STORAGE: message.root_disk} if message.root_disk else {}
    disk = amounts_from_map(root_disk, f"{path}.root_disk", out).get(EPHEMERAL_STORAGE)
    if family is None or len(out.found) > before:
        return None
    return out.build(
        path,
        lambda: NodeClass(
            ami_family=family,
            max_pods=message.max_pods if message.HasField("max_pods") else None,
            pods_per_core=message.pods_per_core,
            kube_reserved=tuple(kube_reserved.items()),
            system_reserved=tuple(system_reserved.items()),
            evicts_below=evicts_below,
            root_disk_bytes=disk,
            uses_local_disks=message.uses_local_disks,
        ),
    )


def _thresholds(
    written: Mapping[str, str], path: str, out: Violations
) -> tuple[tuple[str, EvictionThreshold], ...]:
    found = []
    for signal in sorted(written):
        resource = EVICTION_SIGNALS.get(signal)
        if resource is None:
            out.add(entry(path, signal), written[signal], f"must be one of {', '.join(EVICTION_SIGNALS)}")
            continue
        try:
            found.append((resource, EvictionThreshold.parse(written[signal], resource)))
        except ValueError as error:
            out.add(entry(path, signal), written[signal], str(error))
    return tuple(found)


def node_class_to_message(node_class: NodeClass) -> node_class_pb2.NodeClass:
    """The message that reads as an equal node class."""
    disk = node_class.root_disk_bytes
    return node_class_pb2.NodeClass(
        ami_family=node_class.ami_family.value,
        max_pods=node_class.max_pods,
        pods_per_core=node_class.pods_per_core,
        kube_reserved={name: format_quantity(amount, name) for name, amount in node_class.kube_reserved},
        system_reserved={name: format_quantity(amount, name) for name, amount in node_class.system_reserved},
        eviction_hard={_SIGNALS[name]: threshold.text(name) for name, threshold in node_class.evicts_below},
        root_disk="" if disk is None else format_quantity(disk, EPHEMERAL_STORAGE),
        uses_local_disks=node_class.uses_local_disks,
    )
