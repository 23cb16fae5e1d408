"""Bearer tokens: which calls may pass.

Tokens stand in a file, one a line, so that Kubernetes can mount them from a Secret and several may be
valid while one replaces another. The file is read again when it changes; nobody has to restart the server.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import structlog

from binwright_server.errors import ConfigError
from binwright_server.stamps import stamp_of

OPEN_TO_ALL = "/grpc.health.v1.Health/"
"""Kubelets and load balancers ask for health and cannot show a token."""

_SCHEME = "bearer "

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
Context = grpc.aio.ServicerContext[Any, Any]

_log = structlog.get_logger(__name__)


class TokenFile:
    """The tokens of a file, as they stand in it now.

    A file that cannot be read later, or that holds no token, while it is being replaced for instance, leaves
    the tokens as they were, with an error in the log.

    Raises
    ------
    ConfigError
        If the file cannot be read at first, or holds no token.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._stamp = stamp_of(path)
            self._digests = _digests(path)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"token_file: cannot read {path}: {_reason(error)}") from error
        if not self._digests:
            raise ConfigError(f"token_file: {path} holds no token")

    def admits(self, token: str) -> bool:
        """Whether the file holds ``token``.

        Digests of equal length are compared, each to its end, so that the time taken tells nothing
        about how much of a token was right.
        """
        self._refresh()
        offered = _digest(token)
        is_known = False
        for digest in self._digests:
            is_known |= hmac.compare_digest(digest, offered)
        return is_known

    def _refresh(self) -> None:
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return
        try:
            digests = _digests(self._path)
            wrong = "" if digests else "holds no token"
        except (OSError, UnicodeDecodeError) as error:
            digests, wrong = (), _reason(error)
        if wrong:
            if self._stamp:
                _log.error("tokens stay as they were", file=str(self._path), reason=wrong)
            self._stamp = ()  # told once, and tried again with every call
            return
        self._digests = digests
        self._stamp = stamp
        _log.info("tokens read again", file=str(self._path), tokens=len(self._digests))


class AuthInterceptor(grpc.aio.ServerInterceptor):
    """Refuses every call without a known token as UNAUTHENTICATED, but for those about health.

    Methods that do not exist and reflection are refused alike: a stranger learns nothing.
    """

    def __init__(self, tokens: TokenFile) -> None:
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler of the called method, or one that refuses."""
        method = handler_call_details.method
        if method.startswith(OPEN_TO_ALL):
            return await continuation(handler_call_details)
        token = bearer_token(handler_call_details.invocation_metadata or ())
        if token is not None and self._tokens.admits(token):
            return await continuation(handler_call_details)
        problem = "no bearer token" if token is None else "unknown bearer token"
        _log.warning("refused", method=method, reason=problem)

        async def refuse(_: AsyncIterator[bytes], context: Context) -> None:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, f"{problem}: send 'authorization: Bearer TOKEN'"
            )

        # Cardinality is no matter of the wire: a streaming handler can refuse calls of every kind.
        return grpc.stream_stream_rpc_method_handler(refuse)


def bearer_token(metadata: Any) -> str | None:
    """The token of a call's metadata, or None if there is none.

    >>> bearer_token((("authorization", "Bearer abc"),))
    'abc'
    """
    for key, value in metadata:
        if key == "authorization" and isinstance(value, str) and value[: len(_SCHEME)].lower() == _SCHEME:
            return value[len(_SCHEME) :].strip()
    return None


def _digests(path: Path) -> tuple[bytes, ...]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(_digest(line) for line in lines if line)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "is not UTF-8 text"
