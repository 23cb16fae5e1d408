"""Certificate, key and authorities of callers, in files that change under a running process.

cert-manager and the like replace certificates every few weeks, and Kubernetes swaps the files of a Secret
under whoever has mounted it. Each handshake looks at the files first; what is there by then and fits together
is used from then on. Connections that stand already stay.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from binwright_server.stamps import Stamp, stamp_of

T = TypeVar("T")


class WrongTlsFileError(ValueError):
    """Files that no handshake could succeed with; ``is_pair`` where certificate and key are meant."""

    def __init__(self, description: str, *, is_pair: bool) -> None:
        super().__init__(description)
        self.is_pair = is_pair


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificate and key are.

    Parameters
    ----------
    client_authorities
        Of whom callers may show a certificate; None for nobody.
    """

    certificate: Path
    key: Path
    client_authorities: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(p for p in (self.certificate, self.key, self.client_authorities) if p is not None)

    def context(self) -> ssl.SSLContext:
        """What they are as a server's context; raises WrongTlsFileError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # A password that is wrong, too, lest OpenSSL ask for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise WrongTlsFileError(str(error), is_pair=True) from error
        if self.client_authorities is not None:
            try:
                context.load_verify_locations(self.client_authorities)
            except (ssl.SSLError, OSError) as error:
                raise WrongTlsFileError(str(error), is_pair=False) from error
        return context


class Reread(Generic[T]):
    """What files say, read again once they have changed.

    Files that cannot be read later, or that do not fit together, as while they are being replaced, change
    nothing; that is told once, and they are tried again with the next question.

    Parameters
    ----------
    read
        Reads all files; whatever it raises at first goes to the caller.
    errors
        What it raises of files that are wrong.
    on_error, on_change
        Tell of files that stay unread, with the reason, and of files read again.
    """

    def __init__(
        self,
        paths: tuple[Path, ...],
        read: Callable[[], T],
        errors: type[Exception],
        on_error: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        self._paths = paths
        self._read = read
        self._errors = errors
        self._on_error = on_error
        self._on_change = on_change
        self._stamp: Stamp = stamp_of(*paths)
        self._told = ""
        self.value = read()

    def refresh(self) -> bool:
        """Bring the value up to date; whether it has changed."""
        now = stamp_of(*self._paths)
        if now == self._stamp:
            return False
        try:
            self.value = self._read()
        except self._errors as error:
            if str(error) != self._told:
                self._on_error(str(error))
            self._told = str(error)
            return False
        self._stamp, self._told = now, ""
        self._on_change()
        return True
