"""Ratings of all nodes by kind of pods, kept between calls and asked for together.

kube-scheduler asks about thousands of nodes for every pod, and most of it repeats: the names, the kind of
pod, and all nodes but the one that took the last pod. Kept here is what the server said last, by kind, with
its version. Every call still asks the server, so that no answer is older than its question; mostly the
server says in a few bytes that nothing changed. Calls that come while others are asked for go together in
the next request.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from binwright.v1 import problem_pb2
from binwright.v1 import scheduling_service_pb2 as api
from binwright_optimizer.errors import BinwrightError, InvalidProblemError

from binwright_clients.extender.backend import Backend, unanswered
from binwright_clients.extender.node_names import NodeNames
from binwright_clients.extender.told_labels import without_other_labels
from binwright_clients.rpc_errors import DeadlineExceededError

MOST_KINDS = 256
"""Kinds of pods whose ratings are kept, the latest used; one of 5,000 nodes is 30 KB."""

MOST_QUESTIONS = 32
"""Questions in one request: those who wait for it wait for all of them."""

MOST_REQUESTS = 2
"""Requests under way at once: the server reads one while it answers the other."""

LEFT_TO_SCHEDULER = frozenset({"topology-spread", "pod-affinity", "pod-anti-affinity", "host-port"})
"""Constraints of the scheduling API that are about other pods: rules between pods, and ports they take."""

UNKNOWN_NODE = "this server does not know the node"


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """What all nodes are to pods of one kind.

    Parameters
    ----------
    reason_of
        uint32 by position: 0 where the node may take the pod, else one more than the index of the reason.
        One more entry, the last, is for unknown nodes.
    reasons
        Reasons, and whether removing pods would not help.
    scores
        0 to 100 by position, and 0 for unknown nodes.
    """

    names: NodeNames
    version: bytes
    reason_of: array[int]
    reasons: tuple[tuple[str, bool], ...]
    scores: bytes

    @staticmethod
    def of(message: api.NodeRatings, names: NodeNames) -> Ratings:
        """Ratings as the server wrote them.

        Nodes that break a rule about other pods are not refused: kube-scheduler has checked these rules a
        moment ago, on a picture that is ahead of the server's. They score nothing.
        """
        reason_of = array("I", bytes(4 * (len(message.scores) + 1)))
        reasons = []
        for refused in message.refused:
            if refused.constraint in LEFT_TO_SCHEDULER:
                continue
            reasons.append((refused.message, refused.is_unresolvable))
            for position in refused.positions:
                reason_of[position] = len(reasons)
        reasons.append((UNKNOWN_NODE, False))
        reason_of[-1] = len(reasons)
        return Ratings(names, message.version, reason_of, tuple(reasons), message.scores + b"\0")


NO_RATINGS = Ratings.of(api.NodeRatings(), NodeNames(b"", ()))
"""For questions without candidates."""


_Kind = tuple[str, bytes]
"""Namespace and template, as far as they tell pods apart."""


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """Ratings, and the labels by which placed pods keep others away, both of one state of the server."""

    ratings: Ratings
    label_keys: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    kind: _Kind
    pod: problem_pb2.PodTemplate
    name: api.PodName
    answer: asyncio.Future[_Answer]


class RatingsSource:
    """Answers from the server, across its restarts; to be made in the running loop.

    Parameters
    ----------
    budget_s
        Longest time for an answer, its wait for a request included.
    """

    def __init__(self, backend: Backend, budget_s: float) -> None:
        self._backend = backend
        self._budget_s = budget_s
        self._names = NodeNames(b"", ())
        self._held: OrderedDict[_Kind, Ratings] = OrderedDict()
        self._label_keys: frozenset[str] = frozenset()
        """Labels to begin with: those of the latest request that has been answered."""
        self._waiting: deque[_Question] = deque()
        self._requests: set[asyncio.Task[None]] = set()
        self._sent_requests = 0
        self._latest_answered = 0

    async def ratings(self, pod: problem_pb2.PodTemplate, name: api.PodName) -> Ratings:
        """Ratings of all nodes for a pod, as they are now.

        Raises
        ------
        RpcError
            If the server does not answer in time.
        InvalidProblemError
            If it does not understand the pod.
        """
        try:
            async with asyncio.timeout(self._budget_s):
                keys = self._label_keys
                while True:
                    found = await self._answer(without_other_labels(pod, keys), name)
                    # Other answers may come before or after this one, and are of other states.
                    if not any(key in pod.labels for key in found.label_keys - keys):
                        return found.ratings
                    keys = found.label_keys  # it was about a pod without a label that counts
        except TimeoutError:
            message = unanswered(self._budget_s, await self._backend.no_connection())
            raise DeadlineExceededError(message, grpc.StatusCode.DEADLINE_EXCEEDED) from None

    async def _answer(self, pod: problem_pb2.PodTemplate, name: api.PodName) -> _Answer:
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        kind = name.namespace, pod.SerializeToString(deterministic=True)
        self._waiting.append(_Question(kind, pod, name, answer))
        self._send()
        return await answer

    async def close(self) -> None:
        """End; questions under way are cancelled."""
        for task in self._requests:
            task.cancel()
        if self._requests:
            await asyncio.wait(self._requests)

    def _send(self) -> None:
        while self._waiting and len(self._requests) < MOST_REQUESTS:
            questions: list[_Question] = []
            while self._waiting and len(questions) < MOST_QUESTIONS:
                question = self._waiting.popleft()
                if not question.answer.done():  # else its caller has gone
                    questions.append(question)
            if not questions:
                return
            task = asyncio.get_running_loop().create_task(self._ask(questions))
            self._requests.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        if not task.cancelled():
            self._send()

    async def _ask(self, questions: Sequence[_Question]) -> None:
        try:
            await self._ask_together(questions)
        except InvalidProblemError as error:
            if len(questions) == 1:
                _fail(questions, error)
                return
            for question in questions:  # one that is not understood must not fail the others
                await self._ask((question,))
        except BinwrightError as error:
            _fail(questions, error)
        except asyncio.CancelledError:
            for question in questions:
                question.answer.cancel()
            raise

    async def _ask_together(self, questions: Sequence[_Question]) -> None:
        names = self._names
        self._sent_requests += 1
        number = self._sent_requests
        request = api.RateNodesRequest(names_version=names.version)
        held = [self._held.get(question.kind) for question in questions]
        for question, known in zip(questions, held, strict=True):
            version = known.version if known is not None else b""
            request.questions.add(pod=question.pod, name=question.name, version=version)
        response = await self._backend.rate(request)
        label_keys = frozenset(response.label_keys)
        if response.names_version != names.version:
            is_known = response.names_version == self._names.version
            names = self._names if is_known else NodeNames(response.names_version, response.node_names)
        if number > self._latest_answered:  # else a later request has overtaken this one
            self._latest_answered = number
            self._label_keys, self._names = label_keys, names
        for question, known, message in zip(questions, held, response.ratings, strict=True):
            if message.is_unchanged:
                assert known is not None, "the server compares with a version that we sent"
                found = known
            else:
                found = Ratings.of(message, names)
            if found.version:
                self._keep(question.kind, found)
            if not question.answer.done():
                question.answer.set_result(_Answer(found, label_keys))

    def _keep(self, kind: _Kind, found: Ratings) -> None:
        self._held[kind] = found
        self._held.move_to_end(kind)
        if len(self._held) > MOST_KINDS:
            self._held.popitem(last=False)


def _fail(questions: Sequence[_Question], error: Exception) -> None:
    for question in questions:
        if not question.answer.done():
            question.answer.set_exception(error)
