"""Volumes that pods claim: where they can be attached, from the claims, volumes and classes of the input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from binwright.v1 import problem_pb2
from binwright_optimizer.model import labels as label_keys

from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.requirements import read_requirements, requirement_message

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"

_ZONE_KEYS = {
    "topology.ebs.csi.aws.com/zone": label_keys.ZONE,
    "topology.gke.io/zone": label_keys.ZONE,
    "topology.disk.csi.azure.com/zone": label_keys.ZONE,
    "failure-domain.beta.kubernetes.io/zone": label_keys.ZONE,
    "failure-domain.beta.kubernetes.io/region": label_keys.REGION,
}
"""Keys by which drivers call what nodes bear as zone or region; a node not bought yet has only that."""

_IN_TREE = {
    "awsElasticBlockStore": "ebs.csi.aws.com",
    "gcePersistentDisk": "pd.csi.storage.gke.io",
    "azureDisk": "disk.csi.azure.com",
    "cinder": "cinder.csi.openstack.org",
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/no-provisioner": "",
}
"""CSI drivers that volumes and provisioners built into Kubernetes have been moved to."""


class Storage:
    """PersistentVolumes, claims and storage classes of the input."""

    def __init__(self, objects: Iterable[ManifestObject]) -> None:
        self._claims: dict[tuple[str, str], ManifestObject] = {}
        self._volumes: dict[str, ManifestObject] = {}
        self._volume_of_claim: dict[tuple[str, str], ManifestObject] = {}
        self._classes: dict[str, ManifestObject] = {}
        self._default_class = ""
        self._limits: dict[str, dict[str, int]] = {}
        for thing in objects:
            match thing.kind:
                case "PersistentVolumeClaim":
                    self._claims[thing.namespace, thing.name] = thing
                case "PersistentVolume":
                    self._volumes[thing.name] = thing
                    claim = thing.spec.get("claimRef") or {}
                    self._volume_of_claim[claim.get("namespace") or "", claim.get("name") or ""] = thing
                case "StorageClass":
                    self._classes[thing.name] = thing
                    if (thing.metadata.get("annotations") or {}).get(DEFAULT_CLASS) == "true":
                        self._default_class = thing.name
                case "CSINode":
                    self._limits[thing.name] = _limits_of(thing)

    def attach_limits(self, node: str) -> dict[str, int]:
        """Volumes that a node takes, by driver; empty if its CSINode is not among the inputs."""
        return self._limits.get(node, {})

    def add_volumes(
        self, pod: ManifestObject, spec: Mapping[str, Any], message: problem_pb2.PodTemplate
    ) -> None:
        """Add the volumes that a pod spec claims to its template."""
        named: set[str] = set()
        for volume in spec.get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim and claim not in named:
                named.add(claim)
                found = self._claims.get((pod.namespace, claim))
                if found is None:
                    pod.note(
                        f"PersistentVolumeClaim {claim!r} is not among the inputs: its zone is not known"
                    )
                    message.volumes.add(name=claim)
                else:
                    message.volumes.append(self._of_claim(found, claim))
            elif volume.get("ephemeral"):
                template = volume["ephemeral"].get("volumeClaimTemplate") or {}
                message.volumes.append(self._unbound(template.get("spec") or {}, pod, ""))

    def volumes_of_replica(self, workload: ManifestObject, ordinal: int) -> tuple[problem_pb2.Volume, ...]:
        """Volumes of one replica of a StatefulSet by its claim templates."""
        volumes = []
        for template in workload.spec.get("volumeClaimTemplates") or []:
            name = (template.get("metadata") or {}).get("name") or ""
            found = self._claims.get((workload.namespace, f"{name}-{workload.name}-{ordinal}"))
            if found is not None:
                volumes.append(self._of_claim(found, ""))
            else:
                volumes.append(self._unbound(template.get("spec") or {}, workload, ""))
        return tuple(volumes)

    def has_claims_of(self, workload: ManifestObject) -> bool:
        """Whether any claim of the input was made by a claim template of a StatefulSet."""
        prefixes = tuple(
            f"{(template.get('metadata') or {}).get('name') or ''}-{workload.name}-"
            for template in workload.spec.get("volumeClaimTemplates") or []
        )
        return any(
            namespace == workload.namespace and name.startswith(prefixes)
            for namespace, name in self._claims
            if prefixes
        )

    def _of_claim(self, claim: ManifestObject, name: str) -> problem_pb2.Volume:
        """The volume of a claim, bound or not; ``name`` empty if no other pod can share it."""
        bound = self._volumes.get(claim.spec.get("volumeName") or "") or self._volume_of_claim.get(
            (claim.namespace, claim.name)
        )
        if bound is None:
            return self._unbound(claim.spec, claim, name)
        message = _with_access_modes(claim.spec, problem_pb2.Volume(name=name))
        spec = bound.spec
        message.driver = (spec.get("csi") or {}).get("driver") or next(
            (driver for field, driver in _IN_TREE.items() if spec.get(field)), ""
        )
        required = (spec.get("nodeAffinity") or {}).get("required") or {}
        path = "spec.nodeAffinity.required.nodeSelectorTerms"
        for index, term in enumerate(required.get("nodeSelectorTerms") or []):
            at = f"{path}[{index}].matchExpressions"
            expressions = [_with_node_key(e) for e in term.get("matchExpressions") or []]
            requirements = read_requirements(expressions, at, bound.problem)
            if requirements:
                message.topology.add(match_expressions=map(requirement_message, requirements))
        if not message.topology:
            self._add_zone_labels(bound, message)
        return message

    def _add_zone_labels(self, volume: ManifestObject, message: problem_pb2.Volume) -> None:
        """Zones that an older volume names in its labels; several are joined with ``__``."""
        labels = volume.metadata.get("labels") or {}
        term = {
            _ZONE_KEYS.get(key, key): value.split("__")
            for key, value in labels.items()
            if _ZONE_KEYS.get(key, key) in (label_keys.ZONE, label_keys.REGION) and value
        }
        if term:
            expressions = message.topology.add().match_expressions
            for key, values in sorted(term.items()):
                expressions.add(key=key, operator="In", values=sorted(values))

    def _unbound(self, claim: Mapping[str, Any], where: ManifestObject, name: str) -> problem_pb2.Volume:
        """A volume that will be made by a storage class where its topologies allow."""
        message = _with_access_modes(claim, problem_pb2.Volume(name=name))
        class_name = claim.get("storageClassName")
        class_name = self._default_class if class_name is None else class_name
        storage = self._classes.get(class_name)
        if storage is None:
            if class_name:
                where.note(f"StorageClass {class_name!r} is not among the inputs: its zones are not known")
            return message
        provisioner = storage.body.get("provisioner") or ""
        message.driver = _IN_TREE.get(provisioner, provisioner)
        for term in storage.body.get("allowedTopologies") or []:
            expressions = term.get("matchLabelExpressions") or []
            if not expressions:
                continue
            required = message.topology.add()
            for expression in expressions:
                key = expression.get("key") or ""
                required.match_expressions.add(
                    key=_ZONE_KEYS.get(key, key), operator="In", values=sorted(expression.get("values") or [])
                )
        return message


def _with_access_modes(claim: Mapping[str, Any], message: problem_pb2.Volume) -> problem_pb2.Volume:
    modes = claim.get("accessModes") or []
    message.exclusive = modes == ["ReadWriteOncePod"]
    message.single_node = bool(modes) and set(modes) <= {"ReadWriteOnce", "ReadWriteOncePod"}
    return message


def _with_node_key(expression: Mapping[str, Any]) -> dict[str, Any]:
    key = expression.get("key") or ""
    return {**expression, "key": _ZONE_KEYS.get(key, key)}


def _limits_of(node: ManifestObject) -> dict[str, int]:
    limits = {}
    for index, driver in enumerate(node.spec.get("drivers") or []):
        count = (driver.get("allocatable") or {}).get("count")
        if count is None:
            continue
        if not 0 <= count < 2**31:
            node.problem(f"spec.drivers[{index}].allocatable.count", str(count), "must not be negative")
        elif driver.get("name"):
            limits[driver["name"]] = count
    return limits
