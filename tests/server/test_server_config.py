"""Settings from defaults, a YAML file, the environment and flags."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from binwright_server.config import ServerConfig, load_config, split_address
from binwright_server.errors import ConfigError
from binwright_server.limits import RequestLimits


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "server.yaml"


def test_later_places_win_and_silent_ones_do_not_count(file: Path) -> None:
    file.write_text("workers: 3\nmax_queue: 4\nmax_pods: 5\n")
    environment = {"BINWRIGHT_MAX_QUEUE": "6", "BINWRIGHT_MAX_PODS": "7", "BINWRIGHT_OTHER": "x"}
    config = load_config(file, environment, {"max_pods": 8, "grace_s": None})
    assert (config.workers, config.max_queue, config.max_pods) == (3, 6, 8)
    assert config.grace_s == ServerConfig().grace_s


def test_defaults_use_every_core() -> None:
    assert load_config().workers == os.cpu_count()


def test_limits_of_requests_come_from_the_settings() -> None:
    config = ServerConfig(max_pods=9, default_deadline_s=1, max_deadline_s=2, default_gap=0.1)
    assert config.limits == RequestLimits(9, 1, 2, 0.1)


def test_empty_file_sets_nothing(file: Path) -> None:
    file.write_text("# nothing\n")
    assert load_config(file) == ServerConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wrkers: 3", "unknown setting 'wrkers'"),
        ("workers: many", r"workers: must be a whole number \(got 'many'\)"),
        ("workers: 2.5", r"workers: must be a whole number \(got 2.5\)"),
        ("workers: true", r"workers: must be a whole number \(got True\)"),
        ("workers: [2]", r"workers: must be a whole number \(got \[2\]\)"),
        ("workers:", r"workers: must be a whole number \(got None\)"),
        ("workers: 0", r"workers: must be in 1..1024 \(got 0\)"),
        ("default_gap: .nan", r"default_gap: must be at least 0 and below 1 \(got nan\)"),
        ("grace_s: .inf", r"grace_s: must be in 0..86400 seconds \(got inf\)"),
        ("address: 50051", r"address: must be text \(got 50051\)"),
        ("address: localhost", r"address: must be HOST:PORT.*\(got 'localhost'\)"),
        ("log_level: loud", r"log_level: must be one of debug, info, warning, error \(got 'loud'\)"),
        ("tls_cert: /no/such/file", r"tls_cert: must be a file that exists"),
        ("default_deadline_s: 9999", r"default_deadline_s \(9999.0\) must be at most max_deadline_s"),
        ("- workers", "must hold a mapping of settings, holds a list"),
        ("workers: {", "is not YAML"),
    ],
)
def test_wrong_file_is_named_with_the_setting_and_its_value(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(file)
    assert str(caught.value).startswith(str(file))


def test_file_that_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"server\.yaml: cannot be read: No such file"):
        load_config(file)


def test_file_that_is_no_text_is_named(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"server\.yaml: is not YAML"):
        load_config(file)


def test_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^BINWRIGHT_WORKERS: must be in 1..1024 \(got -1\)$"):
        load_config(environment={"BINWRIGHT_WORKERS": "-1"})


def test_wrong_flag_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^--max-queue: must be a whole number \(got 'x'\)$"):
        load_config(flags={"max_queue": "x"})


def test_key_without_certificate_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.touch()
    with pytest.raises(ConfigError, match=r"^--tls-key: needs tls_cert too"):
        load_config(flags={"tls_key": key})


def test_settings_built_in_code_are_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"^workers: must be in 1..1024 \(got 0\)$"):
        ServerConfig(workers=0)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("localhost:80", ("localhost", 80)),
        ("[::1]:0", ("::1", 0)),
        ("::1:80", None),
        ("host:", None),
        (":80", None),
        ("host:65536", None),
        ("host:8x", None),
        ("", None),
    ],
)
def test_address_is_host_and_port(text: str, parts: tuple[str, int] | None) -> None:
    assert split_address(text) == parts


@pytest.mark.parametrize(
    "limits",
    [
        {"max_pods": 0},
        {"max_deadline_s": 0},
        {"default_deadline_s": 5, "max_deadline_s": 4},
        {"default_gap": 1},
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        RequestLimits(**limits)  # type: ignore[arg-type]
