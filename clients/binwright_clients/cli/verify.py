"""``binwright verify``: doubt an answer, from files alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click
from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model.decision import relative_gap
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.examples import examples
from binwright_clients.cli.exit_codes import FAILED
from binwright_clients.cli.failures import located
from binwright_clients.cli.files import read_decision, read_request
from binwright_clients.cli.output import output_option, print_table, print_yaml
from binwright_clients.cli.render.text import counted, dollars, literal, percent, printable

_FILE = click.Path(path_type=Path)
_MICROUSD = 1_000_000


@dataclass(frozen=True, slots=True)
class Recheck:
    """What a second look finds.

    Parameters
    ----------
    contradictions
        What keeps the decision from being read against the problem; nothing further was checked
        if there are any.
    placement
        Violations of the problem's rules by nodes and pods; None if not checked.
    statement
        Contradictions between cost, bound, status and stop reason; None if not checked.
    bound
        What is wrong with the proof of the lower bound; None if not checked.
    catalogue
        Name and version of the prices compared with.
    hourly_cost_microusd
        Sum of the catalogue's prices of the bought offerings; None if one is not sold, or the
        decision cannot be read at all.
    charged_microusd
        Interruptions and penalties, which the check of the placement has recomputed.
    lower_bound_microusd
        What the certificate proves; None if the decision cannot be read at all.
    """

    catalogue: str
    contradictions: tuple[str, ...] = ()
    placement: tuple[str, ...] | None = None
    statement: tuple[str, ...] | None = None
    bound: tuple[str, ...] | None = None
    pods_placed: int | None = None
    hourly_cost_microusd: int | None = None
    charged_microusd: int = 0
    lower_bound_microusd: int | None = None

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that is wrong; empty if the decision holds."""
        return (
            *self.contradictions,
            *(self.placement or ()),
            *(self.statement or ()),
            *(self.bound or ()),
        )


@click.command(
    short_help="Re-check a decision from files alone.",
    epilog=examples(
        "binwright solve -f pods.csv --save-problem problem.json --save-decision decision.json",
        "binwright verify problem.json decision.json",
    ),
)
@click.argument("problem", type=_FILE)
@click.argument("decision", type=_FILE)
@output_option()
def verify(problem: Path, decision: Path, output: str) -> None:
    """Re-check placement, cost and the proof of the lower bound of DECISION on PROBLEM.

    Takes the files that "binwright solve" writes with --save-problem and --save-decision (JSON, or
    binary as .pb); the output of "solve -o json" is a decision too. The checker shares no code with
    the solver. Exit code 0 if the decision holds, 1 if it is refuted, 2 if a file is wrong.
    """
    request = read_request(problem)
    stated = read_decision(decision)
    with located(lambda field: f"{problem}: {field}"):
        result = recheck(request, stated)
    if output == "table":
        print_table(_view(stated, result))
    else:
        document = _document(stated, result)
        if output == "json":
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            print_yaml(document)
    if result.findings:
        raise click.exceptions.Exit(FAILED)


def recheck(request: provisioning_service_pb2.SolveRequest, stated: decision_pb2.Decision) -> Recheck:
    """Check a decision and recompute its figures.

    Raises
    ------
    InvalidProblemError
        If the problem itself is wrong; a wrong decision is a finding.
    """
    # Imported on first use: the client package alone reads no problems and has no verifier.
    from binwright_optimizer import verify as checker
    from binwright_server.convert import decision_from_message, request_to_problem

    problem, _ = request_to_problem(request)
    catalogue = _identity(problem.catalog.name, problem.catalog.digest)
    try:
        held = decision_from_message(problem, stated)
    except InvalidProblemError as error:
        return Recheck(catalogue, tuple(str(violation) for violation in error.violations))
    checker.warm_up()
    checker.prepare(problem)
    proven = checker.proven_of(problem, held)
    unproven: tuple[str, ...] = ()
    if proven < held.bound_microusd_per_hour:
        unproven = (
            (
                f"the certificate proves a lower bound of ${dollars(proven, 6)}/h,"
                f" ${dollars(held.bound_microusd_per_hour, 6)}/h is stated"
            ),
        )
    sold = {
        (instance_type.name, offering.region, offering.zone, offering.capacity_type): (
            offering.price_microusd_per_hour
        )
        for instance_type in problem.catalog.instance_types
        for offering in instance_type.offerings
    }
    placement = checker.check_placement(problem, held)
    prices = [
        # What commitments leave to be paid of a node, the check of the placement has confirmed.
        c.price_microusd_per_hour
        if c.covers and not placement
        else sold.get((c.instance_type, c.region, c.zone, c.capacity_type))
        for c in held.node_claims
    ]
    known = [price for price in prices if price is not None]
    cost = sum(known) if len(known) == len(prices) else None
    return Recheck(
        catalogue,
        placement=placement,
        statement=checker.check_statement(held),
        bound=unproven,
        pods_placed=sum(checker.placed_pods(problem, held)),
        hourly_cost_microusd=cost,
        charged_microusd=held.total_microusd_per_hour - held.cost_microusd_per_hour,
        lower_bound_microusd=proven,
    )


