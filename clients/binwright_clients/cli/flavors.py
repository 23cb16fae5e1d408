"""``binwright flavors``: vanilla, EKS, GKE, AKS and bare metal held against each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from binwright_optimizer.errors import PlanningError

from binwright_clients.cli.answer_stdout import answer_only_on_stdout
from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput, CommandGroup
from binwright_clients.cli.flavors_view import compare_view, recommend_view
from binwright_clients.cli.output import output_option, print_table, print_yaml, stderr_console
from binwright_clients.cli.plan_reference import mix_document, source_document
from binwright_clients.cli.today import today
from binwright_clients.spelling import suggestion

if TYPE_CHECKING:
    from binwright_optimizer.planning.flavors import FlavorCost, Recommendation
    from binwright_optimizer.planning.flavors.requirements import Exclusion

_Command = TypeVar("_Command", bound=Callable[..., Any])
MOST_NODES = 100_000


def _common(command: _Command) -> _Command:
    """Options of both commands."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="No progress on standard error."),
        output_option(),
        click.option(
            "--hourly-rate",
            type=click.IntRange(0, 10_000),
            default=85,
            show_default=True,
            metavar="USD",
            help="What an hour of people costs.",
        ),
        click.option(
            "--support",
            type=click.Choice(["none", "business", "enterprise"]),
            default="business",
            show_default=True,
            help="Support plan of the provider.",
        ),
        click.option(
            "--tier",
            type=click.Choice(["free", "standard", "extended"]),
            default="standard",
            show_default=True,
            help="Tier of the managed control plane.",
        ),
        click.option(
            "--area",
            type=click.Choice(["us", "eu", "asia"]),
            default="us",
            show_default=True,
            help="Where: us-east-1, us-central1, eastus; eu-west-1, europe-west1, northeurope; Singapore.",
        ),
    ):
        command = option(command)
    return command


@click.group(
    cls=CommandGroup,
    epilog=examples(
        "binwright flavors compare --nodes 3,300",
        "binwright flavors recommend --nodes 300 --require gpu=t4 --budget 90000",
    ),
)
def flavors() -> None:
    """Compare ways to have Kubernetes: vanilla, EKS, GKE, AKS and bare metal.

    The same workloads, as many as the given number of reference nodes serve, are solved on each price list.
    Control planes and support are list prices; people's hours and servers of one's own are assumptions,
    which the answer states.
    """


@flavors.command(
    epilog=examples(
        "binwright flavors compare",
        "binwright flavors compare --nodes 3,300 --area eu --support none -o json",
    )
)
@click.option(
    "--nodes",
    default="3,100,300,1000",
    show_default=True,
    metavar="N,N,...",
    help="Reference nodes whose workloads are served.",
)
@_common
def compare(
    nodes: str, area: str, tier: str, support: str, hourly_rate: int, output: str, quiet: bool
) -> None:
    """Total monthly cost of each flavour, and what machines the same workloads become."""
    sizes = _sizes(nodes)
    rows = [_costs(size, area, tier, support, hourly_rate, quiet) for size in sizes]
    if output == "table":
        print_table(compare_view(rows, hourly_rate))
        return
    from binwright_optimizer.planning.mix import stale_prices

    document = {
        "area": area,
        "tier": tier,
        "support": support,
        "hourly_rate_usd": hourly_rate,
        "warnings": list(stale_prices((cost.mix for row in rows for cost in row), today())),
        "sizes": [
            {"reference_nodes": size, "flavors": [_cost_document(cost) for cost in row]}
            for size, row in zip(sizes, rows, strict=True)
        ],
    }
    _print(document, output)


@flavors.command(
    epilog=examples(
        "binwright flavors recommend --nodes 300",
        "binwright flavors recommend --nodes 300 --require windows --weight cost=6 --weight operations=1",
        "binwright flavors recommend --nodes 100 --require on-premises",
    )
)
@click.option(
    "--nodes",
    type=click.IntRange(1, MOST_NODES),
    default=300,
    show_default=True,
    help="Reference nodes whose workloads are served.",
)
@click.option(
    "--require",
    "required",
    multiple=True,
    metavar="on-premises|windows|gpu=MODEL",
    help="A hard requirement; repeat for more.",
)
@click.option(
    "--scale",
    type=click.IntRange(1, MOST_NODES),
    metavar="NODES",
    help="Nodes that one cluster must carry.  [default: --nodes]",
)
@click.option("--budget", type=click.IntRange(1), metavar="USD", help="Most dollars a month.")
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="CRITERION=W",
    help="Weight of a criterion, zero drops it; repeat for more.",
)
@_common
def recommend(
    nodes: int,
    required: tuple[str, ...],
    scale: int | None,
    budget: int | None,
    weights: tuple[str, ...],
    area: str,
    tier: str,
    support: str,
    hourly_rate: int,
    output: str,
    quiet: bool,
) -> None:
    """The flavour that fits best, and which weight would change that.

    Requirements filter first; the rest are ranked by weighted scores, each criterion brought to 0..1.
    """
    from binwright_optimizer.planning.flavors import CRITERIA, FLAVORS, Area, Needs, Tier, admit
    from binwright_optimizer.planning.flavors.requirements import check_gpu_models
    from binwright_optimizer.planning.flavors.score import gpu_models_of
    from binwright_optimizer.planning.flavors.score import recommend as rank

    on_premises, windows, gpus = _requirements(required)
    chosen = _weights(weights, CRITERIA)
    models = {flavor.name: gpu_models_of(flavor, Area(area)) for flavor in FLAVORS}
    check_gpu_models(gpus, frozenset[str]().union(*models.values()))
    needs = Needs(on_premises, windows, gpus, scale or nodes, budget)
    costs = _costs(nodes, area, tier, support, hourly_rate, quiet)
    admitted, excluded = admit(costs, needs, models, Tier(tier))
    if not admitted:
        reasons = "\n".join(f"{e.flavor}: {'; '.join(e.reasons)}" for e in excluded)
        raise BadInput(f"no flavour meets every requirement\n{reasons}")
    found = rank(admitted, Area(area), chosen)
    if output == "table":
        print_table(recommend_view(found, admitted, excluded, CRITERIA))
    else:
        _print(_recommendation_document(found, admitted, excluded), output)


