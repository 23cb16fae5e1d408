"""EC2NodeClasses: what Karpenter's AWS provider says of kubelets, disks and zones of a NodePool's nodes.

Read as the provider reads them (v1, and v1beta1 where NodePools hold the kubelet's settings). What changes
nothing that is bought or packed, such as roles and tags, is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from binwright.v1 import node_class_pb2
from binwright_optimizer.model.nodeclasses import MOST_PODS, RESERVABLE, AmiFamily, EvictionThreshold
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.resources import EPHEMERAL_STORAGE, MEMORY

from binwright_clients.karpenter.nodeclasses import Ec2NodeClass
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.quantities import quantity_text
from binwright_clients.kubernetes.schema import (
    ANY,
    INTEGER,
    QUANTITIES,
    QUANTITY,
    STRING,
    ListOf,
    MapOf,
    Record,
    Report,
    Scalar,
    Schema,
    check,
)
from binwright_clients.spelling import suggestion

EC2_NODE_CLASS = Record(
    {"apiVersion": STRING, "kind": STRING, "metadata": ANY, "spec": MapOf(ANY), "status": MapOf(ANY)}
)

_KUBELET = Record(
    {
        "clusterDNS": ANY,
        "maxPods": INTEGER,
        "podsPerCore": INTEGER,
        "systemReserved": QUANTITIES,
        "kubeReserved": QUANTITIES,
        "evictionHard": QUANTITIES,
        "evictionSoft": QUANTITIES,
        "evictionSoftGracePeriod": ANY,
        "evictionMaxPodGracePeriod": INTEGER,
        "imageGCHighThresholdPercent": INTEGER,
        "imageGCLowThresholdPercent": INTEGER,
        "cpuCFSQuota": Scalar("boolean"),
    }
)
_BLOCK_DEVICES = ListOf(
    Record(
        {
            "deviceName": STRING,
            "rootVolume": Scalar("boolean"),
            "ebs": Record(
                {
                    "deleteOnTermination": ANY,
                    "encrypted": ANY,
                    "iops": ANY,
                    "kmsKeyID": ANY,
                    "snapshotID": ANY,
                    "throughput": ANY,
                    "volumeInitializationRate": ANY,
                    "volumeSize": QUANTITY,
                    "volumeType": ANY,
                }
            ),
        }
    )
)
_READ: Mapping[str, Schema] = {
    "kubelet": _KUBELET,
    "blockDeviceMappings": _BLOCK_DEVICES,
    "instanceStorePolicy": STRING,
    "amiFamily": STRING,
    "amiSelectorTerms": ListOf(MapOf(ANY)),
}
"""Fields of the spec that change what pods may use."""

_NOT_WEIGHED: Mapping[str, str] = {
    "networkInterfaces": "interfaces for EFA alone leave fewer pod slots: not counted; set kubelet.maxPods",
    "capacityReservationSelectorTerms": "not read; state what is held as kind Reservation",
    "userData": "settings of the kubelet in it are not read; set kubelet",
    "cpuOptions": "instance types are counted with all their vCPUs",
}
"""Fields that may change it and are not read, with what to do."""

_WITHOUT_EFFECT = (
    "subnetSelectorTerms", "securityGroupSelectorTerms", "placementGroupSelector", "associatePublicIPAddress",
    "ipPrefixCount", "role", "instanceProfile", "tags", "detailedMonitoring", "metadataOptions",
    "connectionTracking", "context",
)  # fmt: skip

_SIGNALS = {"memory.available": MEMORY, "nodefs.available": EPHEMERAL_STORAGE}
_OTHER_SIGNALS = ("nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree", "pid.available")
"""Signals that keep nothing that pods request."""

_LOCAL_DISKS = "RAID0"
_FAMILIES = {family.value.lower(): family for family in AmiFamily}
_DISK_DEVICE = {
    AmiFamily.BOTTLEROCKET: "/dev/xvdb",
    AmiFamily.WINDOWS_2019: "/dev/sda1",
    AmiFamily.WINDOWS_2022: "/dev/sda1",
    AmiFamily.WINDOWS_2025: "/dev/sda1",
}
"""Device that holds the pods' files, where it is not ``/dev/xvda``."""


def add_ec2_node_class(thing: ManifestObject) -> None:
    """Keep an EC2NodeClass for the NodePools that name it; mistakes are reported at the object."""
    spec = thing.spec
    known = (*_READ, *_NOT_WEIGHED, *_WITHOUT_EFFECT)
    before = len(thing.assembly.problems)
    for field, value in spec.items():
        if field in _READ:
            check(value, _READ[field], thing.problem, f"spec.{field}")
        elif field in _NOT_WEIGHED and value:
            thing.note(f"spec.{field}: {_NOT_WEIGHED[field]}")
        elif field not in known:
            thing.note(f"spec.{field}: not known here and not read{suggestion(field, known)}")
    if len(thing.assembly.problems) > before:
        return
    room = node_class_pb2.NodeClass()
    family = _family(thing)
    if family is not None:
        room.ami_family = family.value
        if family.is_windows:
            thing.note(f"amiFamily {family.value}: prices and labels are those of Linux nodes")
        _read_disks(thing, family, room)
    read_kubelet(spec.get("kubelet") or {}, room, "spec.kubelet", thing.problem)
    thing.assembly.ec2_node_classes[thing.name] = Ec2NodeClass(room, _zones(thing))


