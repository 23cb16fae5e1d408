"""Work that Ctrl-C cancels politely first and ends at once the second time."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from binwright_clients.cli.exit_codes import INTERRUPTED

_T = TypeVar("_T")
_POLL_S = 0.1


def run_cancellable(
    work: Callable[[threading.Event], _T], on_cancel: Callable[[], None], *, can_cancel: bool = True
) -> _T:
    """What ``work`` returns, run in a thread so that the main one stays free for signals.

    Parameters
    ----------
    work
        Gets an event that the first Ctrl-C sets; it should then come back soon with the best
        it has. Whatever it raises is raised here.
    on_cancel
        Called once, on the first Ctrl-C; the second ends the process with exit code 130.
    can_cancel
        Whether ``work`` has anything to give once cancelled; if not, the first Ctrl-C raises
        KeyboardInterrupt.
    """
    cancel = threading.Event()
    results: list[_T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(work(cancel))
        except BaseException as error:  # handed to the caller's thread below
            errors.append(error)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if cancel.is_set():
            sys.stdout.flush()
            sys.stderr.flush()
            # The solver is still inside native code; waiting for it is what the user declined.
            os._exit(INTERRUPTED)
        cancel.set()
        on_cancel()
        if not can_cancel:
            raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGINT, on_signal) if is_main else None
    try:
        thread = threading.Thread(target=target, name="solve", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_S)
    finally:
        if is_main:
            signal.signal(signal.SIGINT, previous)
    if errors:
        raise errors[0]
    return results[0]
