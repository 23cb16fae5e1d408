"""Which pods form a gang, in the words of Kubernetes, Volcano, coscheduling, Kueue and our own.

https://kubernetes.io/docs/concepts/scheduling-eviction/gang-scheduling/ (``schedulingGroup``),
https://volcano.sh/en/docs/podgroup/ (annotation ``scheduling.k8s.io/group-name``),
https://github.com/kubernetes-sigs/scheduler-plugins (label ``scheduling.x-k8s.io/pod-group``),
https://kueue.sigs.k8s.io/docs/tasks/run/plain_pods/ (label ``kueue.x-k8s.io/pod-group-name``) and
https://kueue.sigs.k8s.io/docs/concepts/topology_aware_scheduling/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from binwright.v1 import problem_pb2

from binwright_clients.assembly import Assembly
from binwright_clients.kubernetes.annotations import (
    GANG,
    GANG_MIN_MEMBERS,
    GANG_PREFERRED_TOPOLOGY,
    GANG_TOPOLOGY,
    Annotations,
)
from binwright_clients.kubernetes.labels import is_label_key
from binwright_clients.kubernetes.objects import ManifestObject

COSCHEDULING_LABEL = "scheduling.x-k8s.io/pod-group"
VOLCANO_ANNOTATIONS = ("scheduling.k8s.io/group-name", "scheduling.volcano.sh/group-name")
KUEUE_LABEL = "kueue.x-k8s.io/pod-group-name"
KUEUE_TOTAL = "kueue.x-k8s.io/pod-group-total-count"
KUEUE_REQUIRED = "kueue.x-k8s.io/podset-required-topology"
KUEUE_PREFERRED = "kueue.x-k8s.io/podset-preferred-topology"

_MOST_MEMBERS = 2**31 - 1


def named_gang(
    spec: Mapping[str, Any], labels: Mapping[str, Any], annotations: Callable[[str], Any]
) -> tuple[str, bool]:
    """Name of the gang that a pod says it belongs to, and whether it is Kueue's; empty if it names none.

    Parameters
    ----------
    spec, labels
        Of the pod.
    annotations
        The value of an annotation; anything false where it is not there.
    """
    if name := annotations(GANG):
        return str(name), False
    group = spec.get("schedulingGroup") or {}
    for named in (
        group.get("podGroupName"),
        labels.get(COSCHEDULING_LABEL),
        *(annotations(key) for key in VOLCANO_ANNOTATIONS),
    ):
        if named:
            return str(named), False
    return str(labels.get(KUEUE_LABEL) or ""), True


@dataclass(slots=True)
class _Gang:
    """A gang while its members are read."""

    message: problem_pb2.Gang
    named_by: ManifestObject
    topology: dict[str, bool] = field(default_factory=dict)


class Gangs:
    """Gangs of the input: from PodGroups first, then from what their pods say."""

    def __init__(self, pod_groups: Iterable[ManifestObject], assembly: Assembly) -> None:
        self._assembly = assembly
        self._groups: dict[tuple[str, str], ManifestObject] = {}
        self._gangs: dict[tuple[str, str], _Gang] = {}
        self._without_gang: set[tuple[str, str]] = set()
        for group in pod_groups:
            self._groups[group.namespace, group.name] = group

    def join(
        self,
        workload: ManifestObject,
        template: Mapping[str, Any],
        annotations: Annotations,
    ) -> str:
        """Name of the gang that the pods of a workload belong to; empty if none."""
        name, is_kueue = self._name_of(workload, template, annotations)
        if not name:
            return ""
        gang = self._gang(workload, name, is_podgroup=not (is_kueue or annotations.get(GANG)))
        if gang is None:
            return ""
        if is_kueue and annotations.get(KUEUE_TOTAL):
            self._limit(gang, workload, annotations.count(KUEUE_TOTAL, 1), KUEUE_TOTAL)
        self._limit(gang, workload, annotations.count(GANG_MIN_MEMBERS, 1), GANG_MIN_MEMBERS)
        for key, is_required in (
            (GANG_TOPOLOGY, True),
            (KUEUE_REQUIRED, True),
            (GANG_PREFERRED_TOPOLOGY, False),
            (KUEUE_PREFERRED, False),
        ):
            self._add_topology(gang, annotations, key, is_required)
        return name

    def _name_of(
        self, workload: ManifestObject, template: Mapping[str, Any], annotations: Annotations
    ) -> tuple[str, bool]:
        """Name of the gang, and whether it is Kueue's."""
        labels = {**(workload.metadata.get("labels") or {})}
        labels.update((template.get("metadata") or {}).get("labels") or {})
        name, is_kueue = named_gang(template.get("spec") or {}, labels, annotations.get)
        if name:
            return name, is_kueue
        alone = (GANG_MIN_MEMBERS, GANG_TOPOLOGY, GANG_PREFERRED_TOPOLOGY, KUEUE_REQUIRED, KUEUE_PREFERRED)
        if any(annotations.get(key) for key in alone):
            return workload.name, True  # the pods of this workload, with nobody else
        return "", False

    def _gang(self, workload: ManifestObject, name: str, *, is_podgroup: bool) -> _Gang | None:
        key = (workload.namespace, name)
        known = self._gangs.get(key)
        if known is not None or key in self._without_gang:
            return known
        group = self._groups.get(key)
        if group is None and is_podgroup:
            workload.note(f"PodGroup {name!r} is not among the inputs: all of its pods here are its least")
        gang = _Gang(problem_pb2.Gang(name=name, namespace=workload.namespace), group or workload)
        if group is not None and not _read_group(group, gang):
            self._without_gang.add(key)
            return None
        self._gangs[key] = gang
        return gang

    def _limit(self, gang: _Gang, workload: ManifestObject, least: int | None, key: str) -> None:
        """Take the fewest members that a pod's annotation names."""
        if least is None:
            return
        if gang.message.HasField("min_members") and gang.message.min_members != least:
            path = f"metadata.annotations[{key}]"
            other = f"gang {gang.message.name} has {gang.message.min_members} elsewhere"
            workload.problem(path, str(least), other)
            return
        if not gang.message.HasField("min_members"):
            gang.message.min_members = least
            gang.named_by = workload

    def _add_topology(self, gang: _Gang, annotations: Annotations, key: str, is_required: bool) -> None:
        for topology_key in filter(None, (part.strip() for part in annotations.get(key).split(","))):
            if not is_label_key(topology_key):
                annotations.fail(key, "must name node labels, separated by commas")
            elif gang.topology.setdefault(topology_key, is_required) is not is_required:
                annotations.fail(key, f"{topology_key} is both required and preferred")

    def finish(self) -> None:
        """Add the gangs to the assembly.

        One that is short of members is no mistake: the rest may come later, and decisions say what it lacks.
        """
        for gang in self._gangs.values():
            message = gang.message
            for key, is_required in sorted(gang.topology.items()):
                message.topology.add(topology_key=key, preferred=not is_required)
            self._assembly.add_gang(gang.named_by.origin).CopyFrom(message)
        for name, group in self._groups.items():
            if name not in self._gangs and name not in self._without_gang:
                group.note("the PodGroup has no pods among the inputs: skipped")


def _read_group(group: ManifestObject, gang: _Gang) -> bool:
    """Take what a PodGroup says; False if it is no gang (policy ``basic``)."""
    spec = group.spec
    api_version = str(group.body.get("apiVersion"))
    if api_version.startswith("scheduling.k8s.io/"):
        policy = spec.get("schedulingPolicy") or {}
        if policy.get("gang") is None:
            return False
        path, least = "spec.schedulingPolicy.gang.minCount", policy["gang"].get("minCount")
        for rule in (spec.get("schedulingConstraints") or {}).get("topology") or []:
            if rule.get("key"):
                gang.topology[rule["key"]] = True
    else:
        path, least = "spec.minMember", spec.get("minMember")
        for field_name in ("minTaskMember", "networkTopology", "subGroupPolicy"):
            if spec.get(field_name):
                group.note(f"{field_name} of the PodGroup is not read")
    if least is None:
        return True
    if not isinstance(least, int) or isinstance(least, bool) or not 1 <= least <= _MOST_MEMBERS:
        group.problem(path, str(least), f"must be a whole number from 1 to {_MOST_MEMBERS}")
    else:
        gang.message.min_members = least
    return True
