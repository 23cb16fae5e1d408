"""The controller's leader election, and its pauses after failures."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cluster.access import open_cluster
from binwright_clients.cluster.api import ClusterApi
from binwright_clients.cluster.errors import ClusterError, UnreachableError
from binwright_clients.cluster.outage import Outage
from binwright_clients.controller import leader as leader_module
from binwright_clients.controller.leader import DURATION_S, Election, LeaderThread
from binwright_clients.controller.run import TICK_S, _work
from kube_double import KubeDouble, kube_double, write_kubeconfig
from published_schemas import expect_kubernetes


@pytest.fixture
def double() -> Iterator[KubeDouble]:
    with kube_double() as running:
        yield running


@pytest.fixture
def api(double: KubeDouble, tmp_path: Path) -> ClusterApi:
    return open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig"))


def candidate(api: ClusterApi, identity: str, clock: list[float]) -> Election:
    return Election(
        api, "kube-system", identity, lambda: clock[0], lambda: datetime.datetime.now(datetime.UTC)
    )


def test_one_of_two_candidates_leads_until_it_stops_renewing(api: ClusterApi, double: KubeDouble) -> None:
    clock = [100.0]
    one, two = candidate(api, "one", clock), candidate(api, "two", clock)
    assert one.try_once()
    assert not two.try_once()
    for _ in range(10):
        clock[0] += 5.0
        assert one.try_once()
        assert not two.try_once()
    assert one.is_leading()
    clock[0] += DURATION_S - 1
    assert not one.is_leading()  # it must stop before another may begin
    assert not two.try_once()
    clock[0] += 2
    assert two.try_once()
    assert not one.try_once()
    (lease,) = double.all("leases")
    expect_kubernetes(lease)
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("two", 1)


def test_a_released_lease_is_taken_at_once(api: ClusterApi) -> None:
    clock = [100.0]
    one, two = candidate(api, "one", clock), candidate(api, "two", clock)
    assert one.try_once()
    assert not two.try_once()
    one.release()
    assert not one.is_leading()
    assert two.try_once()


def test_a_lease_that_somebody_else_just_took_is_not_ours(api: ClusterApi, double: KubeDouble) -> None:
    one = candidate(api, "one", [100.0])
    double.fail_next = [409]
    assert not one.try_once()
    assert one.try_once()


class Odd(Election):
    """An election whose first try meets what nobody thought of."""

    tries = 0

    def try_once(self) -> bool:
        self.tries += 1
        if self.tries == 1:
            raise ZeroDivisionError("a mistake of ours")
        return super().try_once()


def test_election_goes_on_after_what_nobody_thought_of(
    api: ClusterApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were its thread to end, the controller would stand by for ever, and say nothing."""
    monkeypatch.setattr(leader_module, "RETRY_S", 0.01)
    leads, errors = threading.Event(), list[ClusterError]()
    clock = [100.0]
    election = Odd(api, "kube-system", "one", lambda: clock[0], lambda: datetime.datetime.now(datetime.UTC))
    thread = LeaderThread(election, lambda is_leading: leads.set() if is_leading else None, errors.append)
    thread.start()
    try:
        assert leads.wait(30)
    finally:
        thread.stop()
    assert [str(error) for error in errors] == [
        "leader election failed: ZeroDivisionError('a mistake of ours')"
    ]


class Steps:
    """In the place of a cycle and of the event that ends it: what each tick comes to, and each pause."""

    def __init__(self, *ticks: bool | Exception) -> None:
        self.left = list(ticks)
        self.pauses: list[float] = []

    def wait(self, pause_s: float) -> bool:
        self.pauses.append(pause_s)
        return not self.left

    def is_set(self) -> bool:
        return False

    def tick(self) -> bool:
        step = self.left.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def test_pauses_grow_with_failures_and_end_with_them_even_where_nothing_is_due() -> None:
    """Pods that come after an outage must not wait for the pause of a round that is no longer needed."""
    away = UnreachableError("nobody answers")
    steps = Steps(True, away, away, away, False, False)
    told: list[Any] = []
    outage = Outage(told.append, told.append)
    _work(steps, steps, told.append, outage, may_act=lambda: True)  # type: ignore[arg-type]
    assert steps.pauses == [TICK_S, TICK_S, 1.0, 2.0, 4.0, TICK_S, TICK_S]
