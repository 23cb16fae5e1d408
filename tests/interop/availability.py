"""Whether the real programs are there."""

from __future__ import annotations

import pytest
from binwright_benchmarks.peers.components import ComponentUnavailableError, component


def require(*programs: str) -> None:
    """Skip the test if one of the programs is not built."""
    try:
        for program in programs:
            component(program)
    except ComponentUnavailableError as reason:
        pytest.skip(str(reason))
