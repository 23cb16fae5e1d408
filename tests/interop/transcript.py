"""What was asked of the real components and what they did, in a file a person can read."""

from __future__ import annotations

import os
import time
from pathlib import Path

VARIABLE = "BINWRIGHT_INTEROP_RESULTS"
"""Environment variable with the folder of the transcripts; default ``build/interop`` of the checkout."""


def results_folder() -> Path:
    """Where transcripts and the logs of components are left."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "build" / "interop"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Transcript:
    """One scenario, written line by line so that a failure leaves what came before it."""

    def __init__(self, scenario: str, folder: Path | None = None) -> None:
        self.path = (folder or results_folder()) / f"{scenario}.md"
        self._began = time.monotonic()
        self.path.write_text(f"# {scenario.replace('-', ' ')}\n\n")

    def ask(self, text: str) -> None:
        """What we asked of a component."""
        self._add("asked", text)

    def saw(self, text: str) -> None:
        """What a component did."""
        self._add("did", text)

    def quote(self, title: str, text: str) -> None:
        """A document or lines of a log, word for word."""
        with self.path.open("a") as file:
            file.write(f"\n{title}\n\n```\n{text.rstrip()}\n```\n\n")

    def _add(self, kind: str, text: str) -> None:
        with self.path.open("a") as file:
            file.write(f"- {time.monotonic() - self._began:6.1f} s **{kind}** {text}\n")
