"""Devices that pods claim: ResourceClaims, their templates and DeviceClasses (resource.k8s.io).

What changes which devices a claim gets, and is not understood, is an error: a plan that leaves it out
would promise what the cluster does not keep. A claim, template or class that is named and not there is none:
kube-scheduler leaves such pods pending until it is, and so they have no place here, with that reason.
Tolerations of device taints are left out, as devices of new nodes have none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from binwright.v1 import devices_pb2, problem_pb2
from binwright_optimizer.model.cel import DeviceSelector
from binwright_optimizer.model.claims import DeviceClaim, DeviceRequest

from binwright_clients.kubernetes.mig_claims import asks_for_mig, mig_resource
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.selectors import build

_NOT_UNDERSTOOD = ("capacity", "derivedAttributes")
_CONSTRAINTS = ("requests", "matchAttribute")
_OF_TYPE = 'device.driver == "gpu.nvidia.com" && device.attributes["gpu.nvidia.com"].type == "{}"'
_CLASSES_OF_DRIVERS = {
    "gpu.nvidia.com": _OF_TYPE.format("gpu"),
    "mig.nvidia.com": _OF_TYPE.format("mig"),
    "gpu.amd.com": 'device.driver == "gpu.amd.com"',
    "neuron.aws.com": 'device.driver == "neuron.aws.com"',
    "gaudi.intel.com": 'device.driver == "gaudi.intel.com"',
}
"""DeviceClasses that drivers bring with them, for inputs that leave them out."""


class Claims:
    """Claims, claim templates and device classes of the input."""

    def __init__(self, objects: Iterable[ManifestObject]) -> None:
        self._claims: dict[tuple[str, str, str], ManifestObject] = {}
        self._classes: dict[str, tuple[str, ...]] = {}
        self._read: dict[tuple[str, str, str], devices_pb2.DeviceClaim] = {}
        self._mig: dict[tuple[str, str, str], Counter[str]] = {}
        for thing in objects:
            if thing.kind in ("ResourceClaim", "ResourceClaimTemplate"):
                self._claims[thing.kind, thing.namespace, thing.name] = thing
            elif thing.kind == "DeviceClass":
                selectors = thing.spec.get("selectors") or []
                self._classes[thing.name] = tuple(_selectors(selectors, thing, "spec.selectors"))

    def add_claims(
        self,
        pod: ManifestObject,
        spec: Mapping[str, Any],
        path: str,
        message: problem_pb2.PodTemplate,
    ) -> None:
        """Add the claims of a pod spec at ``path`` to its template."""
        titles = []
        for index, body in enumerate(spec.get("resourceClaims") or []):
            at = f"{path}.resourceClaims[{index}]"
            title = body.get("name") or ""
            titles.append(title)
            name, template = body.get("resourceClaimName"), body.get("resourceClaimTemplateName")
            if bool(name) is bool(template):
                pod.problem(at, title, "needs resourceClaimName or resourceClaimTemplateName")
                continue
            kind = "ResourceClaim" if name else "ResourceClaimTemplate"
            found = self._claims.get((kind, pod.namespace, name or template)) or self._generated(pod, title)
            if found is None:
                missing = f"{kind} {name or template} is not among the inputs"
                message.device_claims.add(name=name or "", title=title, missing=missing)
            else:
                read = self._claim(found)
                if read.requests or read.missing:
                    claim = message.device_claims.add()
                    claim.CopyFrom(read)
                    claim.title = title
                for resource, count in self._mig[found.kind, found.namespace, found.name].items():
                    message.containers.add(name=f"claim {title}", requests={resource: str(count)})
        for at, name in _used_by_containers(spec, path):
            if name not in titles:
                pod.problem(at, name, "names no claim of spec.resourceClaims")

    def _generated(self, pod: ManifestObject, title: str) -> ManifestObject | None:
        """The claim that was made for a pod from a template, which may be gone since then."""
        for made in (pod.body.get("status") or {}).get("resourceClaimStatuses") or []:
            if pod.kind == "Pod" and made.get("name") == title:
                return self._claims.get(("ResourceClaim", pod.namespace, made.get("resourceClaimName") or ""))
        return None

    def _claim(self, claim: ManifestObject) -> devices_pb2.DeviceClaim:
        key = (claim.kind, claim.namespace, claim.name)
        known = self._read.get(key)
        if known is not None:
            return known
        is_shared = claim.kind == "ResourceClaim"
        message = self._read[key] = devices_pb2.DeviceClaim(name=claim.name if is_shared else "")
        self._mig[key] = Counter()
        devices = (claim.spec if is_shared else claim.spec.get("spec") or {}).get("devices") or {}
        at = "spec.devices" if is_shared else "spec.spec.devices"
        bodies = devices.get("requests") or []
        for index, body in enumerate(bodies):
            here = f"{at}.requests[{index}]"
            request = message.requests.add()
            for number, alternative in enumerate(body.get("firstAvailable") or []):
                self._add(alternative, claim, f"{here}.firstAvailable[{number}]", request)
            if not body.get("firstAvailable"):
                # Versions before v1 have the fields of "exactly" in the request itself.
                exact = {"name": body.get("name"), **(body.get("exactly") or body)}
                self._add(exact, claim, f"{here}.exactly" if body.get("exactly") else here, request)
        for index, constraint in enumerate(devices.get("constraints") or []):
            self._add_constraint(constraint, claim, f"{at}.constraints[{index}]", bodies, message)
        self._take_mig(claim, at, bool(devices.get("constraints")), message)
        if is_shared:
            message.node = _allocated_on(claim)
        if not (claim.body.get("status") or {}).get("allocation"):  # then its classes are looked at no more
            message.missing = self._missing_class(bodies)
        empty = tuple((DeviceRequest("r", ""),) for _ in bodies)
        build(lambda: DeviceClaim(claim.name, empty), at, claim.problem)
        return message

    def _take_mig(
        self, claim: ManifestObject, path: str, has_constraints: bool, message: devices_pb2.DeviceClaim
    ) -> None:
        """Requests for MIG devices, out of the claim."""
        kept = []
        for index, request in enumerate(message.requests):
            if not any(asks_for_mig(way.selectors) for way in request.first_available):
                kept.append(request)
                continue
            here = f"{path}.requests[{index}]"
            [way, *others] = request.first_available
            if others or message.name or has_constraints or not way.count or way.admin_access:
                description = (
                    "asks for MIG devices, which are planned for templates with an exact count only, without "
                    "alternatives, constraints and admin access"
                )
                claim.problem(here, way.name, description)
                continue
            try:
                resource = mig_resource(way.selectors)
            except ValueError as error:
                claim.problem(here, way.name, str(error))
                continue
            self._mig[claim.kind, claim.namespace, claim.name][resource] += way.count
        if len(kept) < len(message.requests):
            copies = [devices_pb2.DeviceRequest(first_available=list(r.first_available)) for r in kept]
            del message.requests[:]
            message.requests.extend(copies)

    def _add_constraint(
        self,
        body: Mapping[str, Any],
        claim: ManifestObject,
        path: str,
        requests: list[dict[str, Any]],
        message: devices_pb2.DeviceClaim,
    ) -> None:
        """All devices of a node are alike, so that which requests a constraint is about does not matter."""
        for field in body:
            if body[field] and field not in _CONSTRAINTS:
                claim.problem(
                    f"{path}.{field}", str(body[field]), "is not understood: only matchAttribute is"
                )
                return
        names = {request.get("name") for request in requests}
        for index, name in enumerate(body.get("requests") or []):
            if str(name).partition("/")[0] not in names:
                claim.problem(f"{path}.requests[{index}]", str(name), "names no request of the claim")
        if not body.get("matchAttribute"):
            claim.problem(f"{path}.matchAttribute", "", "must name an attribute")
        elif body["matchAttribute"] not in message.match_attributes:
            message.match_attributes.append(body["matchAttribute"])

    def _add(
        self,
        body: Mapping[str, Any],
        claim: ManifestObject,
        path: str,
        request: devices_pb2.DeviceRequest,
    ) -> None:
        for field in _NOT_UNDERSTOOD:
            if body.get(field):
                claim.problem(f"{path}.{field}", "", "is not understood: devices are claimed as a whole")
        class_name = body.get("deviceClassName") or ""
        if not class_name:
            claim.problem(f"{path}.deviceClassName", "", "must name a DeviceClass")
            return
        selectors = (
            *self._selectors_of_class(class_name, claim),
            *_selectors(body.get("selectors") or [], claim, f"{path}.selectors"),
        )
        mode = body.get("allocationMode") or "ExactCount"
        count = body.get("count")
        if mode not in ("ExactCount", "All"):
            claim.problem(f"{path}.allocationMode", mode, "must be ExactCount or All")
            return
        if mode == "All" and count:
            claim.problem(f"{path}.count", str(count), "goes with allocationMode ExactCount")
            return
        if mode == "ExactCount" and count is not None and count < 1:
            claim.problem(f"{path}.count", str(count), "must be at least 1")
            return
        number = 0 if mode == "All" else (1 if count is None else count)
        is_admin = bool(body.get("adminAccess"))
        made = build(
            lambda: DeviceRequest(
                body.get("name") or "", class_name, tuple(map(DeviceSelector, selectors)), number, is_admin
            ),
            path,
            claim.problem,
        )
        if made is not None:
            request.first_available.add(
                name=made.name,
                device_class=made.device_class,
                selectors=selectors,
                count=made.count,
                admin_access=made.is_admin,
            )

    def _selectors_of_class(self, name: str, claim: ManifestObject) -> tuple[str, ...]:
        if name in self._classes:
            return self._classes[name]
        of_driver = _CLASSES_OF_DRIVERS.get(name)
        if of_driver is None:
            return ()  # no selector matters: the claim is missing its class
        claim.note(f"DeviceClass {name!r} is not among the inputs: taken as its driver defines it")
        return (of_driver,)

    def _missing_class(self, requests: Iterable[Mapping[str, Any]]) -> str:
        """What is said of the first class that nobody knows, alternatives included; empty if all are known.

        kube-scheduler's plugin looks at the class of every alternative before it allocates any.
        """
        for body in requests:
            for way in body.get("firstAvailable") or [body.get("exactly") or body]:
                name = way.get("deviceClassName")
                if name and name not in self._classes and name not in _CLASSES_OF_DRIVERS:
                    return f"DeviceClass {name} is not among the inputs, and is none that Binwright knows"
        return ""


def _used_by_containers(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Fields in which containers name claims of their pod, and those names."""
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part) or []):
            for number, claim in enumerate((container.get("resources") or {}).get("claims") or []):
                yield f"{path}.{part}[{index}].resources.claims[{number}].name", claim.get("name") or ""


def _allocated_on(claim: ManifestObject) -> str:
    """Node that a claim is allocated on; empty if it is not, or not bound to one node."""
    allocation = (claim.body.get("status") or {}).get("allocation") or {}
    for term in (allocation.get("nodeSelector") or {}).get("nodeSelectorTerms") or []:
        fields = [*(term.get("matchFields") or []), *(term.get("matchExpressions") or [])]
        for field in fields:
            values = field.get("values") or []
            if field.get("key") in ("metadata.name", "kubernetes.io/hostname") and len(values) == 1:
                return str(values[0])
    if allocation:
        claim.note("the claim is allocated, but not on one node: it is planned like one that is not")
    return ""


def _selectors(selectors: list[dict[str, Any]], where: ManifestObject, path: str) -> Iterator[str]:
    """CEL expressions, as far as they are understood; the others are mistakes."""
    for index, selector in enumerate(selectors):
        expression = (selector.get("cel") or {}).get("expression") or ""
        try:
            yield DeviceSelector(expression).text
        except ValueError as error:
            where.problem(f"{path}[{index}].cel.expression", expression, str(error))
