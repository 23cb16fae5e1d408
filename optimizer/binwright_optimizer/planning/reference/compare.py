"""The reference platform beside the optimal mixes and the sizing rule for the same demand."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from binwright_optimizer.model import HOURS_PER_MONTH, PriceSource, Workload
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.mix import (
    TARGET_UTILISATION,
    Mix,
    cheapest_mix,
    sources_of,
    stale_prices,
    with_headroom,
    without_giants,
)
from binwright_optimizer.planning.reference.demand import Split, reference_workloads
from binwright_optimizer.planning.reference.findings import Finding, findings
from binwright_optimizer.planning.reference.platform import (
    REGIONS,
    ReferenceRegion,
    reference_mix,
    region_catalog,
)
from binwright_optimizer.planning.sizing import Faults, Sizing, size


@dataclass(frozen=True, slots=True)
class RegionMixes:
    """One region: its demand, the stated nodes, and the optimum from two price lists.

    Parameters
    ----------
    same_types
        Cheapest mix of the pools' own instance types.
    whole_catalog
        Cheapest mix of everything sold there up to 32 vCPU but burstable types and bare metal, amd64;
        only batch pods may run on spot.
    """

    region: ReferenceRegion
    workloads: tuple[Workload, ...]
    stated: Mix
    same_types: Mix
    whole_catalog: Mix


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole platform, region by region."""

    split: Split
    utilisation: Fraction
    regions: tuple[RegionMixes, ...]
    sizing: Sizing
    sizing_as_written: Sizing
    findings: tuple[Finding, ...]

    @property
    def price_sources(self) -> tuple[PriceSource, ...]:
        """Sources of all prices, latest first."""
        return sources_of(self._all_mixes)

    def stale_prices(self, today: datetime.date) -> tuple[str, ...]:
        """What is to be said of prices that are old by then."""
        return stale_prices(self._all_mixes, today)

    @property
    def _all_mixes(self) -> tuple[Mix, ...]:
        mixes = [mix for r in self.regions for mix in (r.stated, r.same_types, r.whole_catalog)]
        return (*mixes, *self.sizing.mixes)


def microusd_per_month(mix: Mix) -> int:
    """What a mix costs in a month."""
    return mix.cost_microusd_per_hour * HOURS_PER_MONTH


def compare(
    split: Split = Split.ROLES,
    utilisation: Fraction = TARGET_UTILISATION,
    params: SolveParams = SolveParams(deadline_s=5.0, gap=0.001),
    on_step: Callable[[str], None] | None = None,
) -> Comparison:
    """The comparison; six solves.

    Parameters
    ----------
    params
        Of each solve.
    on_step
        Told what is being done.
    """

    def say(step: str) -> None:
        if on_step is not None:
            on_step(step)

    regions = []
    for region in REGIONS:
        workloads = reference_workloads(region, split)
        roomy = tuple(with_headroom(workload, utilisation) for workload in workloads)
        say(f"{region.name}: the pools' own types")
        same = cheapest_mix(roomy, region_catalog(region.name, pools_only=True), params)
        say(f"{region.name}: the whole catalogue")
        whole = cheapest_mix(roomy, without_giants(region_catalog(region.name)), params)
        regions.append(RegionMixes(region, workloads, reference_mix(region), same, whole))
    demand = [(r.region.name, r.workloads) for r in regions]
    return Comparison(
        split=split,
        utilisation=utilisation,
        regions=tuple(regions),
        sizing=size(demand),
        sizing_as_written=size(demand, Faults.ALL),
        findings=findings(),
    )
