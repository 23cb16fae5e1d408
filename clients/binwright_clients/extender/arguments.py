"""What kube-scheduler sends an extender (``k8s.io/kube-scheduler/extender/v1``).

The Go types have no JSON tags: keys on the wire are the Go names (``Pod``, ``NodeNames``), and Go reads
them in any case, so that other callers write ``pod`` or ``nodenames``. Both are understood.

A list of 5,000 node names is 200 KB, and often the same for the next pod; texts of such lists are
remembered with what they say. Most bodies end in one, as Go writes it, and comparing 200 KB with the
lists that came last takes a tenth of the time that it takes to find one by its hash.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from binwright_clients.extender.candidates import Candidates

MOST_LISTS = 64
"""Lists of names remembered."""

MOST_PODS = 256
"""Pods remembered between one verb and the next."""

MOST_ENDINGS = 4
"""Lists that bodies are compared with before any is looked up."""

_NAMES_KEYS = (b'"NodeNames":[', b'"nodeNames":[', b'"nodenames":[')
MOST_BUDGETS = 2**62
"""Beyond, it is no number of disruption budgets."""

_LEAST_LIST_BYTES = 1_000
"""Shorter lists are read as quickly as they are looked up."""


class MalformedArgumentsError(ValueError):
    """The body is not what kube-scheduler sends to this verb."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments of filter and prioritize.

    Parameters
    ----------
    candidates
        By name, from callers that rely on a cache here; None if they send nodes.
    nodes
        Candidates in full; None if the caller sends names.
    text
        The body without its candidates, which comes again when the next verb is about the same pod; empty
        where they were not cut out.
    """

    pod: dict[str, Any]
    candidates: Candidates | None
    nodes: tuple[dict[str, Any], ...] | None
    text: bytes = b""


@dataclass(frozen=True, slots=True)
class Victims:
    """Pods that kube-scheduler would evict from one node.

    Parameters
    ----------
    pods
        In full, from callers that send them; None from those that send their uids only.
    """

    uids: tuple[str, ...]
    broken_budgets: int
    pods: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class PreemptionArguments:
    """Arguments of preempt: victims by node."""

    pod: dict[str, Any]
    victims: Mapping[str, Victims]


@dataclass(frozen=True, slots=True)
class BindingArguments:
    """Arguments of bind: a pod and its node."""

    name: str
    namespace: str
    uid: str
    node: str


class ArgumentsReader:
    """Reads bodies."""

    def __init__(self) -> None:
        self._lists: OrderedDict[bytes, Candidates] = OrderedDict()
        self._pods: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self._endings: deque[tuple[bytes, bytes, Candidates]] = deque(maxlen=MOST_ENDINGS)

    def read(self, body: bytes) -> Arguments:
        """Arguments of filter and prioritize; raises MalformedArgumentsError."""
        rest, known = self._without_list(body)
        if known is not None:
            pod = self._pods.get(rest)
            if pod is not None:
                return Arguments(pod, known, None, rest)
            fields = _fields(rest)
            if fields.get("nodenames", known) is None:
                pod = self._pods[rest] = _mapping(fields, "pod")
                if len(self._pods) > MOST_PODS:
                    self._pods.popitem(last=False)
                return Arguments(pod, known, None, rest)
        # There is no list to cut out, or the one that was is not the one that counts.
        fields = _fields(body)
        pod = _mapping(fields, "pod")
        names, nodes = fields.get("nodenames"), fields.get("nodes")
        if names is not None:
            return Arguments(pod, Candidates(_names(names)), None)
        if nodes is None:
            raise MalformedArgumentsError("neither NodeNames nor Nodes is set")
        items = nodes.get("items") if isinstance(nodes, dict) else None
        if items is None and isinstance(nodes, dict):
            items = []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise MalformedArgumentsError("Nodes must be a NodeList")
        return Arguments(pod, None, tuple(items))

    def _without_list(self, body: bytes) -> tuple[bytes, Candidates | None]:
        """The body without its list of names, and the names, where the list is worth remembering.

        The key that stands last is taken for it. No text can imitate a key, as quotation marks inside
        JSON texts are escaped; a key deeper inside the pod could, which the caller notices.
        """
        for ending, without, candidates in self._endings:
            if body.endswith(ending):
                return body[: -len(ending)] + without, candidates
        for key in _NAMES_KEYS:
            at = body.rfind(key)
            start = at + len(key) - 1
            end = body.find(b"]", start)
            if at < 0 or end - start < _LEAST_LIST_BYTES:
                continue
            text = body[start : end + 1]
            known = self._lists.get(text)
            if known is None:
                try:
                    known = self._lists[text] = _candidates(text)
                except MalformedArgumentsError:  # a bracket in a name; whoever reads the whole will tell
                    continue
                if len(self._lists) > MOST_LISTS:
                    self._lists.popitem(last=False)
            else:
                self._lists.move_to_end(text)
            if end == len(body) - 2:
                name = key[:-1]
                self._endings.appendleft(
                    (b"".join((name, text, body[-1:])), name + b"null" + body[-1:], known)
                )
            return b"".join((body[:start], b"null", body[end + 1 :])), known
        return body, None


def _candidates(text: bytes) -> Candidates:
    """The candidates of a text from a bracket to the next closing one; raises MalformedArgumentsError."""
    if text.count(b'"') % 2 == 0 and b"\\" not in text:  # the closing bracket stands in no name
        return Candidates(text=text, decode=lambda text: _names(_decoded(text)))
    return Candidates(_names(_decoded(text)))


def read_preemption(body: bytes) -> PreemptionArguments:
    """Arguments of preempt; raises MalformedArgumentsError."""
    fields = _fields(body)
    pod = _mapping(fields, "pod")
    given = (fields.get(key) for key in ("nodenametometavictims", "nodenametovictims"))
    by_kind = [each for each in given if each is not None]
    if not all(isinstance(each, dict) for each in by_kind):
        raise MalformedArgumentsError("NodeNameToMetaVictims and NodeNameToVictims must be mappings")
    by_node: dict[str, Any] = next(filter(None, by_kind), {})
    victims = {}
    for node, value in by_node.items():
        entry = _lower(value, f"victims on {node}")
        pods = entry.get("pods") or []
        broken = entry.get("numpdbviolations") or 0
        if not isinstance(pods, list) or not isinstance(broken, int) or not 0 <= broken <= MOST_BUDGETS:
            raise MalformedArgumentsError(f"victims on {node} must have Pods and NumPDBViolations")
        uids = tuple(_uid(pod, node) for pod in pods)
        are_whole = all("metadata" in _lower(pod, f"a victim on {node}") for pod in pods)
        victims[node] = Victims(uids, broken, tuple(pods) if are_whole else None)
    return PreemptionArguments(pod, victims)


def read_binding(body: bytes) -> BindingArguments:
    """Arguments of bind; raises MalformedArgumentsError."""
    fields = _fields(body)
    found = {}
    for key in ("PodName", "PodNamespace", "PodUID", "Node"):
        value = fields.get(key.lower())
        if not isinstance(value, str) or not value:
            raise MalformedArgumentsError(f"{key} is missing or no text")
        if "/" in value:
            raise MalformedArgumentsError(f"{key} must be a name (got {value!r})")
        found[key] = value
    return BindingArguments(found["PodName"], found["PodNamespace"], found["PodUID"], found["Node"])


def _uid(pod: Any, node: str) -> str:
    """Uid of a victim: of a MetaPod, or of a whole Pod."""
    fields = _lower(pod, f"a victim on {node}")
    metadata = fields.get("metadata")
    uid = metadata.get("uid") if isinstance(metadata, dict) else fields.get("uid")
    if not isinstance(uid, str) or not uid:
        raise MalformedArgumentsError(f"a victim on {node} has no UID")
    return uid


def _fields(body: bytes) -> dict[str, Any]:
    return _lower(_decoded(body), "the body")


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedArgumentsError(f"is not JSON: {error}") from error


def _lower(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedArgumentsError(f"{what} must be a JSON object")
    return {key.lower(): item for key, item in value.items()}


def _mapping(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = fields.get(key)
    if not isinstance(value, dict):
        raise MalformedArgumentsError(f"{key.capitalize()} is missing or no object")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise MalformedArgumentsError("NodeNames must be a list of names")
    return tuple(value)
