"""Options that name a server and how to trust it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Connection:
    """A server's address and the files of its TLS channel.

    Parameters
    ----------
    tls
        Whether the channel is encrypted; implied by any of the files.
    ca
        Authorities that sign the server's certificate; None takes the system's.
    cert, key
        Our own certificate and key, for servers that ask for one.
    server_name
        Name to expect in the certificate instead of the host's.
    token_file
        File whose first line is the bearer token to send; None sends none.
    """

    address: str
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str = ""
    token_file: Path | None = None


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as ``connection``, None for in-process work."""

    @click.option(
        "--server",
        "address",
        metavar="HOST:PORT",
        help="Ask this server instead of working in process.",
    )
    @click.option("--tls", is_flag=True, help="Encrypt the connection; implied by the files below.")
    @click.option("--tls-ca", type=_FILE, metavar="FILE", help="PEM authorities of the server.")
    @click.option("--tls-cert", type=_FILE, metavar="FILE", help="PEM certificate of ours, for mTLS.")
    @click.option("--tls-key", type=_FILE, metavar="FILE", help="PEM private key of ours, for mTLS.")
    @click.option("--tls-server-name", metavar="NAME", help="Name to expect in the server's certificate.")
    @click.option("--token-file", type=_FILE, metavar="FILE", help="File with the bearer token to send.")
    @functools.wraps(command)
    def with_connection(
        *arguments: Any,
        address: str | None,
        tls: bool,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        tls_server_name: str | None,
        token_file: Path | None,
        **options: Any,
    ) -> Any:
        files = (tls_ca, tls_cert, tls_key)
        if (tls_cert is None) != (tls_key is None):
            raise click.UsageError("--tls-cert and --tls-key go together.")
        if address is None and (tls or tls_server_name or any(files)):
            raise click.UsageError("TLS options need --server.")
        if address is None and token_file:
            raise click.UsageError("--token-file needs --server.")
        connection = address and Connection(
            address=address,
            tls=tls or tls_server_name is not None or any(file is not None for file in files),
            ca=tls_ca,
            cert=tls_cert,
            key=tls_key,
            server_name=tls_server_name or "",
            token_file=token_file,
        )
        return command(*arguments, connection=connection or None, **options)

    return with_connection
