"""Bearer tokens: who is let in, and what a stranger learns."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from binwright_clients.cli.connection import Connection
from binwright_clients.cli.controller import _solver
from binwright_clients.cli.engines import open_engine
from binwright_clients.client import Client
from binwright_clients.cluster.errors import ClusterError
from binwright_clients.errors import InputError
from binwright_clients.rpc_errors import AuthenticationError
from binwright_clients.transport import RetryPolicy, TlsOptions, read_token
from binwright_optimizer.errors import BinwrightError
from binwright_server.auth import TokenFile, bearer_token
from binwright_server.config import ServerConfig
from binwright_server.errors import ConfigError
from binwright_server.serve import Server
from certificates import made_certificates
from google.protobuf.descriptor import MethodDescriptor
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from harness import serving, solve_request
from structlog.testing import capture_logs

EXAMPLES = Path(__file__).parents[2] / "examples"
ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text("first\n\n  second  \n")
    return file


def config(tokens: Path) -> ServerConfig:
    return ServerConfig(address="127.0.0.1:0", workers=1, token_file=str(tokens))


def replace(file: Path, text: str) -> None:
    """Swap the file as a Secret's mount does: another inode, possibly of equal age and size."""
    other = file.with_suffix(".new")
    other.write_text(text)
    other.replace(file)


@pytest.mark.parametrize("token", ["first", "second"])
def test_each_token_of_the_file_is_let_in(tokens: Path, token: str) -> None:
    with serving(config=config(tokens)) as server, Client(server.address, token=token) as client:
        assert client.solve(solve_request(), timeout=30).node_claims


@pytest.mark.parametrize("token", [None, "third", "firs", "first2", "First"])
def test_anybody_else_is_refused(tokens: Path, token: str | None) -> None:
    with (
        serving(config=config(tokens)) as server,
        Client(server.address, token=token, retry=ONCE) as client,
        pytest.raises(AuthenticationError, match=r"bearer token: send 'authorization: Bearer TOKEN'"),
    ):
        client.solve(solve_request(), timeout=30)


def test_health_answers_without_a_token(tokens: Path) -> None:
    with serving(config=config(tokens)) as server, Client(server.address) as client:
        assert client.is_serving(timeout=30)


def registered_methods(server: Server) -> list[str]:
    """Every method of every service that reflection lists, asked with a token."""
    from google.protobuf import descriptor_pool

    pool = descriptor_pool.Default()
    found: list[MethodDescriptor] = []
    for name in server.service_names:
        found += pool.FindServiceByName(name).methods
    return [f"/{method.containing_service.full_name}/{method.name}" for method in found]


def test_every_method_but_health_and_even_unknown_ones_are_refused(tokens: Path) -> None:
    with serving(config=config(tokens)) as server, grpc.insecure_channel(server.address) as channel:
        methods = [m for m in registered_methods(server.server) if not m.startswith("/grpc.health")]
        assert "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" in methods
        for method in (*methods, "/no.such.Service/Method", "/grpc.health.v1.Healthy/Check"):
            with pytest.raises(grpc.RpcError) as caught:
                list(channel.stream_stream(method)(iter([b""]), timeout=30))
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, method


def test_reflection_answers_with_a_token(tokens: Path) -> None:
    with serving(config=config(tokens)) as server, grpc.insecure_channel(server.address) as channel:
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([asked]), timeout=30, metadata=(("authorization", "bearer second"),)
        )
        assert next(iter(call)).list_services_response.service


def test_tokens_change_without_a_restart(tokens: Path) -> None:
    with (
        serving(config=config(tokens)) as server,
        Client(server.address, token="first", retry=ONCE) as old,
        Client(server.address, token="third", retry=ONCE) as new,
    ):
        old.list_catalogs(timeout=30)
        replace(tokens, "third\n")
        new.list_catalogs(timeout=30)
        with pytest.raises(AuthenticationError):
            old.list_catalogs(timeout=30)


def test_file_that_vanishes_leaves_its_tokens_and_comes_back(tokens: Path) -> None:
    known = TokenFile(tokens)
    content = tokens.read_text()
    tokens.unlink()
    assert known.admits("first")
    tokens.write_text(content.replace("first", "fifth"))
    assert (known.admits("first"), known.admits("fifth")) == (False, True)


