"""What is paid or weighed beside nodes: commitments held, unused accelerators, interruptions, preferences."""

from __future__ import annotations

from collections.abc import Sequence

from binwright.v1 import decision_pb2
from rich.text import Text

from binwright_clients.cli.render.text import counted, dollars, printable


def commitments_text(uses: Sequence[decision_pb2.CommitmentUse]) -> Text:
    """Each reservation and savings plan: what is held, used and unused."""
    text = Text("Commitments held\n", style="bold")
    for use in uses:
        text.append(f"  {printable(use.commitment)}", style="cyan")
        text.append(f"  {_amount(use.held, use)}: {_amount(use.used, use)} used")
        if use.running:
            text.append(f", {_amount(use.running, use)} by running nodes")
        text.append(", ")
        text.append(f"{_amount(use.unused, use)} unused\n", style="yellow" if use.unused else "")
    text.rstrip()
    return text


def _amount(amount: int, use: decision_pb2.CommitmentUse) -> str:
    return counted(amount, "node") if use.is_reservation else f"${dollars(amount)}/h"


def accelerators_text(uses: Sequence[decision_pb2.AcceleratorUse]) -> Text:
    """How many devices are bought and used, and what the unused and the stranded ones cost."""
    text = Text("Accelerators\n", style="bold")
    for use in uses:
        unused = 1000 * use.bought - use.used_milli
        text.append(f"  {printable(use.resource)}", style="cyan")
        text.append(f"  {use.bought:,} bought, {_devices(use.used_milli)} used")
        if unused:
            text.append(f", {_devices(unused)} unused (${use.unused_usd:,.4f}/h)")
        if use.stranded_milli:
            text.append(", of which ")
            text.append(
                f"{_devices(use.stranded_milli)} stranded (${use.stranded_usd:,.4f}/h)", style="yellow"
            )
        text.append("\n")
    text.rstrip()
    return text


def charges_text(decision: decision_pb2.Decision, most: int = 10) -> Text:
    """What is weighed beside dollars: expected interruptions, and preferences not met, dearest first."""
    text = Text("Weighed beside the cost of nodes\n", style="bold")
    if decision.hourly_interruption_microusd:
        text.append("  interruptions", style="cyan")
        text.append(f"  ${dollars(decision.hourly_interruption_microusd, 6)}/h on average\n")
    dearest = sorted(decision.penalties, key=lambda p: (-p.microusd_per_hour, p.workload, p.wish))
    if dearest:
        text.append("  preferences not met", style="cyan")
        text.append(f"  ${dollars(decision.hourly_penalty_microusd, 6)}/h\n")
    for penalty in dearest[:most]:
        text.append(f"    {printable(penalty.workload_name)}: {counted(penalty.pods, 'pod')} without ")
        text.append(f"{printable(penalty.wish)}, ${dollars(penalty.microusd_per_hour, 6)}/h\n")
    if len(dearest) > most:
        text.append(f"    and {len(dearest) - most:,} more\n")
    text.rstrip()
    return text


def _devices(milli: int) -> str:
    """Thousandths as a number of devices without needless digits.

    >>> _devices(2_500), _devices(3_000)
    ('2.5', '3')
    """
    return f"{milli / 1000:,.3f}".rstrip("0").rstrip(".")
