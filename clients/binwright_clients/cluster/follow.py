"""Follows the objects of one kind: a list, then a watch, in a thread of its own.

After a failure everything is listed anew, as what was missed meanwhile is not known. Pauses between tries
double, and are drawn at random around that, so that the clients of an API server that comes back do not all
ask at once.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing

from binwright_clients.cluster.api import ClusterApi, ObjectList, WatchEvent
from binwright_clients.cluster.errors import ClusterError, GoneError, NotFoundError
from binwright_clients.cluster.kinds import Kind

WATCH_S = 300
"""A watch is renewed after this long, as client-go does."""

RESYNC_S = 900.0
"""A kind is listed anew after this long, should a watch ever have lost something."""

ABSENT_S = 60.0
"""A kind that is not installed is looked for again this often."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

NOTHING = ObjectList((), "")

_log = logging.getLogger(__name__)


class Follower:
    """Hands over a list of all objects, then each change; a list replaces what was known.

    Callbacks come from the follower's thread.

    Parameters
    ----------
    listed, changed
        Take what the API server says; bookmarks are kept back.
    failed
        Takes what went wrong, with every try.
    watching
        Called when the API server has taken up a watch: all is well.
    """

    def __init__(
        self,
        api: ClusterApi,
        kind: Kind,
        *,
        listed: Callable[[ObjectList], None],
        changed: Callable[[WatchEvent], None],
        failed: Callable[[ClusterError], None],
        watching: Callable[[], None] = lambda: None,
    ) -> None:
        self.kind = kind
        self._api = api
        self._listed, self._changed, self._failed = listed, changed, failed
        self._watching = watching
        self._is_watched = False
        self._listed_s = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"watch-{kind.resource}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End; the thread may linger in a read until the process ends."""
        self._stopping.set()

    def _follow(self) -> None:
        failures = 0
        version = ""
        while not self._stopping.is_set():
            self._is_watched = False
            try:
                if not version or time.monotonic() - self._listed_s >= RESYNC_S:
                    version = self._list()
                version = self._watch(version)
                failures = 0
            except GoneError:
                # What was known stays good until the list that follows at once.
                version = ""
                self._stopping.wait(FIRST_PAUSE_S)
            except NotFoundError as error:
                if self.kind.is_core:
                    self._failed(error)
                else:
                    self._listed(NOTHING)
                version = ""
                self._stopping.wait(ABSENT_S)
            except ClusterError as error:
                self._failed(error)
                version = ""
                failures = 1 if self._is_watched else failures + 1
                self._stopping.wait(pause_s(failures))
            except Exception as error:
                # A mistake of ours, or an answer beyond all bounds. Were the thread to end, whoever asks
                # would be told of the cluster as it was then, for ever.
                _log.exception("following %s failed", self.kind.resource)
                what = f"{self._api.name}: following {self.kind.resource} failed: {error!r}"
                self._failed(ClusterError(what))
                version = ""
                failures += 1
                self._stopping.wait(pause_s(failures))

    def _list(self) -> str:
        began = time.monotonic()
        found = self._api.list(self.kind.path, field_selector=self.kind.field_selector)
        self._listed(found)
        self._listed_s = began
        return found.resource_version

    def _watch(self, version: str) -> str:
        def opened() -> None:
            self._is_watched = True
            self._watching()

        events = self._api.watch(
            self.kind.path,
            version,
            timeout_s=WATCH_S,
            field_selector=self.kind.field_selector,
            on_open=opened,
        )
        with closing(events):  # whatever happens, the connection is not left to whoever holds a traceback
            for event in events:
                version = str((event.object.get("metadata") or {}).get("resourceVersion") or version)
                if self._stopping.is_set():
                    break
                if event.type != "BOOKMARK":
                    self._changed(event)
        return version


def pause_s(failures: int, draw: Callable[[], float] = random.random) -> float:
    """Pause after so many failures one after the other: half of it certain, half drawn.

    >>> [pause_s(n, lambda: 1.0) for n in (1, 2, 3, 99)]
    [0.5, 1.0, 2.0, 30.0]
    >>> pause_s(2, lambda: 0.0)
    0.5
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * float(2 ** min(failures - 1, 16)))
    return longest * (0.5 + 0.5 * draw())
