"""Settings of the server: defaults, then a YAML file, then the environment, then flags."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from binwright_server.errors import ConfigError
from binwright_server.limits import LONGEST_DEADLINE_S, MOST_PODS, RequestLimits
from binwright_server.observe import LOG_FORMATS, LOG_LEVELS

ENVIRONMENT_PREFIX = "BINWRIGHT_"
"""``max_queue`` is ``BINWRIGHT_MAX_QUEUE`` in the environment and ``--max-queue`` as a flag."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Everything that can be set.

    Parameters
    ----------
    address
        ``HOST:PORT``, ``[IPV6]:PORT`` or ``unix:PATH``; port 0 takes a free port.
    metrics_address
        ``HOST:PORT`` of the side port with ``/metrics`` and ``/healthz``; empty for none.
    workers
        Solves that run at the same time; one per core unless set.
    max_queue
        Solves that may wait for a worker; further ones are refused.
    max_message_mib
        Largest message in either direction, in MiB.
    max_pods
        Most pods of one problem, replicas counted.
    default_deadline_s, max_deadline_s, default_gap
        See `RequestLimits`.
    grace_s
        Seconds that calls under way have to end at shutdown.
    tls_cert, tls_key
        PEM files of the server's certificate chain and private key; empty for plain text.
    tls_client_ca
        PEM file of the authorities that sign client certificates; empty asks clients for none.
    token_file
        File with bearer tokens, one a line, of which every call but health checks must send one; empty
        asks for none.
    log_format
        ``console`` or ``json``.
    log_level
        ``debug``, ``info``, ``warning`` or ``error``.

    Raises
    ------
    ConfigError
        If a value is outside its range or does not go with another.
    """

    address: str = "127.0.0.1:50051"
    metrics_address: str = ""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    max_queue: int = 64
    max_message_mib: int = 256
    max_pods: int = MOST_PODS
    default_deadline_s: float = 10.0
    max_deadline_s: float = 3_600.0
    default_gap: float = 0.0
    grace_s: float = 30.0
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    token_file: str = ""
    log_format: str = "console"
    log_level: str = "info"

    def __post_init__(self) -> None:
        _check_all(self, {})

    @property
    def limits(self) -> RequestLimits:
        """What one request may ask for."""
        return RequestLimits(
            max_pods=self.max_pods,
            default_deadline_s=self.default_deadline_s,
            max_deadline_s=self.max_deadline_s,
            default_gap=self.default_gap,
        )


def load_config(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> ServerConfig:
    """The settings from all places; later ones win.

    Parameters
    ----------
    file
        YAML file with a mapping of settings, named as the fields of `ServerConfig`.
    environment
        Variables, of which ``BINWRIGHT_<SETTING>`` are read; others are left alone.
    flags
        Values of command line flags by setting; None means not given.

    Raises
    ------
    ConfigError
        Naming the place, the setting and its value.
    """
    values: dict[str, Any] = {}
    places: dict[str, str] = {}

    def put(name: str, value: object, place: str) -> None:
        values[name] = _parsed(name, value, place)
        places[name] = place

    for name, value in (_read_yaml(file) if file is not None else {}).items():
        if name not in _TYPES:
            raise ConfigError(f"{file}: unknown setting {name!r}; known: {', '.join(_TYPES)}")
        put(name, value, f"{file}: {name}")
    for name in _TYPES:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if environment is not None and variable in environment:
            put(name, environment[variable], variable)
    for name, value in (flags or {}).items():
        if value is not None:
            put(name, value, f"--{name.replace('_', '-')}")
    defaults = {f.name: getattr(_DEFAULTS, f.name) for f in fields(ServerConfig)}
    _check_values(defaults | values, places)
    return ServerConfig(**values)


def _read_yaml(file: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: must hold a mapping of settings, holds a {type(content).__name__}")
    return {str(name): value for name, value in content.items()}


def _parsed(name: str, value: object, place: str) -> object:
    """The value in the type of the setting; text is parsed, as from the environment."""
    wanted = _TYPES[name]
    if wanted is str and isinstance(value, str | Path):
        return str(value)
    if not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            number = float(value)
            if wanted is float:
                return number
            if wanted is int and number.is_integer():
                return int(value)
        except ValueError:
            pass
    kind = {str: "text", int: "a whole number", float: "a number"}[wanted]
    raise ConfigError(f"{place}: must be {kind} (got {value!r})")


def _check_all(config: ServerConfig, places: Mapping[str, str]) -> None:
    _check_values({f.name: getattr(config, f.name) for f in fields(config)}, places)


def _check_values(values: Mapping[str, Any], places: Mapping[str, str]) -> None:
    """Raise ConfigError for the first value that cannot stand."""
    for name, (is_right, wanted) in _CHECKS.items():
        if not is_right(values[name]):
            raise ConfigError(f"{places.get(name, name)}: must be {wanted} (got {values[name]!r})")
    if values["default_deadline_s"] > values["max_deadline_s"]:
        name = "default_deadline_s" if "default_deadline_s" in places else "max_deadline_s"
        raise ConfigError(
            f"{places.get(name, name)}: default_deadline_s ({values['default_deadline_s']}) must be at most"
            f" max_deadline_s ({values['max_deadline_s']})"
        )
    for name, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert"), ("tls_client_ca", "tls_cert")):
        if values[name] and not values[other]:
            raise ConfigError(f"{places.get(name, name)}: needs {other} too (got {values[name]!r} alone)")


def split_address(address: str) -> tuple[str, int] | None:
    """Host and port of ``HOST:PORT`` or ``[IPV6]:PORT``; None if the text is neither.

    >>> split_address("[::1]:50051")
    ('::1', 50051)
    """
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port[:6]) > 65_535:
        return None
    return host, int(port)


def _is_address(address: str) -> bool:
    is_socket = address.startswith("unix:") and len(address) > len("unix:")
    return is_socket or split_address(address) is not None


def _is_file_or_empty(path: str) -> bool:
    return not path or Path(path).is_file()


def _is_within(low: float, high: float) -> Callable[[float], bool]:
    return lambda value: math.isfinite(value) and low <= value <= high


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "address": (_is_address, "HOST:PORT, [IPV6]:PORT or unix:PATH"),
    "metrics_address": (lambda a: not a or split_address(a) is not None, "HOST:PORT, or empty for none"),
    "workers": (_is_within(1, 1_024), "in 1..1024"),
    "max_queue": (_is_within(0, 1_000_000), "in 0..1000000"),
    "max_message_mib": (_is_within(1, 2_047), "in 1..2047"),
    "max_pods": (_is_within(1, MOST_PODS), f"in 1..{MOST_PODS}"),
    "default_deadline_s": (_is_within(1e-3, LONGEST_DEADLINE_S), "in 0.001..86400 seconds"),
    "max_deadline_s": (_is_within(1e-3, LONGEST_DEADLINE_S), "in 0.001..86400 seconds"),
    "default_gap": (lambda gap: 0 <= gap < 1, "at least 0 and below 1"),
    "grace_s": (_is_within(0, LONGEST_DEADLINE_S), "in 0..86400 seconds"),
    "tls_cert": (_is_file_or_empty, "a file that exists"),
    "tls_key": (_is_file_or_empty, "a file that exists"),
    "tls_client_ca": (_is_file_or_empty, "a file that exists"),
    "token_file": (_is_file_or_empty, "a file that exists"),
    "log_format": (LOG_FORMATS.__contains__, f"one of {', '.join(LOG_FORMATS)}"),
    "log_level": (LOG_LEVELS.__contains__, f"one of {', '.join(LOG_LEVELS)}"),
}

_DEFAULTS = ServerConfig()
_TYPES: dict[str, type] = {f.name: type(getattr(_DEFAULTS, f.name)) for f in fields(ServerConfig)}
