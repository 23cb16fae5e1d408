"""JSON over HTTPS with retries, by the standard library."""

from __future__ import annotations

import http.client
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from binwright_optimizer.catalog.refresh.refreshed import RefreshError

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class JsonClient:
    """Fetches JSON documents.

    Parameters
    ----------
    attempts
        Tries for one document before giving up on it.
    timeout_s
        For connecting and for each read.
    backoff_s
        Pause before the second try; it doubles each time, up to a minute, with jitter. A server's
        ``Retry-After`` comes first.
    sleep
        How to wait.
    """

    attempts: int = 5
    timeout_s: float = 30.0
    backoff_s: float = 1.0
    sleep: Callable[[float], None] = field(default=time.sleep)

    def get(self, url: str) -> Any:
        """The document at ``url``.

        Raises
        ------
        RefreshError
            If it cannot be had; a key in the query does not appear in the message.
        """
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise RefreshError(f"{_shown(url)} is no web address")
        problem = ""
        for attempt in range(self.attempts):
            if attempt:
                self.sleep(self._pause(attempt, problem))
            request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_s) as response:  # noqa: S310
                    body = response.read()
            except urllib.error.HTTPError as error:
                problem = _reason(error)
                if error.code not in _TRANSIENT:
                    break
                continue
            except (OSError, http.client.HTTPException) as error:
                problem = str(getattr(error, "reason", "") or error or type(error).__name__)
                continue
            try:
                return json.loads(body)
            except ValueError:
                raise RefreshError(f"{_shown(url)} did not answer with JSON") from None
        raise RefreshError(f"{_shown(url)} did not answer: {problem}")

    def _pause(self, attempt: int, problem: str) -> float:
        if problem.startswith("retry after "):
            return min(60.0, float(problem.split()[2]))
        jitter = random.uniform(0.5, 1.0)  # noqa: S311  (spreads retries; nothing secret)
        return min(60.0, self.backoff_s * 2.0 ** (attempt - 1)) * jitter


def _reason(error: urllib.error.HTTPError) -> str:
    after = error.headers.get("Retry-After", "") if error.headers else ""
    text = f"HTTP {error.code} {error.reason}"
    return f"retry after {after} s, {text}" if after.isdigit() else text


def _shown(url: str) -> str:
    """The address without its query, where keys are."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
