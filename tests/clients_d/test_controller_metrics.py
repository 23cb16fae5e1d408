"""What Prometheus reads of the controller: rounds, NodeClaims, the last decision, who waits and who leads."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from binwright_clients.cluster.access import open_cluster
from binwright_clients.cluster.errors import InvalidError, UnreachableError
from binwright_clients.controller.claims import DECISION_ANNOTATION
from binwright_clients.controller.cycle import Cycle, Plan
from binwright_clients.controller.health import HealthPort
from binwright_clients.controller.metrics import registry_of
from binwright_clients.controller.observation import Observation, Offered, PendingPod
from binwright_clients.controller.run import Settings, run_controller
from binwright_clients.controller.tally import Figures
from binwright_clients.exposition import exposed
from controller_world import World, cycle_of, let_pass, planned
from kube_double import kube_double, node, pod, write_kubeconfig
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from scraped import counts, kinds, scrape, value

ROUNDS = "binwright_controller_rounds_total"
CLAIMS = "binwright_controller_node_claims_total"
DECISION = "binwright_controller_decision"
FIGURES = Figures(cost_microusd=340_000, bound_microusd=289_000, gap=0.15)
"""0.34 $/h with a bound of 0.289 $/h: 15 % lie between them."""


@contextmanager
def watched(world: World, cycle: Cycle) -> Iterator[int]:
    """The port where a cycle's metrics are."""
    registry = registry_of(cycle.tally, lambda: len(world.pods), lambda: world.leads)
    port = HealthPort("127.0.0.1", 0, lambda: "", lambda: "", partial(exposed, registry))
    port.start()
    try:
        yield port.port
    finally:
        port.close()


def test_rounds_are_counted_by_what_came_of_them() -> None:
    """Every round of a day with a claim that takes its time and an API server that goes away."""
    world = World()
    cycle = cycle_of(world)
    with watched(world, cycle) as port:

        def rounds() -> dict[tuple[str, ...], float]:
            return counts(scrape(port)[1], ROUNDS, "outcome")

        world.add("a")
        let_pass(world, cycle, 1.5)
        assert rounds() == {("decided",): 1}
        world.add("b")
        let_pass(world, cycle, 1.5)
        assert rounds() == {("decided",): 1, ("put_off",): 1}, "the claim for a has no machine yet"
        world.launch(world.created[0])
        let_pass(world, cycle, 1.5)
        assert rounds() == {("decided",): 2, ("put_off",): 1}
        world.launch(world.created[1])
        let_pass(world, cycle, 10.5)
        assert rounds() == {("decided",): 2, ("put_off",): 1, ("nothing_new",): 1}
        world.unreachable = True
        world.add("c")
        with pytest.raises(UnreachableError):
            let_pass(world, cycle, 5)
        assert rounds() == {("decided",): 2, ("put_off",): 1, ("nothing_new",): 1, ("failed",): 1}
        assert counts(scrape(port)[1], CLAIMS, "outcome") == {("created",): 2}


def test_claims_that_are_refused_are_counted_as_that() -> None:
    world = World(refuse=InvalidError("spec.taints"))
    cycle = cycle_of(world)
    world.add("a")
    with watched(world, cycle) as port:
        let_pass(world, cycle, 1.5)
        text = scrape(port)[1]
    assert counts(text, CLAIMS, "outcome") == {("refused",): 1}
    assert value(text, CLAIMS, outcome="created") == 0, "told before it happens"


def test_figures_are_those_of_the_last_decision_and_absent_before_the_first() -> None:
    world = World()
    cycle = cycle_of(world, apply=False)
    with watched(world, cycle) as port:
        before = scrape(port)[1]
        assert not [name for name in kinds(before) if name.startswith(DECISION)]
        for figures in (Figures(1, 1, 0.0), FIGURES):
            world.figures = figures
            world.add(str(figures.cost_microusd))
            let_pass(world, cycle, 1.5)
        world.figures = None  # no NodePool is left, and nothing is asked
        world.add("c")
        decided_by = world.now
        let_pass(world, cycle, 1.5)
        content_type, text = scrape(port)
        asked = scrape(port, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("text/plain; version=")
    assert value(text, f"{DECISION}_hourly_cost_usd") == 0.34
    assert value(text, f"{DECISION}_lower_bound_usd") == 0.289
    assert value(text, f"{DECISION}_gap_ratio") == 0.15
    decided_s = value(text, f"{DECISION}_timestamp_seconds")
    assert decided_s is not None
    assert decided_by - 0.5 <= decided_s <= decided_by
    assert {name: kind for name, kind in kinds(text).items() if kind != "gauge"} == {
        "binwright_controller_rounds": "counter",
        "binwright_controller_node_claims": "counter",
    }
    assert asked[0].startswith("application/openmetrics-text")
    assert list(text_string_to_metric_families(asked[1]))


def one_claim_for_all(_: Observation, pods: Iterable[PendingPod], __: Iterable[Offered]) -> Plan:
    claim = planned(list(pods))
    claim.manifest["metadata"]["annotations"][DECISION_ANNOTATION] = "d1"
    del claim.manifest["metadata"]["creationTimestamp"]  # the API server's to say
    return Plan((claim,), figures=FIGURES)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.parametrize(("apply", "outcome"), [(True, "created"), (False, "planned")])
def test_running_controller_tells_what_it_creates_or_would_create(
    apply: bool, outcome: str, tmp_path: Path
) -> None:
    """Two pods wait from the start, for which one claim is planned; a dry run leads nobody."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    settings = Settings(apply, "kube-system", "one", idle_s=0.3, max_s=3.0, health=("127.0.0.1", port))
    stop = threading.Event()

    def text() -> str:
        try:
            return scrape(port)[1]
        except urllib.error.URLError:  # it does not listen yet
            return ""

    with kube_double() as double:
        double.put("nodes", node("n1"))
        double.put("pods", pod("a"))
        double.put("pods", pod("b"))
        api = open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig"))
        thread = threading.Thread(
            target=run_controller, args=(api, one_claim_for_all, settings, stop, lambda _: None), daemon=True
        )
        thread.start()
        try:
            until(lambda: counts(text(), CLAIMS, "outcome") == {(outcome,): 1})
            until(lambda: counts(text(), ROUNDS, "outcome").get(("decided",)) == 1)
            told = text()
        finally:
            stop.set()
            thread.join(60)
        assert not thread.is_alive()
    assert value(told, "binwright_controller_pending_pods") == 2
    assert value(told, "binwright_controller_leading") == (1 if apply else 0)
    assert value(told, f"{DECISION}_hourly_cost_usd") == 0.34
