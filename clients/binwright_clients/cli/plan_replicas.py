"""``binwright plan replicas``: how many pods an autoscaler keeps under a load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from binwright_optimizer.model.autoscaling import HorizontalPodAutoscaler, TargetType
from rich.console import Group
from rich.text import Text

from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.output import output_option, print_table, print_yaml
from binwright_clients.cli.plan_reference_view import plain_table
from binwright_clients.cli.render.text import counted
from binwright_clients.cli.values import DURATION
from binwright_clients.forecast.autoscalers import parse_milli, read_autoscalers
from binwright_clients.forecast.loads import read_loads
from binwright_clients.spelling import suggestion

if TYPE_CHECKING:
    from binwright_optimizer.planning.hpa import ReplicaSeries

MOST_ROWS = 60
"""Steps that the table shows; JSON has them all."""


@click.command(
    epilog=examples(
        "binwright plan replicas examples/autoscalers.yaml examples/load.csv --name api-server "
        "--request cpu=500m --request memory=768Mi",
        "binwright plan replicas hpa.yaml load.csv --request cpu=2 --startup 90s -o json",
    )
)
@click.argument("autoscalers", metavar="AUTOSCALERS")
@click.argument("load", metavar="LOAD")
@click.option("--name", help="Which autoscaler, where the file has several.")
@click.option(
    "--request",
    "requests",
    multiple=True,
    metavar="RESOURCE=QUANTITY",
    help="What a pod requests, for utilisation targets; repeat for more.",
)
@click.option(
    "--startup", type=DURATION, help="Time until a pod takes its share of the load.  [default: none]"
)
@click.option(
    "--start", type=click.IntRange(0), metavar="N", help="Replicas at first.  [default: minReplicas]"
)
@output_option()
def replicas(
    autoscalers: str,
    load: str,
    name: str | None,
    requests: tuple[str, ...],
    startup: float | None,
    start: int | None,
    output: str,
) -> None:
    """Run Kubernetes' autoscaling algorithm (HPA v2) over a load and show the replicas it keeps.

    LOAD is a CSV or Parquet table: seconds, and a column for each metric with its total over all pods
    (or cpu:per-pod for what each pod has). An empty cell is a metric that cannot be read.
    """
    # Imported on first use, like everything that plans.
    from binwright_optimizer.planning.hpa import LoadSeries, replica_series

    spec = _one(autoscalers, name)
    table = read_loads(load, [metric.name for metric in spec.metrics])
    known = _requests(requests)
    amounts: list[int | None] = []
    for metric in spec.metrics:
        if metric.target is TargetType.UTILIZATION and metric.name not in known:
            raise BadInput(f"--request: {metric.name} is needed, {spec.name} has a utilisation target for it")
        amounts.append(known.get(metric.name))
    try:
        found = replica_series(
            spec,
            tuple(
                LoadSeries(values, shared)
                for values, shared in zip(table.values, table.is_shared, strict=True)
            ),
            float(table.step_s),
            requests=tuple(amounts),
            start=start,
            startup_s=startup or 0.0,
        )
    except ValueError as error:
        raise BadInput(f"{load}: {error}") from error
    document = {
        "autoscaler": spec.name,
        "step_seconds": table.step_s,
        "highest": list(found.highest),
        "last": list(found.last),
        "failed_decisions": found.failures,
        "steps_at_maximum": sum(map(bool, found.refused)),
        "most_wanted_at_maximum": max(found.refused) or None,
    }
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    elif output == "yaml":
        print_yaml(document)
    else:
        print_table(_view(spec, table.step_s, found))


def _one(path: str, name: str | None) -> HorizontalPodAutoscaler:
    known = read_autoscalers(path)
    if name is None:
        if len(known) > 1:
            raise BadInput(f"--name: {path} holds several autoscalers: {', '.join(known)}")
        return next(iter(known.values()))
    if name not in known:
        raise BadInput(f"--name: {path} holds no autoscaler {name!r}{suggestion(name, known)}")
    return known[name]


def _requests(texts: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for text in texts:
        resource, _, quantity = text.partition("=")
        try:
            found[resource] = parse_milli(quantity)
        except ValueError as error:
            raise BadInput(f"--request: {error} (got {text!r})") from error
        if not found[resource]:
            raise BadInput(f"--request: must be above zero (got {text!r})")
    return found


def _view(spec: HorizontalPodAutoscaler, step_s: int, found: ReplicaSeries) -> Group:
    table = plain_table(("Seconds", True), ("Most replicas", True), ("At the end", True))
    # A long load shows the steps at which something changed; of these, the first ones.
    changed = [
        at
        for at in range(len(found.last))
        if at == 0 or (found.highest[at], found.last[at]) != (found.highest[at - 1], found.last[at - 1])
    ]
    for at in changed[:MOST_ROWS]:
        table.add_row(f"{at * step_s:,}", str(found.highest[at]), str(found.last[at]))
    heading = (
        f"{spec.name}: {spec.min_replicas} to {spec.max_replicas} replicas, "
        f"between {min(found.last)} and {max(found.highest)} under this load; changes only"
    )
    lines: list[str] = []
    if len(changed) > MOST_ROWS:
        lines.append(f"and {len(changed) - MOST_ROWS} further changes; -o json has them all")
    if found.failures:
        lines.append(f"{found.failures} decisions failed because metrics could not be read")
    if held := sum(map(bool, found.refused)):
        lines.append(
            f"held at its maximum of {spec.max_replicas} in {counted(held, 'step')}, where its metrics ask "
            f"for up to {max(found.refused)}: the load above is not served at its target"
        )
    return Group(Text(heading, style="bold"), table, *(Text(line) for line in lines))
