"""Answers kept on disk, so that a refresh that fails half-way or runs twice asks once."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class AnswerCache:
    """A folder of JSON answers by what was asked.

    Parameters
    ----------
    folder
        Created when first needed; None keeps nothing.
    max_age_s
        Older answers are asked for again.
    now_s
        Clock, seconds since the epoch, as file times count.
    """

    folder: Path | None
    max_age_s: float
    now_s: Callable[[], float]

    def get(self, question: str, ask: Callable[[], Any]) -> Any:
        """The answer kept, or the one that ``ask`` gives; that is kept if it is JSON.

        A file that is no JSON, such as one cut by a full disk, counts as missing.
        """
        if self.folder is None:
            return ask()
        file = self.folder / f"{hashlib.sha256(question.encode()).hexdigest()[:32]}.json"
        try:
            if self.now_s() - file.stat().st_mtime <= self.max_age_s:
                return json.loads(file.read_bytes())
        except (OSError, ValueError):
            pass  # not there, or unreadable: ask
        answer = ask()
        self.folder.mkdir(parents=True, exist_ok=True)
        # A rename is atomic: two refreshes at once leave one whole answer.
        with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".part", delete=False) as part:
            json.dump(answer, part)
        Path(part.name).replace(file)
        return answer
