"""Which nodes are in the domains that a certificate prices, and which pods may reach them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import labels
from binwright_optimizer.verify.market import Market
from binwright_optimizer.verify.priced_groups import Group

OF_OFFERINGS = frozenset({labels.INSTANCE_TYPE, labels.ZONE, labels.REGION, labels.CAPACITY_TYPE})
"""Labels that an offering decides, whatever its NodePool."""


def first_scopes(shop: Market, placed: Sequence[int], groups: list[Group]) -> NDArray[np.bool_]:
    """Admitted classes without local workloads on nodes that an earlier scope of their group takes.

    A node's pods have the price of the first scope that it is in. Only labels that offerings decide are
    looked at; where a class stands for several workloads, it is admitted where any of them is.
    """
    class_of, admitted = shop.classes.class_of, shop.is_admitted
    taken: dict[int, NDArray[np.bool_]] = {}
    for group in groups:
        before = np.zeros(len(admitted), dtype=bool)
        for v, scope in zip(group.local, group.scopes, strict=True):
            taken[v] = before
            if {key for key, _ in scope} <= OF_OFFERINGS:
                before = before | admitted[:, class_of[v]]
    result = np.zeros_like(admitted)
    for w, count in enumerate(placed):
        if count > 0:
            i = class_of[w]
            result[:, i] |= admitted[:, i] & ~taken[w] if w in taken else admitted[:, i]
    return result


def is_covered(shop: Market, group: Group, rooms: dict[bytes, NDArray[np.bool_]]) -> bool:
    """Whether every node that can hold the pods of a group is in one of the domains that are priced."""
    own = shop.classes.class_of[group.workloads[0]]
    local = shop.classes.class_of[list(group.local)] if group.local else np.zeros(0, dtype=np.intp)
    outside = shop.is_admitted[:, own] & ~shop.is_admitted[:, local].any(axis=1)
    return not (outside & _rows_with_room(shop, own, rooms)).any()


def reachable(shop: Market, group: Group, rooms: dict[bytes, NDArray[np.bool_]]) -> Group:
    """The group without the domains in which no node can hold one of its pods."""
    held = []
    for v, scope in zip(group.local, group.scopes, strict=True):
        i = int(shop.classes.class_of[v])
        if (shop.is_admitted[:, i] & _rows_with_room(shop, i, rooms)).any():
            held.append((v, scope))
    return replace(group, local=tuple(v for v, _ in held), scopes=tuple(scope for _, scope in held))


def _rows_with_room(shop: Market, i: int, rooms: dict[bytes, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Whether some node of each row of the table of who is admitted has room for a pod of a class: (row,).

    Parameters
    ----------
    rooms
        What was found so far, by request: mostly classes of a group differ in their domain only.
    """
    key = shop.requests[i].tobytes()
    if key not in rooms:
        result = rooms[key] = np.zeros(len(shop.is_admitted), dtype=bool)
        for room, row_of in ((shop.room, shop.row_of), (shop.existing_room, shop.existing_row)):
            fits = np.ones(len(room), dtype=bool)
            for r, amount in enumerate(shop.requests[i].tolist()):
                fits &= room[:, r] >= amount
            result[row_of[fits]] = True
    return rooms[key]
