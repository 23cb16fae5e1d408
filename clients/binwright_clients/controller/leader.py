"""Leader election by a Lease, as client-go does it.

Whoever holds the Lease renews it; a holder that has not renewed it for its duration, by the clock of
whoever watches, has lost it. Clocks of different machines are never compared.
"""

from __future__ import annotations

import datetime
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from binwright_clients.cluster.api import ClusterApi, Json
from binwright_clients.cluster.errors import ClusterError, ConflictError, NotFoundError
from binwright_clients.cluster.kinds import Kind

LEASES = Kind("Lease", "coordination.k8s.io", "v1", "leases")
NAME = "binwright-controller"

DURATION_S = 15.0
RENEW_DEADLINE_S = 10.0
RETRY_S = 2.0
"""client-go's defaults: a holder that could not renew for `RENEW_DEADLINE_S` stops acting, well before
another may take over after `DURATION_S`."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Election:
    """One candidate's view of the Lease.

    Parameters
    ----------
    identity
        Name of this candidate, unlike any other's.
    now_s
        A clock that only moves forward.
    """

    api: ClusterApi
    namespace: str
    identity: str
    now_s: Callable[[], float]
    wall_clock: Callable[[], datetime.datetime]
    _seen: tuple[str, object, object] = ("", None, None)
    _seen_s: float = 0.0
    _renewed_s: float = float("-inf")

    def is_leading(self) -> bool:
        """Whether we may act now."""
        return self.now_s() - self._renewed_s < RENEW_DEADLINE_S

    def try_once(self) -> bool:
        """Take or renew the Lease if that is possible; whether we hold it. Raises ClusterError."""
        started = self.now_s()
        path = LEASES.object_path(NAME, self.namespace)
        try:
            lease = self.api.get(path)
        except NotFoundError:
            if not self._write(None):
                return False
        else:
            if not self._may_take(lease) or not self._write(lease):
                return False
        # From before the request: others count from when they see it, which is later.
        self._renewed_s = started
        return True

    def release(self) -> None:
        """Let others take over at once, if we hold the Lease. Raises ClusterError."""
        if not self.is_leading():
            return
        self._renewed_s = float("-inf")
        path = LEASES.object_path(NAME, self.namespace)
        lease = self.api.get(path)
        if lease.get("spec", {}).get("holderIdentity") == self.identity:
            lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            self.api.replace(path, lease)

    def _may_take(self, lease: Json) -> bool:
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        record = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._seen:
            self._seen, self._seen_s = record, self.now_s()
        if holder in ("", self.identity):
            return True
        duration = spec.get("leaseDurationSeconds")
        lasts_s = float(duration) if isinstance(duration, int) else DURATION_S
        return self.now_s() - self._seen_s > lasts_s

    def _write(self, lease: Json | None) -> bool:
        """Put our name into the Lease; whether nobody was faster."""
        now = self.wall_clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        old = (lease or {}).get("spec") or {}
        is_ours = old.get("holderIdentity") == self.identity
        spec = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(DURATION_S),
            "acquireTime": old.get("acquireTime") if is_ours and old.get("acquireTime") else now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (lease is not None and not is_ours),
        }
        try:
            if lease is None:
                collection = LEASES.object_path(NAME, self.namespace).rpartition("/")[0]
                body = {"metadata": {"name": NAME, "namespace": self.namespace}, "spec": spec}
                self.api.create(collection, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **body})
            else:
                self.api.replace(LEASES.object_path(NAME, self.namespace), {**lease, "spec": spec})
        except ConflictError:
            return False
        return True


class LeaderThread:
    """Keeps an election going until it is stopped.

    Parameters
    ----------
    on_change
        Called with True when we begin to lead and with False when we cease.
    on_error, on_answer
        Called after each try, every two seconds, that failed or did not.
    """

    def __init__(
        self,
        election: Election,
        on_change: Callable[[bool], None],
        on_error: Callable[[ClusterError], None],
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self._election = election
        self._on_change = on_change
        self._on_error = on_error
        self._on_answer = on_answer
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader-election", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and give the Lease back."""
        self._stopping.set()
        self._thread.join(timeout=5.0)
        try:
            self._election.release()
        except ClusterError as error:
            self._on_error(error)

    def _run(self) -> None:
        was_leading = False
        while not self._stopping.is_set():
            try:
                self._election.try_once()
            except ClusterError as error:
                self._on_error(error)
            except Exception as error:
                # A mistake of ours, or a Lease beyond all bounds. Were the thread to end, we would stand by
                # for ever.
                _log.exception("leader election failed")
                self._on_error(ClusterError(f"leader election failed: {error!r}"))
            else:
                self._on_answer()
            if self._election.is_leading() != was_leading:
                was_leading = not was_leading
                self._on_change(was_leading)
            self._stopping.wait(RETRY_S)
