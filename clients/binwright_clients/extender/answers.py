"""What kube-scheduler reads: JSON with the Go names as keys, written without a detour through objects.

A reply on 5,000 nodes has 5,000 names; each is spelt in JSON once and kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from operator import itemgetter, not_
from typing import Any

from binwright.v1 import scheduling_service_pb2

from binwright_clients.extender.arguments import Victims
from binwright_clients.extender.candidates import Candidates
from binwright_clients.extender.ratings import Ratings

MAX_EXTENDER_PRIORITY = 10
MOST_NAMES = 100_000

_SCORES = range(MAX_EXTENDER_PRIORITY + 1)
_PRIORITIES = bytes((score + 5) // 10 for score in range(101)) + bytes(155)
"""Priorities of 0 to 10 by scores of 0 to 100."""


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


def filter_result(candidates: Candidates, ratings: Ratings) -> bytes:
    """ExtenderFilterResult for callers that sent names."""
    names = candidates.names
    codes = _at(ratings.reason_of, candidates.positions(ratings.names))
    failed: dict[str, str] = {}
    unresolvable: dict[str, str] = {}
    passed: Iterable[str] = names
    if any(codes):
        passed = compress(names, map(not_, codes))
        for name, code in compress(zip(names, codes, strict=True), codes):
            message, is_unresolvable = ratings.reasons[code - 1]
            (unresolvable if is_unresolvable else failed)[name] = message
    head = f'{{"Nodes":null,"NodeNames":[{",".join(map(_SPELLED.__getitem__, passed))}]'
    return (head + _tail(failed, unresolvable)).encode()


def filter_result_of_nodes(
    response: scheduling_service_pb2.FilterResponse, names: Sequence[str], nodes: Sequence[Mapping[str, Any]]
) -> bytes:
    """ExtenderFilterResult for callers that sent whole nodes; they get those that passed back.

    Parameters
    ----------
    names, nodes
        Candidates in the order of the question.
    """
    failed: dict[str, str] = {}
    unresolvable: dict[str, str] = {}
    for reason in response.refused:
        into = unresolvable if reason.is_unresolvable else failed
        for position in reason.positions:
            into[names[position]] = reason.message
    items = json.dumps({"metadata": {}, "items": [nodes[position] for position in response.passed]})
    return (f'{{"Nodes":{items},"NodeNames":null' + _tail(failed, unresolvable)).encode()


def filter_error(message: str) -> bytes:
    """ExtenderFilterResult of a question that cannot be answered."""
    empty: dict[str, Any] = {"Nodes": None, "NodeNames": None, "FailedNodes": None}
    return json.dumps({**empty, "FailedAndUnresolvableNodes": None, "Error": message}).encode()


def priorities(candidates: Candidates, ratings: Ratings) -> bytes:
    """HostPriorityList for callers that sent names."""
    scores = ratings.scores.translate(_PRIORITIES)
    return _host_priorities(candidates.names, _at(scores, candidates.positions(ratings.names)))


def host_priorities(names: Sequence[str], scores: Sequence[int]) -> bytes:
    """HostPriorityList: scores of 0 to 100 as kube-scheduler's 0 to 10.

    >>> host_priorities(["a"], [47])
    b'[{"Host":"a","Score":5}]'
    """
    return _host_priorities(names, [_PRIORITIES[score] for score in scores])


def preemption_result(victims: Mapping[str, Victims]) -> bytes:
    """ExtenderPreemptionResult: the nodes that remain, with their victims."""
    by_node = {
        node: {"Pods": [{"UID": uid} for uid in found.uids], "NumPDBViolations": found.broken_budgets}
        for node, found in victims.items()
    }
    return json.dumps({"NodeNameToMetaVictims": by_node}).encode()


def binding_result(error: str = "") -> bytes:
    """ExtenderBindingResult; an empty error says that the pod is bound."""
    return json.dumps({"Error": error}).encode()


def _host_priorities(names: Sequence[str], found: Sequence[int]) -> bytes:
    scored = _SCORED
    parts = [scored[name][priority] for name, priority in zip(names, found, strict=True)]
    return f"[{','.join(parts)}]".encode()


def _tail(failed: Mapping[str, str], unresolvable: Mapping[str, str]) -> str:
    return (
        f',"FailedNodes":{json.dumps(failed)},"FailedAndUnresolvableNodes":{json.dumps(unresolvable)}'
        ',"Error":""}'
    )


def _at(values: Sequence[int], positions: Sequence[int]) -> Sequence[int]:
    """Values at positions, found in one go."""
    if len(positions) < 2:  # itemgetter of one returns no tuple
        return [values[position] for position in positions]
    found: tuple[int, ...] = itemgetter(*positions)(values)
    return found
