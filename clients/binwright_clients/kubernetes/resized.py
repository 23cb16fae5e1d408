"""Pods that are resized in place: what they count for until their kubelet has followed (KEP-1287).

As kube-scheduler counts (``PodRequests`` of k8s.io/component-helpers), container by container: the most of
what is asked for, what is in force and what the kubelet has set aside. What is asked for does not count where
the kubelet has said that its node can never give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from binwright_optimizer.model.quantity import parse_quantity

from binwright_clients.kubernetes.fields import mapping, mappings

_Json = Mapping[str, Any]

_STATUSES = (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses"))
"""Lists of containers in the spec, and of what is told of them in the status."""


def as_counted(pod: dict[str, Any]) -> dict[str, Any]:
    """The Pod with the requests that a scheduler counts at the moment; itself where these are its own.

    Examples
    --------
    A container that had 3 CPUs and is to have 1 keeps the other two until they are taken from it:

    >>> asked = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}
    >>> told = {"containerStatuses": [{"name": "c", "resources": {"requests": {"cpu": "3"}}}]}
    >>> as_counted({"spec": asked, "status": told})["spec"]["containers"][0]["resources"]["requests"]
    {'cpu': '3'}
    """
    spec, status = mapping(pod.get("spec")), mapping(pod.get("status"))
    is_infeasible = _is_infeasible(status)
    changed = {}
    for field, statuses in _STATUSES:
        told = {str(each.get("name")): each for each in mappings(status.get(statuses))}
        containers = spec.get(field)
        if told and isinstance(containers, list):
            counted = [_counted(each, field, told, is_infeasible) for each in containers]
            if counted != containers:
                changed[field] = counted
    return {**pod, "spec": {**spec, **changed}} if changed else pod


def resize_told(pod: _Json) -> dict[str, Any]:
    """What of a Pod's status `as_counted` needs, as its fields; nothing for pods that are as asked."""
    if not isinstance(pod, dict) or as_counted(pod) is pod:
        return {}
    status = mapping(pod.get("status"))
    return {
        statuses: [
            {key: each[key] for key in ("name", "resources", "allocatedResources") if key in each}
            for each in mappings(status.get(statuses))
        ]
        for _, statuses in _STATUSES
        if status.get(statuses)
    }


def _counted(container: Any, field: str, told: Mapping[str, _Json], is_infeasible: bool) -> Any:
    if not isinstance(container, dict):
        return container
    if field == "initContainers" and container.get("restartPolicy") != "Always":
        return container  # it runs once, and is not resized
    found = told.get(str(container.get("name")), {})
    if not isinstance(found.get("resources"), dict):
        return container
    resources = mapping(container.get("resources"))
    asked = mapping(resources.get("requests"))
    requests = {} if is_infeasible else dict(asked)
    for amounts in (mapping(found["resources"].get("requests")), mapping(found.get("allocatedResources"))):
        for name, amount in amounts.items():
            if name not in requests or _is_more(amount, requests[name], name):
                requests[name] = amount
    if requests == asked:
        return container
    # Limits stand in where nothing is requested; beside requests of another moment they say nothing.
    asked_at_most = mapping(resources.get("limits"))
    limits = {name: amount for name, amount in asked_at_most.items() if name not in requests}
    return {**container, "resources": {**resources, "requests": requests, "limits": limits}}


def _is_more(amount: object, than: object, resource: str) -> bool:
    if amount == than:  # by far the most
        return False
    try:
        return parse_quantity(str(amount), resource) > parse_quantity(str(than), resource)
    except ValueError:
        return False  # whoever reads what is asked for tells of it


def _is_infeasible(status: _Json) -> bool:
    pending = (each for each in mappings(status.get("conditions")) if each.get("type") == "PodResizePending")
    return next((each.get("reason") == "Infeasible" for each in pending), False)
