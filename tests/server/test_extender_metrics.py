"""What Prometheus reads of the extender: calls by verb and outcome, and how old its picture is."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from binwright_clients.cluster.errors import ConflictError, UnreachableError
from binwright_clients.extender.run import picture_of
from binwright_server.config import ServerConfig
from clusters import Cluster
from extender_harness import Webhook, extending, node_json, pod_json, put
from extender_process import Start, eventually
from fake_api_server import api_server
from harness import serving
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from scraped import counts, kinds, scrape, value

REQUESTS = "binwright_extender_requests_total"
SECONDS = "binwright_extender_request_seconds"
AGE = "binwright_extender_cluster_age_seconds"
BINDING = {"PodName": "web", "PodNamespace": "default", "PodUID": "uid-web", "Node": "a"}


def counted(webhook: Webhook) -> dict[tuple[str, ...], float]:
    return counts(scrape(webhook.port)[1], REQUESTS, "verb", "outcome")


def test_calls_are_counted_and_timed_by_verb() -> None:
    with serving() as server, extending(server.address) as webhook:
        put(server.address, Cluster().node("a"))
        for _ in range(2):
            assert webhook.filter(pod_json(), ["a"])["NodeNames"] == ["a"]
        assert webhook.post("prioritize", {"Pod": pod_json(), "NodeNames": ["a"]})[0] == 200
        assert webhook.post("prioritize", b"no JSON")[0] == 400
        assert webhook.filter(pod_json(cpu="x"), ["a"])["Error"]
        content_type, text = scrape(webhook.port)
    assert content_type.startswith("text/plain; version=")
    assert kinds(text) == {"binwright_extender_requests": "counter", SECONDS: "histogram"}
    assert counts(text, REQUESTS, "verb", "outcome") == {
        ("filter", "ok"): 2,
        ("filter", "refused"): 1,
        ("prioritize", "ok"): 1,
        ("prioritize", "refused"): 1,
    }
    assert counts(text, f"{SECONDS}_count", "verb") == {("filter",): 3, ("prioritize",): 2}
    assert value(text, f"{SECONDS}_bucket", verb="filter", le="+Inf") == 3
    assert value(text, f"{SECONDS}_bucket", verb="filter", le="0.02") is not None, "the aim is a bucket"
    assert value(text, f"{SECONDS}_sum", verb="filter") > 0
    assert value(text, REQUESTS, verb="preempt", outcome="ok") == 0, "told before it happens"
    assert value(text, AGE) is None, "no cluster is watched"


def test_server_that_is_away_is_told_apart_from_one_that_knows_no_cluster() -> None:
    with extending("127.0.0.1:1", budget_s=0.3) as webhook:
        for _ in range(2):
            assert webhook.filter(pod_json(), ["a"])["Error"]
        assert counted(webhook) == {("filter", "unreachable"): 2}
        waited_s = value(scrape(webhook.port)[1], f"{SECONDS}_sum", verb="filter")
        assert waited_s is not None
        assert waited_s >= 0.3, "the first has waited in vain"
    with serving() as server, extending(server.address, budget_s=0.3) as webhook:
        assert webhook.post("prioritize", {"Pod": pod_json(), "NodeNames": ["a"]})[0] == 503
        assert counted(webhook) == {("prioritize", "failed"): 1}


def test_bindings_are_counted_by_what_the_api_server_said() -> None:
    said: list[Exception | None] = [None, UnreachableError("no route"), ConflictError("it has a node")]

    class Binder:
        def bind(self, _: object) -> None:
            error = said.pop(0)
            if error is not None:
                raise error

    binder: Any = Binder()
    with extending("127.0.0.1:1", binder=binder) as webhook:
        answers = [webhook.post("bind", BINDING)[1]["Error"] for _ in range(3)]
        assert counted(webhook) == {("bind", "ok"): 1, ("bind", "unreachable"): 1, ("bind", "failed"): 1}
    assert answers == ["", "binwright: no route", "binwright: it has a node"]


def test_who_asks_for_open_metrics_gets_them() -> None:
    with extending("127.0.0.1:1") as webhook:
        content_type, text = scrape(webhook.port, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    names = {family.name for family in text_string_to_metric_families(text)}  # demands its last line
    assert names == {"binwright_extender_requests", SECONDS}


def test_picture_of_a_watched_cluster_ages_while_the_server_is_not_told(start: Start, tmp_path: Path) -> None:
    """Two nodes, then three; the server is told twice a second while it is there."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    with api_server() as cluster:
        cluster.put("nodes", node_json("a"))
        cluster.put("nodes", node_json("b"))
        cluster.unlistable = frozenset({"pods"})
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        extender = start("--server", config.address, "--watch", "--kubeconfig", str(kubeconfig))

        def told(name: str) -> float:
            found = value(scrape(extender.webhook.port)[1], f"binwright_extender_{name}")
            assert found is not None
            return found

        eventually(lambda: told("nodes") == 2)
        assert told("cluster_listed") == 0
        assert math.isnan(told("cluster_age_seconds"))
        cluster.unlistable = frozenset()
        eventually(lambda: told("cluster_listed") == 1)
        assert math.isnan(told("cluster_age_seconds")), "there is no server yet"
        with serving(config=config):
            eventually(lambda: told("cluster_age_seconds") >= 0)
            cluster.put("nodes", node_json("c"))
            eventually(lambda: told("nodes") == 3)
            eventually(lambda: told("cluster_age_seconds") < 2)
        eventually(lambda: told("cluster_age_seconds") > 3)
        with serving(config=config):
            eventually(lambda: told("cluster_age_seconds") < 2)
        assert extender.stop()[0] == 0


def test_picture_is_no_younger_than_its_watch() -> None:
    """The server is told that nothing has changed, twice a second, for as long as nobody sees what does."""

    def age_s(told_s: float, unfollowed_s: float) -> float:
        feed: Any = SimpleNamespace(age_s=lambda: told_s, nodes=lambda: 1, unlisted=tuple)
        watch: Any = SimpleNamespace(unfollowed_s=lambda: unfollowed_s)
        return picture_of(feed, watch).age_s()

    assert age_s(0.4, 0.0) == 0.4
    assert age_s(0.4, 90.0) == 90.0
    assert math.isnan(age_s(math.nan, 90.0)), "the server never had any"
