"""Tasks on a Dask cluster: one that exists, by its address, or one started on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from binwright_optimizer.planning.engine.engine import MOST_LOSSES, Check, EngineError
from binwright_optimizer.planning.tasks import Task

if TYPE_CHECKING:
    from distributed import Client, Future

POLL_S = 0.5
"""Seconds between two checks whether the caller gives up."""
CONNECT_S = 30.0
"""Seconds to reach a scheduler, or for a cluster of our own to start."""
AHEAD = 3
"""Tasks handed to the scheduler for each worker, so that none waits for the next."""


class DaskEngine:
    """A client of a Dask cluster, whose workers must have the same version installed.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://10.0.0.5:8786``; None starts a cluster on this machine.
    workers
        Processes of a cluster of our own.

    Raises
    ------
    EngineError
        If Dask is not installed, or the scheduler cannot be reached.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        try:
            from distributed import Client, LocalCluster
            from distributed.comm.addressing import parse_address, parse_host_port
        except ImportError as error:
            raise EngineError("Dask is not installed: pip install 'binwright[dask]'") from error
        self._cluster: Any = None
        try:
            if address is None:
                # One thread each: the kernels use threads of their own.
                self._cluster = LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
                )
            else:
                # A client of an address that is none is left half made, and complains at the exit.
                parse_host_port(parse_address(address)[1])
            target = address if self._cluster is None else self._cluster
            self._client: Client = Client(target, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            self._close_cluster()
            raise EngineError(f"no Dask scheduler at {address}: {error}") from error

    def __enter__(self) -> DaskEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; one of our own ends."""
        self._client.close()
        self._close_cluster()

    def _close_cluster(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None

    def run(self, tasks: Sequence[Task], check: Check) -> Iterator[tuple[int, dict[str, Any]]]:
        """Index and result of each task as it ends; see `Engine.run`."""
        from distributed import KilledWorker, wait
        from distributed.client import FutureCancelledError

        todo = list(range(len(tasks)))[::-1]
        running: dict[Future, int] = {}
        try:
            while todo or running:
                check()
                most = AHEAD * max(1, sum(self._client.nthreads().values()))
                while todo and len(running) < most:
                    at = todo.pop()
                    running[self._submit(tasks[at])] = at
                try:
                    with self._client.as_current():
                        ended = wait(list(running), timeout=POLL_S, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    continue
                for future in ended:
                    at = running.pop(future)
                    yield at, future.result()
        except KilledWorker as error:
            raise EngineError(f"Dask workers end over one task again and again: {error}") from error
        except (FutureCancelledError, OSError) as error:
            raise EngineError(f"the Dask scheduler is gone: {error}") from error
        finally:
            self._client.cancel(list(running), reason="the plan is given up")

    def _submit(self, task: Task) -> Future:
        # The key makes equal tasks of several planners one; Dask itself repeats those of lost workers.
        return self._client.submit(_do, task, key=f"binwright-{task.key}", retries=MOST_LOSSES, pure=True)


def _do(task: Task) -> dict[str, Any]:
    return task.run()
