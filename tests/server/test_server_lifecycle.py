"""Starting, being asked whether it lives, TLS, and stopping."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import structlog
from binwright_clients.client import Client
from binwright_clients.rpc_errors import RpcError, ServerUnavailableError
from binwright_clients.transport import RetryPolicy, TlsOptions
from binwright_optimizer.errors import InvalidProblemError
from binwright_server.config import ServerConfig
from binwright_server.errors import ConfigError
from binwright_server.local import verify_locally
from binwright_server.observe import configure_logging
from certificates import made_certificates
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from harness import ServerThread, serving, solve_request, wait_until

TESTS = Path(__file__).parent
ONCE = RetryPolicy(max_attempts=1)


def get(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_reflection_lists_every_service() -> None:
    with serving() as server, grpc.insecure_channel(server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        reply = next(iter(stub.ServerReflectionInfo(iter([asked]), timeout=30)))
    assert {service.name for service in reply.list_services_response.service} == {
        "binwright.v1.ProvisioningService",
        "binwright.v1.CatalogService",
        "binwright.v1.PlanningService",
        "binwright.v1.SchedulingService",
        "grpcplugin.Expander",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


def test_server_does_not_serve_before_it_is_warm() -> None:
    is_warm = threading.Event()
    starter: list[threading.Thread] = []

    def start_in_background(server: ServerThread) -> None:
        starter.append(threading.Thread(target=lambda: server.call(server.server.start())))
        starter[0].start()
        wait_until(lambda: bool(server.address), within_s=30)

    with serving(warm_up=lambda: is_warm.wait(30), start=False) as server:
        start_in_background(server)
        with Client(server.address) as client:
            assert client.check_health(timeout=30) == "NOT_SERVING"
            assert client.check_health("binwright.v1.ProvisioningService", timeout=30) == "NOT_SERVING"
            is_warm.set()
            starter[0].join(30)
            assert client.check_health(timeout=30) == "SERVING"
            assert client.check_health("binwright.v1.CatalogService", timeout=30) == "SERVING"
            assert client.is_serving(timeout=30)


def test_server_says_that_it_no_longer_serves_before_it_stops() -> None:
    with serving() as server, Client(server.address, retry=ONCE) as client:
        assert client.is_serving(timeout=30)
        server.call(server.server._health.enter_graceful_shutdown())
        assert not client.is_serving(timeout=30)
        server.call(server.server.close(0))
        with pytest.raises(ServerUnavailableError):
            client.check_health(timeout=30)


def test_health_of_a_service_that_does_not_exist_is_an_error() -> None:
    with serving() as server, Client(server.address) as client, pytest.raises(RpcError) as caught:
        client.check_health("binwright.v1.Nothing", timeout=30)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


def test_side_port_tells_metrics_and_liveness() -> None:
    config = ServerConfig(address="127.0.0.1:0", metrics_address="127.0.0.1:0", workers=1)
    with serving(config=config) as server, Client(server.address) as client:
        side = server.server.metrics_address
        client.solve(solve_request(pods=3), timeout=30)
        with pytest.raises(InvalidProblemError):
            client.solve(solve_request(cpu="x"), timeout=30)
        status, metrics = get(side, "/metrics")
        assert status == 200
        assert 'binwright_requests_total{code="OK",method="Solve"} 1.0' in metrics
        assert 'binwright_requests_total{code="INVALID_ARGUMENT",method="Solve"} 1.0' in metrics
        assert 'binwright_request_seconds_count{method="Solve"} 2.0' in metrics
        assert "binwright_solve_gap_count 1.0" in metrics
        assert 'binwright_pods_total{outcome="placed"} 3.0' in metrics
        assert "binwright_solves_in_flight 0.0" in metrics
        assert "binwright_queue_length 0.0" in metrics
        assert get(side, "/healthz") == (200, "ok\n")
        assert get(side, "/secrets")[0] == 404
        server.server._is_serving = False
        assert get(side, "/healthz") == (503, "not serving\n")


@pytest.mark.skipif(not socket.has_ipv6, reason="this system has no IPv6")
def test_server_and_side_port_listen_on_ipv6_as_well() -> None:
    config = ServerConfig(address="[::1]:0", metrics_address="[::1]:0", workers=1)
    with serving(config=config) as server, Client(server.address) as client:
        assert client.solve(solve_request(pods=3), timeout=30).node_claims
        assert server.server.metrics_address.startswith("[::1]:")
        assert get(server.server.metrics_address, "/healthz") == (200, "ok\n")


def test_address_that_is_taken_is_refused_by_name() -> None:
    with serving() as first:
        config = ServerConfig(address=first.address, workers=1)
        with (
            pytest.raises(ConfigError, match=f"address: cannot listen on {first.address}"),
            serving(config=config),
        ):
            pytest.fail("two servers listen on one port")


def test_metrics_address_that_is_taken_is_refused_by_name() -> None:
    with serving() as first:
        config = ServerConfig(address="127.0.0.1:0", metrics_address=first.address, workers=1)
        with (
            pytest.raises(ConfigError, match=f"metrics_address: cannot listen on {first.address}"),
            serving(config=config),
        ):
            pytest.fail("two servers listen on one port")


def test_unix_socket_is_an_address(tmp_path: Path) -> None:
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    with serving(config=config) as server, Client(server.address) as client:
        assert client.solve(solve_request(), timeout=30).node_claims


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an authority, and certificates of it for ``localhost`` and for a client."""
    return made_certificates(tmp_path_factory.mktemp("tls"))


