"""Which domains a spread constraint balances: those that are there anyway, and those that a purchase opens.

kube-scheduler knows the domains of eligible nodes that exist. For pods of one kind they are

- *settled*: domains of eligible running nodes, and of every node that could be bought for such a pod, which
  an autoscaler may buy at any time;
- *opened*: the others with eligible nodes on sale. No such pod can be there, but once a node is bought there
  for other pods, the domain counts, and its selected pods may be the fewest.

Other kinds are told apart by whether they open a domain. Where that would make too many local kinds, those
that have another place are kept out of such domains; the search is then over fewer decisions, all of them
right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.domains.charging import Fluid
from binwright_optimizer.instance.domains.eligibility import Eligibility
from binwright_optimizer.instance.domains.table import NO_DOMAIN, DomainTable
from binwright_optimizer.instance.stated import Spread, Stated
from binwright_optimizer.model import labels

Mask = NDArray[np.bool_]

MOST_OPENING = 1_000
"""Pairs of a kind and a domain that it may open, up to which each makes a local kind."""


@dataclass(frozen=True, slots=True)
class Domains:
    """Domains of one constraint of one kind, as codes of its topology key, ascending.

    Parameters
    ----------
    opened
        Pairs of a domain and the row of `SpreadDomains.openings` whose nodes open it.
    """

    settled: tuple[int, ...]
    opened: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SpreadDomains:
    """Domains of every required constraint, but those by hostname.

    Parameters
    ----------
    of
        By kind and constraint.
    openings
        bool arrays (c,): candidates any of which opens a domain.
    """

    of: dict[tuple[int, Spread], Domains]
    openings: list[Mask]


def spread_domains(
    kinds: Kinds,
    eligibility: Eligibility,
    admitted: Mask,
    table: DomainTable,
    fluid: Fluid,
    may_stay_empty: Mask,
) -> SpreadDomains:
    """Domains over which pods are spread.

    Parameters
    ----------
    admitted
        bool array (placement, c).
    may_stay_empty
        bool array (c,): nodes that minimums may ask for without any pod. No row says whether one is
        bought, so that their domains count as settled.
    """
    of: dict[tuple[int, Spread], Domains] = {}
    openings: list[Mask] = []
    rows: dict[bytes, int] = {}
    is_existing = table.is_existing
    for k, stated in enumerate(kinds.stated):
        spreads = balanced(stated)
        if not spreads:
            continue
        placement = int(kinds.placement_of[k])
        fits = admitted[placement] & np.isfinite(fluid(((k, 1),)))
        for spread in spreads:
            eligible = eligibility.of(kinds.placements[placement], stated, spread)
            codes = table.codes(spread.constraint.topology_key)
            settled = set(np.unique(codes[eligible & (fits | is_existing | may_stay_empty)]).tolist())
            opened = []
            for d in sorted(set(np.unique(codes[eligible]).tolist()) - settled - {NO_DOMAIN}):
                opening = eligible & (codes == d)
                row = rows.setdefault(opening.tobytes(), len(openings))
                if row == len(openings):
                    openings.append(opening)
                opened.append((d, row))
            of[k, spread] = Domains(tuple(sorted(settled - {NO_DOMAIN})), tuple(opened))
    return SpreadDomains(of, openings)


def balanced(stated: Stated) -> list[Spread]:
    """The required constraints of a pod over domains larger than a node."""
    return [
        s for s in stated.spread if s.constraint.is_required and s.constraint.topology_key != labels.HOSTNAME
    ]


def without_needless_openings(domains: SpreadDomains, kinds: Kinds, admitted: Mask, fluid: Fluid) -> Mask:
    """Where pods may run, kept out of what opens domains if those are too many: bool array (placement, c).

    A placement stays as it is if a kind of it has no other place.
    """
    opens = np.array([(admitted & opening).any(axis=1) for opening in domains.openings], dtype=np.int64)
    if not len(opens) or opens.sum(axis=0)[kinds.placement_of].sum() <= MOST_OPENING:
        return admitted
    closed = np.logical_or.reduce(domains.openings)
    is_kept = np.zeros(len(admitted), dtype=bool)
    for k, placement in enumerate(kinds.placement_of.tolist()):
        if not is_kept[placement]:
            fits = admitted[placement] & np.isfinite(fluid(((k, 1),)))
            is_kept[placement] = not (fits & ~closed).any()
    return np.where(is_kept[:, None], admitted, admitted & ~closed)
