"""Cluster Autoscaler's request, in the forms of all its versions, to a question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from binwright.vendor.autoscaler import expander_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import labels as label_keys
from numpy.typing import NDArray

from binwright_server.convert.kubernetes import TemplateNode, UndecodableError, decode_node
from binwright_server.convert.pod_requests import PodRequests
from binwright_server.convert.violations import Violations
from binwright_server.expansion.question import PodKind, ScaleUpOption, ScaleUpQuestion
from binwright_server.expansion.scanned import ScannedRequest
from binwright_server.prices import NodePrice, node_price

MOST_REMARKS = 5
"""Remarks kept; ``debug`` is a line in a log."""

_NOT_JUDGED = -1


def scale_up_question(request: ScannedRequest) -> ScaleUpQuestion:
    """The question of a request.

    Pods are told apart by their bytes: an autoscaler writes a pod alike in every option. It has checked
    taints, selectors and affinity itself, and tells by the pods that it lists; their requests are read. An
    option whose template node is missing or wrong, and pods whose requests contradict each other, cannot be
    judged; they are left out and remarked upon.

    Raises
    ------
    InvalidProblemError
        If bytes in it are no option, no pod or no node, a node group is named twice, or no option can
        be judged.
    """
    asked, nodes = request.options(), request.nodes()
    _refuse_repeated_ids(asked)
    requests = PodRequests()
    request_of = np.array(
        [_request_index(requests, request, pod) for pod in range(request.n_pods)], dtype=np.intp
    )
    remarks = list(requests.remarks)
    judged: list[tuple[int, TemplateNode, NodePrice]] = []
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
        judged.append((index, node, price))
    if asked and not judged:
        # No answer at all would mean that nothing is to be scaled up; on an error the autoscaler keeps them.
        left_out.check()
    is_helped = np.zeros((len(judged), len(request_of)), dtype=bool)
    for row, (index, _, _) in zip(is_helped, judged, strict=True):
        row[request.pods_of(index)] = True
    kind_of = _kinds(is_helped, request_of)
    n_kinds = int(kind_of.max(initial=_NOT_JUDGED)) + 1
    is_judged = kind_of != _NOT_JUDGED
    asked_by = np.zeros(n_kinds, dtype=np.intp)
    asked_by[kind_of[is_judged]] = request_of[is_judged]
    counts = np.bincount(kind_of[is_judged], minlength=n_kinds)
    return ScaleUpQuestion(
        options=tuple(
            ScaleUpOption(
                node_group=asked[index].nodeGroupId,
                node_count=asked[index].nodeCount,
                instance_type=dict(node.labels).get(label_keys.INSTANCE_TYPE, ""),
                allocatable=node.allocatable,
                price=price,
                helps=np.bincount(kind_of[row & is_judged], minlength=n_kinds),
            )
            for row, (index, node, price) in zip(is_helped, judged, strict=True)
        ),
        kinds=tuple(
            PodKind(requests.distinct[request_index], int(count))
            for request_index, count in zip(asked_by.tolist(), counts, strict=True)
        ),
        remarks=_shortened(remarks),
    )


def _request_index(requests: PodRequests, request: ScannedRequest, pod: int) -> int:
    """Index of a distinct pod's requests, or `_NOT_JUDGED`."""
    data = request.pod_bytes(pod)
    try:
        index = requests.index(data)
    except UndecodableError as error:
        raise InvalidProblemError.of(request.path_of(pod), f"{len(data)} bytes", str(error)) from error
    return _NOT_JUDGED if index is None else index


def _kinds(is_helped: NDArray[np.bool_], request_of: NDArray[np.intp]) -> NDArray[np.intp]:
    """Kind of each pod, intp array (pod,): equal requests, and helped by the same options."""
    reach = np.packbits(is_helped, axis=0).T
    rows = np.ascontiguousarray(np.hstack((reach, request_of[:, None].view(np.uint8))))
    known: dict[bytes, int] = {}
    return np.array(
        [
            known.setdefault(row.tobytes(), len(known)) if request != _NOT_JUDGED else _NOT_JUDGED
            for row, request in zip(rows, request_of.tolist(), strict=True)
        ],
        dtype=np.intp,
    )


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
