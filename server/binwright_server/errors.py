"""Every exception the server raises on purpose, beside those of the optimizer.

::

    BinwrightError
    +-- ConfigError           a flag, environment variable or configuration file is wrong
    +-- MalformedMessageError bytes that are no message of the call
    +-- BusyError             all workers are taken and the queue is full
    +-- TooLateError          the caller's deadline leaves no time to solve
    +-- NoStateError          the server lacks the cluster's state that the call builds on
    +-- LaneError             a process beside the server's own does not start
    +-- AbandonedError        the caller gave up before the solve began or ended
"""

from __future__ import annotations

from binwright_optimizer.errors import BinwrightError


class ConfigError(BinwrightError):
    """A setting is wrong; the message names where it was made, the setting and its value."""


class MalformedMessageError(BinwrightError):
    """The bytes of a request are no message of its type."""


class BusyError(BinwrightError):
    """All workers are taken and the queue is full; the caller may retry later."""


class TooLateError(BinwrightError):
    """The caller's deadline leaves no time to solve."""


class NoStateError(BinwrightError):
    """The server holds no snapshot of the cluster, or another than the call builds on; it wants one."""


class LaneError(BinwrightError):
    """A process beside the server's own does not start."""


class AbandonedError(BinwrightError):
    """The caller gave up; nobody waits for the answer."""
