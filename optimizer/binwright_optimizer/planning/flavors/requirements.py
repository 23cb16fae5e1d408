"""Hard requirements: a flavour that misses one is out, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from binwright_optimizer.errors import CatalogError
from binwright_optimizer.planning.flavors.catalogue import Tier
from binwright_optimizer.planning.flavors.cost import FlavorCost


@dataclass(frozen=True, slots=True)
class Needs:
    """What must hold.

    Parameters
    ----------
    gpu_models
        Every one of these must be for sale, such as ``t4``.
    scale_nodes
        Nodes that one cluster must be able to have.
    budget_usd
        Most dollars a month.
    """

    on_premises: bool = False
    windows: bool = False
    gpu_models: tuple[str, ...] = ()
    scale_nodes: int = 0
    budget_usd: int | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A flavour that is out, and why."""

    flavor: str
    reasons: tuple[str, ...]


def admit(
    costs: Iterable[FlavorCost], needs: Needs, gpu_models: dict[str, frozenset[str]], tier: Tier
) -> tuple[tuple[FlavorCost, ...], tuple[Exclusion, ...]]:
    """The flavours that meet every requirement, and those that do not.

    Parameters
    ----------
    gpu_models
        GPU models for sale, by flavour.
    """
    admitted, excluded = [], []
    for cost in costs:
        reasons = tuple(_misses(cost, needs, gpu_models[cost.flavor.name], tier))
        if reasons:
            excluded.append(Exclusion(cost.flavor.name, reasons))
        else:
            admitted.append(cost)
    return tuple(admitted), tuple(excluded)


def _misses(cost: FlavorCost, needs: Needs, gpu_models: frozenset[str], tier: Tier) -> Iterable[str]:
    flavor = cost.flavor
    if cost.missing:
        yield cost.missing
    if needs.on_premises and not flavor.is_on_premises:
        yield "does not run on premises"
    if needs.windows and not flavor.has_windows:
        yield "has no Windows node images that a provider maintains"
    for model in needs.gpu_models:
        if model not in gpu_models:
            yield f"sells no {model} here"
    limit = flavor.tiers[tier].max_nodes if tier in flavor.tiers else flavor.max_nodes
    if needs.scale_nodes > limit:
        yield f"carries {limit:,} nodes a cluster, {needs.scale_nodes:,} are needed"
    if needs.budget_usd is not None and cost.total_microusd > needs.budget_usd * 1_000_000:
        yield f"costs ${cost.total_microusd / 1e6:,.0f} a month, the budget is ${needs.budget_usd:,}"


def check_gpu_models(models: Iterable[str], known: Iterable[str]) -> None:
    """Raise CatalogError for a GPU model that nobody sells."""
    sold = set(known)
    for model in models:
        if model not in sold:
            raise CatalogError(f"unknown GPU model {model!r}; sold here: {', '.join(sorted(sold))}")
