"""Keeps a plan for the state: solves again in the background once the cluster has changed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from binwright_optimizer.errors import BinwrightError
from binwright_optimizer.model.quantity import MICROUSD
from binwright_optimizer.params import SolveParams

from binwright_server.answer import Solver, UntilAbandoned
from binwright_server.scheduling.plan import Plan, PlanningProblem, numbered
from binwright_server.scheduling.state import ClusterState
from binwright_server.workers import Workers

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PlannerParams:
    """How often and how long the planner works.

    Parameters
    ----------
    settle_s
        Rest after a change, so that one solve takes in a burst of them.
    solve_s
        Longest solve; it stops earlier at ``gap``.
    rest_s
        Least time between two solves.
    """

    settle_s: float = 0.2
    solve_s: float = 2.0
    gap: float = 0.005
    rest_s: float = 5.0


class Planner:
    """Solves in a worker thread; to be made in the loop that changes the state.

    Parameters
    ----------
    on_plan
        Awaited in the loop with each new plan.
    """

    def __init__(
        self,
        state: ClusterState,
        solver: Solver,
        workers: Workers,
        on_plan: Callable[[Plan], Awaitable[None]],
        params: PlannerParams = PlannerParams(),
    ) -> None:
        self._state = state
        self._solver = solver
        self._workers = workers
        self._on_plan = on_plan
        self._params = params
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._planned_for = 0
        """`ClusterState.changes` that the latest plan takes in; 0 where there is none, or it failed."""

    def start(self) -> None:
        """Begin to plan."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End; a solve under way is abandoned."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def note_change(self) -> None:
        """The state may have changed; updates that change nothing (the feed's heartbeats) cost no plan."""
        if self._state.changes != self._planned_for:
            self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(self._params.settle_s)
            self._changed.clear()
            self._planned_for = self._state.changes
            try:
                await self._plan_once()
            except BinwrightError as error:
                self._planned_for = 0  # the next update tries again
                _log.error("no plan for the cluster", reason=str(error))
            except Exception:
                # The plan in force stays; scores go on. A bug in one plan must not end all planning.
                self._planned_for = 0
                _log.exception("planning failed")
            await asyncio.sleep(self._params.rest_s)

    async def _plan_once(self) -> None:
        if not self._state.has_snapshot:
            return
        # Copies of mappings of frozen records: the loop may change the state meanwhile.
        nodes, pods = dict(self._state.nodes), dict(self._state.pods)
        namespaces = self._state.namespaces.copy()

        def job(cancel: threading.Event) -> Plan | None:
            planning = PlanningProblem(nodes, pods, namespaces)
            if planning.is_empty:
                return None
            params = SolveParams(deadline_s=self._params.solve_s, gap=self._params.gap)
            stop = UntilAbandoned(self._params.solve_s, cancel)
            return planning.plan(self._solver(planning.problem(), params, stop))

        plan = await self._workers.run(job)
        if plan is None:
            return
        self._number += 1
        _log.info(
            "plan",
            number=self._number,
            nodes=len(nodes),
            kept=sum(node.is_kept for node in plan.nodes),
            dollars_per_hour=plan.cost / MICROUSD,
            bound=plan.bound / MICROUSD,
            now=plan.current_cost / MICROUSD,
            unplaced=plan.unplaced,
            **({"warnings": plan.warnings} if plan.warnings else {}),
        )
        await self._on_plan(numbered(plan, self._number))
