"""Requests to an API server, with its answers as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from binwright_clients.cluster.clock import ServerClock
from binwright_clients.cluster.errors import ClusterError, GoneError, UnreachableError, error_of

Json = dict[str, Any]

PAGE_SIZE = 500
"""Objects a page, as kubectl asks for."""

LIST_ATTEMPTS = 3
"""A list whose pages expire half-way is begun anew this often."""

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
_MERGE_PATCH = "application/merge-patch+json"


class Transport(Protocol):
    """Sends one HTTP request; `access.open_cluster` makes one from a kubeconfig."""

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
    ) -> Response:
        """The answer; raises UnreachableError without one."""
        ...


class Response(Protocol):
    """An HTTP answer whose body is read as it comes."""

    status: int
    date: str
    """When it was sent, by the server's clock as HTTP spells it; empty if it does not say."""

    def read(self) -> bytes:
        """All of the body."""
        ...

    def lines(self) -> Iterator[bytes]:
        """The body line by line; raises UnreachableError if the connection breaks."""
        ...

    def close(self) -> None:
        """Give the connection back or end it."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectList:
    """All objects of one kind.

    Parameters
    ----------
    resource_version
        Version of the store that the list shows; a watch goes on from it.
    """

    items: tuple[Json, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A change: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, and the object after it."""

    type: str
    object: Json


class ClusterApi:
    """What we ask of an API server.

    Parameters
    ----------
    name
        Of the cluster, for messages: the context of the kubeconfig.
    """

    def __init__(self, transport: Transport, name: str) -> None:
        self._transport = transport
        self.name = name
        self.clock = ServerClock()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """The object or list at ``path``; raises ClusterError."""
        return self._ask("GET", path, query)

    def create(self, path: str, body: Json) -> Json:
        """The object as the server keeps it; raises ConflictError if the name is taken."""
        return self._ask("POST", path, None, body)

    def replace(self, path: str, body: Json) -> Json:
        """Replace an object; raises ConflictError if it changed since its resourceVersion."""
        return self._ask("PUT", path, None, body)

    def patch(self, path: str, body: Json) -> Json:
        """Merge fields into an object."""
        return self._ask("PATCH", path, None, body, content_type=_MERGE_PATCH)

    def list(self, path: str, *, at_version: str = "", field_selector: str = "") -> ObjectList:
        """All objects, page by page.

        Parameters
        ----------
        at_version
            Exactly this version of the store; empty means the latest.
        field_selector
            Only objects with these fields, in Kubernetes' syntax.

        Raises
        ------
        GoneError
            If ``at_version`` is no longer kept, or the pages expired `LIST_ATTEMPTS` times.
        """
        for attempt in range(LIST_ATTEMPTS):
            try:
                return self._list_once(path, at_version, field_selector)
            except GoneError:
                if at_version or attempt + 1 == LIST_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _list_once(self, path: str, at_version: str, field_selector: str) -> ObjectList:
        base = {"limit": str(PAGE_SIZE)}
        if field_selector:
            base["fieldSelector"] = field_selector
        query = dict(base)
        if at_version:
            query |= {"resourceVersion": at_version, "resourceVersionMatch": "Exact"}
        items: list[Json] = []
        while True:
            page = self._ask("GET", path, query)
            found, metadata = page.get("items"), page.get("metadata")
            if not isinstance(metadata, dict) or not isinstance(found or [], list):
                raise ClusterError(f"{self.name}: GET {path} did not answer with a list")
            kind = str(page.get("kind", "")).removesuffix("List")
            # Items of a list do not repeat their kind.
            own = {"apiVersion": page.get("apiVersion"), "kind": kind}
            items.extend({**own, **item} for item in found or [])
            token = metadata.get("continue")
            if not token:
                return ObjectList(tuple(items), str(metadata.get("resourceVersion", "")))
            query = base | {"continue": str(token)}

    def watch(
        self,
        path: str,
        version: str,
        *,
        timeout_s: int,
        field_selector: str = "",
        on_open: Callable[[], None] = lambda: None,
    ) -> Generator[WatchEvent, None, None]:
        """Changes after a version, until the server ends the watch after ``timeout_s``.

        Parameters
        ----------
        on_open
            Called when the server has taken up the watch.

        Raises
        ------
        GoneError
            If the version is no longer kept: list again.
        UnreachableError
            If the connection breaks.
        """
        query = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout_s),
        }
        if field_selector:
            query["fieldSelector"] = field_selector
        with self._response("GET", path, query, None, "", timeout_s + READ_TIMEOUT_S) as response:
            on_open()
            for line in response.lines():
                if not line.strip():
                    continue
                event = self._parsed(line, f"watch of {path}")
                changed = event.get("object")
                if not isinstance(changed, dict):
                    raise ClusterError(f"{self.name}: watch of {path} sent an event without object")
                if event.get("type") == "ERROR":
                    code = changed.get("code")
                    raise error_of(
                        code if isinstance(code, int) else 500,
                        json.dumps(changed).encode(),
                        f"{self.name}: watch of {path}",
                    )
                yield WatchEvent(str(event.get("type")), changed)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        with self._response(method, path, query, body, content_type, READ_TIMEOUT_S) as response:
            return self._parsed(response.read(), f"{method} {path}")

    @contextmanager
    def _response(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Json | None,
        content_type: str,
        timeout_s: float,
    ) -> Iterator[Response]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        data = None if body is None else json.dumps(body).encode()
        url = f"{path}?{urlencode(query)}" if query else path
        try:
            response = self._transport.send(method, url, data, headers, timeout_s)
        except UnreachableError as error:
            raise UnreachableError(f"{self.name}: {error}") from error
        self.clock.heard(response.date)
        try:
            if not 200 <= response.status < 300:
                raise error_of(response.status, response.read(), f"{self.name}: {method} {path}")
            yield response
        finally:
            response.close()

    def _parsed(self, data: bytes, what: str) -> Json:
        try:
            value = json.loads(data)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise ClusterError(f"{self.name}: {what} did not answer with a JSON object")
        return value
