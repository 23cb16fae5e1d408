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
        found = self._read()
        fetch: Any = self._fetch  # the stubs do not know that it may return None
        self.credentials = grpc.dynamic_ssl_server_credentials(
            found, fetch, require_client_authentication=bool(config.tls_client_ca)
        )

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """What to use from now on, None for what is in use; called by gRPC before a handshake."""
        now = stamp_of(*self._paths.values())
        if now == self._stamp:
            return None
        try:
            changed = self._read()
        except ConfigError as error:
            if str(error) != self._told:
                _log.error("certificates cannot be read; those before stay", reason=str(error))
            self._told = str(error)
            return None  # and tried again with the next connection
        self._stamp, self._told = now, ""
        _log.info("certificates read again", file=self._config.tls_cert)
        return changed

    def _check(self) -> None:
        """Raise ConfigError for what gRPC would fail every handshake with, or blame on the address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert, key, authorities = self._config.tls_cert, self._config.tls_key, self._config.tls_client_ca
        try:
            # A password that is wrong, too, lest OpenSSL ask for one on the terminal.
            context.load_cert_chain(cert, key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConfigError(f"tls_key: {key} and the certificate in {cert} do not fit: {error}") from error
        if authorities:
            try:
                context.load_verify_locations(authorities)
            except (ssl.SSLError, OSError) as error:
                raise ConfigError(f"tls_client_ca: {authorities} holds no certificate: {error}") from error

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
        self._check()
        # ServerConfig lets none of the three stand without certificate and key.
        pair = files["tls_key"], files["tls_cert"]
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=files.get("tls_client_ca"))
