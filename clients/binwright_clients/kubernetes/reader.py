"""Manifests to the parts of a Problem: objects first, then what they mean together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Mapping
from typing import Any

from binwright.v1 import problem_pb2

from binwright_clients.assembly import Assembly
from binwright_clients.errors import InputError
from binwright_clients.kubernetes.annotations import Annotations, read_spot_policy
from binwright_clients.kubernetes.claims import Claims
from binwright_clients.kubernetes.documents import DocumentError, load_json, load_yaml
from binwright_clients.kubernetes.gangs import Gangs
from binwright_clients.kubernetes.kinds import CLUSTER_SCOPED, WITH_PODS, UnknownKindError, schema_of
from binwright_clients.kubernetes.namespaces import add_namespace
from binwright_clients.kubernetes.nodeclaims import (
    NodesOfClaims,
    add_node_claim,
    as_initialized,
    coming_name,
)
from binwright_clients.kubernetes.nodeclasses import add_ec2_node_class
from binwright_clients.kubernetes.nodepools import add_node_pool
from binwright_clients.kubernetes.nodes import RunningOnNode, add_node
from binwright_clients.kubernetes.objects import ManifestObject, Owner
from binwright_clients.kubernetes.overlays import add_node_overlay
from binwright_clients.kubernetes.own_kinds import add_reservation, add_savings_plan, set_policies
from binwright_clients.kubernetes.ownership import Ownership
from binwright_clients.kubernetes.pods import Known, Priorities, read_pod_template
from binwright_clients.kubernetes.resized import as_counted
from binwright_clients.kubernetes.schema import MissingClientError, check, shown
from binwright_clients.kubernetes.slices import DeviceSlices
from binwright_clients.kubernetes.storage import Storage
from binwright_clients.kubernetes.workloads import PodSet, is_finished, read_pod_set
from binwright_clients.origins import Origin
from binwright_clients.sources import Format, Source, text_of


class ManifestReader:
    """Reads manifests one by one and, in `finish`, adds their objects to an assembly.

    The meaning of an object depends on others (bound pods on their node, pods on their owner,
    priorities on their class), which may come later or in another file.

    Parameters
    ----------
    without_node_pools
        Names of NodePools that are passed over.
    """

    def __init__(self, assembly: Assembly, without_node_pools: Container[str] = ()) -> None:
        self._without_node_pools = without_node_pools
        self._assembly = assembly
        self._objects: list[ManifestObject] = []
        self._unnamed: dict[str, int] = {}
        self._files_with_node_pools: set[str] = set()

    def has_node_pool(self, file: str) -> bool:
        """Whether a file read before holds a NodePool, sound or not."""
        return file in self._files_with_node_pools

    def live_node_pools(self) -> frozenset[str]:
        """Names of the NodePools that were taken from a cluster: its API server gave them a uid."""
        return frozenset(pool.name for pool in self._of_kind("NodePool") if pool.metadata.get("uid"))

    def read(self, source: Source, *, only_node_pools: bool = False) -> None:
        """Take the objects of a YAML or JSON file; mistakes go to the assembly.

        Parameters
        ----------
        only_node_pools
            Pass over all kinds but those that say what NodePools sell, with a note.
        """
        problems = self._assembly.problems
        try:
            text = text_of(source)
        except InputError as error:
            problems.extend(error)
            return
        load = load_json if source.format is Format.JSON else load_yaml
        index = 0
        has_document = False
        try:
            for index, value in enumerate(load(text), start=1):
                if value is not None:
                    has_document = True
                    self._read_document(value, Origin(source.name, index), only_node_pools)
        except DocumentError as error:
            problems.add(source.name, str(error), place=f"document {index + 1}")
            return
        except MissingClientError:
            problems.add(
                source.name,
                "reading manifests needs the kubernetes client: pip install 'binwright[kubernetes]'",
            )
            return
        if not has_document:
            problems.add(source.name, "is empty")

    def _read_document(self, body: Any, origin: Origin, only_node_pools: bool) -> None:
        def problem(field: str, value: Any, description: str) -> None:
            self._assembly.problems.add(
                origin.file, description, place=origin.place, field=field, value=value
            )

        if not isinstance(body, dict):
            problem("", shown(body), "is no Kubernetes object: it must be a mapping")
            return
        api_version, kind = body.get("apiVersion"), body.get("kind")
        if not isinstance(api_version, str) or not isinstance(kind, str) or not api_version or not kind:
            field = "kind" if isinstance(api_version, str) and api_version else "apiVersion"
            given = body.get(field)
            problem(field, "" if given is None else shown(given), "must be given, as a string")
            return
        if kind.endswith("List") and "items" in body and isinstance(body["items"] or [], list):
            self._read_list(body, kind, origin, only_node_pools)
            return
        if kind == "NodePool":
            self._files_with_node_pools.add(origin.file)
        namespace, name = self._full_name(body, kind)
        if name:
            subject = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
            origin = origin._replace(subject=subject)
        try:
            schema = schema_of(api_version, kind)
        except UnknownKindError as error:
            problem("kind", kind, str(error))
            return
        if schema is None or (only_node_pools and kind not in _WITH_NODE_POOLS):
            self._assembly.notes.add(origin.file, f"skipped: kind {kind} ({api_version}) is not read here")
            return
        before = len(self._assembly.problems)
        check(body, schema, problem)
        if not name:
            problem("metadata.name", "", "must be given, as a string")
        if len(self._assembly.problems) > before:
            return
        if self._assembly.claim_name(kind, namespace, name, origin):
            self._objects.append(
                ManifestObject(origin, kind, namespace, name, body, self._assembly, _controller(body))
            )

    def _full_name(self, body: dict[str, Any], kind: str) -> tuple[str, str]:
        """Namespace and name of an object not checked yet; empty where it has none."""
        metadata = body.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        namespace = "" if kind in CLUSTER_SCOPED else (metadata.get("namespace") or "default")
        name = metadata.get("name")
        if name is None and isinstance(metadata.get("generateName"), str):
            # The API server would invent a name in the same way.
            prefix = metadata["generateName"]
            number = self._unnamed[prefix] = self._unnamed.get(prefix, 0) + 1
            name = f"{prefix}{number}"
        return namespace if isinstance(namespace, str) else "", name if isinstance(name, str) else ""

    def _read_list(self, body: dict[str, Any], kind: str, origin: Origin, only_node_pools: bool) -> None:
        """Items of a List; those of a typed list (PodList) need not repeat the kind."""
        item_kind = kind.removesuffix("List")
        for number, item in enumerate(body["items"] or [], start=1):
            if item_kind and isinstance(item, dict):
                item = {"apiVersion": body["apiVersion"], "kind": item_kind, **item}
            if isinstance(item, dict) and str(item.get("kind")).endswith("List"):
                self._assembly.problems.add(
                    origin.file, "a List must not hold a List", place=origin._replace(item=number).place
                )
                continue
            self._read_document(item, origin._replace(item=number), only_node_pools)

    def finish(self) -> None:
        """Add all objects to the assembly."""
        priorities = Priorities()
        for priority_class in self._of_kind("PriorityClass"):
            priorities.add(priority_class)
        for kind, add in _ADDED_ALONE.items():
            for thing in self._of_kind(kind):
                if kind != "NodePool" or thing.name not in self._without_node_pools:
                    add(thing)
        self._set_policies()
        known = Known(priorities, Storage(self._objects), Claims(self._objects))
        gangs = Gangs(self._of_kind("PodGroup"), self._assembly)
        ownership = Ownership(self._objects)
        named = NodesOfClaims(node.body for node in self._of_kind("Node"))
        claims = {named.name_of(claim.body): claim.body for claim in self._of_kind("NodeClaim")}
        coming = [claim for claim in self._of_kind("NodeClaim") if not named.name_of(claim.body)]
        nodes = {node.name: RunningOnNode() for node in self._of_kind("Node")}
        nodes |= {coming_name(claim.name): RunningOnNode() for claim in coming}
        for workload in self._objects:
            if workload.kind not in WITH_PODS:
                continue
            owner = ownership.root(workload)
            if workload.kind != "Pod":
                if owner is not None:
                    workload.note("skipped: its owner is among the inputs")
                else:
                    self._add_workload(workload, known, gangs, ownership)
            elif is_finished(workload.body):
                workload.note("the pod has ended: skipped")
            elif workload.spec.get("nodeName"):
                self._bind(workload, nodes, known, gangs)
            elif workload.owner is not None and workload.owner.kind == "DaemonSet":
                workload.note("pods of a DaemonSet follow its nodes: skipped")
            else:
                self._add_workload(workload, known, gangs, ownership)
        gangs.finish()
        templates = [workload.template for workload in self._assembly.problem.workloads]
        preempting = [t.priority for t in templates if t.preemption_policy != "Never"]
        for running in nodes.values():
            running.named_below = max(preempting, default=None)
        slices = DeviceSlices(self._of_kind("ResourceSlice"))
        for node in self._of_kind("Node"):
            if node.name in claims:
                node = dataclasses.replace(node, body=as_initialized(node.body, claims[node.name]))
            limits = known.storage.attach_limits(node.name)
            add_node(node, nodes[node.name], limits, slices.of(node.name))
        for claim in coming:
            add_node_claim(claim, nodes[coming_name(claim.name)], self._assembly.problem.daemon_sets)

    def _of_kind(self, kind: str) -> list[ManifestObject]:
        return [thing for thing in self._objects if thing.kind == kind]

    def _set_policies(self) -> None:
        policies = self._of_kind("Policies")
        for second in policies[1:]:
            second.problem("kind", "Policies", f"only one is read, and {policies[0].origin.place} is one")
        if policies:
            set_policies(policies[0])

    def _bind(self, pod: ManifestObject, nodes: dict[str, RunningOnNode], known: Known, gangs: Gangs) -> None:
        """Count a bound pod against its node; it is not to be placed."""
        running = nodes.get(pod.spec["nodeName"])
        if running is None:
            pod.note("runs on a node that is not among the inputs: skipped")
            return
        before = len(self._assembly.problems)
        quiet = dataclasses.replace(pod, is_quiet=True)
        template = read_pod_template(as_counted(pod.body), quiet, "", known)
        gang = gangs.join(quiet, pod.body, Annotations(quiet, pod.body, ""))
        if len(self._assembly.problems) == before:
            running.add(pod, template, gang)

    def _add_workload(
        self, workload: ManifestObject, known: Known, gangs: Gangs, ownership: Ownership
    ) -> None:
        pods = read_pod_set(workload)
        if pods is None:
            return
        template = read_pod_template(pods.template, workload, pods.path, known)
        if workload.kind == "DaemonSet":
            daemon_set = self._assembly.add_daemon_set(workload.origin)
            daemon_set.name = workload.name
            daemon_set.namespace = workload.namespace
            daemon_set.template.CopyFrom(template)
            return
        present = ownership.pods_of(workload)
        if present:
            workload.note("some of its pods are among the inputs and count for themselves")
        replicas = max(0, pods.replicas - len(present))
        if present and not replicas:
            return
        annotations = Annotations(workload, pods.template, pods.path)
        spot = read_spot_policy(annotations)
        gang = gangs.join(workload, pods.template, annotations)
        for part in self._parts(workload, pods, present, replicas, known.storage):
            message = self._assembly.add_workload(workload.origin)
            message.name = part.name
            message.namespace = workload.namespace
            message.kind = workload.kind
            message.replicas = part.replicas
            message.pod_names.extend(part.pod_names)
            message.gang = gang
            message.template.CopyFrom(template)
            message.template.volumes.extend(part.volumes)
            if spot is not None:
                message.spot.CopyFrom(spot)

    def _parts(
        self,
        workload: ManifestObject,
        pods: PodSet,
        present: tuple[str, ...],
        replicas: int,
        storage: Storage,
    ) -> list[Part]:
        """The workload, or the parts of a StatefulSet whose replicas have volumes in different places."""
        if workload.kind != "StatefulSet":
            return [Part(workload.name, replicas)]
        has_claims = storage.has_claims_of(workload)
        if replicas > _MOST_NAMED and (has_claims or present or pods.first_ordinal):
            at_most = f"must be at most {_MOST_NAMED} where its replicas are told apart"
            workload.problem("spec.replicas", str(pods.replicas), at_most)
            return []
        names: list[str] = []
        if present or pods.first_ordinal:
            named = (f"{workload.name}-{pods.first_ordinal + n}" for n in range(pods.replicas))
            names = [name for name in named if name not in present][:replicas]
        if not has_claims:
            volumes = storage.volumes_of_replica(workload, pods.first_ordinal)
            return [Part(workload.name, replicas, tuple(names), volumes)]
        names = names or [f"{workload.name}-{n}" for n in range(replicas)]
        return parts_by_volumes(workload, names, storage)


_MOST_NAMED = 1_000_000
"""Most replicas that are named one by one: no problem may have more pods."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Replicas of a workload whose templates are equal, volumes included."""

    name: str
    replicas: int
    pod_names: tuple[str, ...] = ()
    volumes: tuple[problem_pb2.Volume, ...] = ()


