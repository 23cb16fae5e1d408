"""How a client reaches the server: channel options, retries and credentials."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from binwright_clients.errors import InputError

MAX_MESSAGE_BYTES = 256 * 2**20
"""Largest message in either direction; the server's default."""

HEALTH_CHECK = "/grpc.health.v1.Health/Check"
"""Method of the standard health service; its generated stub has no types."""

SERVICES = ("binwright.v1.ProvisioningService", "binwright.v1.CatalogService", "grpc.health.v1.Health")


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How to trust the server, and how to be trusted.

    Parameters
    ----------
    ca_file
        PEM file of the authorities that sign the server's certificate; None takes the system's.
    cert_file, key_file
        PEM files of the client's own certificate and key, for mutual TLS; both or neither.
    server_name
        Name expected in the server's certificate, where it is not the address.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("a client certificate needs its key and a key its certificate")

    def credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a channel.

        Raises
        ------
        OSError
            If a file cannot be read.
        InputError
            If one holds no certificate, or the key is not that of the certificate: gRPC would take them,
            and fail every handshake.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_file is not None:
            _read(self.ca_file)
            try:
                context.load_verify_locations(self.ca_file)
            except ssl.SSLError as error:
                raise InputError.of(str(self.ca_file), f"holds no certificate: {error}") from error
        if self.cert_file is not None and self.key_file is not None:
            try:
                # A password that is wrong, too, lest OpenSSL ask for one on the terminal.
                context.load_cert_chain(self.cert_file, self.key_file, password="")
            except (ssl.SSLError, ValueError) as error:
                fault = f"is not the key of the certificate in {self.cert_file}: {error}"
                raise InputError.of(str(self.key_file), fault) from error
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca_file),
            private_key=_read(self.key_file),
            certificate_chain=_read(self.cert_file),
        )


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a call that found no server is made again.

    Only UNAVAILABLE is retried: the server did not see the call, or was shutting down. A busy
    server is not asked again at once, and a wrong request stays wrong.

    Parameters
    ----------
    max_attempts
        Calls in all, 1 to 5; 1 means no retries.
    """

    max_attempts: int = 4
    initial_backoff_s: float = 0.1
    max_backoff_s: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_attempts <= 5:
            raise ValueError(f"max_attempts must be in 1..5, got {self.max_attempts}")

    def service_config(self) -> str:
        """The policy as a gRPC service config."""
        method: dict[str, object] = {"name": [{"service": name} for name in SERVICES]}
        if self.max_attempts > 1:
            method["retryPolicy"] = {
                "maxAttempts": self.max_attempts,
                "initialBackoff": f"{self.initial_backoff_s}s",
                "maxBackoff": f"{self.max_backoff_s}s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            }
        return json.dumps({"methodConfig": [method]})


def channel_options(
    max_message_bytes: int, retry: RetryPolicy, tls: TlsOptions | None
) -> list[tuple[str, int | str]]:
    """Options of a channel, synchronous or not."""
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.enable_retries", 1 if retry.max_attempts > 1 else 0),
        ("grpc.service_config", retry.service_config()),
    ]
    if tls is not None and tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options


def call_metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """Metadata that goes with every call."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def read_token(path: Path) -> str:
    """The bearer token in a file: its first line that is not blank.

    Raises
    ------
    InputError
        If the file cannot be read or holds no token that a header can carry.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise InputError.of(str(path), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError.of(str(path), "a token must be ASCII text") from error
    token = next((line.strip() for line in lines if line.strip()), "")
    if not token or not token.isprintable():
        raise InputError.of(str(path), "holds no token")
    return token


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
