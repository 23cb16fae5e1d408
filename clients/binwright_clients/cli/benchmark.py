"""``binwright benchmark``: forwards to the benchmark suite, which is an extra."""

from __future__ import annotations

import contextlib
import importlib
import io
import json

import click

from binwright_clients.cli.examples import examples
from binwright_clients.cli.exit_codes import OK
from binwright_clients.cli.failures import Failure
from binwright_clients.cli.output import print_yaml
from binwright_clients.cli.values import DURATION

_SUITE = "binwright_benchmarks.suite"


@click.command(
    short_help="Compare with other autoscalers' rules.",
    epilog=examples(
        "binwright benchmark --list", "binwright benchmark --instances 'gpu-trace*' --deadline 10s"
    ),
)
@click.option("--instances", metavar="GLOB", help="Instances to run; all by default.")
@click.option("--list", "list_only", is_flag=True, help="List the registered instances and stop.")
@click.option("--deadline", type=DURATION, metavar="DURATION", help="Time for each solve, such as 10s.")
@click.option("--seeds", metavar="N", type=click.IntRange(1, 1000), help="Seeds per generated instance.")
@click.option(
    "--output",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Folder for the dated result file.",
)
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of further data sets; else $BINWRIGHT_SHARED_DATA.",
)
@click.option(
    "--plots",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Folder for pictures: gap over time and cost ratios, as PNG.",
)
@click.option(
    "-o",
    "output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="Format of the result on standard output.",
)
def benchmark(
    instances: str | None,
    list_only: bool,
    deadline: float | None,
    seeds: int | None,
    directory: str | None,
    data: str | None,
    plots: str | None,
    output: str,
) -> None:
    """Run registered instances against least-waste and Karpenter-like baselines."""
    arguments = ["--list"] if list_only else []
    if instances is not None:
        arguments += ["--instances", instances]
    if deadline is not None:
        arguments += ["--deadline", f"{deadline:g}s"]
    if seeds is not None:
        arguments += ["--seeds", str(seeds)]
    for option, folder in (("--output", directory), ("--data", data), ("--plots", plots)):
        if folder is not None:
            arguments += [option, folder]
    if output == "yaml":
        # The suite prints tables and JSON; YAML is its JSON said otherwise.
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = _run([*arguments, "-o", "json"])
        print_yaml(json.loads(printed.getvalue()))
    else:
        code = _run([*arguments, "-o", output])
    if code != OK:
        raise click.exceptions.Exit(code)


def _run(arguments: list[str]) -> int:
    try:
        suite = importlib.import_module(_SUITE)
    except ModuleNotFoundError as error:
        raise Failure(
            f"the benchmark suite is not installed (no module {error.name!r}); "
            "pip install 'binwright[benchmarks]' or run it from a checkout"
        ) from error
    return int(suite.main(arguments) or OK)
