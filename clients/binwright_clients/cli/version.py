"""``binwright version``: what is installed."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import click

from binwright_clients.cli.examples import examples
from binwright_clients.cli.output import output_option, print_yaml

_PARTS = ("ortools", "highspy", "numba", "numpy", "grpcio", "protobuf")
"""Packages whose version matters to an answer or a bug report."""


def installed_version() -> str:
    """Version of the installed distribution."""
    return metadata.version("binwright")


@click.command(short_help="What is installed.", epilog=examples("binwright version -o json"))
@output_option()
def version(output: str) -> None:
    """Print the version of binwright and of what it computes with."""
    versions = {"binwright": installed_version(), "python": platform.python_version()}
    versions.update((name, _version_or_none(name)) for name in _PARTS)
    if output == "json":
        click.echo(json.dumps(versions, indent=2))
    elif output == "yaml":
        print_yaml(versions)
    else:
        for name, installed in versions.items():
            click.echo(f"{name:<10} {installed}")


def _version_or_none(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
