"""A real Chromium without a window, driven over its own pipe; no package stands between.

The protocol is JSON, one message to a zero byte, on the file descriptors 3 and 4
(https://chromedevtools.github.io/devtools-protocol/, ``--remote-debugging-pipe``).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 120.0
"""Far more than any step takes, on a machine that does much else, too."""


def installed() -> str | None:
    """The program's path; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class BrowserError(Exception):
    """The browser refused, or said nothing for long."""


class Chromium:
    """A browser process; a context manager."""

    def __init__(self, program: str, folder: Path) -> None:
        ours_in, its_out = os.pipe()
        its_in, ours_out = os.pipe()
        self._read, self._write = ours_in, ours_out
        arguments = (
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={folder}",
            "--no-sandbox",  # its sandbox refuses to run as root, and the page is ours
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
        )
        # The pipe's ends must be 3 and 4, which only a shell sets between fork and exec.
        redirected = f'exec "$0" "$@" 3<&{its_in} 4>&{its_out}'
        with (folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                ("bash", "-c", redirected, program, *arguments),
                pass_fds=(its_in, its_out),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.close(its_in)
        os.close(its_out)
        self._rest = b""
        self._last = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.ask("Browser.close")
            self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._read)
            os.close(self._write)

    def ask(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """The answer to a command; events that come before it are kept."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            got = self._next()
            if got.get("id") != self._last:
                self.events.append(got)
                continue
            if "error" in got:
                raise BrowserError(f"{method}: {got['error']['message']}")
            result: dict[str, Any] = got["result"]
            return result

    def wait(self, method: str) -> None:
        """Read events until one of this name comes; those before it are kept, too."""
        while all(event.get("method") != method for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], PATIENCE_S)
            got = os.read(self._read, 1 << 20) if ready else b""
            if not got:
                raise BrowserError("Chromium is gone or silent")
            self._rest += got
        first, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message

    def open(self, page: Path, *, width: int = 1000, height: int = 800, dark: bool = False) -> Tab:
        """A page from a file in a tab of its own, wholly loaded, with all that it asked for and said."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable", session)
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            session,
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", session, features=[scheme])
        self.events.clear()
        self.ask("Page.navigate", session, url=page.absolute().as_uri())
        self.wait("Page.loadEventFired")
        tab = Tab(self, session)
        tab.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        tab.read(self.events)
        return tab


@dataclass
class Tab:
    """A loaded page.

    Parameters
    ----------
    requests
        Addresses that it asked for, its own first.
    complaints
        Errors and warnings on its console, exceptions and failed requests.
    """

    browser: Chromium
    session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def read(self, events: list[dict[str, Any]]) -> None:
        """Sort the events of the page."""
        for event in events:
            params, method = event.get("params", {}), event.get("method")
            if method == "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            elif method == "Runtime.exceptionThrown":
                self.complaints.append(params["exceptionDetails"]["text"])
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                self.complaints.append(f"console {params['type']}: {params['args']}")
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                self.complaints.append(params["entry"]["text"])
            elif method == "Network.loadingFailed":
                self.complaints.append(params["errorText"])

    def value(self, expression: str) -> Any:
        """What an expression is in the page; a promise is awaited."""
        found = self.browser.ask(
            "Runtime.evaluate", self.session, expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise BrowserError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def picture(self) -> bytes:
        """The whole page as PNG."""
        found = self.browser.ask("Page.captureScreenshot", self.session, captureBeyondViewport=True)
        return base64.b64decode(found["data"])
