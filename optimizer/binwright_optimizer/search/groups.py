"""Many classes: groups of nearly equal pods are packed, and their places handed out.

The rules about single nodes that keep classes apart are left out while groups are packed, and minded when
pods are handed their places. Where there are thousands of classes that all but decides what is bought. Where
nearly every pod is a class of its own and no rule is left out it makes a first answer several times as soon
as a greedy cover, whose knapsacks look at every class for every node, and a few percent dearer.
"""

from __future__ import annotations

from collections.abc import Callable

from binwright_optimizer.heuristics.greedy import Columns
from binwright_optimizer.heuristics.hand_out import handed_out
from binwright_optimizer.heuristics.parts import wary_prices
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.coarsen import Groups, grouped
from binwright_optimizer.packing import Packing
from binwright_optimizer.search.state import Float, State
from binwright_optimizer.stopping import Reserved, Stop

Pack = Callable[[Instance, Stop, float, float], Packing]
"""A good packing of an instance of fewer classes, in so many seconds, to such a gap, and until a stop comes
due."""
MOST_GROUPS = 450
"""Groups of classes: a packing of those of the Tianchi applications loses 0.1 % by them."""
SOON_SHARE, WELL_SHARE = 0.04, 0.4
"""Shares of the time left in which groups are packed, soon and then well."""
GROUPS_GAP = 0.003
"""Gap from which they are packed well enough."""
LEAST_GROUPS_S = 0.1
"""Seconds from which it is worth packing them soon: less makes no better than the first answer."""
MANY_CLASSES = 600
"""Classes from which the fluid relaxation is one of groups. More than `FEW_GROUPS` and `MOST_GROUPS`, so that
groups are not put into groups again."""
FEW_GROUPS = 200
"""Groups of it: more take more time, and say hardly more."""
MANY_LOOKS = 200_000
"""Classes times candidates from which the first answer is one of groups: a greedy cover takes 0.1 s or more,
and five times as long."""
MOST_REPLICAS = 4
"""Pods of a class, on average, up to which it is: each has to be handed its place."""
FIRST_SHARE, LEAST_S, FIRST_S = 0.5, 0.001, 0.04
"""Share of the time left, fewest and most seconds for it."""
FIRST_GAP = 0.03
"""Gap from which it is good enough."""


def few_groups(instance: Instance) -> Groups | None:
    """A few groups of classes, where there are so many classes that they are worth it."""
    return grouped(instance, FEW_GROUPS) if instance.n_classes >= MANY_CLASSES else None


def first_groups(state: State, groups: Groups | None, values: Float, pack: Pack) -> Columns | None:
    """Offer a quick packing of a few groups, its places handed out; its columns.

    None if a greedy cover is as quick or minds more, since groups leave rules out, or if pods lack.

    Parameters
    ----------
    values
        float64 array (i,): dollars that pods are worth to the cover of those without a place.
    """
    instance = state.instance
    is_many = instance.n_classes * instance.n_candidates >= MANY_LOOKS
    has_replicas = instance.demand.sum() > MOST_REPLICAS * instance.n_classes
    is_ruled = instance.linking is not None or not instance.rules.is_empty
    if groups is None or not is_many or has_replicas or is_ruled:
        return None
    seconds = max(LEAST_S, min(FIRST_S, FIRST_SHARE * state.stop.remaining_s()))
    packing = pack(groups.largest(), Reserved.within(state.stop, seconds), seconds, FIRST_GAP)
    if packing.left_out.any():
        return None
    columns = handed_out(groups, packing, state.greedy, values)
    state.offer(columns, "groups")
    return columns


def pack_groups(state: State, groups: Groups, pack: Pack) -> None:
    """Offer good packings of groups of classes, their places handed out to their pods."""
    largest = groups.largest()
    for share in (SOON_SHARE, WELL_SHARE):
        seconds = share * state.stop.remaining_s()
        is_too_soon = seconds < LEAST_GROUPS_S and share == SOON_SHARE
        if is_too_soon or state.is_done:
            continue
        packing = pack(largest, Reserved.within(state.stop, seconds), seconds, GROUPS_GAP)
        if not state.is_done and not packing.left_out.any():
            wary = wary_prices(state.instance, state.generation.bound.duals.pods)
            state.offer(handed_out(groups, packing, state.greedy, wary), "groups")
