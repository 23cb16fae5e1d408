"""Whether the controller is alive and ready, told over plain HTTP to kubelets, and its metrics to Prometheus.

Alive is a controller whose loop goes round, whether it leads, stands by or waits for an API server that is
away: starting it anew would mend none of that. Ready is one that has listed the cluster.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STALLED_S = 600.0
"""A round that takes longer than this hangs; one on 100,000 pods takes a minute or two, the search aside."""


class Heartbeat:
    """When the loop went round last.

    Parameters
    ----------
    longest_s
        A round may take so long.
    """

    def __init__(self, longest_s: float = STALLED_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_s = longest_s
        self._clock = clock
        self._last_s = clock()

    def beat(self) -> None:
        """It goes round."""
        self._last_s = self._clock()

    def trouble(self) -> str:
        """What is wrong; empty if nothing is."""
        silent_s = self._clock() - self._last_s
        return f"no round has ended for {silent_s:.0f} s" if silent_s > self._longest_s else ""


class HealthPort:
    """Serves ``/healthz``, ``/readyz`` and ``/metrics`` from threads of its own.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    not_alive, not_ready
        What is wrong; empty if nothing is.
    metrics
        The metrics and their content type, by the header ``Accept``.

    Raises
    ------
    OSError
        If the address is taken.
    """

    def __init__(
        self,
        host: str,
        port: int,
        not_alive: Callable[[], str],
        not_ready: Callable[[], str],
        metrics: Callable[[str], tuple[bytes, str]],
    ) -> None:
        def trouble() -> str:
            return not_alive() or not_ready()

        answers = {"/healthz": not_alive, "/readyz": trouble}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                asked = answers.get(path)
                if path == "/metrics":
                    accepted = self.headers.get_all("Accept", failobj=[])
                    self._reply(HTTPStatus.OK, *metrics(",".join(accepted)))
                elif asked is None:
                    self._tell(HTTPStatus.NOT_FOUND, "try /healthz, /readyz or /metrics")
                elif told := asked():
                    self._tell(HTTPStatus.SERVICE_UNAVAILABLE, told)
                else:
                    self._tell(HTTPStatus.OK, "ok")

            def _tell(self, status: HTTPStatus, text: str) -> None:
                self._reply(status, f"{text}\n".encode(), "text/plain; charset=utf-8")

            def _reply(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                """Probes are not worth a line each."""

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self._server = Server((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving and release the port; only after `start`."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
