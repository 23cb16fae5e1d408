"""Options that say who does the work of a plan, and where what is done is kept."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from binwright_optimizer.planning.checkpoint import Checkpoint
    from binwright_optimizer.planning.engine import Engine

LOCAL, DASK = "local", "dask"


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Who does the work.

    Parameters
    ----------
    dask_address
        Of a scheduler; None starts a cluster on this machine.
    workers
        Processes; None means one for each processor.
    checkpoint
        Folder of results; None keeps none.
    """

    engine: str = LOCAL
    dask_address: str | None = None
    workers: int | None = None
    checkpoint: Path | None = None

    @contextmanager
    def opened(self) -> Iterator[tuple[Engine, Checkpoint | None]]:
        """The engine while it is needed, and the checkpoint.

        Raises
        ------
        PlanningError
            If the cluster cannot be reached or the folder cannot be written.
        """
        # Imported on first use: they load the solver.
        from binwright_optimizer.planning.checkpoint import Checkpoint
        from binwright_optimizer.planning.engine import LocalEngine

        checkpoint = None if self.checkpoint is None else Checkpoint(self.checkpoint)
        workers = self.workers or os.cpu_count() or 1
        if self.engine == LOCAL:
            with LocalEngine(workers) as local:
                yield local, checkpoint
            return
        from binwright_optimizer.planning.engine.dask import DaskEngine

        with DaskEngine(self.dask_address, workers) as cluster:
            yield cluster, checkpoint


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as ``engine``."""

    @click.option(
        "--engine",
        "engine_name",
        type=click.Choice([LOCAL, DASK]),
        help="Who solves the node mixes: processes of this machine, or a Dask cluster.  [default: local]",
    )
    @click.option(
        "--dask-address",
        metavar="ADDRESS",
        help="Scheduler of a cluster that exists, such as tcp://10.0.0.5:8786; without it --engine dask "
        "starts one on this machine.",
    )
    @click.option(
        "--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes.  [default: processors]"
    )
    @click.option(
        "--checkpoint",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Keep what is solved here; the same command goes on from there after a kill. The answer is the "
        "same as long as --deadline does not bind; else what is kept saves time for further rounds.",
    )
    @functools.wraps(command)
    def with_engine(
        *arguments: Any,
        engine_name: str | None,
        dask_address: str | None,
        workers: int | None,
        checkpoint: Path | None,
        **options: Any,
    ) -> Any:
        if dask_address is not None and engine_name == LOCAL:
            raise click.UsageError("--dask-address needs --engine dask.")
        if dask_address is not None and workers is not None:
            raise click.UsageError("--workers is for processes of this machine, not for --dask-address.")
        name = engine_name or (LOCAL if dask_address is None else DASK)
        return command(*arguments, engine=EngineChoice(name, dask_address, workers, checkpoint), **options)

    return with_engine
