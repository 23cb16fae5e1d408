"""Of several that feed one server, the one that counts.

Each sends snapshots and deltas of its own view of the cluster. Taken in turns, each snapshot would make the
others' deltas void, and the table would be built anew with every update. As with leases of a
leader election, one is listened to until it falls silent.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LEASE_S = 5.0
"""A feeder says something every half second; a snapshot of 25,000 objects is sent in less than one."""


class FeederLease:
    """Who feeds; to be asked with every update.

    Parameters
    ----------
    clock
        Seconds, never backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._holder = ""
        self._heard_at = 0.0

    def is_given(self, feeder: str) -> bool:
        """Whether an update of this feeder counts; if so, it is heard now."""
        now = self._clock()
        if self._holder and feeder != self._holder and now - self._heard_at < LEASE_S:
            return False
        self._holder, self._heard_at = feeder, now
        return True
