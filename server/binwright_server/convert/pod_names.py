"""Pods of a decision by name: counts and ranges become lists of names."""

from __future__ import annotations

from collections.abc import Iterable

from binwright.v1 import decision_pb2
from binwright_optimizer.model.decision import DeviceUse, PodRange
from binwright_optimizer.model.pods import Workload


def pod_names(workloads: tuple[Workload, ...], ranges: Iterable[PodRange]) -> list[str]:
    """Names of the pods in the ranges, in order."""
    names: list[str] = []
    for pods in ranges:
        workload = workloads[pods.workload]
        if pods.count == 1:
            names.append(workload.pod_name(pods.first))
        else:
            names.extend(map(workload.pod_name, range(pods.first, pods.first + pods.count)))
    return names


def device_uses(
    workloads: tuple[Workload, ...], uses: Iterable[DeviceUse]
) -> Iterable[decision_pb2.DeviceUse]:
    """Messages of what pods have of the devices of their node."""
    for use in uses:
        yield decision_pb2.DeviceUse(
            device=use.device,
            pods=pod_names(workloads, (use.pods,)),
            mig_profile=use.profile,
            mig_start=use.start,
            claim=use.claim,
        )
