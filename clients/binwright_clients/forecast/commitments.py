"""The ``commitments`` of a forecast document: what may be bought ahead, and what was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.model.offers import (
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
    Scope,
    Upfront,
)
from binwright_optimizer.model.quantity import parse_price

from binwright_clients.forecast.draft import Draft, Place, Sold
from binwright_clients.forecast.fields import parsed
from binwright_clients.forecast.table import parse_date
from binwright_clients.kubernetes.schema import STRING, ListOf, Record, Scalar, Schema, shown
from binwright_clients.tables.cells import parse_count

_NUMBER = Scalar("number")
_QUANTITY = Scalar("quantity")
_SCOPE: dict[str, Schema] = {"instanceTypes": ListOf(STRING), "region": STRING, "zone": STRING}
_TERM: dict[str, Schema] = {"name": STRING, "start": STRING, "end": STRING, "currency": STRING}
_SALE: dict[str, Schema] = {
    "name": STRING,
    "years": Scalar("integer"),
    "upfront": STRING,
    "discount": _NUMBER,
}
_NODES: dict[str, Schema] = {"instanceType": STRING, "region": STRING, "zone": STRING}
COMMITMENTS = Record(
    {
        # Fields of a reservation are known here for the answer that it belongs elsewhere.
        "held": ListOf(
            Record(
                {
                    **_TERM,
                    **_SCOPE,
                    **_NODES,
                    "usdPerHour": _QUANTITY,
                    "discount": _NUMBER,
                    "count": Scalar("integer"),
                }
            )
        ),
        "offers": ListOf(Record({**_SALE, **_SCOPE})),
        "heldReservations": ListOf(Record({**_TERM, **_NODES, "count": Scalar("integer")})),
        "reservations": ListOf(
            Record({**_SALE, **_NODES, "usdPerHour": _QUANTITY, "upfrontUsd": _QUANTITY, "currency": STRING})
        ),
    }
)


class CommitmentReader:
    """Fills a draft with the commitments of a document."""

    def __init__(self, draft: Draft, report: Callable[[str, str, str], None]) -> None:
        self._draft = draft
        self._report = report

    def read(self, body: Mapping[str, Any]) -> None:
        """Read all of them; mistakes are reported, and what has one is left out."""
        for at, entry in enumerate(body.get("held") or ()):
            self._held(f"commitments.held[{at}]", entry or {})
        for at, entry in enumerate(body.get("heldReservations") or ()):
            self._held_reservation(f"commitments.heldReservations[{at}]", entry or {})
        if body.get("offers") is not None:
            offers = [
                self._offer(f"commitments.offers[{at}]", entry or {})
                for at, entry in enumerate(body["offers"])
            ]
            self._draft.offers = tuple(offer for offer in offers if offer is not None)
        for at, entry in enumerate(body.get("reservations") or ()):
            self._reservation(f"commitments.reservations[{at}]", entry or {})
        self._check_names(body)

    def _check_names(self, body: Mapping[str, Any]) -> None:
        """Plans name what they buy: no two offers may have the same name."""
        seen: dict[str, str] = {}
        for kind in ("offers", "reservations"):
            for at, entry in enumerate(body.get(kind) or ()):
                path = f"commitments.{kind}[{at}]"
                name = (entry or {}).get("name") or _usual_name(entry or {})
                if first := seen.get(name):
                    self._report(f"{path}.name", name, f"is the name of {first}, too")
                seen.setdefault(name, path)

    def _currency(self, path: str, entry: Mapping[str, Any]) -> None:
        if entry.get("currency"):
            self._draft.currencies.append(Place("", f"{path}.currency", entry["currency"]))

    def _term(self, path: str, entry: Mapping[str, Any]) -> tuple[date, date] | None:
        start = parsed(entry.get("start"), parse_date, f"{path}.start", self._report)
        end = parsed(entry.get("end"), parse_date, f"{path}.end", self._report)
        if start is None or end is None:
            return None
        if end <= start:
            self._report(f"{path}.end", str(end), f"must be after its start, {start}")
            return None
        return start, end

    def _scope(self, path: str, entry: Mapping[str, Any]) -> Scope | None:
        types = tuple(entry.get("instanceTypes") or ())
        region, zone = entry.get("region") or "", entry.get("zone") or ""
        if zone and not region:
            self._report(f"{path}.zone", zone, "needs the region that it is in")
            return None
        self._sold(path, Scope(types, region, zone), "instanceTypes")
        return Scope(types, region, zone)

    def _sold(self, path: str, scope: Scope, types_field: str) -> None:
        places = [
            Place("", f"{path}.{types_field}" + (f"[{at}]" if types_field.endswith("s") else ""), name)
            for at, name in enumerate(scope.instance_types)
        ]
        self._draft.sold.append(
            Sold(
                scope,
                tuple(places),
                Place("", f"{path}.region", scope.region),
                Place("", f"{path}.zone", scope.zone),
            )
        )

    def _nodes(self, path: str, entry: Mapping[str, Any]) -> Scope | None:
        """The one instance type and region that a reservation is for."""
        name, region = entry.get("instanceType"), entry.get("region")
        for field, value in (("instanceType", name), ("region", region)):
            if not value:
                self._report(f"{path}.{field}", "", "must be given")
        if not name or not region:
            return None
        scope = Scope((name,), region, entry.get("zone") or "")
        self._sold(path, scope, "instanceType")
        return scope

    def _held(self, path: str, entry: Mapping[str, Any]) -> None:
        for field in ("instanceType", "count"):
            if entry.get(field) is not None:
                said = "is of reserved nodes: those are listed in commitments.heldReservations"
                self._report(f"{path}.{field}", shown(entry[field]), said)
                return
        self._currency(path, entry)
        price = parsed(entry.get("usdPerHour"), parse_price, f"{path}.usdPerHour", self._report)
        discount = self._discount(f"{path}.discount", entry.get("discount"))
        term, scope = self._term(path, entry), self._scope(path, entry)
        if price is None or discount is None or term is None or scope is None:
            return
        held = HeldCommitment(entry.get("name") or path, price, discount, *term, scope)
        self._draft.held.append((held, Place("", f"{path}.end", str(held.end))))

    def _held_reservation(self, path: str, entry: Mapping[str, Any]) -> None:
        self._currency(path, entry)
        count = parsed(entry.get("count"), parse_count, f"{path}.count", self._report)
        term, scope = self._term(path, entry), self._nodes(path, entry)
        if count is None or term is None or scope is None:
            return
        held = HeldReservation(
            entry.get("name") or path, scope.instance_types[0], scope.region, count, *term, scope.zone
        )
        self._draft.held_reservations.append((held, Place("", f"{path}.end", str(held.end))))

    def _sale(self, path: str, entry: Mapping[str, Any]) -> tuple[int, Upfront] | None:
        upfront = parsed(entry.get("upfront") or "none", _upfront, f"{path}.upfront", self._report)
        years = entry.get("years")
        if years not in (1, 3):
            self._report(f"{path}.years", shown(years), "must be 1 or 3")
            return None
        return None if upfront is None else (years, upfront)

    def _offer(self, path: str, entry: Mapping[str, Any]) -> CommitmentOffer | None:
        discount = self._discount(f"{path}.discount", entry.get("discount"))
        sale, scope = self._sale(path, entry), self._scope(path, entry)
        if discount is None or sale is None or scope is None:
            return None
        return CommitmentOffer(entry.get("name") or _usual_name(entry), *sale, discount, scope=scope)

    def _reservation(self, path: str, entry: Mapping[str, Any]) -> None:
        self._currency(path, entry)
        sale, scope = self._sale(path, entry), self._nodes(path, entry)
        quoted = [key for key in ("usdPerHour", "upfrontUsd") if entry.get(key) is not None]
        discount, hourly, once = None, 0, 0
        if entry.get("discount") is not None:
            if quoted:
                self._report(f"{path}.{quoted[0]}", shown(entry[quoted[0]]), "is given beside a discount")
                return
            discount = self._discount(f"{path}.discount", entry["discount"])
            if discount is None:
                return
        elif not quoted:
            self._report(f"{path}.discount", "", "must be given, or usdPerHour and upfrontUsd")
            return
        else:
            prices = [parsed(entry[key], parse_price, f"{path}.{key}", self._report) for key in quoted]
            if None in prices:
                return
            amounts = dict(zip(quoted, prices, strict=True))
            hourly, once = amounts.get("usdPerHour") or 0, amounts.get("upfrontUsd") or 0
            if not hourly + once:
                self._report(f"{path}.{quoted[0]}", shown(entry[quoted[0]]), "must cost something")
                return
        if sale is None or scope is None:
            return
        name = entry.get("name") or _usual_name(entry)
        self._draft.reservations.append(
            ReservationOffer(
                name,
                scope.instance_types[0],
                scope.region,
                *sale,
                zone=scope.zone,
                discount_ppm=discount,
                microusd_per_hour=hourly,
                upfront_microusd=once,
            )
        )

    def _discount(self, path: str, value: Any) -> int | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
            self._report(path, shown(value), "must be above 0 and below 1")
            return None
        return round(value * PPM)


def _usual_name(entry: Mapping[str, Any]) -> str:
    """What an offer without a name is called."""
    years = f"{entry.get('years')} years"
    return f"{entry['instanceType']}, {years}" if entry.get("instanceType") else years


def _upfront(text: str) -> Upfront:
    if text not in tuple(Upfront):
        raise ValueError(f"must be one of {', '.join(Upfront)}")
    return Upfront(text)