def test_file_that_is_emptied_leaves_its_tokens_until_there_are_others(tokens: Path) -> None:
    """A write that was cut short must not lock everybody out; a token is revoked by another in its place."""
    known = TokenFile(tokens)
    with capture_logs() as logs:
        replace(tokens, "\n")
        assert known.admits("first")
        assert not known.admits("")
    assert [(entry["log_level"], entry["reason"]) for entry in logs] == [("error", "holds no token")]
    replace(tokens, "sixth\n")
    assert (known.admits("first"), known.admits("sixth")) == (False, True)


def test_file_without_a_token_is_refused_at_start(tmp_path: Path) -> None:
    empty = tmp_path / "tokens"
    empty.write_text("\n \n")
    with pytest.raises(ConfigError, match=r"token_file: .*tokens holds no token"):
        TokenFile(empty)
    empty.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"token_file: cannot read .*tokens: is not UTF-8 text"):
        TokenFile(empty)


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Basic Zmlyc3Q="),),
        (("authorization", "first"),),
        (("authorization", "Bearerfirst"),),
        (("authorization-bin", b"Bearer first"),),
    ],
)
def test_other_credentials_are_no_bearer_token(metadata: tuple[tuple[str, str | bytes], ...]) -> None:
    assert bearer_token(metadata) is None


def test_token_of_a_client_is_the_first_line_that_says_something(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n  secret \nother\n")
    assert read_token(file) == "secret"
    for content in (b"", b"\n\n", "schlüssel".encode(), b"a\x00b"):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"token: (holds no token|a token must be ASCII text)"):
            read_token(file)


def test_a_controller_sends_a_token_that_was_replaced_with_the_next_batch(tmp_path: Path) -> None:
    """Kubernetes renews the tokens of service accounts under a controller that runs for months."""
    token, tokens = tmp_path / "token", tmp_path / "tokens"
    token.write_text("old\n")
    tokens.write_text("old\n")
    config = ServerConfig(address="127.0.0.1:0", workers=1, token_file=str(tokens))
    request = solve_request()
    with serving(config=config) as server:
        connection = Connection(server.address, token_file=token)
        solve = _solver(lambda: open_engine(connection), threading.Event())
        assert solve(request).node_claims
        tokens.write_text("newer\n")
        with pytest.raises(ClusterError, match="unknown bearer token"):
            solve(request)
        token.write_text("newer\n")
        assert solve(request).node_claims
        token.unlink()
        with pytest.raises(BinwrightError, match="cannot be read"):
            solve(request)


def test_processes_with_tls_and_token_understand_each_other(tmp_path: Path, tokens: Path) -> None:
    """The command line on both sides: right token, wrong token, no token, and mutual TLS besides."""
    certificates = made_certificates(tmp_path)
    command = [sys.executable, "-m", "binwright_clients.cli.main"]
    server = subprocess.Popen(
        [
            *command, "serve", "--address", "localhost:0", "--token-file", str(tokens),
            "--tls-cert", str(certificates / "server.pem"), "--tls-key", str(certificates / "server.key"),
            "--tls-client-ca", str(certificates / "ca.pem"),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]

            def listing(*options: str) -> subprocess.CompletedProcess[str]:
                return subprocess.run(
                    [*command, "catalog", "list", "--gpu", "t4", "--server", address, *options],
                    capture_output=True, text=True, timeout=60, check=False,
                    env={**os.environ, "COLUMNS": "200"},
                )  # fmt: skip

            ours = (
                "--tls-ca", str(certificates / "ca.pem"), "--tls-cert", str(certificates / "client.pem"),
                "--tls-key", str(certificates / "client.key"),
            )  # fmt: skip
            wrong = tmp_path / "wrong"
            wrong.write_text("third\n")
            assert "g4dn.xlarge" in listing(*ours, "--token-file", str(tokens)).stdout
            refused = listing(*ours, "--token-file", str(wrong))
            assert refused.returncode == 1
            assert "unknown bearer token" in refused.stderr
            assert "no bearer token" in listing(*ours).stderr
            without_certificate = listing(*ours[:2], "--token-file", str(tokens))
            assert without_certificate.returncode == 1
            with (
                Client(address, tls=TlsOptions(certificates / "ca.pem"), retry=ONCE) as stranger,
                pytest.raises(Exception, match=r"(?i)handshake|ssl|tls|socket|connect"),
            ):
                stranger.is_serving(timeout=10)
        finally:
            server.terminate()


def test_token_file_needs_a_server() -> None:
    finished = subprocess.run(
        [
            sys.executable, "-m", "binwright_clients.cli.main", "solve",
            "-f", str(EXAMPLES / "pods.csv"), "--token-file", __file__,
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (finished.returncode, "--token-file needs --server" in finished.stderr) == (2, True)
