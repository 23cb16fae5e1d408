"""Golden files: expected text, kept beside the tests."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).parent / "golden"


def expect_golden(name: str, text: str) -> None:
    """Compare with the golden file; ``BINWRIGHT_UPDATE_GOLDEN=1`` writes it instead."""
    path = _FOLDER / name
    if os.environ.get("BINWRIGHT_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
