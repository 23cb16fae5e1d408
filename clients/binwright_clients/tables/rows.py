"""CSV and Parquet files as a header and rows of text cells."""

from __future__ import annotations

import csv
import glob
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from binwright_clients.errors import InputError, Problems
from binwright_clients.sources import Format, Source, text_of

MAX_ROWS = 2_000_000
"""Most rows of a table; a compressed file could hold any number."""

Row = tuple[int, Sequence[str]]
"""Line number in the file (the header is line 1) and as many cells as the header has."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose cells are still text; an absent value is an empty cell.

    Parameters
    ----------
    unit
        What a row's number counts: lines of a file, or items of a YAML list.
    left_out
        Number of ragged rows, which are not among ``rows``.
    """

    file: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    unit: str = "line"
    left_out: int = 0

    def place(self, number: int) -> str:
        """Place of a row, for messages."""
        return f"{self.unit} {number}"

    @property
    def header_place(self) -> str:
        """Place of the header; empty where each item names its own columns."""
        return "line 1" if self.unit == "line" else ""


def read_table(source: Source, problems: Problems) -> Table:
    """The cells of a CSV or Parquet file; ragged rows are left out and reported to ``problems``.

    Raises
    ------
    InputError
        If the file is no table at all, is empty or repeats a column.
    """
    is_parquet = source.format is Format.PARQUET
    table = _read_parquet(source.name) if is_parquet else _read_csv(source, problems)
    seen: set[str] = set()
    for column in table.header:
        if not column:
            raise InputError.of(source.name, "the header has a column without a name", place="line 1")
        if column in seen:
            raise InputError.of(source.name, "the column is there twice", place="line 1", field=column)
        seen.add(column)
    return table


def _read_csv(source: Source, problems: Problems) -> Table:
    text = text_of(source)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    left_out = 0
    try:
        header = next((cells for cells in reader if cells), None)
        if header is None:
            raise InputError.of(source.name, "the table is empty")
        header = [name.strip() for name in header]
        width = len(header)
        for cells in reader:
            if len(rows) > MAX_ROWS:
                raise InputError.of(source.name, f"has more than {MAX_ROWS} rows")
            if len(cells) == width:
                rows.append((reader.line_num, cells))
            elif cells:
                left_out += 1
                problems.add(
                    source.name,
                    f"the row has {len(cells)} cells where the header has {width}",
                    place=f"line {reader.line_num}",
                    value=",".join(cells),
                )
    except csv.Error as error:
        raise InputError.of(
            source.name, f"is not a CSV table: {error}", place=f"line {reader.line_num}"
        ) from None
    return Table(source.name, tuple(header), tuple(rows), left_out=left_out)


def _read_parquet(path: str) -> Table:
    try:
        import duckdb
    except ImportError:
        raise InputError.of(path, "reading Parquet needs duckdb: pip install 'binwright[tables]'") from None
    # read_parquet() takes a pattern: brackets and asterisks in a file's name are escaped.
    pattern = glob.escape(str(Path(path).absolute()))
    try:
        with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
            relation = connection.sql("SELECT * FROM read_parquet($1)", params=[pattern])
            header = tuple(name.strip() for name in relation.columns)
            text = connection.sql(
                "SELECT COLUMNS(*)::VARCHAR FROM read_parquet($1) LIMIT $2", params=[pattern, MAX_ROWS + 1]
            )
            cells = text.fetchall()
    except (duckdb.Error, UnicodeDecodeError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError.of(path, f"is not a Parquet table: {first_line}") from None
    if len(cells) > MAX_ROWS:
        raise InputError.of(path, f"has more than {MAX_ROWS} rows")
    return Table(path, header, tuple(_parquet_rows(cells)))


def _parquet_rows(cells: list[tuple[str | None, ...]]) -> Iterator[Row]:
    """Rows numbered from 2, as if the header were line 1."""
    for line, row in enumerate(cells, start=2):
        yield line, ["" if cell is None else cell for cell in row] if None in row else row  # type: ignore[misc]
