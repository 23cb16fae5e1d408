"""Mixes put together from the nodes of other mixes, for reserved nodes of which there are only so many.

Prices alone make a block buy reserved types for all pods or for none. The best use of ten reserved nodes is
ten of them and something else beside. So the node patterns that the engine found at all prices are combined:

    minimise  sum_p c_p n_p - sum_cg w_g r_cg       c: list price, w: what a reserved node of group g saves
    pods      sum_p a_pi n_p >= d_i                 for every workload i
    group     sum_c r_cg <= sum_{p in g} n_p        for every group g
    reserved  sum_g r_cg <= units_c                 for every reservation c

which is small, for patterns are few. Where few pods are wanted, all patterns are known (`full_nodes`), and
the combination is the best there is. What comes out is a mix like any other; it proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import highspy

from binwright_optimizer.model.mixes import NodePattern
from binwright_optimizer.planning.coverage import Instrument
from binwright_optimizer.planning.programme import Rows, optimum

MOST_PATTERNS = 120
"""Most patterns that are combined: the cheapest for each pod they hold."""
TREE_NODES = 20
GAP = 1e-3
"""Gap at which a combination is good enough: the mixes that it is made of are no better."""
EXACT_TREE_NODES, EXACT_GAP = 500, 1e-7
"""The same where all patterns are known."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A pattern over the forecast's workloads with its list price and group."""

    pattern: NodePattern
    pods: tuple[tuple[int, int], ...]
    price: int
    group: int


def recombined(
    asked: Mapping[int, int],
    pieces: Sequence[Piece],
    reservations: Sequence[tuple[Instrument, int]],
    *,
    is_exact: bool = False,
) -> dict[Piece, int] | None:
    """Numbers of each pattern that hold the pods for the least money beside reservations; None if none do.

    Parameters
    ----------
    asked
        Pods by workload.
    reservations
        Instruments that count nodes, with the whole nodes reserved.
    is_exact
        Look for the best combination; there are few.
    """
    useful = _useful(asked, pieces)
    costs = [piece.price / 1e6 for piece in useful]
    rows = Rows()
    for workload, pods in sorted(asked.items()):
        entries = [
            (at, float(dict(p.pods)[workload])) for at, p in enumerate(useful) if workload in dict(p.pods)
        ]
        if not entries:
            return None
        rows.add(entries, float(pods), highspy.kHighsInf)
    by_group: dict[int, list[tuple[int, float]]] = {}
    for instrument, units in reservations:
        entries = []
        for group, worth in sorted(instrument.worth.items()):
            if any(piece.group == group for piece in useful):
                entries.append((len(costs), 1.0))
                by_group.setdefault(group, []).append((len(costs), 1.0))
                costs.append(-float(worth) / 1e6)
        if entries:
            rows.add(entries, -highspy.kHighsInf, float(units))
    for group, entries in by_group.items():
        nodes = [(at, -1.0) for at, piece in enumerate(useful) if piece.group == group]
        rows.add([*entries, *nodes], -highspy.kHighsInf, 0.0)
    effort = (EXACT_TREE_NODES, EXACT_GAP) if is_exact else (TREE_NODES, GAP)
    found, _ = optimum(costs, [0.0] * len(costs), rows, list(range(len(useful))), *effort)
    return {piece: round(n) for piece, n in zip(useful, found, strict=False) if round(n)}


def _useful(asked: Mapping[int, int], pieces: Sequence[Piece]) -> list[Piece]:
    """Patterns of the pods asked for; of equal ones the cheapest of each group."""
    cheapest: dict[tuple[int, tuple[tuple[int, int], ...]], Piece] = {}
    for piece in pieces:
        pods = tuple((workload, min(n, asked[workload])) for workload, n in piece.pods if workload in asked)
        if not pods:
            continue
        key = piece.group, pods
        known = cheapest.get(key)
        if known is None or (piece.price, piece.pattern) < (known.price, known.pattern):
            cheapest[key] = replace(piece, pods=pods)
    return sorted(cheapest.values(), key=lambda p: (p.price / sum(n for _, n in p.pods), p.pattern))[
        :MOST_PATTERNS
    ]


def trimmed(
    asked: Mapping[int, int], chosen: Mapping[Piece, int]
) -> list[tuple[Piece, tuple[tuple[int, int], ...], int]]:
    """Nodes with exactly the pods asked for: (piece, pods, nodes), pods beyond the demand left out."""
    left = dict(asked)
    found: list[tuple[Piece, tuple[tuple[int, int], ...], int]] = []
    for piece, nodes in sorted(chosen.items(), key=lambda item: (-item[0].price, item[0].pattern)):
        whole = min([nodes, *(left[workload] // n for workload, n in piece.pods)])
        if whole:
            found.append((piece, piece.pods, whole))
            for workload, n in piece.pods:
                left[workload] -= n * whole
        for _ in range(nodes - whole):
            pods = tuple((workload, min(n, left[workload])) for workload, n in piece.pods if left[workload])
            for workload, n in pods:
                left[workload] -= n
            if pods:
                found.append((piece, pods, 1))
    return found
