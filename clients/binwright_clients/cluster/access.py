"""Where the cluster is and who we are: kubeconfig, or the service account of a pod.

The official `kubernetes` client, imported on first use, reads the configuration (exec plugins, tokens
that expire, certificates, proxies); its connection pool carries our requests.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from binwright_clients.cluster.api import CONNECT_TIMEOUT_S, ClusterApi, Response
from binwright_clients.cluster.errors import ClusterError, UnreachableError
from binwright_clients.errors import InputError

IN_CLUSTER = "in-cluster"
USER_AGENT = "binwright"
"""Who the audit log and ``managedFields`` say we are."""

MOST_CONNECTIONS = 64
"""Connections kept; the controller has a watch open for each of some twenty kinds."""

_PART_BYTES = 65_536

_PROBE_AFTER_S, _PROBE_EVERY_S, _PROBES = 30, 10, 3
"""An API server, or a load balancer before it, that vanishes without a word ends no watch by itself: until
its time is up nobody would hear of pods that wait. So the kernel asks whether the other end is there."""


def open_cluster(kubeconfig: Path | None = None, context: str | None = None) -> ClusterApi:
    """The API of a cluster.

    Parameters
    ----------
    kubeconfig
        Its file; None takes ``KUBECONFIG`` or ``~/.kube/config``, and in a pod without either the pod's
        service account.
    context
        Of the kubeconfig; None takes the current one.

    Raises
    ------
    InputError
        If there is no usable configuration.
    """
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    configuration = client.Configuration()
    try:
        name = _load(config, configuration, kubeconfig, context)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        where = str(kubeconfig) if kubeconfig is not None else "kubeconfig"
        raise InputError.of(where, f"gives no access to a cluster: {' '.join(str(error).split())}") from error
    # One try for each request: what may be repeated is decided where it is asked.
    configuration.retries = False
    configuration.connection_pool_maxsize = MOST_CONNECTIONS
    configuration.socket_options = _socket_options()
    return ClusterApi(_PoolTransport(client.ApiClient(configuration), configuration), name)


def _load(config: Any, configuration: Any, kubeconfig: Path | None, context: str | None) -> str:
    if kubeconfig is None and context is None and not _has_kubeconfig():
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException as error:
            raise ValueError("there is neither a kubeconfig nor a pod's service account") from error
        return IN_CLUSTER
    file = None if kubeconfig is None else str(kubeconfig)
    config.load_kube_config(
        config_file=file, context=context, client_configuration=configuration, persist_config=False
    )
    _, active = config.list_kube_config_contexts(config_file=file)
    return context or str(active["name"])


def _socket_options() -> list[tuple[int, int, int]]:
    """TCP keepalive, as far as the platform names its settings."""
    settings = {"TCP_KEEPIDLE": _PROBE_AFTER_S, "TCP_KEEPINTVL": _PROBE_EVERY_S, "TCP_KEEPCNT": _PROBES}
    return [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *(
            (socket.IPPROTO_TCP, getattr(socket, name), seconds)
            for name, seconds in settings.items()
            if hasattr(socket, name)
        ),
    ]


def _has_kubeconfig() -> bool:
    return bool(os.environ.get("KUBECONFIG")) or (Path.home() / ".kube" / "config").exists()


class _PoolTransport:
    """Sends requests through the pool of the official client."""

    def __init__(self, api_client: Any, configuration: Any) -> None:
        self._pool = api_client.rest_client.pool_manager
        self._configuration = configuration

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
    ) -> Response:
        import urllib3

        try:
            answer = self._pool.request(
                method,
                self._configuration.host.rstrip("/") + path,
                body=body,
                headers={**headers, "User-Agent": USER_AGENT, **self._credentials()},
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=timeout_s),
                preload_content=False,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"{self._configuration.host} does not answer: {_reason(error)}") from error
        return _PoolResponse(answer)

    def _credentials(self) -> dict[str, str]:
        """Headers that say who we are, with a token that is renewed if it is about to expire."""
        from kubernetes.config.config_exception import ConfigException

        try:
            settings = self._configuration.auth_settings()
        except ConfigException as error:
            raise ClusterError(f"the credentials cannot be had: {error}") from error
        return {
            str(each["key"]): str(each["value"])
            for each in settings.values()
            if each["in"] == "header" and each["value"]
        }


class _PoolResponse:
    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.status = int(answer.status)
        self.date = str(answer.headers.get("Date") or "")

    def read(self) -> bytes:
        import urllib3

        try:
            return bytes(self._answer.read(decode_content=True))
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"the answer broke off: {_reason(error)}") from error

    def lines(self) -> Iterator[bytes]:
        import urllib3

        rest = b""
        # Without chunks, as some proxies send it, `stream` would wait for the end of the watch.
        is_chunked = getattr(self._answer, "chunked", False) or not hasattr(self._answer, "read1")
        parts = (
            self._answer.stream(None) if is_chunked else iter(lambda: self._answer.read1(_PART_BYTES), b"")
        )
        try:
            for part in parts:
                *whole, rest = (rest + part).split(b"\n")
                yield from whole
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"the answer broke off: {_reason(error)}") from error
        if rest:
            yield rest

    def close(self) -> None:
        # A body that was not read to its end must not be met by the next request.
        self._answer.close()
        self._answer.release_conn()


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", "") or error).split())
