"""Topology spread over domains larger than a node.

For the pods of one constraint with selection S, over its domains D::

    T_d = running pods of S in d + new pods of S in d
    M  <= T_d                for all settled d
    M  <= T_d + U (1 - o_d)  for those that a purchase opens, o_d = 1 where it does
    M  <= U z                minDomains z <= number of settled d + sum_d o_d, z 0 or 1
    T_d <= M + maxSkew       for d of D that receive a pod of the constraint

with U no less than M can be. What is settled and what opens a domain is told by `reach`; the third line is
left out where settled domains are enough, and M is 0 where all together are too few. The last row needs a
variable that says whether the domain receives such a pod only where it could be broken without one. Where all
pods that count state the constraint, ranges of whole numbers are added (`spread_ranges`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from binwright_optimizer.instance.domains.counting import Counting
from binwright_optimizer.instance.domains.eligibility import spread_keys
from binwright_optimizer.instance.domains.reach import Domains, balanced
from binwright_optimizer.instance.domains.spread_ranges import add_ranges
from binwright_optimizer.instance.domains.table import NO_DOMAIN
from binwright_optimizer.instance.stated import Spread

Name = tuple[Spread, Domains, bytes]
"""A constraint, its domains and the nodes on which it counts pods: kinds with an equal one share rows."""


def add_spread(counting: Counting, left_out: Mapping[int, int]) -> None:
    """Rows of every required spread constraint.

    Parameters
    ----------
    left_out
        By linked kind, the variable of its pods that are left out.
    """
    least: dict[Name, int] = {}
    ranged: set[Name] = set()
    for k in counting.local:
        for v in {v for v, _, _ in counting.local[k]} - _on_nodes_with_keys(counting, k):
            counting.most[v] = 0
    for k in counting.local:
        for spread in balanced(counting.kinds.stated[k]):
            _add(counting, k, spread, least)
            _add_ranges(counting, k, spread, left_out, ranged)


def _add(counting: Counting, k: int, spread: Spread, least: dict[Name, int]) -> None:
    constraint, key = spread.constraint, spread.constraint.topology_key
    builder = counting.builder
    domains = counting.spread_over.of[k, spread]
    opened = {d: o for d, row in domains.opened if (o := counting.opened(row)) is not None}
    members = counting.members(spread.selection)
    eligible = counting.eligible(k, spread)
    nodes = eligible[len(eligible) - counting.table.n_existing :]
    running = counting.running_on(spread.selection, key, nodes)
    total = float(sum(counting.demand[m] for m in members))

    def counted(d: int) -> dict[int, float]:
        """The new pods of a domain that count."""
        terms = counting.pods(members, key, d)
        return {v: count for v, count in terms.items() if eligible[counting.sample[v]]}

    smallest: dict[int, float] = {}
    low = 0
    if domains.settled and len(domains.settled) + len(opened) >= constraint.min_domains:
        most = total + float(running[list(domains.settled)].min())
        missing = constraint.min_domains - len(domains.settled)
        if missing <= 0 and not opened:
            low = int(running[list(domains.settled)].min())
        name = spread, domains, eligible.tobytes()
        if name not in least:
            least[name] = builder.variable(0.0, np.inf)
            for d in domains.settled:
                terms = {v: -count for v, count in counted(d).items()}
                builder.row({**terms, least[name]: 1.0}, upper=float(running[d]))
            for d, is_open in opened.items():
                terms = {v: -count for v, count in counted(d).items()}
                builder.row({**terms, least[name]: 1.0, is_open: most}, upper=most)
            if missing > 0:
                are_enough = builder.variable(0.0, 1.0, is_integer=True)
                builder.row({least[name]: 1.0, are_enough: -most}, upper=0.0)
                builder.row({**dict.fromkeys(opened.values(), -1.0), are_enough: float(missing)}, upper=0.0)
        smallest = {least[name]: -1.0}
    is_common = _is_common(counting, k, spread)
    for d in _receivable(counting, k, key):
        room = float(constraint.max_skew - running[d])
        terms = {**counted(d), **smallest}
        if is_common and running[d] <= low + constraint.max_skew:
            builder.row(terms, upper=room)
        else:
            slack = total + float(running[d])
            builder.row({**terms, counting.presence(k, key, d): slack}, upper=room + slack)


def _is_common(counting: Counting, k: int, spread: Spread) -> bool:
    """Whether all pods that a constraint of a kind counts state it, over the same domains."""
    members, domains = counting.members(spread.selection), counting.spread_over.of[k, spread]
    eligible = counting.eligible(k, spread)
    return k in members and all(
        counting.spread_over.of.get((m, spread)) == domains
        and (counting.eligible(m, spread) == eligible).all()
        for m in members
    )


def _add_ranges(
    counting: Counting, k: int, spread: Spread, left_out: Mapping[int, int], ranged: set[Name]
) -> None:
    """Rows of the ranges that whole numbers leave, where the constraint counts all the pods that state it."""
    key, domains = spread.constraint.topology_key, counting.spread_over.of[k, spread]
    eligible = counting.eligible(k, spread)
    name = spread, domains, eligible.tobytes()
    if name in ranged or not _is_common(counting, k, spread):
        return
    ranged.add(name)
    members = counting.members(spread.selection)
    places = {v for m in members for v, _, _ in counting.local[m] if counting.most[v]}
    if not all(eligible[counting.sample[v]] for v in places):
        return  # pods that do not count are in no range
    nodes = eligible[len(eligible) - counting.table.n_existing :]
    add_ranges(
        counting.builder,
        spread.constraint.max_skew,
        sum(int(counting.demand[m]) for m in members),
        counting.running_on(spread.selection, key, nodes),
        domains.settled,
        {d: counting.pods(members, key, d) for m in members for d in _receivable(counting, m, key)},
        {left_out[m]: 1.0 for m in members},
    )


def _receivable(counting: Counting, k: int, key: str) -> list[int]:
    """Domains where pods of a kind may be placed."""
    own = counting.by_domain(k, key)
    return sorted(d for d, mine in own.items() if d != NO_DOMAIN and any(counting.most[v] for v in mine))


def _on_nodes_with_keys(counting: Counting, k: int) -> set[int]:
    """Variables of a kind for nodes with the keys of all its required constraints; others form no domain."""
    keys = spread_keys(counting.kinds.stated[k])
    return {v for v, _, scope in counting.local[k] if all(scope[key] is not None for key in keys)}
