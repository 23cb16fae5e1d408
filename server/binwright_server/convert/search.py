"""How to search: parameters in, progress out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_optimizer.model.decision import relative_gap
from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.quantity import MICROUSD
from binwright_optimizer.params import SolveParams

from binwright_server.convert.catalogs import capacity_types_from_texts
from binwright_server.convert.violations import Violations
from binwright_server.limits import RequestLimits

if TYPE_CHECKING:  # the module of `Progress` loads the compiled kernels, which reading needs not
    from binwright_optimizer.incumbent import Progress

MAX_SEED = 2**31 - 1
"""Largest seed that every random generator in use takes."""

_NANOS = 10**9


def params_from_message(
    message: provisioning_service_pb2.SolveParams, limits: RequestLimits, out: Violations | None = None
) -> SolveParams:
    """The parameters, with the server's defaults where the message is silent.

    Parameters
    ----------
    out
        Collects what is wrong, and the result is not to be used then; without it what is wrong
        is raised.

    Raises
    ------
    InvalidProblemError
        With every wrong field, if ``out`` is not given.
    """
    found = Violations() if out is None else out
    deadline_s = limits.default_deadline_s
    if message.HasField("deadline"):
        asked = message.deadline.seconds + message.deadline.nanos / _NANOS
        if 0 < asked <= limits.max_deadline_s and abs(message.deadline.nanos) < _NANOS:
            deadline_s = asked
        else:
            wanted = f"must be above 0 s and at most {limits.max_deadline_s:g} s"
            found.add("params.deadline", f"{asked:g}s", wanted)
    gap = message.gap if message.HasField("gap") else limits.default_gap
    if not 0 <= gap < 1:  # also true of NaN
        found.add("params.gap", gap, "must be at least 0 and below 1")
        gap = limits.default_gap
    if not 0 <= message.seed <= MAX_SEED:
        found.add("params.seed", message.seed, f"must be in 0..{MAX_SEED}")
    work_limit = message.work_limit if message.HasField("work_limit") else None
    if work_limit is not None and work_limit < 1:
        found.add("params.work_limit", work_limit, "must be at least 1")
        work_limit = None
    if out is None:
        capacity_types_from_message(message, found)
        found.check()
    return SolveParams(deadline_s=deadline_s, gap=gap, seed=message.seed, work_limit=work_limit)


def capacity_types_from_message(
    message: provisioning_service_pb2.SolveParams, out: Violations
) -> tuple[CapacityType, ...]:
    """The capacity types that may be bought; empty leaves it to the NodePools."""
    return tuple(capacity_types_from_texts(message.capacity_types, "params.capacity_types", out))


def progress_to_message(progress: Progress) -> decision_pb2.Progress:
    """A step of the search; cost and gap are unset before the first incumbent."""
    message = decision_pb2.Progress(
        phase=progress.phase,
        elapsed_seconds=progress.elapsed_s,
        lower_bound_usd=progress.bound_microusd_per_hour / MICROUSD,
        nodes=progress.nodes,
    )
    if progress.cost_microusd_per_hour is not None:
        cost = progress.cost_microusd_per_hour
        message.hourly_cost_usd = cost / MICROUSD
        message.gap = relative_gap(cost, progress.bound_microusd_per_hour)
    return message
