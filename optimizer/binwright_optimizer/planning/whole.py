"""Small cells of a plan in whole pods and whole nodes; `verify.whole_split` finds their least costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from binwright_optimizer.model import CapacityType, Problem
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.planning import shares
from binwright_optimizer.planning.churn import surcharged
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.rolling import Nodes, held_as_reservations
from binwright_optimizer.planning.sites import Item, Site
from binwright_optimizer.planning.subproblems import Question, Shop
from binwright_optimizer.verify.whole_cells import WholeCells
from binwright_optimizer.verify.whole_split import WholeItem, promise_of

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

    def problem_of(kind: CapacityType, workloads: Sequence[int], at: int) -> Problem:
        site = sites[at]
        many = tuple((w, MANY_PODS) for w in workloads)
        question = Question(site.region, site.zone, kind, many, ppm)
        pods = shop.workloads(question)
        complete = tuple(
            replace(workload, template=with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS))
            for workload in pods
        )
        prices = shop.price_list(question)
        if at not in held:
            return Problem(complete, (STEADY,), prices)
        kept = held_as_reservations(prices, held[at])
        return Problem(complete, (STEADY,), surcharged(prices, surcharge), reservations=kept)

    return {
        kind: WholeCells(
            {key: tuple(map(_whole_item, q.items)) for key, q in wanted.items() if key[1] is kind},
            partial(problem_of, kind),
        )
        for kind in (CapacityType.ON_DEMAND, CapacityType.SPOT)
    }


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
