"""``binwright extender`` as a process: watching a cluster, behind TLS and tokens, and its options."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from binwright_server.config import ServerConfig
from certificates import made_certificates
from extender_harness import node_json, pod_json
from extender_process import COMMAND, Extender, Start, eventually
from fake_api_server import FakeApiServer, api_server
from harness import serving
from scraped import counts


@pytest.fixture
def cluster() -> Iterator[FakeApiServer]:
    with api_server() as fake:
        fake.put("nodes", node_json("a"))
        fake.put("nodes", node_json("b", "1500m"))
        fake.put("pods", pod_json("daemon", "1", nodeName="b"))
        yield fake


def test_watch_keeps_the_picture_current_through_changes_and_restarts(
    cluster: FakeApiServer, start: Start, tmp_path: Path
) -> None:
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    with serving(config=config):
        extender = start(
            "--server", config.address, "--watch", "--kubeconfig", str(kubeconfig), "--budget", "20"
        )

        def passed(cpu: str = "1") -> list[str]:
            return list(extender.webhook.filter(pod_json("web", cpu), ["a", "b"])["NodeNames"] or ())

        eventually(lambda: passed() == ["a"])
        cluster.remove("pods", "daemon")
        eventually(lambda: passed() == ["a", "b"])
        cluster.put("pods", pod_json("big", "4", nodeName="a"))
        eventually(lambda: passed() == ["b"])
        done = pod_json("big", "4", nodeName="a")
        done["status"]["phase"] = "Succeeded"
        cluster.put("pods", done)
        eventually(lambda: passed() == ["a", "b"])
        lists = cluster.lists
        cluster.expire()
        eventually(lambda: cluster.lists > lists)
        cluster.remove("nodes", "b")
        eventually(lambda: passed() == ["a"])
        broken = node_json("broken")
        broken["status"]["allocatable"] = {"cpu": "x"}
        cluster.put("nodes", broken)
        cluster.put("nodes", node_json("b"))
        eventually(lambda: passed() == ["a", "b"])
    with serving(config=config):  # it knows nothing, is told again, and the call under way waits for it
        assert passed("3") == ["a", "b"]
    code, log = extender.stop()
    assert code == 0
    assert "Traceback" not in log
    assert log.count("node broken is left out: Node: status.allocatable[cpu]") == 1


def test_unreachable_api_server_is_told_in_the_protocols_form_and_in_the_log(
    start: Start, tmp_path: Path
) -> None:
    """Nobody listens where the kubeconfig leads: no answer from nothing, and the webhook goes on."""
    with api_server() as gone:
        kubeconfig = gone.write_kubeconfig(tmp_path / "kubeconfig")
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    with serving(config=config):
        extender = start(
            "--server", config.address, "--watch", "--kubeconfig", str(kubeconfig), "--budget", "0.3"
        )
        for _ in range(2):
            answer = extender.webhook.filter(pod_json(), ["a"])
            assert answer["NodeNames"] is None
            assert "send a snapshot" in answer["Error"]
        whole = extender.webhook.post("filter", {"Pod": pod_json(), "Nodes": {"items": [node_json("a")]}})
        assert whole[1]["Nodes"]["items"], "questions that bring their nodes are answered all the same"
    code, log = extender.stop()
    assert code == 0
    assert log.count("the cluster is not followed, trying again") == 1
    assert f"127.0.0.1:{gone.port}" in log
    assert "Connection refused" in log
    assert "urllib3" not in log
    assert "Traceback" not in log


def test_tls_and_tokens_on_both_sides(start: Start, tmp_path: Path) -> None:
    certificates = made_certificates(tmp_path)
    token = tmp_path / "token"
    token.write_text("secret\n")
    config = ServerConfig(
        address="localhost:0",
        workers=1,
        tls_cert=str(certificates / "server.pem"),
        tls_key=str(certificates / "server.key"),
        token_file=str(token),
    )
    with serving(config=config) as server:
        https = (
            "--http-cert",
            str(certificates / "server.pem"),
            "--http-key",
            str(certificates / "server.key"),
        )
        ours = ("--server", server.address, "--tls-ca", str(certificates / "ca.pem"), "--budget", "0.5")
        trusted = start(*ours, "--token-file", str(token), *https)
        stranger = start(*ours, *https)
        context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))

        def ask(extender: Extender) -> str:
            body = json.dumps({"Pod": pod_json(), "Nodes": {"items": [node_json("a")]}}).encode()
            url = extender.url.replace("127.0.0.1", "localhost") + "/filter"
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30, context=context) as reply:
                return str(json.loads(reply.read())["Error"])

        assert trusted.url.startswith("https://")
        assert ask(trusted) == ""
        assert "no bearer token" in ask(stranger)
        other = tmp_path / "other"
        other.mkdir()
        wrong = ("--server", server.address, "--tls-ca", str(made_certificates(other) / "ca.pem"))
        assert "CERTIFICATE_VERIFY_FAILED" in ask(start(*wrong, "--budget", "0.5", *https))


def test_certificates_are_read_again_on_both_sides(start: Start, tmp_path: Path) -> None:
    """Everything is signed anew by another authority: callers, webhook and server go on without a restart."""
    for name in ("old", "new", "used"):
        (tmp_path / name).mkdir()
    old, new = made_certificates(tmp_path / "old"), made_certificates(tmp_path / "new")
    used = tmp_path / "used"
    shutil.copytree(old, used, dirs_exist_ok=True)
    config = ServerConfig(
        address="localhost:0", workers=1, tls_cert=str(used / "server.pem"),
        tls_key=str(used / "server.key"), tls_client_ca=str(used / "ca.pem"),
    )  # fmt: skip
    body = json.dumps({"Pod": pod_json(), "Nodes": {"items": [node_json("a")]}}).encode()

    def asked(authority: Path) -> str:
        context = ssl.create_default_context(cafile=str(authority / "ca.pem"))
        context.load_cert_chain(authority / "client.pem", authority / "client.key")
        url = extender.url.replace("127.0.0.1", "localhost") + "/filter"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30, context=context) as reply:
            return str(json.loads(reply.read())["Error"])

    with serving(config=config) as server:
        extender = start(
            "--server", server.address, "--tls-ca", str(used / "ca.pem"), "--budget", "2",
            "--tls-cert", str(used / "client.pem"), "--tls-key", str(used / "client.key"),
            "--http-cert", str(used / "server.pem"), "--http-key", str(used / "server.key"),
            "--http-client-ca", str(used / "ca.pem"),
        )  # fmt: skip
        assert asked(old) == ""
        for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key"):
            (used / f"{name}.new").write_bytes((new / name).read_bytes())
            (used / f"{name}.new").replace(used / name)
        assert asked(new) == ""
        with pytest.raises((urllib.error.URLError, ConnectionError, ssl.SSLError)):
            asked(old)


def test_webhook_answers_only_health_and_metrics_without_a_certificate(start: Start, tmp_path: Path) -> None:
    """kube-scheduler's certificate is of the authority; another of its own making ends in the handshake."""
    for name in ("ours", "other"):
        (tmp_path / name).mkdir()
    certificates, other = made_certificates(tmp_path / "ours"), made_certificates(tmp_path / "other")
    with serving() as server:
        extender = start(
            "--server", server.address, "--http-client-ca", str(certificates / "ca.pem"), "--budget", "0.5",
            "--http-cert", str(certificates / "server.pem"), "--http-key", str(certificates / "server.key"),
        )  # fmt: skip
        address = extender.url.replace("127.0.0.1", "localhost")
        body = json.dumps({"Pod": pod_json(), "Nodes": {"items": [node_json("a")]}}).encode()

        def asked(path: str, shown: Path | None = None) -> tuple[int, Any]:
            context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
            if shown is not None:
                context.load_cert_chain(shown / "client.pem", shown / "client.key")
            data = None if path in ("/healthz", "/readyz", "/metrics") else body
            request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=30, context=context) as reply:
                    content = reply.read()
                    return reply.status, content if data is None else json.loads(content)
            except urllib.error.HTTPError as refusal:
                with refusal:
                    return refusal.code, json.loads(refusal.read())

        for verb in ("/filter", "/prioritize", "/preempt", "/bind", "/nowhere"):
            assert asked(verb) == (401, {"Error": "binwright: no client certificate"})
        assert asked("/healthz") == asked("/readyz") == (200, b"ok\n")
        text = asked("/metrics")[1].decode()
        refused = counts(text, "binwright_extender_requests_total", "verb", "outcome")
        assert refused == {(verb, "refused"): 1 for verb in ("filter", "prioritize", "preempt", "bind")}
        assert asked("/filter", certificates)[1]["Error"] == ""
        with pytest.raises((urllib.error.URLError, ConnectionError, ssl.SSLError)):
            asked("/filter", other)
        assert asked("/filter", certificates)[1]["Nodes"]["items"], "the next call is served"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False)


