"""What serialized pods request.

An autoscaler's question tells by itself which options help which pods: of the pods, only their requests are
left to be read. Ten thousand distinct pods are decoded within a question's second, so that those with one
container, which are most, are read without a detour through a template; all others as any template is.
"""

from __future__ import annotations

from collections.abc import Mapping

from binwright.vendor.kubernetes import core_v1_pb2, resource_pb2
from binwright_optimizer.model import Resources

from binwright_server.convert.amounts import requests_from_map
from binwright_server.convert.kubernetes import decode_pod, pod_requests_to_message
from binwright_server.convert.templates import template_from_message
from binwright_server.convert.violations import Violations

_Texts = tuple[tuple[str, str], ...]


class PodRequests:
    """Requests of pods, each distinct one kept once.

    Attributes
    ----------
    distinct
        Requests in the order in which they first came.
    remarks
        On pods whose requests make no sense.
    """

    def __init__(self) -> None:
        self.distinct: list[Resources] = []
        self.remarks: list[str] = []
        self._of_text: dict[tuple[_Texts, _Texts] | bytes, int | None] = {}
        self._index: dict[Resources, int] = {}

    def index(self, data: bytes) -> int | None:
        """Index of a pod's requests among the distinct ones; None where they make no sense.

        Raises
        ------
        UndecodableError
            If the bytes are no pod.
        """
        pod = decode_pod(data)
        spec = pod.spec
        if len(spec.containers) == 1 and not (
            spec.initContainers or spec.overhead or spec.HasField("resources")
        ):
            resources = spec.containers[0].resources
            texts = _texts(resources.requests), _texts(resources.limits)
            if texts not in self._of_text:
                requests = _of_one_container(*texts)
                self._of_text[texts] = self._noted(requests) if requests is not None else self._read(pod)
            return self._of_text[texts]
        message = pod_requests_to_message(pod)
        key = message.SerializeToString(deterministic=True)
        if key not in self._of_text:
            self._of_text[key] = self._read(pod)
        return self._of_text[key]

    def _read(self, pod: core_v1_pb2.Pod) -> int | None:
        out = Violations()
        message = pod_requests_to_message(pod)
        if not message.containers and not message.resources:
            message.containers.add()  # the autoscaler says it is a pod; it asks for a slot and no more
        requests = template_from_message(message, out).requests
        if out.found:
            shown = f"{pod.metadata.namespace or 'default'}/{pod.metadata.name}"
            self.remarks.append(f"pods like {shown} are left out: {out.found[0]}")
            return None
        return self._noted(requests)

    def _noted(self, requests: Resources) -> int:
        index = self._index.setdefault(requests, len(self.distinct))
        if index == len(self.distinct):
            self.distinct.append(requests)
        return index


def _texts(amounts: Mapping[str, resource_pb2.Quantity]) -> _Texts:
    return tuple(sorted([(name, quantity.string) for name, quantity in amounts.items()]))


def _of_one_container(requests: _Texts, limits: _Texts) -> Resources | None:
    """What one container asks for, its limits standing in for requests; None where something is wrong."""
    out = Violations()
    asked = requests_from_map(dict(requests), "", out)
    if limits:
        most = requests_from_map(dict(limits), "", out)
        if any(asked.get(name, 0) > limit for name, limit in most.items()):
            return None
        asked = most | asked
    return None if out.found else Resources.of(asked)
