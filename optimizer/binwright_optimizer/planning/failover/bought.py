"""What a plan runs, node by node: of a plan at hand, or of one that was saved and verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model import CapacityType, Catalog
from binwright_optimizer.model.forecast import Forecast
from binwright_optimizer.model.mixes import NodePattern
from binwright_optimizer.planning.blocks import HourBlock
from binwright_optimizer.planning.mix import Mix
from binwright_optimizer.planning.plan import Plan
from binwright_optimizer.planning.records import mixes_from_record
from binwright_optimizer.planning.scenarios import Scenario, scenarios
from binwright_optimizer.planning.sites import Site, is_coupled, sites_of

Cell = tuple[int, int, int]
"""Period, scenario, block."""
Stack = tuple[NodePattern, tuple[tuple[int, int], ...], int]
"""Equal nodes: the pattern, its pods by workload of the forecast, and how many nodes."""


@dataclass(frozen=True, slots=True)
class Places:
    """Pods that sites hold, and those that run there while all is well, by (workload, home, site)."""

    held: Mapping[tuple[int, str, int], int]
    running: Mapping[tuple[int, str, int], int]


@dataclass(frozen=True, slots=True)
class Bought:
    """The nodes of every cell, and where pods are split over sites, how."""

    forecast: Forecast
    scenarios: tuple[Scenario, ...]
    blocks: tuple[HourBlock, ...]
    sites: tuple[Site, ...]
    nodes: Mapping[tuple[Cell, CapacityType, Site], Sequence[Stack]]
    splits: Mapping[tuple[Cell, CapacityType], Places]

    def busiest(self, period: int, scenario: int) -> Cell:
        """The block of hours of a period and scenario whose nodes cost most."""

        def cost(block: int) -> int:
            return sum(
                pattern.price_microusd_per_hour * count
                for (cell, _, _), stacks in self.nodes.items()
                if cell == (period, scenario, block)
                for pattern, _, count in stacks
            )

        return period, scenario, max(range(len(self.blocks)), key=lambda block: (cost(block), -block))


def bought_by(plan: Plan) -> Bought:
    """What a plan runs.

    Raises
    ------
    PlanningError
        If it does not say node by node what it buys.
    """
    nodes: dict[tuple[Cell, CapacityType, Site], Sequence[Stack]] = {}
    for block in plan.mixes:
        cell, site = (block.period, block.scenario, block.block), Site(block.region, block.zone)
        nodes[cell, CapacityType.ON_DEMAND, site] = _stacks(block.on_demand)
        nodes[cell, CapacityType.SPOT, site] = _stacks(block.spot)
    splits = {}
    for (cell, kind), own in plan.spread.items():
        items = own.split.proof.question.items
        splits[cell, kind] = Places(
            {(items[i].workload, items[i].home, site): n for (i, site), n in own.split.pods.items()},
            {(items[i].workload, items[i].home, site): n for (i, site), n in own.split.running.items()},
        )
    sites = plan.sites or tuple(Site(region) for region in plan.forecast.regions)
    return Bought(plan.forecast, plan.scenarios, plan.blocks, sites, nodes, splits)


def _stacks(mix: Mix) -> Sequence[Stack]:
    if mix.packed is None:
        if mix.purchases:
            raise PlanningError("the plan does not say which pods are on which node")
        return ()
    places = mix.packed.places
    return tuple(
        (pattern, tuple((places[at], n) for at, n in pattern.pods), count)
        for pattern, count in mix.packed.mix.nodes
    )


def bought_in(certificate: Mapping[str, Any], forecast: Forecast, catalogs: Mapping[str, Catalog]) -> Bought:
    """What a saved plan runs, from the certificate in it.

    `verify.plan` must have found nothing wrong with the plan: it is not checked again.
    """
    sites = sites_of(forecast, catalogs) if is_coupled(forecast) else tuple(map(Site, forecast.regions))
    futures = scenarios(forecast)
    hours = [int(number) for number in certificate["block_of_hour"].split()]
    blocks = tuple(_blocks(forecast, hours))
    mixes = mixes_from_record(certificate)
    families = [int(number) for number in certificate["family_of_mix"].split()]
    cells = [
        (period, scenario, block)
        for period in range(len(forecast.periods))
        for scenario in range(len(futures))
        for block in range(len(blocks))
    ]

    def stacks(number: str) -> Sequence[Stack]:
        if number == "-":
            return ()
        places = certificate["families"][families[int(number)]]["workloads"]
        return tuple(
            (pattern, tuple((places[at], n) for at, n in pattern.pods), count)
            for pattern, count in mixes[int(number)].nodes
        )

    nodes: dict[tuple[Cell, CapacityType, Site], Sequence[Stack]] = {}
    answers = iter(certificate["answers"])
    for site in sites:
        for cell in cells:
            on_demand, _, spot, _ = next(answers).split()
            nodes[cell, CapacityType.ON_DEMAND, site] = stacks(on_demand)
            nodes[cell, CapacityType.SPOT, site] = stacks(spot)
    splits = {}
    for number, record in enumerate(certificate["splits"]):
        if record is not None:
            kind = (CapacityType.ON_DEMAND, CapacityType.SPOT)[number % 2]
            splits[cells[number // 2], kind] = _places(forecast, record)
    return Bought(forecast, futures, blocks, sites, nodes, splits)


def _blocks(forecast: Forecast, block_of_hour: Sequence[int]) -> Iterator[HourBlock]:
    for block in range(max(block_of_hour) + 1):
        members = tuple(hour for hour, own in enumerate(block_of_hour) if own == block)
        shares = tuple(max(profile.ppm[hour] for hour in members) for profile in forecast.profiles)
        yield HourBlock(len(members), shares, members)


def _places(forecast: Forecast, record: Mapping[str, Any]) -> Places:
    held, running = {}, {}
    for text in record["pods"].split():
        demand, site, holds, runs = map(int, text.split(":"))
        key = forecast.demands[demand].workload, forecast.demands[demand].region, site
        held[key] = holds
        if runs:
            running[key] = runs
    return Places(held, running)
