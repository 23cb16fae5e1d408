"""The controller at work: a feed, an election and a cycle until it is told to stop."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from binwright_optimizer.errors import BinwrightError

from binwright_clients.cluster.api import ClusterApi, Json
from binwright_clients.cluster.errors import (
    ClusterError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UnreachableError,
)
from binwright_clients.cluster.kinds import NODE_POOLS, WATCHED_KINDS
from binwright_clients.cluster.outage import Outage
from binwright_clients.controller.cache import ClusterCache
from binwright_clients.controller.cluster_port import LiveCluster
from binwright_clients.controller.cycle import Cycle, Planner
from binwright_clients.controller.event_writer import EventWriter
from binwright_clients.controller.feed import PendingFeed
from binwright_clients.controller.health import STALLED_S, HealthPort, Heartbeat
from binwright_clients.controller.leader import Election, LeaderThread
from binwright_clients.controller.nomination import Patience
from binwright_clients.controller.reports import Reports
from binwright_clients.controller.tally import Tally
from binwright_clients.controller.window import Window
from binwright_clients.errors import InputError

TICK_S = 0.2
"""How finely the window's times are kept."""

LONGEST_PAUSE_S = 30.0
"""After failures of the same kind one after the other."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the controller behaves.

    Parameters
    ----------
    apply
        Create NodeClaims; otherwise only say what would be created.
    namespace
        Of the Lease.
    identity
        Name of this process in the Lease and in events.
    health
        Host and port for the probes of kubelets and for Prometheus; None for none.
    stalled_s
        A round that takes longer hangs.
    """

    apply: bool
    namespace: str
    identity: str
    idle_s: float = 1.0
    max_s: float = 10.0
    patience: Patience = Patience()
    health: tuple[str, int] | None = None
    stalled_s: float = STALLED_S


def run_controller(
    api: ClusterApi,
    planner: Planner,
    settings: Settings,
    stop: threading.Event,
    record: Callable[[Json], None],
) -> None:
    """Work until ``stop`` is set; then give the Lease back and return.

    No failure of the cluster or of a solve ends it: each is recorded, and tried again after a pause.

    Parameters
    ----------
    record
        Takes one mapping for each step, from any thread.

    Raises
    ------
    InputError
        If the address for probes cannot be listened on.
    """

    def failed(error: Exception) -> None:
        record({"event": "error", "reason": str(error)})

    def recovered(length_s: float) -> None:
        record({"event": "remark", "reason": f"the API server answers again after {length_s:.0f} s"})

    def leading(is_leading: bool) -> None:
        record({"event": "leading" if is_leading else "standing-by", "reason": settings.identity})

    def utc_now() -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    election = Election(api, settings.namespace, settings.identity, time.monotonic, utc_now)
    # Watch, Lease and rounds are tried every few seconds: an outage is told once for all of them.
    outage = Outage(failed, recovered)
    on_lease_error, on_lease = partial(outage.failed, "lease"), partial(outage.well, "lease")
    leader = LeaderThread(election, leading, on_lease_error, on_lease)
    feed = PendingFeed(api, partial(outage.failed, "pods"), lambda: None, partial(outage.well, "pods"))
    cache = ClusterCache(api, WATCHED_KINDS)
    events = EventWriter(api, lambda reason: record({"event": "error", "reason": reason}))
    emit: Callable[[Json], None] = events.write if settings.apply else lambda _event: None
    cycle = Cycle(
        cluster=LiveCluster(api, cache, feed.waiting, election.is_leading),
        plan=planner,
        reporter=Reports(record, emit, settings.identity),
        now_s=api.clock.now_s,
        apply=settings.apply,
        window=Window(settings.idle_s, settings.max_s),
        patience=settings.patience,
    )
    heartbeat = Heartbeat(settings.stalled_s)
    health = None
    if settings.health is not None:
        metrics = _metrics(cycle.tally, feed, election)
        health = _health_port(settings.health, heartbeat, cache, metrics)
    record({"event": "start", "reason": _start_line(api, settings)})
    if health is not None:
        health.start()
    feed.start()
    cache.start()
    if settings.apply:
        leader.start()
        events.start()
    try:
        may_act = election.is_leading if settings.apply else lambda: True
        _work(cycle, stop, failed, outage, may_act, heartbeat.beat)
    finally:
        if health is not None:
            health.close()
        feed.stop()
        cache.stop()
        if settings.apply:
            leader.stop()
            events.stop()


def _metrics(tally: Tally, feed: PendingFeed, election: Election) -> Callable[[str], tuple[bytes, str]]:
    """What the controller tells Prometheus."""
    # Imported on first use: a controller that nobody scrapes does without the library.
    from binwright_clients.controller.metrics import registry_of
    from binwright_clients.exposition import exposed

    return partial(exposed, registry_of(tally, lambda: len(feed.waiting()), election.is_leading))


def _health_port(
    address: tuple[str, int],
    heartbeat: Heartbeat,
    cache: ClusterCache,
    metrics: Callable[[str], tuple[bytes, str]],
) -> HealthPort:
    def unlisted() -> str:
        kinds = cache.unlisted()
        return f"the cluster's {', '.join(kinds)} are not listed" if kinds else ""

    host, port = address
    try:
        return HealthPort(host, port, not_alive=heartbeat.trouble, not_ready=unlisted, metrics=metrics)
    except OSError as error:
        told = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise InputError.of("--health-address", told) from error


_OF_API_SERVER = (UnreachableError, UnauthorizedError, ForbiddenError)
"""What ends a round and is no matter of the round."""


def _start_line(api: ClusterApi, settings: Settings) -> str:
    """What begins, for whom, and within which bounds."""
    if settings.apply:
        mode = f"creating NodeClaims as {settings.identity}"
    else:
        mode = "dry run, nothing is created without --apply"
    try:
        pools = [str(item["metadata"]["name"]) for item in api.list(NODE_POOLS.path).items]
        named = f"NodePools {', '.join(sorted(pools))}" if pools else "no NodePool yet"
    except NotFoundError:
        named = "no NodePools: Karpenter's are not installed"
    except ClusterError as error:
        named = f"NodePools not known yet ({error})"
    ahead_s = api.clock.ahead_s  # told by the answer
    clocks = f"; the clock here is {ahead_s:+.0f} s off the cluster's, which counts" if ahead_s else ""
    window = f"batches end after {settings.idle_s:g} s of quiet, {settings.max_s:g} s at most"
    return f"{mode}; cluster {api.name}; {named}; {window}{clocks}"


def _work(
    cycle: Cycle,
    stop: threading.Event,
    failed: Callable[[Exception], None],
    outage: Outage,
    may_act: Callable[[], bool],
    beat: Callable[[], None] = lambda: None,
) -> None:
    pause_s = TICK_S
    while not stop.wait(pause_s):
        beat()
        try:
            if may_act() and cycle.tick():
                outage.well("round")
            pause_s = TICK_S
        except BinwrightError as error:
            if stop.is_set():
                return
            if isinstance(error, _OF_API_SERVER):
                outage.failed("round", error)
            else:
                failed(error)
            pause_s = min(LONGEST_PAUSE_S, max(1.0, 2 * pause_s))
