"""When the planner of the scheduling API makes a new plan, with its solver under count."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from binwright_optimizer.errors import BinwrightError
from binwright_server.scheduling.planner import Planner, PlannerParams
from binwright_server.scheduling.service import SchedulingService
from binwright_server.scheduling.state import ClusterState
from clusters import Cluster, delta, template

QUICK = PlannerParams(settle_s=0.0, rest_s=0.0)


class DroppedPlanError(Exception):
    """Ends a plan in the stand-in for the solver: that it was begun is all that counts here."""


class AtOnce:
    """Runs jobs where they are asked for."""

    async def run(self, job: Callable[[threading.Event], Any]) -> Any:
        with contextlib.suppress(DroppedPlanError):
            return job(threading.Event())


def solves_after(*updates: Cluster, failing: int = 0) -> list[int]:
    """Number of solves begun after each update."""
    solves = 0

    def solver(*_: object) -> Any:
        nonlocal solves
        solves += 1
        if solves <= failing:
            raise BinwrightError("not now")
        raise DroppedPlanError

    async def run() -> list[int]:
        state = ClusterState()
        planner = Planner(state, solver, AtOnce(), kept, QUICK)  # type: ignore[arg-type]
        service = SchedulingService(state, lambda _: planner.note_change())
        planner.start()
        found = []
        for update in updates:
            await service.UpdateCluster(update.update, None)  # type: ignore[arg-type]
            for _ in range(20):
                await asyncio.sleep(0)
            found.append(solves)
        await planner.close()
        return found

    async def kept(_plan: object) -> None:
        pass

    return asyncio.run(run())


def test_heartbeats_of_the_feed_make_no_new_plan() -> None:
    first = Cluster().node("a", version="1").pod("p", "a", version="2", uid="u")
    assert solves_after(first, delta(), delta(), delta()) == [1, 1, 1, 1]


def test_objects_that_come_again_with_another_version_only_make_no_new_plan() -> None:
    """The kubelet writes its node's status every few minutes; a pod's status is written, too."""
    first = Cluster().node("a", version="1").pod("p", "a", version="2", uid="u")
    again = delta().node("a", version="3").pod("p", "a", version="4", uid="u")
    assert solves_after(first, again) == [1, 1]


@pytest.mark.parametrize(
    "change",
    [
        delta().node("b"),
        delta().node("a", taint="t"),
        delta().without_node("a"),
        delta().pod("q"),
        delta().pod("q", "a"),
        delta().pod("p", "a", template("2"), uid="u"),
        delta().without_pod("p"),
        delta().without_pod("waiting"),
        Cluster("e2").node("a").pod("p", "a"),
    ],
)
def test_every_real_change_makes_a_new_plan(change: Cluster) -> None:
    first = Cluster().node("a").node("z").pod("p", "a", uid="u").pod("r", "z").pod("waiting")
    assert solves_after(first, change, delta(change.update.epoch)) == [1, 2, 2]


def test_a_plan_that_failed_is_tried_again_with_the_next_heartbeat() -> None:
    assert solves_after(Cluster().node("a").pod("p", "a"), delta(), delta(), failing=1) == [1, 2, 2]