def _identity(name: str, digest: str) -> str:
    """Name and digest of a catalogue; an embedded catalogue's digest begins with its name.

    Examples
    --------
    >>> _identity("aws us-east-1", "aws us-east-1 @2026-07-20 f00"), _identity("mine", "f00")
    ('aws us-east-1 @2026-07-20 f00', 'mine f00')
    """
    words = name.replace(",", "").split()
    if digest.split()[: len(words)] == words:
        return digest
    return f"{name} {digest}".strip()


_RULES = "requests, daemons, selectors, taints, limits"


def _view(stated: decision_pb2.Decision, result: Recheck) -> RenderableType:
    verdict = Text("REFUTED", style="bold red") if result.findings else Text("VERIFIED", style="bold green")
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column()
    if result.contradictions:
        found = _failed(result.contradictions, "in reading the decision against the problem")
        grid.add_row("decision", found)
    placed = counted(result.pods_placed or 0, "pod")
    nodes = counted(len(stated.node_claims), "node")
    existing = counted(len(stated.existing_placements), "existing node")
    unplaced = len(stated.unschedulable_pods)
    grid.add_row(
        "placement",
        _checked(
            result.placement,
            f"{placed} on {nodes} and {existing}, {unplaced:,} unschedulable: {_RULES}",
            _RULES,
        ),
    )
    cost = _compared(stated.hourly_cost_microusd, result.hourly_cost_microusd, "in the catalogue")
    if result.placement is not None and result.hourly_cost_microusd is None:
        cost += ": a node is not sold in the catalogue"
    grid.add_row("cost", cost)
    proven = _compared(stated.lower_bound_microusd, result.lower_bound_microusd, "proven by the certificate")
    grid.add_row("lower bound", _checked(result.bound, proven, proven, unchecked=proven))
    grid.add_row("gap", _gap_text(stated, result))
    agreeing = "cost, bound, status and stop reason"
    grid.add_row("statement", _checked(result.statement, f"{agreeing} agree", agreeing))
    grid.add_row("catalogue", literal(result.catalogue))
    parts: list[RenderableType] = [verdict, grid]
    parts += [Text.assemble(("finding  ", "red"), printable(finding)) for finding in result.findings]
    return Group(*parts)


def _checked(findings: tuple[str, ...] | None, held: str, rules: str, unchecked: str = "not checked") -> Text:
    """What a check found: ``held`` if nothing, else that ``rules`` failed, or that it was not reached."""
    if findings is None:
        return Text(unchecked, style="yellow")
    return _failed(findings, f"({rules})") if findings else Text(held)


def _failed(findings: tuple[str, ...], where: str) -> Text:
    return Text.assemble(("FAILED", "bold red"), f", {counted(len(findings), 'finding')} {where}")


def _compared(stated: int, recomputed: int | None, by: str) -> str:
    if recomputed is None:
        return f"${dollars(stated)}/h stated, not checked"
    return f"${dollars(stated)}/h stated, ${dollars(recomputed)}/h {by}"


def _gap(result: Recheck) -> float | None:
    if result.hourly_cost_microusd is None or result.lower_bound_microusd is None:
        return None
    return relative_gap(result.hourly_cost_microusd + result.charged_microusd, result.lower_bound_microusd)


def _gap_text(stated: decision_pb2.Decision, result: Recheck) -> str:
    gap = _gap(result)
    if result.pods_placed == 0 and stated.unschedulable_pods:
        return "none: no pod is placed, so that cost and bound are of no pod at all"
    return f"{percent(stated.gap)} stated, " + (
        "not checked" if gap is None else f"{percent(gap)} recomputed"
    )


def _outcome(findings: tuple[str, ...] | None) -> str:
    """``held``, ``failed`` or ``not checked``."""
    if findings is None:
        return "not checked"
    return "failed" if findings else "held"


def _document(stated: decision_pb2.Decision, result: Recheck) -> dict[str, object]:
    def usd(microusd: int | None) -> float | None:
        return None if microusd is None else microusd / _MICROUSD

    return {
        "verified": not result.findings,
        "findings": list(result.findings),
        "checks": {
            "decision": _outcome(result.contradictions),
            "placement": _outcome(result.placement),
            "lower_bound": _outcome(result.bound),
            "statement": _outcome(result.statement),
        },
        "catalogue": result.catalogue,
        "pods_placed": result.pods_placed,
        "unschedulable_pods": len(stated.unschedulable_pods),
        "nodes": len(stated.node_claims),
        "stated": {
            "hourly_cost_usd": stated.hourly_cost_usd,
            "lower_bound_usd": stated.lower_bound_usd,
            "gap": stated.gap,
        },
        "recomputed": {
            "hourly_cost_usd": usd(result.hourly_cost_microusd),
            "lower_bound_usd": usd(result.lower_bound_microusd),
            "gap": _gap(result),
        },
    }
