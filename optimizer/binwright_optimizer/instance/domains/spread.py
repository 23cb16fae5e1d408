"""Topology spread over domains larger than a node.

For the pods of one constraint with selection S, over its domains D::

    T_d = running pods of S in d + new pods of S in d
    M  <= T_d                for all d of D        (M = 0 while D has fewer domains than minDomains)
    T_d <= M + maxSkew       for d of D that receive a pod of the constraint

Domains are those of the nodes that exist and are eligible, and of all nodes that could be bought for
the pod. The last row needs a variable that says whether the domain receives such a pod only where it
could be broken without one.
"""

from __future__ import annotations

import numpy as np

from binwright_optimizer.instance.domains.counting import Counting
from binwright_optimizer.instance.domains.eligibility import spread_keys
from binwright_optimizer.instance.domains.table import NO_DOMAIN
from binwright_optimizer.instance.stated import Spread
from binwright_optimizer.model import labels


def add_spread(counting: Counting) -> None:
    """Rows of every required spread constraint."""
    least: dict[tuple[Spread, tuple[int, ...], bytes], int] = {}
    for k in counting.local:
        for v in {v for v, _, _ in counting.local[k]} - _on_nodes_with_keys(counting, k):
            counting.most[v] = 0
    for k in counting.local:
        for spread in counting.kinds.stated[k].spread:
            if spread.constraint.is_required and spread.constraint.topology_key != labels.HOSTNAME:
                _add(counting, k, spread, least)


def _add(
    counting: Counting, k: int, spread: Spread, least: dict[tuple[Spread, tuple[int, ...], bytes], int]
) -> None:
    constraint, key = spread.constraint, spread.constraint.topology_key
    builder = counting.builder
    receivable = _receivable(counting, k, key)
    domains = _domains(counting, k, spread)
    members = counting.members(spread.selection)
    eligible = counting.eligible(k, spread)
    nodes = eligible[len(eligible) - counting.table.n_existing :]
    running = counting.running_on(spread.selection, key, nodes)

    def counted(d: int) -> dict[int, float]:
        """The new pods of a domain that count."""
        terms = counting.pods(members, key, d)
        return {v: count for v, count in terms.items() if eligible[counting.sample[v]]}

    smallest: dict[int, float] = {}
    low = 0
    if len(domains) >= constraint.min_domains and domains:
        low = int(running[list(domains)].min())
        name = spread, domains, eligible.tobytes()
        if name not in least:
            least[name] = builder.variable(0.0, np.inf)
            for d in domains:  # M - new <= running
                terms = {v: -count for v, count in counted(d).items()}
                builder.row({**terms, least[name]: 1.0}, upper=float(running[d]))
        smallest = {least[name]: -1.0}
    is_common = k in members and all(
        spread in counting.kinds.stated[m].spread
        and _domains(counting, m, spread) == domains
        and (counting.eligible(m, spread) == eligible).all()
        for m in members
    )
    total = float(sum(counting.demand[m] for m in members))
    for d in receivable:
        room = float(constraint.max_skew - running[d])
        terms = {**counted(d), **smallest}
        if is_common and running[d] <= low + constraint.max_skew:
            builder.row(terms, upper=room)
        else:
            slack = total + float(running[d])
            builder.row({**terms, counting.presence(k, key, d): slack}, upper=room + slack)


def _receivable(counting: Counting, k: int, key: str) -> list[int]:
    """Domains where pods of a kind may be placed."""
    own = counting.by_domain(k, key)
    return sorted(d for d, mine in own.items() if d != NO_DOMAIN and any(counting.most[v] for v in mine))


def _domains(counting: Counting, k: int, spread: Spread) -> tuple[int, ...]:
    """Domains over which the pods of a kind are spread."""
    codes = counting.table.codes(spread.constraint.topology_key)
    inside = counting.eligible(k, spread) & ~counting.unreachable
    return tuple(sorted(set(np.unique(codes[inside]).tolist()) - {NO_DOMAIN}))


def _on_nodes_with_keys(counting: Counting, k: int) -> set[int]:
    """Variables of a kind for nodes with the keys of all its required constraints; others form no domain."""
    keys = spread_keys(counting.kinds.stated[k])
    return {v for v, _, scope in counting.local[k] if all(scope[key] is not None for key in keys)}