def tls_config(directory: Path, **settings: str) -> ServerConfig:
    files = {"tls_cert": str(directory / "server.pem"), "tls_key": str(directory / "server.key")}
    return ServerConfig(address="localhost:0", workers=1, **files, **settings)


def test_tls_protects_the_connection(certificates: Path) -> None:
    with serving(config=tls_config(certificates)) as server:
        with Client(server.address, tls=TlsOptions(ca_file=certificates / "ca.pem")) as client:
            assert client.solve(solve_request(), timeout=30).node_claims
        with Client(server.address, retry=ONCE) as plain, pytest.raises(ServerUnavailableError):
            plain.solve(solve_request(), timeout=30)
        with (
            Client(server.address, tls=TlsOptions(), retry=ONCE) as stranger,
            pytest.raises(ServerUnavailableError),
        ):
            stranger.solve(solve_request(), timeout=30)


def test_mutual_tls_takes_only_clients_with_a_certificate(certificates: Path) -> None:
    config = tls_config(certificates, tls_client_ca=str(certificates / "ca.pem"))
    known = TlsOptions(certificates / "ca.pem", certificates / "client.pem", certificates / "client.key")
    with serving(config=config) as server:
        with Client(server.address, tls=known) as client:
            assert client.solve(solve_request(), timeout=30).node_claims
        anonymous = TlsOptions(ca_file=certificates / "ca.pem")
        with (
            Client(server.address, tls=anonymous, retry=ONCE) as client,
            pytest.raises(ServerUnavailableError),
        ):
            client.solve(solve_request(), timeout=30)


def replaced(source: Path, target: Path, *names: str) -> None:
    """Swap files as the mount of a Secret does: each is another inode from one moment to the next."""
    for name in names:
        (target / f"{name}.new").write_bytes((source / name).read_bytes())
        (target / f"{name}.new").replace(target / name)