def parts_by_volumes(workload: ManifestObject, names: list[str], storage: Storage) -> list[Part]:
    """Replicas of a StatefulSet, by name, grouped by where their volumes can be attached."""
    groups: dict[tuple[bytes, ...], tuple[tuple[problem_pb2.Volume, ...], list[str]]] = {}
    for name in names:
        volumes = storage.volumes_of_replica(workload, int(name.rpartition("-")[2]))
        key = tuple(volume.SerializeToString(deterministic=True) for volume in volumes)
        groups.setdefault(key, (volumes, []))[1].append(name)
    if len(groups) > 1:
        workload.note(
            f"split into {len(groups)} workloads by the places of its volumes; shares of its replicas "
            "(spot) hold for each"
        )
    return [
        Part(workload.name if k == 0 else f"{workload.name}-part-{k + 1}", len(found), tuple(found), volumes)
        for k, (volumes, found) in enumerate(groups.values())
    ]


_WITH_NODE_POOLS = ("NodePool", "NodeOverlay", "EC2NodeClass")

_ADDED_ALONE: Mapping[str, Callable[[ManifestObject], None]] = {
    "EC2NodeClass": add_ec2_node_class,
    "NodePool": add_node_pool,
    "NodeOverlay": add_node_overlay,
    "Namespace": add_namespace,
    "Reservation": add_reservation,
    "SavingsPlan": add_savings_plan,
}
"""Kinds that mean the same whatever other kinds are in the input, but that NodePools name node classes."""


def _controller(body: dict[str, Any]) -> Owner | None:
    for reference in (body.get("metadata") or {}).get("ownerReferences") or []:
        if isinstance(reference, dict) and reference.get("controller"):
            return Owner(str(reference.get("kind")), str(reference.get("name")))
    return None
