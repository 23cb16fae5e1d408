"""``binwright plan failover``: take zones, spot pools and regions away from a plan and show what happens."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from binwright_optimizer.errors import PlanningError, UnservedError
from binwright_optimizer.model.forecast import PPM
from rich.console import Group
from rich.text import Text

from binwright_clients.cli.answer_stdout import answer_only_on_stdout
from binwright_clients.cli.examples import examples
from binwright_clients.cli.exit_codes import FAILED
from binwright_clients.cli.failures import BadInput, Failure
from binwright_clients.cli.output import output_option, print_table, print_yaml, stderr_console
from binwright_clients.cli.plan_progress import plan_progress
from binwright_clients.cli.plan_reference_view import plain_table, warning_lines
from binwright_clients.cli.render.text import dollars, literal, percent, some
from binwright_clients.cli.values import DURATION
from binwright_clients.forecast import read_with_places
from binwright_clients.forecast.holdings import with_held
from binwright_clients.forecast.saved_plan import SavedPlan, nodes_held, read_document, read_plan
from binwright_clients.spelling import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from binwright_optimizer.model import Catalog
    from binwright_optimizer.model.forecast import Forecast
    from binwright_optimizer.planning.failover import Bought, Moved, Outcome


@dataclass(frozen=True, slots=True)
class _Simulated:
    """The losses of one period, scenario and block of hours."""

    period: str
    scenario: str
    hours_of_week: int
    shares: dict[str, float]
    outcomes: tuple[Outcome, ...]


@click.command(
    epilog=examples(
        "binwright plan failover examples/resilient.yaml",
        "binwright plan examples/resilient.yaml -o json > plan.json",
        "binwright plan failover examples/resilient.yaml --plan plan.json --scenario all",
        "binwright plan failover next-year.yaml --plan next.json --from plan.json",
        "binwright plan failover examples/resilient.yaml --hours busiest --period 2027-Q1 -o json",
    )
)
@click.argument("path", metavar="FORECAST")
@click.option(
    "--plan",
    "saved",
    metavar="PLAN",
    help="A plan for the forecast, saved with -o json: verified, then simulated as it is.",
)
@click.option(
    "--from",
    "held_path",
    metavar="PLAN",
    help="The earlier plan that is planned on from, or that PLAN was made --from: what it held and bought "
    "before the first period is held.",
)
@click.option("--cloud", type=click.Choice(["aws", "gcp", "azure"]), help="Whose regions a table means.")
@click.option(
    "--deadline", type=DURATION, default="45s", show_default=True, help="Time of the plan's solves."
)
@click.option("--period", metavar="NAME", help="Only this period.  [default: all]")
@click.option(
    "--scenario", metavar="NAME", help="Demand of this scenario, or all of them.  [default: the highest]"
)
@click.option(
    "--hours",
    type=click.Choice(["all", "busiest"]),
    default="all",
    show_default=True,
    help="Every block of hours of the week, or the one whose nodes cost most.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, help="Seed of everything random.")
@output_option()
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
def failover(
    path: str,
    saved: str | None,
    held_path: str | None,
    cloud: str | None,
    deadline: float,
    period: str | None,
    scenario: str | None,
    hours: str,
    seed: int,
    output: str,
    quiet: bool,
) -> None:
    """Plan for a forecast, or take a plan, then lose each zone, spot pool and region in turn.

    In every block of hours of every period, pods on what is left stay where they are. Displaced pods go to
    the room left, protected ones first, and nothing is bought; the verifier checks every placement. What has
    no place is lost until the further nodes run whose cost is shown. Exit code 1 means that a promise of
    `resilience:` is broken, or that the plan saved does not hold.
    """
    asked, places = read_with_places(path, cloud or "")
    held = None if held_path is None else read_plan(held_path)
    if held is not None:
        asked = with_held(asked, path, held)
    # Imported on first use: it loads the solver.
    from binwright_optimizer.planning.failover import Failover, bought_by
    from binwright_optimizer.planning.planner import PlanParams, make_plan, price_lists
    from binwright_optimizer.planning.promises import unbound_promises
    from binwright_optimizer.planning.scenarios import scenarios

    names = [known.name or str(known.start) for known in asked.periods]
    if period is not None and period not in names:
        raise BadInput(f"--period: {path} has no period {period!r}{suggestion(period, names)}")
    futures = _scenarios([known.name for known in scenarios(asked)], scenario)
    lists = price_lists(asked)
    try:
        with answer_only_on_stdout():
            if saved is None:
                with plan_progress(stderr_console(), quiet=quiet) as note:
                    bought = bought_by(make_plan(asked, PlanParams(deadline, seed=seed), note))
            else:
                bought = _verified(saved, asked, lists, held)
            cells = [
                (number, at, block)
                for number, name in enumerate(names)
                if period in (None, name)
                for at in futures
                for block in range(len(bought.blocks))
                if hours == "all" or bought.busiest(number, at)[2] == block
            ]
            simulated = []
            with plan_progress(stderr_console(), quiet=quiet, what="blocks of hours") as note:
                for done, cell in enumerate(cells):
                    note(done, len(cells))
                    simulation, block = Failover(bought, lists, cell), bought.blocks[cell[2]]
                    outcomes = tuple(simulation.outcome(loss) for loss in simulation.losses())
                    shares = {
                        profile.name: ppm / PPM
                        for profile, ppm in zip(asked.profiles, block.ppm, strict=True)
                    }
                    future = bought.scenarios[cell[1]].name
                    simulated.append(_Simulated(names[cell[0]], future, block.hours, shares, outcomes))
    except UnservedError as error:
        raise places.unserved(error) from error
    except PlanningError as error:
        raise BadInput(f"{path}: {error}") from error
    broken = sum(outcome.protected_lost for one in simulated for outcome in one.outcomes)
    unbound = unbound_promises(asked)
    document = {
        "protected_pods_lost": broken,
        "warnings": list(unbound),
        "periods": [
            {
                "name": one.period,
                "scenario": one.scenario,
                "hours_of_week": one.hours_of_week,
                "share_of_busiest_hour": one.shares,
                "losses": [_outcome_document(outcome) for outcome in one.outcomes],
            }
            for one in simulated
        ],
    }
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    elif output == "yaml":
        print_yaml(document)
    else:
        print_table(_view(simulated, broken, unbound))
    if broken:
        raise SystemExit(FAILED)


def _verified(saved: str, asked: Forecast, lists: Mapping[str, Catalog], held: SavedPlan | None) -> Bought:
    """What a saved plan runs, once the verifier has found nothing wrong with it."""
    from binwright_optimizer.planning.failover import bought_in
    from binwright_optimizer.planning.mix import STEADY
    from binwright_optimizer.verify.plan import UnverifiableError, verify_plan

    document = read_document(saved)
    try:
        nodes = None if held is None else nodes_held(asked, held)
        found = verify_plan(asked, lists, (STEADY,), document, nodes)
    except UnverifiableError as error:
        raise BadInput(f"{saved}: {error}") from error
    if found.findings:
        raise Failure(
            f"{saved}: the plan does not hold: {found.findings[0]}; binwright plan verify says more"
        )
    return bought_in(document["certificate"], asked, lists)


def _scenarios(known: list[str], name: str | None) -> list[int]:
    """Indices of scenarios by name; the last one has the highest demand."""
    if name is None:
        return [len(known) - 1]
    if name == "all":
        return list(range(len(known)))
    if name not in known:
        raise BadInput(f"--scenario: the plan has no scenario {name!r}; it has {', '.join(known)}")
    return [known.index(name)]


def _outcome_document(outcome: Outcome) -> dict[str, Any]:
    extra = outcome.extra_microusd_per_hour
    return {
        "lost": str(outcome.loss.kind),
        "region": outcome.loss.region,
        "zone": outcome.loss.zone,
        "instance_type": outcome.loss.instance_type,
        "nodes_lost": outcome.nodes_lost,
        "pods_displaced": outcome.displaced,
        "is_promised": outcome.is_promised,
        "protected_pods_lost": outcome.protected_lost,
        "rescheduled": [_moved_document(moved) for moved in outcome.moved],
        "without_place": [_moved_document(moved) for moved in outcome.lost],
        "extra_usd_per_hour": None if extra is None else extra / 1e6,
    }


def _moved_document(moved: Moved) -> dict[str, Any]:
    return {"workload": moved.workload, "wanted_in": moved.home, "pods": moved.pods, "zone": moved.zone}


def _view(simulated: list[_Simulated], broken: int, unbound: tuple[str, ...]) -> Group:
    parts: list[Any] = []
    for one in simulated:
        table = plain_table(
            ("Lost", False),
            ("Nodes", True),
            ("Pods", True),
            ("Promise", False),
            ("Rescheduled to", False),
            ("Without a place", False),
            ("More $/h", True),
        )
        for outcome in one.outcomes:
            extra = outcome.extra_microusd_per_hour
            table.add_row(
                literal(f"{outcome.loss.kind} {outcome.loss.name}"),
                f"{outcome.nodes_lost:,}",
                f"{outcome.displaced:,}",
                _promise(outcome),
                literal(_summed(outcome.moved, by_zone=True)),
                literal(_summed(outcome.lost, by_zone=False)),
                "nowhere" if extra is None else dollars(extra, 2),
            )
        busy = ", ".join(f"{name} {percent(share)}" for name, share in one.shares.items())
        heading = f"{one.period}, {one.hours_of_week} hours of the week ({busy}), demand {one.scenario}"
        parts += [Text(heading, style="bold"), table, Text("")]
    if broken:
        said = f"{broken} protected pods are lost: a promise is broken"
    elif any(outcome.is_promised for one in simulated for outcome in one.outcomes):
        said = "every promise holds"
    elif unbound:
        said = "what the forecast promises binds no pod"
    else:
        said = "the forecast promises nothing: see `resilience:` in examples/resilient.yaml"
    return Group(*parts, *warning_lines(unbound), Text(said, style="bold"))


def _promise(outcome: Outcome) -> str:
    if not outcome.is_promised:
        return "none"
    return f"{outcome.protected_lost:,} lost" if outcome.protected_lost else "holds"


def _summed(moved: tuple[Moved, ...], *, by_zone: bool) -> str:
    counts: Counter[str] = Counter()
    for one in moved:
        counts[one.zone if by_zone else one.workload] += one.pods
    return some([f"{pods:,} {name}" for name, pods in sorted(counts.items())], most=4)