def test_printed_configuration_is_the_one_that_kube_scheduler_reads() -> None:
    files = ("--url-ca", "/etc/ca.crt", "--url-cert", "/etc/us.crt", "--url-key", "/etc/us.key")
    finished = run("--print-config", "--url", "https://extender:8888", *files)
    configuration = yaml.safe_load(finished.stdout)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert configuration["apiVersion"] == "kubescheduler.config.k8s.io/v1"
    assert configuration["kind"] == "KubeSchedulerConfiguration"
    assert configuration["extenders"] == [
        {
            "urlPrefix": "https://extender:8888",
            "filterVerb": "filter",
            "prioritizeVerb": "prioritize",
            "preemptVerb": "preempt",
            "weight": 10,
            "nodeCacheCapable": True,
            "ignorable": True,
            "httpTimeout": "5s",
            "enableHTTPS": True,
            "tlsConfig": {"caFile": "/etc/ca.crt", "certFile": "/etc/us.crt", "keyFile": "/etc/us.key"},
        }
    ]
    assert (
        yaml.safe_load(run("--print-config").stdout)["extenders"][0]["urlPrefix"] == "http://127.0.0.1:8888"
    )


@pytest.mark.parametrize(
    ("options", "connection"),
    [
        ((), {"kubeconfig": "/etc/kubernetes/scheduler.conf"}),
        (("--scheduler-kubeconfig", "/etc/own.conf"), {"kubeconfig": "/etc/own.conf"}),
        (("--scheduler-kubeconfig", ""), None),
    ],
)
def test_printed_configuration_leads_kube_scheduler_to_its_api_server(
    options: tuple[str, ...], connection: dict[str, str] | None
) -> None:
    """kube-scheduler ignores --kubeconfig beside --config."""
    configuration = yaml.safe_load(run("--print-config", *options).stdout)
    assert configuration.get("clientConnection") == connection


