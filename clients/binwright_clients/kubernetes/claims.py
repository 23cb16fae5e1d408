"""Devices that pods claim: ResourceClaims, their templates and DeviceClasses (resource.k8s.io)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from binwright.v1 import devices_pb2, problem_pb2
from binwright_optimizer.model.claims import AttributeValue, DeviceCondition, DeviceRequest

from binwright_clients.kubernetes.cel import parse_selector
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.selectors import build

_NOT_READ = ("adminAccess", "tolerations", "capacity", "derivedAttributes")


class Claims:
    """Claims, claim templates and device classes of the input."""

    def __init__(self, objects: Iterable[ManifestObject]) -> None:
        self._claims: dict[tuple[str, str, str], ManifestObject] = {}
        self._conditions: dict[str, tuple[DeviceCondition, ...]] = {}
        self._read: dict[tuple[str, str, str], devices_pb2.DeviceClaim] = {}
        for thing in objects:
            if thing.kind in ("ResourceClaim", "ResourceClaimTemplate"):
                self._claims[thing.kind, thing.namespace, thing.name] = thing
            elif thing.kind == "DeviceClass":
                selectors = thing.spec.get("selectors") or []
                self._conditions[thing.name] = _conditions(selectors, thing, "spec.selectors")

    def add_claims(
        self,
        pod: ManifestObject,
        spec: Mapping[str, Any],
        path: str,
        message: problem_pb2.PodTemplate,
    ) -> None:
        """Add the claims of a pod spec at ``path`` to its template."""
        for index, body in enumerate(spec.get("resourceClaims") or []):
            at = f"{path}.resourceClaims[{index}]"
            name, template = body.get("resourceClaimName"), body.get("resourceClaimTemplateName")
            if bool(name) is bool(template):
                pod.problem(
                    at, body.get("name") or "", "needs resourceClaimName or resourceClaimTemplateName"
                )
                continue
            kind = "ResourceClaim" if name else "ResourceClaimTemplate"
            found = self._claims.get((kind, pod.namespace, name or template))
            if found is None:
                pod.note(f"{kind} {name or template!r} is not among the inputs: its devices are not known")
                message.device_claims.add(name=name or "")
            else:
                message.device_claims.append(self._claim(found))

    def _claim(self, claim: ManifestObject) -> devices_pb2.DeviceClaim:
        key = (claim.kind, claim.namespace, claim.name)
        known = self._read.get(key)
        if known is not None:
            return known
        is_shared = claim.kind == "ResourceClaim"
        message = self._read[key] = devices_pb2.DeviceClaim(name=claim.name if is_shared else "")
        devices = (claim.spec if is_shared else claim.spec.get("spec") or {}).get("devices") or {}
        at = "spec.devices" if is_shared else "spec.spec.devices"
        for index, body in enumerate(devices.get("requests") or []):
            here = f"{at}.requests[{index}]"
            request = message.requests.add()
            for number, alternative in enumerate(body.get("firstAvailable") or []):
                self._add(alternative, claim, f"{here}.firstAvailable[{number}]", request)
            if not body.get("firstAvailable"):
                # Versions before v1 have the fields of "exactly" in the request itself.
                exact = {"name": body.get("name"), **(body.get("exactly") or body)}
                self._add(exact, claim, f"{here}.exactly" if body.get("exactly") else here, request)
        for index, constraint in enumerate(devices.get("constraints") or []):
            if constraint.get("matchAttribute") and not constraint.get("requests"):
                message.match_attributes.append(constraint["matchAttribute"])
            else:
                claim.note(f"{at}.constraints[{index}] is not read: only matchAttribute on all requests is")
        return message

    def _add(
        self,
        body: Mapping[str, Any],
        claim: ManifestObject,
        path: str,
        request: devices_pb2.DeviceRequest,
    ) -> None:
        for field in _NOT_READ:
            if body.get(field):
                claim.note(f"{field} of a device request is not read")
        class_name = body.get("deviceClassName") or ""
        if not class_name:
            claim.problem(f"{path}.deviceClassName", "", "must name a DeviceClass")
            return
        if class_name not in self._conditions:
            claim.note(f"DeviceClass {class_name!r} is not among the inputs: its selectors are not known")
        conditions = (
            *self._conditions.get(class_name, ()),
            *_conditions(body.get("selectors") or [], claim, f"{path}.selectors"),
        )
        mode = body.get("allocationMode") or "ExactCount"
        count = body.get("count")
        if mode not in ("ExactCount", "All"):
            claim.problem(f"{path}.allocationMode", mode, "must be ExactCount or All")
            return
        if mode == "ExactCount" and count is not None and count < 1:
            claim.problem(f"{path}.count", str(count), "must be at least 1")
            return
        number = 0 if mode == "All" else (1 if count is None else count)
        made = build(
            lambda: DeviceRequest(body.get("name") or "", class_name, conditions, number), path, claim.problem
        )
        if made is not None:
            request.first_available.add(
                name=made.name,
                device_class=made.device_class,
                conditions=map(_condition_message, made.conditions),
                count=made.count,
            )


def _conditions(
    selectors: list[dict[str, Any]], where: ManifestObject, path: str
) -> tuple[DeviceCondition, ...]:
    conditions: list[DeviceCondition] = []
    for index, selector in enumerate(selectors):
        expression = (selector.get("cel") or {}).get("expression") or ""
        try:
            conditions.extend(parse_selector(expression))
        except ValueError as error:
            where.problem(f"{path}[{index}].cel.expression", expression, str(error))
    return tuple(conditions)


def _condition_message(condition: DeviceCondition) -> devices_pb2.DeviceCondition:
    return devices_pb2.DeviceCondition(
        property=str(condition.property),
        name=condition.name,
        comparison=str(condition.comparison),
        values=map(_value_message, condition.values),
    )


def _value_message(value: AttributeValue) -> devices_pb2.DeviceValue:
    if isinstance(value, bool):  # before int, which bool is a kind of
        return devices_pb2.DeviceValue(flag=value)
    if isinstance(value, int):
        return devices_pb2.DeviceValue(number=value)
    return devices_pb2.DeviceValue(text=value)
