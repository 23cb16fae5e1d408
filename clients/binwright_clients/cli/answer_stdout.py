"""Standard output kept for the answer while solvers work."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDOUT = 1
"""File descriptor of standard output."""


@contextmanager
def answer_only_on_stdout() -> Iterator[None]:
    """Drop what libraries write to the process's standard output meanwhile.

    HiGHS 1.12 prints a line from C++ now and then, whatever its log level (its MIP solver's
    ``transformNewIntegerFeasibleSolution``); in front of a JSON answer it would break it. Without
    a standard output, nothing is done.
    """
    try:
        kept = os.dup(STDOUT)
    except OSError:
        yield
        return
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDOUT)
        yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
        os.close(nowhere)