def test_tls_files_that_cannot_work_are_refused_at_the_start(tmp_path: Path) -> None:
    files = made_certificates(tmp_path)
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    pair = ("--tls-cert", str(files / "client.pem"), "--tls-key", str(files / "server.key"))
    for options, message in (
        (("--tls-ca", str(garbage)), "garbage.pem: holds no certificate"),
        (pair, "server.key: is not the key of the certificate in"),
    ):
        finished = run(*options, "--server", "localhost:1", "--address", "127.0.0.1:0")
        assert finished.returncode == 2
        assert message in " ".join(finished.stderr.split())
        assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--address", "here"), "--address: must be HOST:PORT or [IPV6]:PORT (got 'here')"),
        (("--http-cert", __file__), "--http-cert and --http-key go together"),
        (("--http-cert", __file__, "--http-key", __file__), "no certificate with its key"),
        (("--kubeconfig", __file__), "--kubeconfig and --context need --watch or --bind"),
        (("--watch", "--kubeconfig", __file__), "gives no access to a cluster"),
        (("--http-client-ca", __file__), "--http-client-ca needs --http-cert and --http-key"),
        (("--url", "http://x"), "--url, --url-ca, --url-cert and --url-key need --print-config"),
        (("--scheduler-kubeconfig", "x"), "--scheduler-kubeconfig needs --print-config"),
        (("--print-config", "--url-cert", "x"), "--url-cert and --url-key go together"),
        (
            ("--print-config", "--url-cert", "x", "--url-key", "y"),
            "--url-cert: is of use with an https:// URL only",
        ),
        (("--print-config", "--address", "0.0.0.0:8888"), "--url: is needed with --address 0.0.0.0:8888"),
        (("--print-config", "--address", "[::]:8888"), "--url: is needed with --address [::]:8888"),
        (("--print-config", "--address", "127.0.0.1:0"), "--url: is needed with --address 127.0.0.1:0"),
        (("--print-config", "--url", "x"), "--url: must begin with http:// or https://"),
        (("--print-config", "--url-ca", "x"), "--url-ca: is of use with an https:// URL only"),
        (("--address", "192.0.2.1:1"), "--address: cannot listen on 192.0.2.1:1"),
    ],
)
def test_wrong_options_are_one_message(options: tuple[str, ...], message: str) -> None:
    finished = run(*options)
    assert finished.returncode == 2
    assert message in " ".join(finished.stderr.split())
    assert "Traceback" not in finished.stderr
