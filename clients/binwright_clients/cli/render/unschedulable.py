"""Pods without a place, grouped by why: thousands of replicas share a handful of reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from binwright.v1 import decision_pb2
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.render.text import counted, literal, some


@dataclass(slots=True)
class ReasonGroup:
    """Pods refused for the same reasons.

    Parameters
    ----------
    pods, workloads
        Names in the order of the decision; a workload is listed once.
    reasons
        Triples (constraint, number of offerings and nodes refused, message).
    """

    reasons: tuple[tuple[str, int, str], ...]
    nearest_miss: str
    conflict: decision_pb2.Conflict | None = None
    pods: list[str] = field(default_factory=list)
    workloads: list[str] = field(default_factory=list)


def group_by_reason(pods: Iterable[decision_pb2.UnschedulablePod]) -> list[ReasonGroup]:
    """Unschedulable pods with identical reasons and nearest miss together, largest group first."""
    groups: dict[tuple[object, ...], ReasonGroup] = {}
    for pod in pods:
        reasons = tuple((r.constraint, r.refused, r.message) for r in pod.reasons)
        conflict = pod.conflict if pod.HasField("conflict") else None
        told = (*conflict.constraints, conflict.cheapest_relaxation) if conflict else None
        key = reasons, pod.nearest_miss, told
        group = groups.setdefault(key, ReasonGroup(reasons, pod.nearest_miss, conflict))
        group.pods.append(pod.pod)
        if pod.workload and pod.workload not in group.workloads[-1:]:
            group.workloads.append(pod.workload)
    for group in groups.values():
        group.workloads = list(dict.fromkeys(group.workloads))
    return sorted(groups.values(), key=lambda group: (-len(group.pods), group.pods[0]))


def unschedulable_view(pods: Iterable[decision_pb2.UnschedulablePod], most_groups: int = 10) -> Group:
    """The groups indented under a heading: who, refused by what, and the nearest miss."""
    groups = group_by_reason(pods)
    total = sum(len(group.pods) for group in groups)
    parts: list[RenderableType] = [Text(f"Unschedulable: {counted(total, 'pod')}", style="bold red")]
    for group in groups[:most_groups]:
        who = Text.assemble((f"  {counted(len(group.pods), 'pod')}: ", "bold"), some(group.pods))
        if group.workloads and group.workloads != group.pods:
            who.append(f"  ({some(group.workloads)})", style="dim")
        parts.append(who)
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="yellow", no_wrap=True)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_column()
        for constraint, refused, message in group.reasons:
            grid.add_row(literal(constraint), f"{refused:,} refused", literal(message))
        if group.conflict is not None:
            _add_conflict(grid, group.conflict)
        if group.nearest_miss:
            grid.add_row(Text("nearest miss", style="cyan"), "", literal(group.nearest_miss))
        parts.append(Padding(grid, (0, 0, 0, 4)))
    if len(groups) > most_groups:
        hidden = sum(len(group.pods) for group in groups[most_groups:])
        parts.append(Text(f"  {hidden:,} more for other reasons; -o json lists every one", style="dim"))
    return Group(*parts)


def _add_conflict(grid: Table, conflict: decision_pb2.Conflict) -> None:
    """The constraints that contradict each other, and which of them costs least to drop."""
    heading = Text("conflict", style="red")
    for constraint in conflict.constraints or ["no node can be had at all"]:
        grid.add_row(heading, "", literal(constraint))
        heading = Text("and", style="red")
    if conflict.cheapest_relaxation:
        dollars = conflict.relaxed_cost_microusd_per_hour / 1e6
        told = f"without {conflict.cheapest_relaxation} they fit, for ${dollars:,.4f}/h"
        grid.add_row(Text("way out", style="green"), "", literal(told))
