"""A stand-in for an API server: lists and watches nodes, pods and namespaces over real HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

_PATHS = {"/api/v1/nodes": "nodes", "/api/v1/pods": "pods", "/api/v1/namespaces": "namespaces"}


class FakeApiServer:
    """Objects by kind; changes go to the watches that are open."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._objects: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in _PATHS.values()}
        self._watches: dict[str, list[asyncio.Queue[dict[str, Any] | None]]] = {
            kind: [] for kind in _PATHS.values()
        }
        self._history: dict[str, list[tuple[int, dict[str, Any]]]] = {kind: [] for kind in _PATHS.values()}
        self._version = 10
        self.lists = 0
        self.unlistable: frozenset[str] = frozenset()
        """Kinds whose lists are refused, as by a server that is only starting."""
        self.port = 0

    def put(self, kind: str, item: dict[str, Any]) -> None:
        """Add or change an object."""
        self._call(kind, "MODIFIED", item)

    def remove(self, kind: str, name: str) -> None:
        """Delete an object."""
        self._call(kind, "DELETED", {"metadata": {"name": name, "namespace": "default"}})

    def expire(self) -> None:
        """Tell every watch that it is too old, as a real server does after a while."""
        for kind in self._watches:
            self._call(kind, "ERROR", {"code": 410, "message": "too old resource version"})

    def write_kubeconfig(self, path: Path) -> Path:
        """A kubeconfig that leads here."""
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "x",
                    "clusters": [cluster],
                    "contexts": [context],
                    "users": [{"name": "u", "user": {}}],
                }
            )
        )
        return path

    def _call(self, kind: str, change: str, item: dict[str, Any]) -> None:
        def apply() -> None:
            self._version += 1
            name = item.get("metadata", {}).get("name", "")
            if change == "DELETED":
                self._objects[kind].pop(name, None)
            elif change != "ERROR":
                item["metadata"]["resourceVersion"] = str(self._version)
                self._objects[kind][name] = item
            event = {"type": change, "object": item}
            if change != "ERROR":
                self._history[kind].append((self._version, event))
            for queue in self._watches[kind]:
                queue.put_nowait(event)

        self._loop.call_soon_threadsafe(apply)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A list, or a watch that lasts until it is cut."""
        kind = _PATHS[request.path]
        if request.query.get("watch") != "1":
            if kind in self.unlistable:
                return web.json_response({"kind": "Status", "message": f"{kind}: not yet"}, status=503)
            self.lists += 1
            items = list(self._objects[kind].values())
            return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": items})
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        since = int(request.query["resourceVersion"])
        for version, event in self._history[kind]:  # what happened between the list and the watch
            if version > since:
                queue.put_nowait(event)
        self._watches[kind].append(queue)
        try:
            while (event := await queue.get()) is not None:
                await response.write(json.dumps(event).encode() + b"\n")
                if event["type"] == "ERROR":
                    break
        finally:
            self._watches[kind].remove(queue)
        return response

    def hang_up(self) -> None:
        """Cut all watches."""
        for queues in self._watches.values():
            for queue in queues:
                queue.put_nowait(None)


@contextmanager
def api_server() -> Iterator[FakeApiServer]:
    """An API server on a free port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-api-server")
    thread.start()
    fake = FakeApiServer(loop)

    async def start() -> web.AppRunner:
        app = web.Application()
        for path in _PATHS:
            app.router.add_get(path, fake.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.port = runner.addresses[0][1]
        return runner

    async def stop() -> None:
        fake.hang_up()
        await runner.cleanup()

    try:
        runner = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
        yield fake
        asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
