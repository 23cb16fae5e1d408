"""The permissions of the extender are those that it uses, in print, in the examples and in the chart."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from binwright_clients.cli.main import main
from binwright_clients.cluster.access import open_cluster
from binwright_clients.cluster.api import ClusterApi, Json
from binwright_clients.cluster.errors import ConflictError
from binwright_clients.extender.arguments import BindingArguments
from binwright_clients.extender.binding import Binder
from binwright_clients.extender.cluster import ClusterWatch, Event, Listed
from binwright_clients.extender.permissions import extender_permissions
from click.testing import CliRunner
from kube_double import KubeDouble, kube_double, node, pod, write_kubeconfig
from published_schemas import expect_kubernetes

ROOT = Path(__file__).parents[2]
Request = tuple[str, str, dict[str, str]]


@pytest.fixture
def double() -> Iterator[KubeDouble]:
    with kube_double() as running:
        running.put("nodes", node("n1"))
        running.put("pods", pod("web"))
        yield running


def allowed(*, binds: bool) -> set[tuple[str, str]]:
    """Pairs of resource and verb."""
    found: set[tuple[str, str]] = set()
    for manifest in extender_permissions(binds=binds):
        expect_kubernetes(manifest)
        rules: Any = manifest.get("rules") or []
        for rule in rules:
            assert rule["apiGroups"] == [""]
            found |= {(resource, verb) for resource in rule["resources"] for verb in rule["verbs"]}
    return found


def used(requests: Iterable[Request]) -> set[tuple[str, str]]:
    """What was asked of the API server, as it authorises it."""
    found = set()
    for method, path, query in requests:
        parts = path.removeprefix("/api/v1/").split("/")
        if parts[0] == "namespaces" and len(parts) > 2:
            parts = parts[2:]
        resource = "/".join((parts[0], *parts[2:]))
        verb = "create" if method == "POST" else "get" if len(parts) > 1 else "list"
        found.add((resource, "watch" if "watch" in query else verb))
    return found


def test_following_a_cluster_takes_the_permissions_printed_and_no_more(
    double: KubeDouble, tmp_path: Path
) -> None:
    events: list[Event] = []
    watch = ClusterWatch(open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig")), events.append)
    watch.start()
    ends_at = time.monotonic() + 30
    while used(double.requests) != allowed(binds=False):
        assert time.monotonic() < ends_at, used(double.requests)
        time.sleep(0.02)
    watch.close()
    assert any(isinstance(event, Listed) for event in events)


def test_a_permission_that_is_missing_is_named(
    double: KubeDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As with permissions from before namespaces were watched."""
    double.forbidden = {"namespaces"}
    watch = ClusterWatch(open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig")), lambda _: None)
    watch.start()
    ends_at = time.monotonic() + 30
    while not caplog.records:
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    watch.close()
    assert "the cluster is not followed, trying again" in caplog.text
    assert "/api/v1/namespaces: HTTP 403" in caplog.text


def test_the_shipped_permissions_are_those_that_are_printed() -> None:
    printed = CliRunner().invoke(main, ["extender", "--print-rbac"]).stdout
    shipped = (ROOT / "examples" / "extender-rbac.yaml").read_text()
    assert list(yaml.safe_load_all(shipped)) == list(yaml.safe_load_all(printed))
    binding = CliRunner().invoke(main, ["extender", "--bind", "--print-rbac"]).stdout
    assert list(yaml.safe_load_all(binding)) == list(extender_permissions(binds=True))


@pytest.mark.parametrize("binds", [False, True])
def test_the_chart_gives_the_same_permissions(*, binds: bool) -> None:
    template = (ROOT / "server" / "helm" / "binwright" / "templates" / "extender.yaml").read_text()
    text = template.partition("rules:\n")[2].partition("---")[0]
    plain, _, rest = text.partition("{{- if .Values.extender.bind }}")
    more, _, _ = rest.partition("{{- end }}")
    rules = yaml.safe_load(plain + (more if binds else ""))
    found = {(name, verb) for rule in rules for name in rule["resources"] for verb in rule["verbs"]}
    assert found == allowed(binds=binds)


class AlreadyBound(ClusterApi):
    """An API server that has bound the pod before, by a request whose answer was lost."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def create(self, path: str, body: Json) -> Json:  # noqa: ARG002
        self.requests.append(("POST", path, {}))
        raise ConflictError("pods web: already bound")

    def get(self, path: str) -> Json:
        self.requests.append(("GET", path, {}))
        return pod("web", on="n1")


def test_binding_uses_the_two_permissions_more_that_it_asks_for() -> None:
    """A Binding is created, and where one is there already the pod is looked at."""
    api = AlreadyBound()
    Binder(api, 1.0).bind(BindingArguments("web", "default", "uid-default-web", "n1"))
    assert used(api.requests) == allowed(binds=True) - allowed(binds=False)
