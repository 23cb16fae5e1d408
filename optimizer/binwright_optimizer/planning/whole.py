"""Cells of a plan in whole pods and whole nodes, as `verify` looks at them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from binwright_optimizer.model import CapacityType, Problem
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.planning import shares
from binwright_optimizer.planning.churn import surcharged
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.rolling import Nodes, held_as_reservations
from binwright_optimizer.planning.sites import Item, Site
from binwright_optimizer.planning.subproblems import Question, Shop
from binwright_optimizer.verify.pod_prices import Box, PricedBox, Quota, SplitItem
from binwright_optimizer.verify.site_costs import SiteCosts
from binwright_optimizer.verify.whole_cells import WholeCells
from binwright_optimizer.verify.whole_split import WholeCosts, WholeItem, promise_of

MANY_PODS = 100_000
"""More pods of one workload than any node holds, so that what is said of nodes holds for any number."""
Key = tuple[tuple[int, int, int], CapacityType]
"""A cell (period, scenario, block), and how its nodes are bought."""


def whole_cells(
    shop: Shop,
    sites: Sequence[Site],
    wanted: Mapping[Key, shares.Question],
    ppm: tuple[tuple[int, int], ...] = (),
    surcharge: int = 0,
    held: Mapping[int, Nodes] = {},
) -> dict[CapacityType, WholeCells[Key]]:
    """The cells by kind of nodes; nothing is worked out yet.

    Parameters
    ----------
    ppm
        Prices of on-demand nodes, as in `Question`.
    surcharge, held
        Micro-dollars an hour that each of them costs on top unless it is held; sites of which ``held`` says
        nothing are left out.
    """
    packed = partial(_problem_of, shop, sites, ppm, surcharge, held)
    return {
        kind: WholeCells(
            {key: tuple(map(_whole_item, q.items)) for key, q in wanted.items() if key[1] is kind},
            partial(packed, kind),
        )
        for kind in (CapacityType.ON_DEMAND, CapacityType.SPOT)
    }


def site_costs(
    shop: Shop,
    sites: Sequence[Site],
    wanted: Mapping[Key, shares.Question],
    ppm: tuple[tuple[int, int], ...] = (),
    surcharge: int = 0,
    held: Mapping[int, Nodes] = {},
) -> SiteCosts[Key]:
    """What pods on demand cost on whole nodes of each site, at prices as in `whole_cells`."""
    return SiteCosts(
        {key: split_items(question) for key, question in wanted.items()},
        partial(_problem_of, shop, sites, ppm, surcharge, held, CapacityType.ON_DEMAND),
    )


@dataclass(frozen=True, slots=True)
class WholeCell:
    """A cell whose pods are to be split over sites by what whole nodes cost there.

    Parameters
    ----------
    sites
        What pods cost on each site, for all pods of its items.
    """

    items: Sequence[SplitItem]
    sites: Mapping[int, WholeCosts]
    quotas: Sequence[Quota]

    @classmethod
    def of(cls, question: shares.Question, sites: Mapping[int, WholeCosts]) -> WholeCell:
        """The cell of a question."""
        return cls(split_items(question), sites, quotas_of(question, sites))

    def priced(self, box: Box) -> PricedBox:
        """One of its boxes, to be bounded by prices."""
        return PricedBox(self.items, self.sites, self.quotas, box)


def split_items(question: shares.Question) -> list[SplitItem]:
    """The items of a cell as `verify.pod_prices` takes them."""
    found = []
    for item in question.items:
        losses = sorted(item.losses, key=lambda entry: sorted(entry[0]))
        egress = dict(zip(item.sites, item.egress, strict=True))
        found.append(SplitItem(item.workload, item.pods, item.cpu_milli, egress, tuple(losses)))
    return found


def quotas_of(question: shares.Question, sites: Collection[int]) -> list[Quota]:
    """The quotas of a cell over some sites."""
    return [
        Quota(frozenset(at for at in sites if question.sites[at].region == region), cpu)
        for region, cpu in sorted(question.quotas.items())
    ]


def _problem_of(
    shop: Shop,
    sites: Sequence[Site],
    ppm: tuple[tuple[int, int], ...],
    surcharge: int,
    held: Mapping[int, Nodes],
    kind: CapacityType,
    workloads: Sequence[int],
    at: int,
) -> Problem:
    """The packing problem of many pods on a site."""
    site = sites[at]
    many = tuple((w, MANY_PODS) for w in workloads)
    question = Question(site.region, site.zone, kind, many, ppm)
    complete = tuple(
        replace(workload, template=with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS))
        for workload in shop.workloads(question)
    )
    prices = shop.price_list(question)
    if at not in held:
        return Problem(complete, (STEADY,), prices)
    kept = held_as_reservations(prices, held[at])
    return Problem(complete, (STEADY,), surcharged(prices, surcharge), reservations=kept)


def running_of(
    question: shares.Question, held: Mapping[tuple[int, int], int]
) -> tuple[dict[tuple[int, int], int], int]:
    """Pods that run where their data costs least, by (item, site), and what it costs an hour."""
    running: dict[tuple[int, int], int] = {}
    egress = 0
    for i, item in enumerate(question.items):
        left = item.pods
        for price, site in sorted(zip(item.egress, item.sites, strict=True)):
            here = min(left, held.get((i, site), 0))
            if here:
                running[i, site] = here
                egress += here * price
                left -= here
    return running, egress


def _whole_item(item: Item) -> WholeItem:
    kept, alone = promise_of(item.losses)
    egress = dict(zip(item.sites, item.egress, strict=True))
    return WholeItem(item.workload, item.pods, egress, kept, alone)
