"""Commitments held: as plans save them, and as forecasts take them from an earlier plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.model.offers import HeldCommitment, HeldReservation, Scope
from binwright_optimizer.model.quantity import MICROUSD
from binwright_optimizer.model.remarks import idle_commitments

from binwright_clients.errors import InputError
from binwright_clients.forecast.saved_plan import Held, SavedPlan


def held_documents(asked: Forecast) -> list[dict[str, Any]]:
    """What a forecast holds, as plain values; a saved plan has it beside what is bought."""
    return [*map(_spend_document, asked.held), *map(_nodes_document, asked.held_reservations)]


def scope_document(scope: Scope) -> dict[str, Any]:
    """What a commitment pays for; empty parts cover everything."""
    return {"instance_types": list(scope.instance_types), "region": scope.region, "zone": scope.zone}


def _spend_document(one: HeldCommitment) -> dict[str, Any]:
    return {
        "name": one.name,
        "covers": scope_document(one.scope),
        "nodes": None,
        "discount": one.discount_ppm / PPM,
        "start": str(one.start),
        "end": str(one.end),
        "usd_per_hour": one.microusd_per_hour / MICROUSD,
    }


def _nodes_document(one: HeldReservation) -> dict[str, Any]:
    return {
        "name": one.name,
        "covers": scope_document(one.scope),
        "nodes": one.count,
        "discount": None,
        "start": str(one.start),
        "end": str(one.end),
        "usd_per_hour": None,
    }


def with_held(asked: Forecast, file: str, saved: SavedPlan) -> Forecast:
    """The forecast that holds what a plan held and what it bought before the forecast begins.

    What the forecast states itself counts once.

    Parameters
    ----------
    file
        The forecast's.

    Raises
    ------
    InputError
        If the plan is for another cloud, begins later, or holds something otherwise than the forecast says.
    """
    if saved.cloud != asked.cloud:
        raise InputError.of(
            saved.file, f"the plan is for another cloud than {file}: {asked.cloud}", field="cloud",
            value=saved.cloud,
        )  # fmt: skip
    stated: tuple[Held, ...] = (*asked.held, *asked.held_reservations)
    further = []
    for field, one in saved.held_before(asked):
        same = [other for other in stated if _term(other) == _term(one)]
        if same and one not in same:
            term = f"{one.name} from {one.start} to {one.end}"
            said = f"{term} is {_amount(one)} here, but {_amount(same[0])} in {file}"
            raise InputError.of(saved.file, said, field=field, value=one.name)
        if not same:
            further.append(one)
    return replace(
        asked,
        held=(*asked.held, *(one for one in further if isinstance(one, HeldCommitment))),
        held_reservations=(
            *asked.held_reservations,
            *(one for one in further if isinstance(one, HeldReservation)),
        ),
        remarks=(*asked.remarks, *_idle(further, asked)),
    )


def _idle(held: Sequence[Held], asked: Forecast) -> Iterator[str]:
    """Commitments that do not count in a period because they do not cover the whole of it."""
    for _, _, said in idle_commitments(held, asked.periods):
        yield f"--from: {said}"


def _term(one: Held) -> tuple[object, ...]:
    """What tells commitments apart, amounts aside."""
    return type(one), one.name, one.start, one.end, one.scope


def _amount(one: Held) -> str:
    if isinstance(one, HeldReservation):
        return f"{one.count:,} nodes"
    return f"{one.microusd_per_hour / MICROUSD:g} $/h at a discount of {one.discount_ppm / PPM:g}"
