"""Cells whose pods are split over sites: every split is checked, and its proof is made again.

A split's proof names cuts, certificates of the engine for one site. What a pod of each workload costs there
at least, whatever the number of pods, is worked out from them anew (`verify.bound.worth_of_pods`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from fractions import Fraction

from binwright_optimizer.model import Catalog, NodePool, Problem, Workload
from binwright_optimizer.model.forecast import Forecast
from binwright_optimizer.verify.bound import worth_of_pods
from binwright_optimizer.verify.market import market
from binwright_optimizer.verify.mixes import PROOF_S
from binwright_optimizer.verify.plan.churn import Churn, beside
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.demand import template_of
from binwright_optimizer.verify.plan.document import CertificateRecord, CutRecord, WholeList
from binwright_optimizer.verify.plan.places import Item, Placement, Site, is_spot, sold_at
from binwright_optimizer.verify.plan.split import (
    CutOf,
    SplitRecord,
    cpu_by_region,
    egress_of,
    proven_cost,
    split_findings,
)
from binwright_optimizer.verify.plan.whole_bounds import WholeBounds

Cell = tuple[int, int, int]
LISTED = WholeList((), 0)
MANY_PODS = 100_000
"""More pods than any node holds, so that a cut holds for any number of them."""


class Together:
    """The splits of a certificate.

    Parameters
    ----------
    egress, egress_alone
        Micro-dollars an hour for data, by cell, of the plan and of one that buys nothing ahead; known once
        `findings` has seen the cell.
    """

    def __init__(
        self,
        forecast: Forecast,
        catalogs: Mapping[str, Catalog],
        node_pools: Sequence[NodePool],
        record: CertificateRecord,
        instruments: Instruments,
        churn: Churn | None,
    ) -> None:
        self._forecast = forecast
        self._catalogs = catalogs
        self._node_pools = tuple(node_pools)
        self._record = record
        self._instruments = instruments
        self._churn = churn
        self._placement = Placement(forecast, catalogs)
        self.sites = self._placement.sites
        self._quotas = {limit.region: limit.cpu_milli for limit in forecast.limits}
        self._fits: dict[tuple[int, Site], bool] = {}
        self._cuts: dict[int, CutOf] = {}
        self._items: dict[Cell, tuple[list[Item], list[Item]]] = {}
        self._splits: dict[Cell, tuple[SplitRecord | None, SplitRecord | None]] = {}
        self._alone: dict[Cell, SplitRecord | None] = {}
        self.egress: dict[Cell, int] = {}
        self.egress_alone: dict[Cell, int] = {}
        self._whole = WholeBounds(
            self.sites,
            self._items,
            instruments,
            record.whole_prices,
            self._quotas,
            self._problem,
            lambda cell: Fraction(0) if churn is None else churn.of_node(cell),
        )

    def findings(self, cell: Cell, number: int, wanted: Mapping[int, int]) -> Iterator[str]:
        """What is wrong with the splits of a cell, given its pods by demand."""
        both: tuple[list[Item], list[Item]] = [], []
        for demand, pods in wanted.items():
            workload = self._forecast.demands[demand].workload
            sites = tuple(s for s in self._placement.sites_of(demand) if self._fit(workload, s))
            item = self._placement.item(demand, pods, sites)
            if not sites:
                yield f"no node sold holds a pod of demand {demand}"
                return
            both[is_spot(self._forecast.workloads[workload])].append(item)
        on_demand, spot = self._record.splits[2 * number : 2 * number + 2]
        self._items[cell], self._splits[cell] = both, (on_demand, spot)
        alone = self._record.alone_splits[number] if self._record.alone_splits else None
        self._alone[cell] = on_demand if alone is None else alone
        self.egress[cell] = yield from self._kept(both, (on_demand, spot))
        self.egress_alone[cell] = self.egress[cell]
        if alone is not None:
            self.egress_alone[cell] = yield from self._kept(both, (alone, spot))

    def _kept(
        self,
        both: tuple[Sequence[Item], Sequence[Item]],
        splits: tuple[SplitRecord | None, SplitRecord | None],
    ) -> Generator[str, None, int]:
        """What is wrong with the splits of a cell; returns what their data costs, micro-dollars an hour."""
        used: dict[str, int] = {}
        egress, spot = 0, splits[1]
        for items, split in zip(both, splits, strict=True):
            if split is None:
                if items:
                    yield f"{sum(item.pods for item in items)} pods are on no site"
                continue
            wrong = list(split_findings(items, self.sites, split))
            wrong += list(self._wrong_cuts(split, is_spot_kind=split is spot))
            yield from wrong
            if wrong:
                continue
            for region, cpu in cpu_by_region(items, self.sites, split).items():
                used[region] = used.get(region, 0) + cpu
            egress += egress_of(items, self.sites, split)
        for region, quota in self._quotas.items():
            if used.get(region, 0) > quota:
                yield f"pods request {used[region]} milli-CPU in {region}, its quota is {quota}"
        return egress

    def _wrong_cuts(self, split: SplitRecord, *, is_spot_kind: bool) -> Iterator[str]:
        for number, _ in split.weights:
            if number >= len(self._record.cuts):
                yield f"cut {number} is not there"
                return
            cut = self._record.cuts[number]
            if cut.site >= len(self.sites) or cut.is_spot != is_spot_kind:
                yield f"cut {number} is of another site or way to buy"
            elif any(at >= len(self._forecast.workloads) for at in cut.workloads):
                yield f"cut {number} names a workload that the forecast does not have"

    def pods(self, site: Site, cell: Cell) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
        """Pods by workload that a site must hold: on demand, on spot, on demand with nothing bought."""
        number = self.sites.index(site)
        found: tuple[dict[int, int], dict[int, int], dict[int, int]] = {}, {}, {}
        for mine, split in zip(found, (*self._splits[cell], self._alone[cell]), strict=True):
            for (demand, at), pods in split.held.items() if split is not None else ():
                if at == number and pods:
                    workload = self._forecast.demands[demand].workload
                    mine[workload] = mine.get(workload, 0) + pods
        return found

    def proven(self, cell: Cell, factors: Mapping[int, Fraction], full: Fraction) -> Fraction:
        """What a cell costs at least, nodes and data.

        Parameters
        ----------
        factors
            What a micro-dollar of list price costs for on-demand nodes, by group.
        full
            What it costs where no commitment pays.

        Raises
        ------
        ValueError
            If the weights or prices of its proof are none.
        """
        (on_demand, spot), splits = self._items[cell], self._splits[cell]
        total = Fraction(0)
        if splits[0] is not None:
            groups = self._instruments.region_groups
            ratio = {
                site: min((factors[group] for group in groups[site.region]), default=full)
                for site in self.sites
            }
            cuts = self._needed(splits[0])
            hourly = proven_cost(on_demand, splits[0], cuts, self._quotas, ratio, full)
            total += max(
                hourly,
                min([full, *ratio.values()]) * self._whole.at_list_prices(cell, is_spot=False),
                self._whole.at_factors(cell, factors, full),
            )
        if splits[1] is not None:
            ones = dict.fromkeys(self.sites, Fraction(1))
            cuts = self._needed(splits[1])
            hourly = proven_cost(spot, splits[1], cuts, self._quotas, ones, Fraction(1))
            total += full * max(int(hourly), self._whole.at_list_prices(cell, is_spot=True))
        return total

    def _needed(self, split: SplitRecord) -> dict[int, CutOf]:
        """The cuts that a proof uses, by number."""
        for number, _ in split.weights:
            if number not in self._cuts:
                self._cuts[number] = self._cut(self._record.cuts[number])
        return {number: self._cuts[number] for number, _ in split.weights}

    def _cut(self, cut: CutRecord) -> CutOf:
        site = self.sites[cut.site]
        problem = self._problem(cut.workloads, site, LISTED)
        many = [MANY_PODS] * len(cut.workloads)
        worth, bits = worth_of_pods(problem, cut.certificate, many, time_limit_s=PROOF_S)
        values = (Fraction(value, 1 << bits) for value in worth)
        return CutOf(site, dict(zip(cut.workloads, values, strict=True)))

    def _problem(
        self, workloads: Sequence[int], site: Site, prices: WholeList, cell: Cell | None = None
    ) -> Problem:
        pods = tuple(
            Workload(self._forecast.workloads[at].name, template_of(self._forecast, at), MANY_PODS)
            for at in workloads
        )
        catalog = sold_at(self._catalogs, site)
        priced = self._instruments.repriced(catalog, site.region, prices.ppm)
        problem = Problem(pods, self._node_pools, priced)
        held = None if cell is None or self._churn is None else self._churn.nodes_held(site, cell)
        return problem if held is None else beside(held, prices.surcharge, problem)

    def _fit(self, workload: int, site: Site) -> bool:
        """Whether any node sold on a site holds a pod of a workload."""
        key = workload, site
        if key not in self._fits:
            shop = market(self._problem((workload,), site, LISTED))
            admitted = shop.is_admitted[shop.row_of, 0] if len(shop.price) else shop.row_of.astype(bool)
            self._fits[key] = bool((admitted & (shop.room >= shop.requests[0]).all(axis=1)).any())
        return self._fits[key]
