"""TLS credentials of the gRPC server, which asks before every handshake which certificates to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import structlog

from binwright_server.config import ServerConfig
from binwright_server.errors import ConfigError
from binwright_server.tls import Reread, TlsFiles, WrongTlsFileError

_MARKS = {"tls_cert": b"CERTIFICATE", "tls_key": b"PRIVATE KEY", "tls_client_ca": b"CERTIFICATE"}

_log = structlog.get_logger(__name__)


class ServerCredentials:
    """The certificates of a server; to be kept as long as it listens.

    Raises
    ------
    ConfigError
        If a file cannot be read at first, or holds no PEM of its kind.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._paths = {name: Path(path) for name in _MARKS if (path := getattr(config, name))}
        self._reread = Reread(
            tuple(self._paths.values()),
            self._read,
            ConfigError,
            on_error=lambda reason: _log.error(
                "certificates cannot be read; those before stay", reason=reason
            ),
            on_change=lambda: _log.info("certificates read again", file=config.tls_cert),
        )
        fetch: Any = self._fetch  # the stubs do not know that it may return None
        self.credentials = grpc.dynamic_ssl_server_credentials(
            self._reread.value, fetch, require_client_authentication=bool(config.tls_client_ca)
        )

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """What to use from now on, None for what is in use; called by gRPC before a handshake."""
        return self._reread.value if self._reread.refresh() else None

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

    def _check(self) -> None:
        """Raise ConfigError for what gRPC would fail every handshake with, or blame on the address."""
        cert, key, authorities = (self._paths.get(name) for name in _MARKS)
        assert cert is not None, "without certificate and key there are no credentials to make"
        assert key is not None, "without certificate and key there are no credentials to make"
        try:
            TlsFiles(cert, key, authorities).context()
        except WrongTlsFileError as error:
            if error.is_pair:
                message = f"tls_key: {key} and the certificate in {cert} do not fit: {error}"
                raise ConfigError(message) from error
            raise ConfigError(f"tls_client_ca: {authorities} holds no certificate: {error}") from error
