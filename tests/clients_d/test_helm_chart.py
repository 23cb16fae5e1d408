"""The Helm chart against the programs that it starts; `tests/interop` renders it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from binwright_clients.cli.main import main
from binwright_clients.cli.version import installed_version
from binwright_clients.controller.permissions import controller_permissions
from binwright_clients.extender.app import HEALTH, READY

CHART = Path(__file__).parents[2] / "server" / "helm" / "binwright"
TEMPLATES = sorted((CHART / "templates").iterdir())


def file(name: str) -> Any:
    return yaml.safe_load((CHART / name).read_text())


@pytest.mark.parametrize(("kind", "scope"), [("ClusterRole", "cluster"), ("Role", "namespace")])
def test_the_controller_may_do_what_its_command_asks_for_and_no_more(kind: str, scope: str) -> None:
    (role,) = [manifest for manifest in controller_permissions("default") if manifest["kind"] == kind]
    assert file(f"files/controller-{scope}-rules.yaml") == role["rules"]


def test_chart_and_programs_have_one_version() -> None:
    chart = file("Chart.yaml")
    assert chart["version"] == chart["appVersion"] == installed_version()


@pytest.mark.parametrize("program", ["extender", "controller"])
def test_every_flag_that_a_deployment_passes_exists(program: str) -> None:
    template = (CHART / "templates" / f"{program}.yaml").read_text()
    connection = (CHART / "templates" / "_names.tpl").read_text()
    passed = set(re.findall(r"^ *- (?:\{\{ printf \")?(--[a-z-]+)", template + connection, re.MULTILINE))
    assert "--server" in passed
    command = main.commands[program]
    known = {flag for parameter in command.params for flag in parameter.opts}
    assert isinstance(command, click.Command)
    assert passed <= known


def test_every_setting_that_the_server_is_given_exists() -> None:
    from binwright_server.config import ServerConfig

    template = (CHART / "templates" / "server.yaml").read_text()
    data = template.partition("server.yaml: |")[2].partition("---")[0]
    given = set(re.findall(r"^    ([a-z_]+):", data, re.MULTILINE))
    assert {"address", "tls_cert", "token_file"} <= given
    assert given <= set(ServerConfig.__dataclass_fields__)


def test_every_value_is_used_and_every_value_used_exists() -> None:
    text = "".join(path.read_text() for path in TEMPLATES)
    used = {tuple(match.split(".")) for match in re.findall(r"\.Values\.([A-Za-z.]+)", text)}

    def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        found = set()
        for key, value in values.items():
            is_group = isinstance(value, dict) and value and key not in ("resources", "settings")
            found |= leaves(value, (*path, key)) if is_group else {(*path, key)}
        return found

    assert used == leaves(file("values.yaml"))


def test_kubelets_ask_the_webhook_what_it_answers() -> None:
    template = (CHART / "templates" / "extender.yaml").read_text()
    asked = re.findall(r"(\w+Probe):\n *httpGet: \{path: (\S+), port: (\w+), scheme: (.*)\}", template)
    scheme = "{{ $scheme }}"
    assert asked == [
        ("readinessProbe", READY, "webhook", scheme),
        ("livenessProbe", HEALTH, "webhook", scheme),
    ]


def test_kubelets_ask_the_controller_where_it_listens() -> None:
    template = (CHART / "templates" / "controller.yaml").read_text()
    (port,) = re.findall(r"--health-address=%s:(\d+)", template)
    assert f"{{name: health, containerPort: {port}}}" in template
    asked = re.findall(r"(\w+)Probe:\n *httpGet: \{path: (\S+), port: (\w+)\}", template)
    assert asked == [("readiness", "/readyz", "health"), ("liveness", "/healthz", "health")]


@pytest.mark.parametrize(("program", "flag"), [("extender", "--address"), ("controller", "--health-address")])
def test_prometheus_is_sent_where_the_program_listens(program: str, flag: str) -> None:
    template = (CHART / "templates" / f"{program}.yaml").read_text()
    (port,) = re.findall(rf"{flag}=%s:(\d+)", template)
    told = dict(re.findall(r"^        prometheus\.io/(\w+): (.+)$", template, re.MULTILINE))
    scheme = {"scheme": "{{ lower $scheme }}"} if program == "extender" else {}
    assert told == {"scrape": '"true"', "port": f'"{port}"', **scheme}


def test_the_port_of_the_server_says_whether_its_http2_is_in_tls() -> None:
    """Gateways that believed h2c would speak plain text to a server with certificates."""
    template = (CHART / "templates" / "server.yaml").read_text()
    (told,) = re.findall(r"appProtocol: (.*)", template)
    assert told == "{{ if .Values.tls.secretName }}https{{ else }}kubernetes.io/h2c{{ end }}"
