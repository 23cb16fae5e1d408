"""Runs the extender until a signal comes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from aiohttp import web

from binwright_clients.cluster.api import ClusterApi
from binwright_clients.extender.app import Extender
from binwright_clients.extender.backend import Backend
from binwright_clients.extender.binding import Binder
from binwright_clients.extender.certificates import WebhookCertificates
from binwright_clients.extender.cluster import ClusterWatch
from binwright_clients.extender.feed import Feed
from binwright_clients.extender.metrics import ExtenderMetrics, Picture
from binwright_clients.extender.readiness import Readiness

GRACE_S = 5.0
"""Time that calls under way have at the end; kube-scheduler waits no longer."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the webhook listens.

    Parameters
    ----------
    tls
        None means plain HTTP.
    """

    host: str
    port: int
    tls: WebhookCertificates | None = None


async def run_extender(
    backend: Callable[[], Backend],
    listening: Listening,
    cluster: ClusterApi | None,
    binder: Binder | None = None,
    announce: Callable[[str], None] = lambda line: print_line(line),
) -> None:
    """Serve until SIGTERM or SIGINT.

    Parameters
    ----------
    backend
        Makes the connection to the server, in the running loop.
    cluster
        The cluster to be watched; None leaves the server's state to somebody else.
    binder
        Binds pods; None leaves that to kube-scheduler.
    announce
        Takes one line once the webhook listens.

    Raises
    ------
    OSError
        If the address is taken.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(backend())
        readiness, metrics = Readiness(connection), ExtenderMetrics()
        if cluster is not None:
            feed = Feed(connection)
            watch = ClusterWatch(cluster, feed.put)
            watch.start()
            stack.callback(watch.close)
            readiness = Readiness(connection, feed.unlisted, watch.unfollowed_s)
            metrics = ExtenderMetrics(picture_of(feed, watch))
            feeding = loop.create_task(feed.run())
            # A webhook whose server hears no more of the cluster would answer from an old picture for ever.
            feeding.add_done_callback(lambda _: ended.set())
            stack.push_async_callback(_ended, feeding)
        tls = listening.tls
        is_mutual = tls is not None and tls.demands_certificate
        extender = Extender(
            connection, binder, readiness=readiness, demands_certificate=is_mutual, metrics=metrics
        )
        app = extender.app()
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        context = tls.context if tls is not None else None
        site = web.TCPSite(runner, listening.host, listening.port, ssl_context=context, backlog=1024)
        await site.start()
        scheme = "https" if tls is not None else "http"
        host = f"[{listening.host}]" if ":" in listening.host else listening.host
        port = runner.addresses[0][1]
        announce(f"binwright extender listens on {scheme}://{host}:{port}")
        await ended.wait()


def picture_of(feed: Feed, watch: ClusterWatch) -> Picture:
    """What metrics tell of the cluster: older than the server's copy is what nobody follows."""
    return Picture(
        is_listed=lambda: not feed.unlisted(),
        nodes=feed.nodes,
        # In this order a NaN stays one.
        age_s=lambda: max(feed.age_s(), watch.unfollowed_s()),
    )


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def print_line(line: str) -> None:
    """Write a line to standard output at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
