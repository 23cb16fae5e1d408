"""Reads a forecast of any format."""

from __future__ import annotations

from binwright_optimizer.model.forecast import Forecast

from binwright_clients.errors import Problems
from binwright_clients.forecast.document import draft_of_document
from binwright_clients.forecast.draft import Draft
from binwright_clients.forecast.places import Places
from binwright_clients.forecast.table import draft_of_table
from binwright_clients.kubernetes.single import only_document
from binwright_clients.sources import Format, Source, read_source
from binwright_clients.tables.rows import read_table


def read_forecast(path: str, cloud: str = "") -> Forecast:
    """The forecast of a YAML, JSON, CSV or Parquet file.

    Parameters
    ----------
    cloud
        Whose regions a table means, and what a document must agree with; empty means what the
        document says, and aws for a table.

    Raises
    ------
    InputError
        If anything in it is wrong; it lists every mistake that was found.
    """
    return read_with_places(path, cloud)[0]


def read_with_places(path: str, cloud: str = "") -> tuple[Forecast, Places]:
    """The forecast of a file, and where its parts were written.

    Raises
    ------
    InputError
        As `read_forecast`.
    """
    source = read_source(path)
    problems = Problems()
    draft = _draft(source, cloud, problems)
    forecast = draft.finish(problems)
    problems.raise_if_any()
    assert forecast is not None
    return forecast, Places.of(draft)


def _draft(source: Source, cloud: str, problems: Problems) -> Draft:
    if source.format in (Format.CSV, Format.PARQUET):
        return draft_of_table(read_table(source, problems), cloud or "aws", problems)
    return draft_of_document(only_document(source), source.name, cloud, problems)