def test_renewed_certificates_serve_the_next_connection(certificates: Path, tmp_path: Path) -> None:
    """A new authority signs server and clients; who trusts the old one alone is refused from then on."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    used, renewed = tmp_path / "old", made_certificates(tmp_path / "new")
    names = ("server.pem", "server.key", "ca.pem")
    replaced(certificates, used, *names)
    before, after = (
        TlsOptions(folder / "ca.pem", folder / "client.pem", folder / "client.key")
        for folder in (certificates, renewed)
    )

    def reaches(tls: TlsOptions) -> bool:
        with Client(server.address, tls=tls, retry=ONCE) as client:
            try:
                return client.is_serving(timeout=30)
            except ServerUnavailableError:
                return False

    with serving(config=tls_config(used, tls_client_ca=str(used / "ca.pem"))) as server:
        with Client(server.address, tls=before, retry=ONCE) as standing:
            assert standing.is_serving(timeout=30)
            replaced(renewed, used, "server.pem")  # its key is still to come
            assert reaches(before)
            replaced(renewed, used, "server.key", "ca.pem")
            assert reaches(after)
            assert not reaches(before)
            assert standing.is_serving(timeout=30)
        (used / "server.key").unlink()
        assert reaches(after)


def test_name_in_the_certificate_may_be_given(certificates: Path) -> None:
    with serving(config=tls_config(certificates)) as server:
        address = f"127.0.0.1:{server.address.rpartition(':')[2]}"
        options = TlsOptions(ca_file=certificates / "ca.pem", server_name="localhost")
        with Client(address, tls=options) as client:
            assert client.is_serving(timeout=30)


def test_file_that_holds_no_certificate_is_refused(certificates: Path) -> None:
    config = ServerConfig(
        address="localhost:0",
        tls_cert=str(certificates / "server.csr"),
        tls_key=str(certificates / "ca.pem"),
    )
    with (
        pytest.raises(ConfigError, match=r"tls_key: .*ca\.pem holds no PEM private key"),
        serving(config=config),
    ):
        pytest.fail("it serves without a key")


def test_key_of_another_certificate_is_refused_by_name(certificates: Path) -> None:
    config = ServerConfig(
        address="localhost:0",
        tls_cert=str(certificates / "server.pem"),
        tls_key=str(certificates / "client.key"),
    )
    with (
        pytest.raises(
            ConfigError, match=r"tls_key: .*client\.key and the certificate in .*server\.pem do not fit"
        ),
        serving(config=config),
    ):
        pytest.fail("it serves with a key that does not fit")


def test_client_certificate_needs_its_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its key"):
        TlsOptions(cert_file=tmp_path / "client.pem")


def test_client_certificate_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Client("localhost:1", tls=TlsOptions(ca_file=tmp_path / "missing.pem"))


# --- a process of its own -------------------------------------------------------------------------

PROGRAM = """
import asyncio, sys
from binwright_server.config import load_config
from binwright_server.observe import configure_logging
from binwright_server.serve import Server, serve_until_signal
from harness import SlowSolver, one_pod_per_node
config = load_config(flags={"address": "127.0.0.1:0", "workers": 2, "log_format": "json"})
configure_logging(config.log_format, config.log_level)
solver = SlowSolver() if sys.argv[1] == "slow" else one_pod_per_node
asyncio.run(serve_until_signal(lambda: Server(config, solver), grace_s=float(sys.argv[2])))
"""

PROGRAM_WITH_OPTIMIZER = """
from binwright_server.config import load_config
from binwright_server.serve import run
run(load_config(flags={"address": "127.0.0.1:0", "workers": 1, "log_format": "json"}))
"""


class Process:
    """A server in a process of its own."""

    def __init__(self, program: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=TESTS,
        )
        assert self._process.stdout is not None
        announced = self._process.stdout.readline()
        if not announced:
            pytest.fail(f"the server did not start: {self._process.communicate()[1]}")
        self.address = announced.rpartition(" ")[2].strip()
        self.log: list[dict[str, object]] = []

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        _, log = self._process.communicate(timeout=60)
        self.log = [json.loads(line) for line in log.splitlines()]
        return self._process.returncode

    def end(self) -> None:
        with self._process:  # closes its pipes
            self._process.kill()


@pytest.fixture
def started() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.end()


def test_process_serves_logs_and_ends_on_sigterm(started: list[Process]) -> None:
    started.append(Process(PROGRAM, "quick", "30"))
    with Client(started[0].address) as client:
        assert client.is_serving(timeout=30)
        for _ in range(3):
            assert client.solve(solve_request(), timeout=30).node_claims
    started[0].signal(signal.SIGTERM)
    assert started[0].wait() == 0
    events = [entry["event"] for entry in started[0].log]
    assert events == ["serving", "call", "call", "call", "draining", "stopped"]
    assert started[0].log[1]["code"] == "OK"


def test_process_with_the_optimizer_answers_with_a_proven_bound(started: list[Process]) -> None:
    started.append(Process(PROGRAM_WITH_OPTIMIZER))
    with Client(started[0].address, timeout=60) as client:
        assert client.is_serving()
        request = solve_request(pods=8, deadline_s=60)
        decision = client.solve(request)
    assert (decision.hourly_cost_usd, decision.gap) == (0.2, 0)
    assert verify_locally(request, decision) == []
    started[0].signal(signal.SIGTERM)
    assert started[0].wait() == 0


def test_process_lets_a_call_end_after_sigterm(started: list[Process]) -> None:
    started.append(Process(PROGRAM, "slow", "30"))
    results: list[int] = []
    with Client(started[0].address) as client:
        assert client.is_serving(timeout=30)
        request = solve_request(deadline_s=1)
        thread = threading.Thread(
            target=lambda: results.append(len(client.solve(request, timeout=30).node_claims))
        )
        thread.start()
        threading.Event().wait(0.3)
        started[0].signal(signal.SIGTERM)
        thread.join(30)
    assert started[0].wait() == 0
    assert results == [1]


def test_second_signal_ends_calls_under_way(started: list[Process]) -> None:
    started.append(Process(PROGRAM, "slow", "60"))
    failures: list[Exception] = []

    def ask(client: Client) -> None:
        try:
            client.solve(solve_request(deadline_s=60), timeout=60)
        except RpcError as error:
            failures.append(error)

    with Client(started[0].address, retry=ONCE) as client:
        assert client.is_serving(timeout=30)
        thread = threading.Thread(target=ask, args=(client,))
        thread.start()
        threading.Event().wait(0.3)
        started[0].signal(signal.SIGTERM)
        threading.Event().wait(0.3)
        started[0].signal(signal.SIGINT)
        thread.join(30)
    assert started[0].wait() == 0
    assert len(failures) == 1
    assert "ending calls under way" in [entry["event"] for entry in started[0].log]


# --- logs -----------------------------------------------------------------------------------------


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("binwright_server").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def test_unexpected_error_is_logged_with_its_id_and_traceback(
    restored_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(problem, params, stop=None, on_progress=None):  # type: ignore[no-untyped-def]
        raise ZeroDivisionError("the cause")

    configure_logging("json", "info")
    with serving(failing) as server, Client(server.address) as client, pytest.raises(RpcError) as caught:
        client.solve(solve_request(), timeout=30)
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    error = next(entry for entry in entries if entry["event"] == "unexpected error")
    assert error["error_id"] in str(caught.value)
    assert "ZeroDivisionError: the cause" in error["exception"]
    assert error["level"] == "error"


def test_console_log_is_readable_and_levels_are_kept(
    restored_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("console", "warning")
    structlog.get_logger("binwright_server.test").info("hidden")
    structlog.get_logger("binwright_server.test").warning("shown", pods=3)
    logging.getLogger("another.library").warning("from elsewhere")
    text = capsys.readouterr().err
    assert "hidden" not in text
    assert "shown" in text
    assert "pods=3" in text
    assert "from elsewhere" in text
