"""When the garbage collector runs: not while an answer is named and verified.

That makes tens of thousands of objects, all of which are kept: the collector would go through them, and
through all that the search has left, again and again to free nothing, for a tenth to a third of the time.
What does not refer to itself is freed all the same.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_S = 5.0
"""Where answers overlap without a pause, as on a busy server, it is done by hand this often."""

_lock = threading.Lock()
_holders = 0
_was_on = False
_since_s = 0.0


@contextmanager
def without_collecting() -> Iterator[None]:
    """No collection in this process until the last of the threads in here leaves; then as it was before."""
    global _holders, _was_on, _since_s
    with _lock:
        if not _holders:
            _was_on, _since_s = gc.isenabled(), time.monotonic()
            gc.disable()
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if not _holders and _was_on:
                gc.enable()
            is_due = _holders > 0 and _was_on and time.monotonic() - _since_s > LONGEST_S
            if is_due:
                _since_s = time.monotonic()
        if is_due:
            gc.collect()
