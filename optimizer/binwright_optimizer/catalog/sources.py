"""Where the prices come from."""

from __future__ import annotations

from functools import cache

from binwright_optimizer.catalog.tables import PRICE_SOURCES, read_rows
from binwright_optimizer.model.offerings import PriceSource


@cache
def sources_by_code() -> dict[str, PriceSource]:
    """The source each code in an offerings file stands for; its offerings share the object."""
    return {
        row["code"]: PriceSource(row["name"], row["date"], row["is_estimate"] == "1")
        for row in read_rows(PRICE_SOURCES)
    }


@cache
def sources_of(cloud: str) -> tuple[PriceSource, ...]:
    """Sources of the prices of ``cloud``, latest first."""
    codes = [row["code"] for row in read_rows(PRICE_SOURCES) if row["cloud"] == cloud]
    found = [sources_by_code()[code] for code in codes]
    return tuple(sorted(found, key=lambda source: (source.date, source.name), reverse=True))
