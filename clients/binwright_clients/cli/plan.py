"""``binwright plan``: capacity planning; without a subcommand it plans for a forecast."""

from __future__ import annotations

import click

from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import CommandGroup
from binwright_clients.cli.plan_actuals import actuals
from binwright_clients.cli.plan_diff import diff
from binwright_clients.cli.plan_failover import failover
from binwright_clients.cli.plan_forecast import forecast
from binwright_clients.cli.plan_history import history
from binwright_clients.cli.plan_reference import reference
from binwright_clients.cli.plan_replicas import replicas
from binwright_clients.cli.plan_verify import verify


class _PlanGroup(CommandGroup):
    """A group whose first argument is a forecast unless it names a subcommand."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand, or ``forecast`` with all arguments."""
        if self.get_command(ctx, args[0]) is None:
            return forecast.name, forecast, args
        return super().resolve_command(ctx, args)


@click.group(
    cls=_PlanGroup,
    # Options in front of the forecast are the forecast command's.
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples(
        "binwright plan examples/forecast.yaml",
        "binwright plan forecast --help    # options of the command above",
        "binwright plan reference",
    ),
)
def plan() -> None:
    """Plan capacity: what to buy for the demand of the coming quarters.

    binwright plan FORECAST is short for binwright plan forecast FORECAST.
    """


for command in (forecast, actuals, diff, failover, history, reference, replicas, verify):
    plan.add_command(command)
