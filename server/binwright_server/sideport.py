"""The side port: metrics and liveness over plain HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client.exposition import CONTENT_TYPE_LATEST


class SidePort:
    """Serves ``/metrics`` and ``/healthz`` from a thread of its own.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    collect
        The metrics as text, called from the threads of the side port.
    is_serving
        Whether the gRPC server takes requests: ``/healthz`` is 200 if so, else 503.
    """

    def __init__(
        self, host: str, port: int, collect: Callable[[], bytes], is_serving: Callable[[], bool]
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                match self.path.partition("?")[0]:
                    case "/metrics":
                        self._reply(HTTPStatus.OK, CONTENT_TYPE_LATEST, collect())
                    case "/healthz" if is_serving():
                        self._reply(HTTPStatus.OK, "text/plain", b"ok\n")
                    case "/healthz":
                        self._reply(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"not serving\n")
                    case _:
                        self._reply(HTTPStatus.NOT_FOUND, "text/plain", b"try /metrics or /healthz\n")

            def _reply(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                """Scrapes are not worth a line each."""

        class Listener(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self._server = Listener((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="side-port", daemon=True)

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
