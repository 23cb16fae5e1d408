"""TLS credentials of the server, read again when their files change.

cert-manager and the like replace certificates every few weeks, and Kubernetes swaps the files of a Secret
under a running server. gRPC asks before every handshake which certificates to use; those that are there by
then and fit together are. Connections that stand already stay.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import grpc
import structlog

from binwright_server.config import ServerConfig
from binwright_server.errors import ConfigError
from binwright_server.stamps import Stamp, stamp_of

_MARKS = {"tls_cert": b"CERTIFICATE", "tls_key": b"PRIVATE KEY", "tls_client_ca": b"CERTIFICATE"}

_log = structlog.get_logger(__name__)


class Certificates:
    """The certificates of a server; to be kept as long as it listens.

    Files that cannot be read later, or whose key is not that of the certificate, as while they are being
    replaced, leave the certificates as they were.

    Raises
    ------
    ConfigError
        If a file cannot be read at first, or holds no PEM of its kind.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._paths = {name: Path(path) for name in _MARKS if (path := getattr(config, name))}
        self._stamp: Stamp = stamp_of(*self._paths.values())
        self._told = ""
        fetch: Any = self._fetch  # the stubs do not know that it may return None
        self.credentials = grpc.dynamic_ssl_server_credentials(
            self._read(), fetch, require_client_authentication=bool(config.tls_client_ca)
        )

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """What to use from now on, None for what is in use; called by gRPC before a handshake."""
        now = stamp_of(*self._paths.values())
        if now == self._stamp:
            return None
        try:
            changed = self._read()
            # gRPC would take a key that is not the certificate's, and fail every handshake.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self._config.tls_cert, self._config.tls_key
            )
        except (ConfigError, ssl.SSLError, OSError) as error:
            if str(error) != self._told:
                _log.error("certificates cannot be read; those before stay", reason=str(error))
            self._told = str(error)
            return None  # and tried again with the next connection
        self._stamp, self._told = now, ""
        _log.info("certificates read again", file=self._config.tls_cert)
        return changed

    def _read(self) -> grpc.ServerCertificateConfiguration:
        files = {}
        for name, path in self._paths.items():
            try:
                files[name] = path.read_bytes()
            except OSError as error:
                raise ConfigError(f"{name}: cannot read {path}: {error.strerror}") from error
            mark = _MARKS[name]
            if b"-----BEGIN " not in files[name] or mark not in files[name]:
                raise ConfigError(f"{name}: {path} holds no PEM {mark.decode().lower()}")
        # ServerConfig lets none of the three stand without certificate and key.
        pair = files["tls_key"], files["tls_cert"]
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=files.get("tls_client_ca"))
