"""The webhook's own certificate, read again when its files change.

Kubernetes swaps the files of a Secret under the running process when cert-manager renews them. Each handshake
looks at them first (the callback comes whether or not the caller names a server) and goes on with a context
made from what is there by then; connections that stand already stay.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from binwright_server.stamps import Stamp, stamp_of

from binwright_clients.errors import InputError

_log = logging.getLogger(__name__)


class Certificates:
    """Certificate, key and the authorities of callers.

    Files that cannot be read later, or that do not belong together, as while they are being replaced, leave
    the certificates as they were.

    Parameters
    ----------
    client_authorities
        Of whom callers must show a certificate; None asks for none.

    Raises
    ------
    InputError
        If a file is not what it should be.
    """

    def __init__(self, certificate: Path, key: Path, client_authorities: Path | None = None) -> None:
        self._certificate, self._key, self._authorities = certificate, key, client_authorities
        self._paths = tuple(path for path in (certificate, key, client_authorities) if path is not None)
        self._stamp: Stamp = stamp_of(*self._paths)
        self._told = ""
        self._current = self._read()
        self.context = self._read()
        self.context.sni_callback = self._choose

    @property
    def demands_certificate(self) -> bool:
        """Whether callers must show a certificate."""
        return self._authorities is not None

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        now = stamp_of(*self._paths)
        if now != self._stamp:
            try:
                self._current = self._read()
            except InputError as error:
                if str(error) != self._told:
                    _log.error("certificates cannot be read; those before stay: %s", error)
                self._told = str(error)  # and tried again with the next connection
            else:
                self._stamp, self._told = now, ""
                _log.info("certificates read again: %s", self._certificate)
        connection.context = self._current

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            raise InputError.of("--http-cert, --http-key", f"no certificate with its key: {error}") from error
        if self._authorities is not None:
            try:
                context.load_verify_locations(self._authorities)
            except (OSError, ssl.SSLError) as error:
                raise InputError.of("--http-client-ca", f"no PEM certificates: {error}") from error
            # Kubelets show none when they ask for health; the application demands one for everything else.
            context.verify_mode = ssl.CERT_OPTIONAL
        return context
