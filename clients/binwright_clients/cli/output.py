"""Where output goes: answers to standard output, everything else to standard error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
import yaml
from google.protobuf.message import Message
from rich.console import Console, RenderableType

from binwright_clients.cli.files import to_document, to_json
from binwright_clients.cli.render.text import WIDTH, printable

try:
    from yaml import CSafeDumper as _Dumper
except ImportError:  # PyYAML built without libyaml: same output, slower
    from yaml import SafeDumper as _Dumper  # type: ignore[assignment]


class _PlainDumper(_Dumper):
    """Writes a list that stands in two places twice: people read anchors no better than some tools."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - named by PyYAML
        """Always."""
        return True


_Command = TypeVar("_Command", bound=Callable[..., Any])


def output_option(*further: str, remark: str = "") -> Callable[[_Command], _Command]:
    """The option ``-o``: ``table``, ``json``, ``yaml`` and a command's own formats, with a remark."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml", *further]),
        default="table",
        show_default=True,
        help=f"Format of the answer on standard output.{f' {remark}' if remark else ''}",
    )


def print_message(message: Message, output: str) -> None:
    """A message as JSON or YAML with proto field names, empty fields included."""
    if output == "json":
        click.echo(to_json(message))
    else:
        print_yaml(to_document(message))


def print_yaml(*documents: object, comments: Sequence[str] = ()) -> None:
    """YAML documents, keys in the order given, after comments of a line each."""
    for comment in comments:
        click.echo(f"# {printable(comment)}")
    click.echo(
        yaml.dump_all(
            documents,
            Dumper=_PlainDumper,
            sort_keys=False,
            allow_unicode=True,
            explicit_start=len(documents) > 1,
            width=1000,
        ),
        nl=False,
    )


def table_width() -> int:
    """Columns for tables on standard output: those of the terminal, at most `WIDTH`."""
    console = Console()
    return min(console.width, WIDTH) if console.is_terminal else WIDTH


def print_table(view: RenderableType) -> None:
    """A rich view, at most `WIDTH` columns wide; plain text unless the output is a terminal."""
    Console(highlight=False, width=table_width()).print(view)


def stderr_console() -> Console:
    """Console for progress and notes."""
    return Console(stderr=True, highlight=False, soft_wrap=True)
