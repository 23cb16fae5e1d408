"""What kube-scheduler reads: JSON with the Go names as keys, written without a detour through objects.

A reply on 5,000 nodes has 5,000 names; each is spelt in JSON once and kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from binwright.v1 import scheduling_service_pb2

MAX_EXTENDER_PRIORITY = 10
MOST_NAMES = 100_000

_SCORES = range(MAX_EXTENDER_PRIORITY + 1)


class _Spelled(dict[str, str]):
    """Names as JSON."""

    def __missing__(self, name: str) -> str:
        if len(self) >= MOST_NAMES:
            self.clear()
        spelled = self[name] = json.dumps(name)
        return spelled


class _Scored(dict[str, tuple[str, ...]]):
    """Host priorities as JSON, by name and score."""

    def __missing__(self, name: str) -> tuple[str, ...]:
        if len(self) >= MOST_NAMES:
            self.clear()
        host = json.dumps(name)
        scored = self[name] = tuple(f'{{"Host":{host},"Score":{score}}}' for score in _SCORES)
        return scored


_SPELLED = _Spelled()
_SCORED = _Scored()


def filter_result(
    response: scheduling_service_pb2.FilterResponse,
    names: Sequence[str],
    nodes: Sequence[Mapping[str, Any]] | None = None,
) -> bytes:
    """ExtenderFilterResult.

    Parameters
    ----------
    names
        Candidates in the order of the question.
    nodes
        The candidates in full, for callers that sent them; they get those that passed back.
    """
    failed: dict[str, str] = {}
    unresolvable: dict[str, str] = {}
    for reason in response.refused:
        into = unresolvable if reason.is_unresolvable else failed
        for position in reason.positions:
            into[names[position]] = reason.message
    if nodes is None:
        passed = ",".join([_SPELLED[names[position]] for position in response.passed])
        head = f'{{"Nodes":null,"NodeNames":[{passed}]'
    else:
        items = json.dumps({"metadata": {}, "items": [nodes[position] for position in response.passed]})
        head = f'{{"Nodes":{items},"NodeNames":null'
    tail = (
        f',"FailedNodes":{json.dumps(failed)},"FailedAndUnresolvableNodes":{json.dumps(unresolvable)}'
        ',"Error":""}'
    )
    return (head + tail).encode()


def filter_error(message: str) -> bytes:
    """ExtenderFilterResult of a question that cannot be answered."""
    empty: dict[str, Any] = {"Nodes": None, "NodeNames": None, "FailedNodes": None}
    return json.dumps({**empty, "FailedAndUnresolvableNodes": None, "Error": message}).encode()


def host_priorities(names: Sequence[str], scores: Iterable[int]) -> bytes:
    """HostPriorityList: scores of 0 to 100 as kube-scheduler's 0 to 10.

    >>> host_priorities(["a"], [47])
    b'[{"Host":"a","Score":5}]'
    """
    scored = _SCORED
    parts = [scored[name][(score + 5) // 10] for name, score in zip(names, scores, strict=True)]
    return f"[{','.join(parts)}]".encode()


def preemption_result(victims: Mapping[str, tuple[tuple[str, ...], int]]) -> bytes:
    """ExtenderPreemptionResult: the nodes that remain, with their victims."""
    return json.dumps(
        {
            "NodeNameToMetaVictims": {
                node: {"Pods": [{"UID": uid} for uid in uids], "NumPDBViolations": broken}
                for node, (uids, broken) in victims.items()
            }
        }
    ).encode()
