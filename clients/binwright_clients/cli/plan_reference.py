"""``binwright plan reference``: the reference platform, what it costs, and what would do."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click
from binwright_optimizer.model import HOURS_PER_MONTH

from binwright_clients.cli.answer_stdout import answer_only_on_stdout
from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.output import output_option, print_table, print_yaml, stderr_console
from binwright_clients.cli.plan_reference_view import reference_view
from binwright_clients.cli.today import today
from binwright_clients.cli.values import DURATION

if TYPE_CHECKING:
    from binwright_optimizer.model import PriceSource
    from binwright_optimizer.planning.mix import Mix
    from binwright_optimizer.planning.reference import Comparison

_MICROUSD = 1_000_000


@click.command(
    epilog=examples(
        "binwright plan reference",
        "binwright plan reference --split nodes --utilisation 0.8 -o json",
    )
)
@click.option(
    "--split",
    type=click.Choice(["roles", "nodes"]),
    default="roles",
    show_default=True,
    help="Where the demand arises: 60/30/10 % by role, or where the stated nodes are.",
)
@click.option(
    "--utilisation",
    type=float,
    default=0.7,
    show_default=True,
    help="Share of a node's CPU and memory that requests may fill.",
)
@click.option(
    "--deadline", type=DURATION, default="5s", show_default=True, help="Time of each of six solves."
)
@output_option()
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
def reference(split: str, utilisation: float, deadline: float, output: str, quiet: bool) -> None:
    """What 300 nodes in three regions really cost, and the optimal mix for the same demand.

    The platform is stated as 150, 100 and 50 nodes in us-east-1, eu-west-1 and ap-southeast-1, in pools of
    40/20/20/20 % c5.2xlarge, r5.2xlarge, g4dn.2xlarge and spot c5.2xlarge, for $55,219 a month. Every figure
    is held against the catalogue; what does not add up is said and why.
    """
    if not 0.05 <= utilisation <= 1:
        raise BadInput(f"--utilisation: must be between 0.05 and 1 (got {utilisation})")
    # Imported on first use: it loads the solver.
    from binwright_optimizer.params import SolveParams
    from binwright_optimizer.planning.reference import Split, compare

    console = stderr_console()
    with answer_only_on_stdout():
        found = compare(
            Split(split),
            Fraction(str(utilisation)),
            SolveParams(deadline_s=deadline, gap=0.001),
            None if quiet else lambda step: console.print(f"solving {step}", markup=False),
        )
    if output == "table":
        print_table(reference_view(found))
    elif output == "json":
        click.echo(json.dumps(comparison_document(found), indent=2))
    else:
        print_yaml(comparison_document(found))


def comparison_document(found: Comparison) -> dict[str, Any]:
    """The comparison as plain values; money in dollars a month unless the key says otherwise.

    All totals are of nodes alone; control planes come on top of each.
    """
    from binwright_optimizer.planning.reference import BUDGET, STATED_TOTAL_USD
    from binwright_optimizer.planning.sizing import FAULTS, LIMITS

    regions = [
        {
            "region": r.region.name,
            "role": r.region.role,
            "demand_percent": r.region.demand_percent,
            "workloads": {workload.name: workload.replicas for workload in r.workloads},
            "stated": mix_document(r.stated),
            "same_types": mix_document(r.same_types),
            "whole_catalog": mix_document(r.whole_catalog),
        }
        for r in found.regions
    ]
    return {
        "split": str(found.split),
        "target_utilisation": float(found.utilisation),
        "stated_total_usd": STATED_TOTAL_USD,
        "stated_nodes_usd": next(line.usd_per_month for line in BUDGET if line.name == "nodes"),
        "catalog_nodes_usd": _total(found, "stated"),
        "same_types_usd": _total(found, "same_types"),
        "whole_catalog_usd": _total(found, "whole_catalog"),
        "whole_catalog_lower_bound_usd": _dollars(
            HOURS_PER_MONTH * sum(r.whole_catalog.bound_microusd_per_hour for r in found.regions)
        ),
        "sizing_rule_usd": _dollars(found.sizing.nodes_microusd_per_month),
        "sizing_rule_as_written_usd": _dollars(found.sizing_as_written.nodes_microusd_per_month),
        "sizing_rule_faults_corrected": list(FAULTS.values()),
        "sizing_rule_limits": list(LIMITS),
        "control_planes": {
            "in_any_total": False,
            "clusters": found.sizing.control_planes,
            "usd": _dollars(found.sizing.control_planes_microusd_per_month),
            "sizing_rule_as_written_usd": _dollars(found.sizing_as_written.control_planes_microusd_per_month),
        },
        "findings": [
            {"subject": f.subject, "stated": f.stated, "found": f.found, "holds": f.holds}
            for f in found.findings
        ],
        "regions": regions,
        "warnings": list(found.stale_prices(today())),
        "price_sources": [source_document(source) for source in found.price_sources],
    }


def mix_document(mix: Mix) -> dict[str, Any]:
    """A mix as plain values."""
    return {
        "nodes": mix.nodes,
        "hourly_cost_usd": _dollars(mix.cost_microusd_per_hour),
        "monthly_cost_usd": _dollars(HOURS_PER_MONTH * mix.cost_microusd_per_hour),
        "lower_bound_usd": _dollars(mix.bound_microusd_per_hour),
        "gap": mix.gap,
        "purchases": [
            {
                "instance_type": p.instance_type,
                "capacity_type": str(p.capacity_type),
                "zone": p.zone,
                "nodes": p.nodes,
                "hourly_price_usd": _dollars(p.price_microusd_per_hour),
                "price_source": p.source.name,
                "price_date": p.source.date,
                "is_estimate": p.source.is_estimate,
            }
            for p in mix.purchases
        ],
    }


def source_document(source: PriceSource) -> dict[str, Any]:
    """A price source as plain values."""
    return {"name": source.name, "date": source.date, "is_estimate": source.is_estimate}


def _total(found: Comparison, which: str) -> float:
    mixes: list[Mix] = [getattr(region, which) for region in found.regions]
    return _dollars(HOURS_PER_MONTH * sum(mix.cost_microusd_per_hour for mix in mixes))


def _dollars(microusd: int) -> float:
    return microusd / _MICROUSD
