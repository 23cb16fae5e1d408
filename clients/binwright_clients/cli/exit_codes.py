"""Exit codes of the command line; part of its interface, so they never change meaning."""

from __future__ import annotations

OK = 0
"""Done. A decision that leaves pods unschedulable is a result, not a failure."""
FAILED = 1
"""Something went wrong that the input is not to blame for, or a decision was refuted."""
BAD_INPUT = 2
"""The command line, a file or a request is wrong; the message says where."""
UNSCHEDULABLE = 3
"""With ``--fail-unschedulable``: some pods have no place."""
INTERRUPTED = 130
"""Ended by Ctrl-C, as shells count it: 128 + SIGINT."""