def _costs(
    nodes: int, area: str, tier: str, support: str, hourly_rate: int, quiet: bool
) -> tuple[FlavorCost, ...]:
    # Imported on first use: it loads the solver.
    from binwright_optimizer.planning.flavors import Area, SupportLevel, Tier, costs_at

    console = stderr_console()
    try:
        with answer_only_on_stdout():
            return costs_at(
                nodes,
                Area(area),
                Tier(tier),
                SupportLevel(support),
                hourly_rate,
                on_step=None if quiet else lambda step: console.print(f"solving {step}", markup=False),
            )
    except PlanningError as error:
        raise BadInput(str(error)) from error


def _sizes(text: str) -> tuple[int, ...]:
    sizes = []
    for part in text.split(","):
        if not part.strip().isdecimal() or not 1 <= int(part) <= MOST_NODES or len(part) > 9:
            raise BadInput(f"--nodes: must be numbers from 1 to {MOST_NODES} between commas (got {part!r})")
        sizes.append(int(part))
    if len(set(sizes)) < len(sizes):
        raise BadInput(f"--nodes: names a number twice (got {text!r})")
    return tuple(sizes)


def _requirements(required: Sequence[str]) -> tuple[bool, bool, tuple[str, ...]]:
    gpus = []
    for text in required:
        key, _, value = text.partition("=")
        if key == "gpu" and value:
            gpus.append(value.lower())
        elif text not in ("on-premises", "windows"):
            raise BadInput(
                "--require: must be on-premises, windows or gpu=MODEL"
                f"{suggestion(text, ('on-premises', 'windows', 'gpu=t4'))} (got {text!r})"
            )
    return "on-premises" in required, "windows" in required, tuple(gpus)


def _weights(texts: Sequence[str], known: Any) -> dict[str, float]:
    weights: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known:
            raise BadInput(f"--weight: unknown criterion{suggestion(name, known)} (got {text!r})")
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        if not 0 <= weight <= 1000:
            raise BadInput(f"--weight: must be a number from 0 to 1000 (got {text!r})")
        weights[name] = weight
    if not any(weights.get(name, default) for name, (default, _) in known.items()):
        raise BadInput(f"--weight: one criterion at least must count (got {', '.join(texts)!r})")
    return weights


def _print(document: dict[str, Any], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        print_yaml(document)


def _cost_document(cost: FlavorCost) -> dict[str, Any]:
    return {
        "flavor": cost.flavor.name,
        "title": cost.flavor.title,
        "total_usd": cost.total_microusd / 1e6,
        "compute_usd": cost.compute_microusd / 1e6,
        "control_plane_usd": cost.control_plane_microusd / 1e6,
        "support_usd": cost.support_microusd / 1e6,
        "operations_usd": cost.operations_microusd / 1e6,
        "operations_hours": cost.operations_hours,
        "not_priced": cost.missing,
        "mix": mix_document(cost.mix),
        "price_sources": [source_document(source) for source in cost.sources],
    }


def _recommendation_document(
    found: Recommendation, admitted: Sequence[FlavorCost], excluded: Sequence[Exclusion]
) -> dict[str, Any]:
    from binwright_optimizer.planning.mix import stale_prices

    return {
        "winner": found.winner,
        "scores": dict(found.scores),
        "weights": dict(found.weights),
        "values": {name: dict(row) for name, row in found.values.items()},
        "normalised": {name: dict(row) for name, row in found.normalised.items()},
        "sensitivity": [
            {
                "criterion": flip.criterion,
                "weight": flip.current,
                "flips_at": flip.weight,
                "to": flip.challenger,
            }
            for flip in found.flips
        ],
        "warnings": list(stale_prices((cost.mix for cost in admitted), today())),
        "excluded": {exclusion.flavor: list(exclusion.reasons) for exclusion in excluded},
        "costs": [_cost_document(cost) for cost in admitted],
    }
