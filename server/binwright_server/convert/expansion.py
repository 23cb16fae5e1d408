"""Cluster Autoscaler's request, in the forms of all its versions, to a question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from binwright.vendor.autoscaler import expander_pb2
from binwright.vendor.kubernetes import core_v1_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import PodTemplate
from binwright_optimizer.model import labels as label_keys

from binwright_server.convert.kubernetes import (
    TemplateNode,
    UndecodableError,
    decode_node,
    decode_pod,
    pod_template_to_message,
)
from binwright_server.convert.templates import template_from_message
from binwright_server.convert.violations import Violations
from binwright_server.expansion.question import PodKind, ScaleUpOption, ScaleUpQuestion
from binwright_server.expansion.scanned import ScannedRequest
from binwright_server.prices import node_price

MOST_REMARKS = 5
"""Remarks kept; ``debug`` is a line in a log."""

_NOT_JUDGED = -1


def scale_up_question(request: ScannedRequest) -> ScaleUpQuestion:
    """The question of a request.

    Pods are told apart by their bytes: an autoscaler writes a pod alike in every option. An option
    whose template node is missing or wrong, and pods whose fields contradict each other, cannot be
    judged; they are left out and remarked upon.

    Raises
    ------
    InvalidProblemError
        If bytes in it are no option, no pod or no node, a node group is named twice, or no option can
        be judged.
    """
    asked, nodes = request.options(), request.nodes()
    _refuse_repeated_ids(asked)
    kinds = _Kinds()
    kind_of = np.array([kinds.kind(request, pod) for pod in range(request.n_pods)], dtype=np.intp)
    remarks = list(kinds.remarks)
    options: list[ScaleUpOption] = []
    left_out = Violations()
    for index, option in enumerate(asked):
        node, reason = _template_node(nodes, option.nodeGroupId)
        if node is None:
            remarks.append(f"{option.nodeGroupId} is left out: {reason}")
            left_out.add(f"options[{index}]", option.nodeGroupId, f"cannot be judged: {reason}")
            continue
        price = node_price(dict(node.labels), node.capacity or node.allocatable, node.annotations)
        if price.refusal:
            remarks.append(f"{option.nodeGroupId}: {price.refusal}; its price is taken from {price.origin}")
        is_helped = np.zeros(len(kind_of), dtype=bool)
        is_helped[request.pods_of(index)] = True
        helped = kind_of[is_helped]
        counts = np.bincount(helped[helped != _NOT_JUDGED], minlength=len(kinds.templates))
        some = np.flatnonzero(counts)
        options.append(
            ScaleUpOption(
                node_group=option.nodeGroupId,
                node_count=option.nodeCount,
                instance_type=dict(node.labels).get(label_keys.INSTANCE_TYPE, ""),
                allocatable=node.allocatable,
                price=price,
                helps=tuple(zip(some.tolist(), counts[some].tolist(), strict=True)),
            )
        )
    if not options:
        # No answer at all would mean that nothing is to be scaled up; on an error the autoscaler keeps them.
        left_out.check()
    demand = np.bincount(kind_of[kind_of != _NOT_JUDGED], minlength=len(kinds.templates))
    return ScaleUpQuestion(
        options=tuple(options),
        kinds=tuple(
            PodKind(template, int(count)) for template, count in zip(kinds.templates, demand, strict=True)
        ),
        remarks=_shortened(remarks),
    )


class _Kinds:
    """Kinds of pods met so far, by what decides where a pod may run."""

    def __init__(self) -> None:
        self.templates: list[PodTemplate] = []
        self.remarks: list[str] = []
        self._known: dict[bytes, int] = {}

    def kind(self, request: ScannedRequest, pod: int) -> int:
        """Index of the kind of a distinct pod, or `_NOT_JUDGED`."""
        data = request.pod_bytes(pod)
        try:
            decoded = decode_pod(data)
            namespace, name = decoded.metadata.namespace, decoded.metadata.name
            decoded.ClearField("metadata")
            decoded.spec.ClearField("nodeName")
            key = decoded.SerializeToString(deterministic=True)
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = self._add(decoded, f"{namespace or 'default'}/{name}")
        except UndecodableError as error:
            raise InvalidProblemError.of(request.path_of(pod), f"{len(data)} bytes", str(error)) from error
        return known

    def _add(self, pod: core_v1_pb2.Pod, shown: str) -> int:
        out = Violations()
        message = pod_template_to_message(pod)
        if not message.containers and not message.resources:
            message.containers.add()  # the autoscaler says it is a pod; it asks for a slot and no more
        template = template_from_message(message, out)
        if out.found:
            self.remarks.append(f"pods like {shown} are left out: {out.found[0]}")
            return _NOT_JUDGED
        self.templates.append(template)
        return len(self.templates) - 1


def _template_node(
    request: expander_pb2.BestOptionsRequest, node_group: str
) -> tuple[TemplateNode | None, str]:
    """The template node of a group, or None and why there is none."""
    for name, nodes in (("nodeBytesMap", request.nodeBytesMap), ("nodeMap", request.nodeMap)):
        if node_group not in nodes:
            continue
        path = f'{name}["{node_group}"]'
        out = Violations()
        try:
            node = decode_node(nodes[node_group], path, out)
        except UndecodableError as error:
            raise InvalidProblemError.of(path, f"{len(nodes[node_group])} bytes", str(error)) from error
        if out.found:
            return None, str(out.found[0])
        if not node.allocatable:
            return None, "its template node has no resources"
        return node, ""
    return None, "it has no template node"


def _refuse_repeated_ids(options: Sequence[expander_pb2.Option]) -> None:
    first_index: dict[str, int] = {}
    for index, option in enumerate(options):
        first = first_index.setdefault(option.nodeGroupId, index)
        if first != index:
            raise InvalidProblemError.of(
                f"options[{index}].nodeGroupId", option.nodeGroupId, f"is already that of options[{first}]"
            )


def _shortened(remarks: list[str]) -> tuple[str, ...]:
    hidden = len(remarks) - MOST_REMARKS
    return (*remarks[:MOST_REMARKS], *((f"and {hidden} more remarks",) if hidden > 0 else ()))
