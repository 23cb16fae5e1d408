"""Kinds that stand for pods: how many run at once, and where their pod template is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from binwright_clients.kubernetes.fields import at
from binwright_clients.kubernetes.objects import ManifestObject

MAX_REPLICAS = 2**31 - 1

_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PodSet:
    """Pods of one workload.

    Parameters
    ----------
    template
        Pod or pod template: ``metadata`` and ``spec``.
    path
        Field path of the template in its object; empty for a Pod.
    replicas
        Pods that run at the same time.
    first_ordinal
        Number in the name of the first pod.
    """

    template: Mapping[str, Any]
    path: str
    replicas: int
    first_ordinal: int = 0


def read_pod_set(workload: ManifestObject) -> PodSet | None:
    """The pods of an object, or None (with a note or a problem) if it has none to place."""
    match workload.kind:
        case "Pod":
            return PodSet(workload.body, "", 1)
        case "Job":
            return _read_job(workload, workload.spec, "spec")
        case "CronJob":
            if workload.spec.get("suspend"):
                workload.note("the CronJob is suspended: skipped")
                return None
            # One run at once: the schedule says when, not how many.
            job = (workload.spec.get("jobTemplate") or {}).get("spec") or {}
            return _read_job(workload, job, "spec.jobTemplate.spec")
        case "DaemonSet":
            return _with_template(workload, workload.spec, "spec", 1)
    replicas = _count(workload, workload.spec, "replicas", "spec")
    first = (workload.spec.get("ordinals") or {}).get("start") or 0
    if first < 0:
        workload.problem("spec.ordinals.start", str(first), "must not be negative")
    return _with_template(workload, workload.spec, "spec", replicas, first)


def _read_job(workload: ManifestObject, spec: Mapping[str, Any], path: str) -> PodSet | None:
    """Pods of a Job that run at once: its parallelism, and never more than its completions."""
    if spec.get("suspend"):
        workload.note("the Job is suspended: skipped")
        return None
    parallelism = _count(workload, spec, "parallelism", path)
    if spec.get("completions") is not None:
        parallelism = min(parallelism, _count(workload, spec, "completions", path))
    return _with_template(workload, spec, path, parallelism)


def _with_template(
    workload: ManifestObject, spec: Mapping[str, Any], path: str, replicas: int, first: int = 0
) -> PodSet | None:
    template = spec.get("template")
    if not template:
        workload.problem(f"{path}.template", "", "is missing")
        return None
    if (template.get("spec") or {}).get("nodeName"):
        workload.note("nodeName in a pod template is not enforced")
    return PodSet(template, f"{path}.template", replicas, first)


def _count(workload: ManifestObject, spec: Mapping[str, Any], field: str, path: str) -> int:
    """A count of pods; 1 where it is not given, as in Kubernetes."""
    count = spec.get(field)
    if count is None:
        return 1
    if not 0 <= count <= MAX_REPLICAS:
        workload.problem(f"{path}.{field}", str(count), f"must be from 0 to {MAX_REPLICAS}")
        return 1
    return int(count)


def is_finished(pod: Mapping[str, Any]) -> bool:
    """Whether a Pod has ended and holds nothing any more."""
    return at(pod, "status", "phase") in _FINISHED