def read_kubelet(
    kubelet: Mapping[str, Any], room: node_class_pb2.NodeClass, path: str, report: Report
) -> None:
    """Settings of the kubelet that change what pods may use."""
    check(kubelet, _KUBELET, report, path)
    for field in ("maxPods", "podsPerCore"):
        count = kubelet.get(field)
        if not isinstance(count, int) or isinstance(count, bool):
            continue  # unset, or reported already
        if not 0 <= count <= MOST_PODS:
            report(f"{path}.{field}", str(count), f"must be from 0 to {MOST_PODS}")
        elif field == "maxPods":
            room.max_pods = count
        else:
            room.pods_per_core = count
    for field, reserved in (("kubeReserved", room.kube_reserved), ("systemReserved", room.system_reserved)):
        for resource, value in _entries(kubelet, field):
            text, here = quantity_text(value), f"{path}.{field}[{resource}]"
            if resource == "pid":
                continue  # no pod requests process ids
            if resource not in RESERVABLE:
                hint = suggestion(resource, (*RESERVABLE, "pid"))
                report(here, text, f"must be one of {', '.join((*RESERVABLE, 'pid'))}{hint}")
            elif _is_sound(partial(parse_quantity, text, resource), here, text, report):
                reserved[resource] = text
    # Soft thresholds warn before pods are evicted and keep nothing: Karpenter leaves them out, too.
    for signal, value in _entries(kubelet, "evictionHard"):
        text, here = quantity_text(value), f"{path}.evictionHard[{signal}]"
        if signal in _OTHER_SIGNALS:
            continue
        if signal not in _SIGNALS:
            known = (*_SIGNALS, *_OTHER_SIGNALS)
            report(here, text, f"must be one of {', '.join(known)}{suggestion(signal, known)}")
        elif _is_sound(partial(EvictionThreshold.parse, text, _SIGNALS[signal]), here, text, report):
            room.eviction_hard[signal] = text


def _entries(kubelet: Mapping[str, Any], field: str) -> list[tuple[str, Any]]:
    """Entries of a map field; none if it is no map, which has been reported."""
    found = kubelet.get(field)
    sound = found.items() if isinstance(found, dict) else ()
    return [(key, value) for key, value in sound if isinstance(value, (str, int, float))]


def _is_sound(parse: Callable[[], object], path: str, text: str, report: Report) -> bool:
    try:
        parse()
    except ValueError as error:
        report(path, text, str(error))
        return False
    return True


def _family(thing: ManifestObject) -> AmiFamily | None:
    """The family named, or that of the alias of its image; ``Custom`` without either, as in Karpenter."""
    named = thing.spec.get("amiFamily")
    path = "spec.amiFamily"
    if named is None:
        aliases = [term.get("alias") for term in thing.spec.get("amiSelectorTerms") or []]
        alias = next((str(text) for text in aliases if text), None)
        if alias is None:
            return AmiFamily.CUSTOM
        named, path = alias.partition("@")[0], "spec.amiSelectorTerms[0].alias"
    found = _FAMILIES.get(str(named).lower())
    if found is None:
        families = [family.value for family in AmiFamily]
        thing.problem(path, str(named), f"must be one of {', '.join(families)}")
    return found


def _read_disks(thing: ManifestObject, family: AmiFamily, room: node_class_pb2.NodeClass) -> None:
    """Size of the disk that holds the pods' files."""
    policy = thing.spec.get("instanceStorePolicy")
    if policy == _LOCAL_DISKS:
        room.uses_local_disks = True
    elif policy:
        thing.problem("spec.instanceStorePolicy", str(policy), f"must be {_LOCAL_DISKS}")
    mappings = list(enumerate(thing.spec.get("blockDeviceMappings") or []))
    sized = [(k, m) for k, m in mappings if (m.get("ebs") or {}).get("volumeSize") is not None]
    device = _DISK_DEVICE.get(family, "/dev/xvda")
    roots = [(k, m) for k, m in sized if m.get("rootVolume")]
    if not roots and family is AmiFamily.CUSTOM:
        roots = [(k, m) for k, m in sized if k == len(mappings) - 1]
    elif not roots:
        roots = [(k, m) for k, m in sized if m.get("deviceName") == device]
    if not roots:
        return
    k, mapping = roots[0]
    text = quantity_text(mapping["ebs"]["volumeSize"])
    here = f"spec.blockDeviceMappings[{k}].ebs.volumeSize"
    if _is_sound(partial(parse_quantity, text, EPHEMERAL_STORAGE), here, text, thing.problem):
        if parse_quantity(text, EPHEMERAL_STORAGE):
            room.root_disk = text
        else:
            thing.problem(here, text, "must be more than nothing")


def _zones(thing: ManifestObject) -> tuple[str, ...]:
    """Zones of the subnets that Karpenter found for it; nodes are launched nowhere else."""
    subnets = (thing.body.get("status") or {}).get("subnets")
    if not isinstance(subnets, list):
        return ()
    zones = {subnet.get("zone") for subnet in subnets if isinstance(subnet, dict)}
    return tuple(sorted(zone for zone in zones if isinstance(zone, str) and zone))
