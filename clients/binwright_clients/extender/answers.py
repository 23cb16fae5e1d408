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
from binwright_clients.extender.ratings import LEFT_TO_SCHEDULER, Ratings

MAX_EXTENDER_PRIORITY = 10
MOST_NAMES = 100_000

_PRIORITIES = bytes((score + 5) // 10 for score in range(101)) + bytes(155)
"""Priorities of 0 to 10 by scores of 0 to 100."""

_IS_PRIORITY = tuple(bytes(byte == p for byte in range(256)) for p in range(MAX_EXTENDER_PRIORITY + 1))
"""Tables that mark one priority among others."""


class _Spelled(dict[str, str]):
    """Names as JSON."""

    def __missing__(self, name: str) -> str:
        if len(self) >= MOST_NAMES:
            self.clear()
        spelled = self[name] = json.dumps(name)
        return spelled


_SPELLED = _Spelled()


def filter_result(candidates: Candidates, ratings: Ratings) -> bytes:
    """ExtenderFilterResult for callers that sent names."""
    spelled: Sequence[str]
    nodes, chosen = ratings.names, candidates.chosen(ratings.names)
    if chosen is None:
        spelled = tuple(map(_SPELLED.__getitem__, candidates.names))
        codes = _at(ratings.reason_of, candidates.positions(nodes))
    elif _are_all(chosen):
        spelled, codes = nodes.spelled, ratings.reason_of[:-1]
    else:
        spelled, codes = tuple(compress(nodes.spelled, chosen)), tuple(compress(ratings.reason_of, chosen))
    failed: list[str] = []
    unresolvable: list[str] = []
    passed: Iterable[str] = spelled
    if any(codes):
        passed = compress(spelled, map(not_, codes))
        told = [
            (json.dumps(text), unresolvable if is_never else failed) for text, is_never in ratings.reasons
        ]
        for name, code in compress(zip(spelled, codes, strict=True), codes):
            message, into = told[code - 1]
            into.append(f"{name}: {message}")
    head = f'{{"Nodes":null,"NodeNames":[{",".join(passed)}]'
    return (head + _ending(f"{{{', '.join(failed)}}}", f"{{{', '.join(unresolvable)}}}")).encode()


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
    passed = list(response.passed)
    for reason in response.refused:
        if reason.constraint in LEFT_TO_SCHEDULER:  # as in `Ratings.of`
            passed += reason.positions
            continue
        into = unresolvable if reason.is_unresolvable else failed
        for position in reason.positions:
            into[names[position]] = reason.message
    items = json.dumps({"metadata": {}, "items": [nodes[position] for position in sorted(passed)]})
    return (
        f'{{"Nodes":{items},"NodeNames":null' + _ending(json.dumps(failed), json.dumps(unresolvable))
    ).encode()


def filter_error(message: str) -> bytes:
    """ExtenderFilterResult of a question that cannot be answered."""
    empty: dict[str, Any] = {"Nodes": None, "NodeNames": None, "FailedNodes": None}
    return json.dumps({**empty, "FailedAndUnresolvableNodes": None, "Error": message}).encode()


def priorities(candidates: Candidates, ratings: Ratings) -> bytes:
    """HostPriorityList for callers that sent names; they read it by name, in any order."""
    found = ratings.scores.translate(_PRIORITIES)
    nodes, chosen = ratings.names, candidates.chosen(ratings.names)
    if chosen is None:
        return _host_priorities(
            tuple(map(_SPELLED.__getitem__, candidates.names)), bytes(_at(found, candidates.positions(nodes)))
        )
    if _are_all(chosen):
        return _host_priorities(nodes.spelled, found[:-1])
    return _host_priorities(tuple(compress(nodes.spelled, chosen)), bytes(compress(found, chosen)))


def host_priorities(names: Sequence[str], scores: Sequence[int]) -> bytes:
    """HostPriorityList: scores of 0 to 100 as kube-scheduler's 0 to 10.

    >>> host_priorities(["a"], [47])
    b'[{"Host":"a","Score":5}]'
    """
    return _host_priorities(
        tuple(map(_SPELLED.__getitem__, names)), bytes(_PRIORITIES[score] for score in scores)
    )


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


def _host_priorities(spelled: Sequence[str], found: bytes) -> bytes:
    """HostPriorityList of hosts in JSON, those of a priority together, as each then takes one go."""
    parts = []
    for priority in sorted(set(found)):
        ending = f',"Score":{priority}}}'
        hosts = compress(spelled, found.translate(_IS_PRIORITY[priority]))
        between = ending + ',{"Host":'
        parts.append(f'{{"Host":{between.join(hosts)}{ending}')
    return f"[{','.join(parts)}]".encode()


def _are_all(chosen: bytes) -> bool:
    return chosen.count(1) == len(chosen)


def _ending(failed: str, unresolvable: str) -> str:
    """The end of an ExtenderFilterResult."""
    return f',"FailedNodes":{failed},"FailedAndUnresolvableNodes":{unresolvable},"Error":""}}'


def _at(values: Sequence[int], positions: Sequence[int]) -> Sequence[int]:
    """Values at positions, found in one go."""
    if len(positions) < 2:  # itemgetter of one returns no tuple
        return [values[position] for position in positions]
    found: tuple[int, ...] = itemgetter(*positions)(values)
    return found
