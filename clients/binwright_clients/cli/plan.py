"""``binwright plan``: capacity planning."""

from __future__ import annotations

import click

from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import CommandGroup
from binwright_clients.cli.plan_reference import reference


@click.group(cls=CommandGroup, epilog=examples("binwright plan reference"))
def plan() -> None:
    """Plan capacity: what to buy for the demand of the coming quarters."""


plan.add_command(reference)
