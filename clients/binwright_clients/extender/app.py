"""The webhook over HTTP.

Whatever is wrong becomes an answer that kube-scheduler understands and a line in the log, and the next
call is served: filter and bind answer with ``Error`` and status 200, the other verbs, whose answers have no
place for an error, with a status that kube-scheduler reports.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web
from binwright.v1 import scheduling_service_pb2 as api
from binwright.v1.problem_pb2 import PodTemplate
from binwright_optimizer.errors import BinwrightError, InvalidProblemError

from binwright_clients.errors import InputError
from binwright_clients.exposition import METRICS, exposed
from binwright_clients.extender.answers import (
    binding_result,
    filter_error,
    filter_result,
    filter_result_of_nodes,
    host_priorities,
    preemption_result,
    priorities,
)
from binwright_clients.extender.arguments import (
    MOST_PODS,
    Arguments,
    ArgumentsReader,
    MalformedArgumentsError,
    read_binding,
    read_preemption,
)
from binwright_clients.extender.backend import Backend
from binwright_clients.extender.binding import Binder
from binwright_clients.extender.candidates import Candidates
from binwright_clients.extender.metrics import ExtenderMetrics, Outcome, outcome_of
from binwright_clients.extender.objects import read_node, read_priority, read_template
from binwright_clients.extender.ratings import NO_RATINGS, Ratings, RatingsSource
from binwright_clients.extender.readiness import Readiness

MAX_BODY_BYTES = 256 * 2**20
"""5,000 whole nodes are 50 MB of JSON."""

MOST_ANSWERS = 64
"""Answers kept; one on 5,000 nodes is 200 to 300 KB."""

MOST_UNKNOWN = 10_000
"""Names of unknown nodes that are remembered as told."""

SHOWN_UNKNOWN = 5
"""Names of unknown nodes in a line of the log."""

HEALTH = "/healthz"
READY = "/readyz"
"""Whether the webhook is alive, and whether it can answer: what kubelets ask, without any certificate."""

_JSON = "application/json"

_log = logging.getLogger(__name__)


class Extender:
    """The verbs filter, prioritize, preempt, and bind where there is a binder.

    Parameters
    ----------
    backend
        Asked for everything else; shared by all calls.
    readiness
        What ``/readyz`` tells; by default that of an extender that watches no cluster.
    demands_certificate
        Whether callers must show a certificate, which the listener's TLS context has checked; kubelets and
        Prometheus, which have none, may ask for ``/healthz``, ``/readyz`` and ``/metrics`` all the same.
    metrics
        What ``/metrics`` tells; by default that of an extender that watches no cluster.
    """

    def __init__(
        self,
        backend: Backend,
        binder: Binder | None = None,
        *,
        readiness: Readiness | None = None,
        demands_certificate: bool = False,
        metrics: ExtenderMetrics | None = None,
    ) -> None:
        self._demands_certificate = demands_certificate
        self._backend = backend
        self._binder = binder
        self._readiness = readiness or Readiness(backend)
        self._metrics = metrics or ExtenderMetrics()
        self._ratings = RatingsSource(backend, backend.budget_s)
        self._arguments = ArgumentsReader()
        self._templates: OrderedDict[bytes, PodTemplate] = OrderedDict()
        self._unknown: set[str] = set()
        self._answers: OrderedDict[tuple[object, bytes | Candidates, Ratings], bytes] = OrderedDict()

    def app(self) -> web.Application:
        """The web application."""
        middlewares = (self._refuse_strangers,) if self._demands_certificate else ()
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=middlewares)
        app.router.add_post("/filter", self._answering(self.filter, filter_error, 200))
        app.router.add_post("/prioritize", self._answering(self.prioritize, _plain_error, 400))
        app.router.add_post("/preempt", self._answering(self.preempt, _plain_error, 400))
        if self._binder is not None:
            app.router.add_post("/bind", self._answering(self.bind, binding_result, 200))
        app.router.add_get(HEALTH, _healthz)
        app.router.add_get(READY, self._readyz)
        app.router.add_get(METRICS, self._exposed)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        await self._readiness.close()
        await self._ratings.close()

    async def _readyz(self, _: web.Request) -> web.Response:
        missing = await self._readiness.missing()
        if missing:
            return web.Response(text=f"not ready: {missing}\n", status=web.HTTPServiceUnavailable.status_code)
        return web.Response(text="ok\n")

    async def _exposed(self, request: web.Request) -> web.Response:
        accept = ",".join(request.headers.getall("Accept", ()))
        body, content_type = exposed(self._metrics.registry, accept)
        return web.Response(body=body, headers={"Content-Type": content_type})

    @web.middleware
    async def _refuse_strangers(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """401 for whoever shows no certificate, whatever they ask for but health and metrics."""
        is_open = request.path in (HEALTH, READY, METRICS)
        if not is_open and not (request.transport and request.transport.get_extra_info("peercert")):
            _log.warning("%s: refused: no client certificate", request.path.removeprefix("/"))
            self._metrics.turned_away(request.path)
            return web.Response(
                body=_plain_error("binwright: no client certificate"), status=401, content_type=_JSON
            )
        return await handler(request)

    async def filter(self, body: bytes) -> bytes:
        """ExtenderFilterResult on ExtenderArgs."""
        arguments = self._arguments.read(body)
        if arguments.candidates is not None:
            return await self._answered(arguments, arguments.candidates, filter_result)
        request = api.FilterRequest(pod=read_template(arguments.pod), name=_name_of(arguments.pod))
        names = _add_nodes(request, arguments)
        response = await self._backend.filter(request) if names else api.FilterResponse()
        return filter_result_of_nodes(response, names, arguments.nodes or ())

    async def prioritize(self, body: bytes) -> bytes:
        """HostPriorityList on ExtenderArgs."""
        arguments = self._arguments.read(body)
        if arguments.candidates is not None:
            return await self._answered(arguments, arguments.candidates, priorities)
        request = api.PrioritizeRequest(pod=read_template(arguments.pod), name=_name_of(arguments.pod))
        names = _add_nodes(request, arguments)
        if not names:
            return b"[]"
        return host_priorities(names, (await self._backend.prioritize(request)).scores)

    async def preempt(self, body: bytes) -> bytes:
        """ExtenderPreemptionResult: the nodes where evictions lose least and serve the plan best."""
        arguments = read_preemption(body)
        pod = read_template(arguments.pod)
        # Nodes without victims are an error to kube-scheduler, which never asks about them.
        asked = {node: found for node, found in arguments.victims.items() if found.uids}
        if not asked:
            return preemption_result({})
        request = api.PreemptRequest(pod=pod, name=_name_of(arguments.pod))
        for node, found in asked.items():
            eviction = request.evictions.add(node=node, broken_budgets=found.broken_budgets)
            for position, uid in enumerate(found.uids):
                victim = eviction.victims.add(uid=uid)
                if found.pods is not None:
                    victim.priority = read_priority(found.pods[position])
        chosen = (await self._backend.preempt(request)).chosen
        nodes = list(asked)
        return preemption_result({nodes[position]: asked[nodes[position]] for position in chosen})

    async def bind(self, body: bytes) -> bytes:
        """ExtenderBindingResult on ExtenderBindingArgs."""
        assert self._binder is not None, "the verb is offered with a binder only"
        await asyncio.to_thread(self._binder.bind, read_binding(body))
        return binding_result()

    async def _answered(
        self, arguments: Arguments, candidates: Candidates, write: Callable[[Candidates, Ratings], bytes]
    ) -> bytes:
        """The answer for candidates by name, kept for the next that ask with the same ratings."""
        pod = self._template(arguments)
        if candidates.are_none:
            return write(candidates, NO_RATINGS)
        ratings = await self._ratings.ratings(pod, _name_of(arguments.pod))
        key = (write, candidates.chosen(ratings.names) or candidates, ratings)
        answer = self._answers.get(key)
        if answer is None:
            self._tell_unknown(candidates.unknown(ratings.names))
            answer = self._answers[key] = write(candidates, ratings)
            if len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
        else:
            self._answers.move_to_end(key)
        return answer

    def _template(self, arguments: Arguments) -> PodTemplate:
        """The pod asked about, read once for all verbs; raises InputError."""
        known = self._templates.get(arguments.text) if arguments.text else None
        if known is None:
            known = read_template(arguments.pod)
            if arguments.text:
                self._templates[arguments.text] = known
                if len(self._templates) > MOST_PODS:
                    self._templates.popitem(last=False)
        return known

    def _tell_unknown(self, names: Iterable[str]) -> None:
        """Log nodes that kube-scheduler knows and the server does not, each once; some are only new."""
        new = sorted(set(names) - self._unknown)
        if not new:
            return
        if len(self._unknown) > MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown.update(new)
        more = f" and {len(new) - SHOWN_UNKNOWN} more" if len(new) > SHOWN_UNKNOWN else ""
        _log.warning("the server does not know node %s%s", ", ".join(new[:SHOWN_UNKNOWN]), more)

    def _answering(
        self, verb: Callable[[bytes], Awaitable[bytes]], spelled: Callable[[str], bytes], status: int
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        name = getattr(verb, "__name__", "")

        async def handle(request: web.Request) -> web.Response:
            began_s, outcome = time.perf_counter(), Outcome.FAILED
            try:
                body = await verb(await _body(request))
                outcome = Outcome.OK
            except (MalformedArgumentsError, InputError, InvalidProblemError, UnicodeEncodeError) as error:
                # The last is a text that JSON can spell and UTF-8 cannot: half of a surrogate pair.
                outcome = Outcome.REFUSED
                _log.warning("%s: refused: %s", name, error)
                answer = web.Response(body=spelled(f"binwright: {error}"), status=status, content_type=_JSON)
                if request.content.exception() is not None:
                    answer.force_close()  # nobody can tell where the next question would begin
                return answer
            except BinwrightError as error:
                outcome = outcome_of(error)
                _log.error("%s: no answer: %s", name, error)
                code = status if status == web.HTTPOk.status_code else web.HTTPServiceUnavailable.status_code
                return web.Response(body=spelled(f"binwright: {error}"), status=code, content_type=_JSON)
            finally:
                self._metrics.answered(name, outcome, time.perf_counter() - began_s)
            return web.Response(body=body, content_type=_JSON)

        return handle


async def _body(request: web.Request) -> bytes:
    """The body, unpacked where it is compressed; raises MalformedArgumentsError."""
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        # Nothing of it is left to be read; else aiohttp would try, and log its failure with a traceback.
        request.content.feed_eof()
        raise MalformedArgumentsError(f"the body cannot be read: {' '.join(str(error).split())}") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise MalformedArgumentsError(f"the body is larger than {MAX_BODY_BYTES >> 20} MiB") from error


def _add_nodes(request: api.FilterRequest | api.PrioritizeRequest, arguments: Arguments) -> tuple[str, ...]:
    """Put whole nodes into a question; their names in order."""
    assert arguments.nodes is not None, "arguments have one or the other"
    request.nodes.extend(read_node(node) for node in arguments.nodes)
    return tuple(node.name for node in request.nodes)


def _name_of(pod: dict[str, Any]) -> api.PodName:
    metadata = pod.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return api.PodName(name=str(metadata.get("name", "")), namespace=str(metadata.get("namespace", "")))


def _plain_error(message: str) -> bytes:
    return json.dumps({"Error": message}).encode()


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")
