"""What a command did, in a few figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import click
from rich.table import Table

from binwright_clients.cli.output import print_table, print_yaml
from binwright_clients.cli.render.text import literal


def print_summary(figures: Mapping[str, str | int | bool | Sequence[str]], output: str) -> None:
    """The figures to standard output: names and values as a table, or one JSON or YAML mapping.

    Parameters
    ----------
    figures
        Values by name in ``snake_case``; tables show names with spaces and leave out empty lists.
    """
    if output == "json":
        click.echo(json.dumps(figures, indent=2, ensure_ascii=False))
        return
    if output == "yaml":
        print_yaml(figures)
        return
    grid = Table.grid(padding=(0, 2))
    for name, value in figures.items():
        lines = [value] if isinstance(value, (str, int)) else list(value)
        for k, line in enumerate(lines):
            grid.add_row("" if k else name.replace("_", " "), literal(str(line)))
    print_table(grid)
