"""The webhook's own certificate.

The callback comes with each handshake, whether or not the caller names a server, and goes on with a context
made from the files that are there by then.
"""

from __future__ import annotations

import logging
import ssl

from binwright_server.tls import Reread, TlsFiles, WrongTlsFileError

from binwright_clients.errors import InputError

_log = logging.getLogger(__name__)


class WebhookCertificates:
    """A context for the listener.

    Parameters
    ----------
    files
        With authorities, callers must show a certificate of theirs.

    Raises
    ------
    InputError
        If a file is not what it should be.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._reread = Reread(
            files.paths,
            self._read,
            InputError,
            on_error=lambda why: _log.error("certificates cannot be read; those before stay: %s", why),
            on_change=lambda: _log.info("certificates read again: %s", files.certificate),
        )
        self.context = self._read()
        self.context.sni_callback = self._choose

    @property
    def demands_certificate(self) -> bool:
        """Whether callers must show a certificate."""
        return self._files.client_authorities is not None

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        self._reread.refresh()
        connection.context = self._reread.value

    def _read(self) -> ssl.SSLContext:
        try:
            context = self._files.context()
        except WrongTlsFileError as error:
            if error.is_pair:
                told = f"no certificate with its key: {error}"
                raise InputError.of("--http-cert, --http-key", told) from error
            raise InputError.of("--http-client-ca", f"no PEM certificates: {error}") from error
        if self.demands_certificate:
            # Kubelets show none when they ask for health; the application demands one for everything else.
            context.verify_mode = ssl.CERT_OPTIONAL
        return context
