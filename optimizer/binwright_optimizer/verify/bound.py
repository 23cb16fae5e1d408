"""The lower bound that a certificate proves, in exact integers.

Sets: pod classes ``i`` with demand ``d_i``; options ``o`` (an offering bought for a NodePool
``q(o)``) at price ``c_o`` with supply ``k_o``, maybe unlimited; patterns ``x`` on an option (counts
``x_i <= d_i`` of pods that it admits and that fit together, within what `own_caps` and `node_conflicts`
allow on one node);
existing nodes ``e``, free of charge.

::

    min  sum_o c_o n_o
    s.t. pods placed of class i  >= d_i                                  pi_i >= 0
         sum_{o of q} cap_or n_o <= L_qr      limit of pool q            y_qr >= 0
         sum_{o of q} n_o        >= m_q       minimum of pool q          z_q  >= 0
         n_o <= k_o,  one pattern per existing node

         a_l <= sum_{o with c_o >= l} n_o <= b_l  in a part       w_l free

where ``L`` and ``m`` have the existing nodes taken off and ``n_o`` counts nodes. For any such prices
let ``T_o = c_o + sum_r y_qr cap_or - z_q - sum_{l <= c_o} w_l`` (what a node of o costs by them)
and ``U_o`` an upper bound on ``max_x sum_i pi_i x_i`` (what its pods are worth). If T >= 0 and
U_o <= T_o for all o in a set P, weak duality gives

    cost >= sum_i d_i pi_i - sum_qr y_qr L_qr + sum_q z_q m_q + sum_{w_l > 0} w_l a_l + sum_{w_l < 0} w_l b_l
            - sum_{o not in P} k_o max(0, U_o - T_o) - sum_e U_e.

Prices that violate U_o <= T_o are repaired: dividing pi_i by ``m_i = max U_o / T_o`` over the options
that can hold a pod of class i makes them satisfy it, since every class on o is then divided by at
least U_o / T_o (Farley 1990, doi:10.1287/opre.38.5.922, class by class). An option with limited
supply is instead paid for by its own term where that loses less.

Where rules spread pods over domains, a certificate may price them by domain: see `local_prices`. Pods
that are tied to one node count as one: see `together`. Prices know no whole nodes: where few pods are spread
over domains, `whole_domains` may prove more.

Commitments held are options as well, each with a limit on what it has left (`held`): a node that a savings
plan pays for takes its discounted price of what is committed and costs nothing more. A node in part on a
plan is a fraction of that option and a fraction of the one at its ordinary price, which weak duality
does not mind. Bounds on price levels would, so that where there are plans they are of no account.

A certificate may split the decisions into parts, by how many of the nodes bought cost at least some
price: every decision is in one of them, so that the least bound of all parts is one for all. Only a
part's own splits say what ``a`` and ``b`` are. In a part with at least so many dear nodes, options that are
dear and hold little cost next to nothing, for they earn what the part pays for each such node. Where a node
may be exchanged for any other that holds as much (`exchange`), some cheapest decision buys no option
that another replaces for no more: the parts tell those decisions apart, and the options replaced are of no
account.

Where a goal is given, parts that prices leave below it are looked at on whole nodes, if they are small enough
(`whole_choice`).

What pods are charged for their places (`charges`) is part of what is minimised. The pods of a class that are
charged the same make a copy of the class, with a price of its own: where charges are ``ch``, non-negative
prices ``pi_ch`` that nodes are worth make ``min_ch (pi_ch + ch)`` a price of the class, wherever a pod goes.

So any non-negative prices prove a bound, and the duals of a solved column generation prove its
value up to rounding. Everything below is integer arithmetic on prices scaled by 2**bits: rounding
a price down yields another valid price. At the end the bound may be rounded up, first to whole
micro-dollars, then to what sums of prices can be: multiples of their greatest common divisor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import Certificate, Problem, relative_gap
from binwright_optimizer.verify import device_weights
from binwright_optimizer.verify.apart import least_apart
from binwright_optimizer.verify.clock import Clock
from binwright_optimizer.verify.copies import Copies
from binwright_optimizer.verify.domain_scopes import first_scopes, is_covered, reachable
from binwright_optimizer.verify.exchange import is_exchangeable, without_replaceable
from binwright_optimizer.verify.knapsacks import Knapsacks, competitive
from binwright_optimizer.verify.local_prices import (
    LeastWorth,
    has_local_prices,
    least_worth,
    split_by_domain,
)
from binwright_optimizer.verify.market import Int64Array, Market, market
from binwright_optimizer.verify.priced_groups import Group
from binwright_optimizer.verify.scaled_prices import ScaledPrices, scaled_prices
from binwright_optimizer.verify.small_waste import Priced
from binwright_optimizer.verify.spread_counts import spread_counts
from binwright_optimizer.verify.together import put_together
from binwright_optimizer.verify.whole_choice import COUNTED_S, least_of_parts
from binwright_optimizer.verify.whole_domains import least_on_whole_nodes

_RATIO_BITS = 64


def prove_bound(
    problem: Problem,
    certificate: Certificate,
    placed: Sequence[int],
    *,
    time_limit_s: float = 2.0,
    most_nodes: int | None = None,
    poll: Callable[[], object] = lambda: None,
    on_whole_nodes: bool = True,
    goal: int | None = None,
    gap: float = 0.0,
    counted_s: float = COUNTED_S,
) -> int:
    """Micro-dollars per hour that any decision placing these pods costs at least.

    Parameters
    ----------
    certificate
        Any prices; bad ones prove a low bound, never a wrong one.
    placed
        ``placed[w]``: pods of workload ``w`` that are placed, on bought or existing nodes.
    time_limit_s
        After this, knapsacks are bounded by their relaxation, which weakens the bound.
    most_nodes
        Search nodes per knapsack after which it is bounded by its relaxation: within the time limit the
        bound then does not depend on the machine.
    poll
        Called now and then, from other threads too; the proof ends as if time were up once it returns true,
        and at once if it raises.
    on_whole_nodes
        Whether few pods, and those that rules keep apart, are looked at on whole nodes as well (`apart`).
    goal
        Micro-dollars per hour beyond which nothing is to be proven: parts that prices leave below it are
        looked at on whole nodes (`whole_choice`), where they are small.
    gap
        Relative distance to the goal from which that is done.
    counted_s
        What CP-SAT may then take for each part in its own count of work.
    """
    deadline = time.monotonic() + time_limit_s
    may_exchange = certificate.split is not None and is_exchangeable(problem)
    problem, certificate, placed = put_together(problem, certificate, placed)
    stated, stated_pods = problem, placed
    groups: list[Group] = []
    if has_local_prices(certificate):
        split = split_by_domain(problem, certificate, placed)
        problem, certificate, placed, groups = split.problem, split.certificate, split.placed, split.groups
    shop = market(problem)
    rooms: dict[bytes, NDArray[np.bool_]] = {}
    covered = [group for group in groups if is_covered(shop, group, rooms)]
    spread = spread_counts(stated, covered) if covered else []
    least_of_groups = least_worth(stated, covered, spread) if groups else None
    least_of_domains = least_on_whole_nodes(shop, spread)
    if groups:
        shop = replace(shop, is_admitted=first_scopes(shop, placed, groups))
    demand = np.zeros(len(shop.classes.requests), dtype=np.int64)
    np.add.at(demand, shop.classes.class_of, np.maximum(0, np.asarray(placed, dtype=np.int64)))
    if least_of_groups is not None:
        least_of_groups.groups = [reachable(shop, group, rooms) for group in covered]
    total = _TotalWorth(shop, demand, placed, groups, least_of_groups)
    if not len(shop.price):
        copies = Copies.of(shop, np.flatnonzero(demand > 0))
        return total.of(copies, np.zeros(len(copies), dtype=np.int64), 0)
    if may_exchange:
        shop = without_replaceable(shop, demand)
    priced: list[Priced] = []
    parts = list(_parts(certificate, {}, {}))
    for number, (prices_of_part, least, most) in enumerate(parts):
        if problem.savings_plans:
            least, most = {}, {}
        prices = scaled_prices(shop, prices_of_part, demand, np.asarray(placed) > 0, least, most)
        now = time.monotonic()
        until = now + max(0.0, deadline - now) / (len(parts) - number)
        priced.append(_priced(shop, prices, demand, total, least, most, until, most_nodes, poll))
    whole = max(least_of_domains, least_apart(stated, stated_pods) if on_whole_nodes else 0)
    proven = max(_cost_of_minimums(shop), whole, min((part.known for part in priced), default=0))
    bound = _rounded_up(proven, shop.price_unit)
    may_choose = not (groups or problem.savings_plans or shop.charge is not None)
    if goal is not None and may_choose and relative_gap(goal, bound) > gap:
        chosen = least_of_parts(shop, demand, priced, goal, Clock(deadline, poll), counted_s)
        bound = max(bound, _rounded_up(chosen, shop.price_unit))
    return bound


def _rounded_up(bound: int, unit: int) -> int:
    """The next multiple of what every price is a multiple of; 0 where all is free."""
    return -(-bound // unit) * unit if unit else 0


def worth_of_pods(
    problem: Problem, certificate: Certificate, most: Sequence[int], *, time_limit_s: float
) -> tuple[tuple[int, ...], int]:
    """What one pod of each workload costs at least, times 2**bits, and the bits.

    Whatever number of pods up to ``most`` are placed on nodes of the problem's market, they cost at least
    the sum of these: no node's pods are worth more than the node. Of a split certificate its own prices
    count if it has any, else those of the first part that does; supplies, limits and minimums do not.
    Nodes already there cost nothing, so with any of them nothing is certain.

    Raises
    ------
    ValueError
        If the problem has existing nodes.
    """
    if problem.existing_nodes:
        raise ValueError("pods on existing nodes cost nothing")
    shop = market(problem)
    demand = np.zeros(len(shop.classes.requests), dtype=np.int64)
    np.add.at(demand, shop.classes.class_of, np.maximum(0, np.asarray(most, dtype=np.int64)))
    if not len(shop.price):
        return (0,) * len(most), 0
    while certificate.split is not None and not certificate.pod_prices:
        certificate = certificate.split.fewer
    plain = Certificate(certificate.scale_bits, certificate.pod_prices)
    prices = scaled_prices(shop, plain, demand, np.asarray(most) > 0, {}, {})
    active = np.flatnonzero((demand > 0) & (prices.pod > 0))
    knapsacks = Knapsacks(
        demand[active],
        shop.most[active],
        np.ascontiguousarray(shop.requests[active]),
        np.ascontiguousarray(shop.is_admitted[:, active]),
        time.monotonic() + time_limit_s,
    )
    pod = prices.pod[active]
    options = competitive(shop, prices.node, knapsacks.is_admitted)
    worth = knapsacks.most_worth(pod, shop.room[options], shop.row_of[options], prices.node[options])
    too_much = worth > prices.node[options]
    violated, worth = options[too_much], worth[too_much]
    held = np.array([knapsacks.can_hold(shop.room[o], shop.row_of[o]) for o in violated], dtype=bool)
    pod = _divided(pod, prices.node[violated], worth, held)
    by_class = dict(zip(active.tolist(), pod.tolist(), strict=True))
    return tuple(int(by_class.get(int(i), 0)) for i in shop.classes.class_of), prices.bits


def _parts(
    certificate: Certificate, least: dict[int, int], most: dict[int, int]
) -> Iterator[tuple[Certificate, dict[int, int], dict[int, int]]]:
    """Each part's prices, with the least and the most nodes of the price levels in it.

    A part in which a dearer level must hold more nodes than a cheaper one may has no decisions.
    """
    open_parts = [(certificate, least, most)]
    while open_parts:
        part, least, most = open_parts.pop()
        split = part.split
        if split is None:
            yield part, least, most
            continue
        level, count = split.level_microusd_per_hour, split.at_most
        fewer = {**most, level: min(count, most.get(level, count))}
        more = {**least, level: max(count + 1, least.get(level, 0))}
        for side, low, high in ((split.fewer, least, fewer), (split.more, more, most)):
            if not any(a > b for x, a in low.items() for y, b in high.items() if y <= x):
                open_parts.append((side, low, high))


def _cost_of_minimums(shop: Market) -> int:
    """What the nodes cost that pools must buy in any case, each as cheap as it gets."""
    total = 0
    for p, terms in enumerate(shop.pools):
        mine = shop.price[shop.pool_of == p]
        if terms.missing and len(mine):
            total += terms.missing * int(mine.min())
    return total


class _TotalWorth:
    """What all pods placed are worth at least: demand times price, wherever prices depend on no domain.

    Parameters
    ----------
    demand
        (class,) pods placed, of local workloads the most there may be.
    groups, least
        Workloads split by domain, and the least that those are worth of which every domain is priced.
    """

    def __init__(
        self,
        shop: Market,
        demand: Int64Array,
        placed: Sequence[int],
        groups: list[Group],
        least: LeastWorth | None,
    ) -> None:
        self._least = least
        self._class_of = shop.classes.class_of
        self._fixed = demand.copy()
        self._local: list[int] = []
        if least is not None:
            self._local = [v for group in groups for v in group.local]
            for v in self._local:
                self._fixed[self._class_of[v]] -= placed[v]

    def of(self, copies: Copies, pod: Int64Array, bits: int) -> int:
        """At prices of copies of classes, times 2**bits."""
        prices = copies.prices(pod, bits)
        value = sum(int(self._fixed[i]) * price for i, price in prices.items())
        if self._least is None:
            return value
        return value + self._least.of({v: prices.get(int(self._class_of[v]), 0) for v in self._local})


def _priced(
    shop: Market,
    prices: ScaledPrices,
    demand: Int64Array,
    total: _TotalWorth,
    least: dict[int, int],
    most: dict[int, int],
    deadline: float,
    most_nodes: int | None = None,
    poll: Callable[[], object] = lambda: None,
) -> Priced:
    """The bound of the module's formula, and the prices that prove it."""
    is_active = (demand > 0) & (prices.pod > 0)
    if shop.charge is not None:
        is_active |= (demand > 0) & (shop.charge > 0).any(axis=0)
    copies = Copies.of(shop, np.flatnonzero(is_active))
    active = copies.of_class
    options = competitive(shop, prices.node, copies.is_admitted)
    shop = device_weights.with_device_weights(shop, options, demand, prices.pod, prices.node)
    requests = np.ascontiguousarray(shop.requests[active])
    knapsacks = Knapsacks(
        demand[active],
        shop.most[active],
        requests,
        copies.is_admitted,
        deadline,
        most_nodes,
        poll,
        None if shop.apart is None else np.ascontiguousarray(shop.apart[active][:, active]),
    )
    is_limited = shop.available[options] >= 0
    unlimited, limited = options[~is_limited], options[is_limited]

    pod = copies.pod(prices.pod, prices.bits)
    worth = knapsacks.most_worth(pod, shop.room[unlimited], shop.row_of[unlimited], prices.node[unlimited])
    too_much = worth > prices.node[unlimited]
    violated, worth = unlimited[too_much], worth[too_much]
    pod = _divided(
        pod,
        prices.node[violated],
        worth,
        np.array([knapsacks.can_hold(shop.room[o], shop.row_of[o]) for o in violated], dtype=bool),
    )

    paid = 0
    node = prices.node.copy()
    worth = knapsacks.most_worth(
        pod, shop.room[limited], shop.row_of[limited], np.maximum(0, prices.node[limited])
    )
    for o, value in zip(limited, worth, strict=True):
        cost = prices.node[o]
        if value > cost:
            supply_term = int(shop.available[o]) * int(value - cost)
            if cost < 0:  # even an empty one is worth buying
                paid += supply_term
                node[o] = value
                continue
            held = knapsacks.can_hold(shop.room[o], shop.row_of[o])
            cheaper = _divided(pod, np.array([cost]), np.array([value]), held[np.newaxis])
            loss = total.of(copies, pod, prices.bits) - total.of(copies, cheaper, prices.bits)
            if supply_term <= loss:
                paid += supply_term
                node[o] = value
            else:
                pod = cheaper

    free = np.zeros(len(shop.existing_count), dtype=np.int64)
    existing = knapsacks.most_worth(pod, shop.existing_room, shop.existing_row, free)
    paid += _total(shop.existing_count, existing)
    for (p, resource), price in prices.limit.items():
        paid += price * shop.pools[p].room[resource]
    earned = sum(price * terms.missing for price, terms in zip(prices.minimum, shop.pools, strict=True))
    value = total.of(copies, pod, prices.bits) + earned + prices.levels - paid
    return Priced(prices.bits, value, active, pod, node, existing, least, most)


def _total(counts: Int64Array, values: Int64Array) -> int:
    """Exact sum of products."""
    return sum(int(c) * int(v) for c, v in zip(counts, values, strict=True))


def _divided(pod: Int64Array, cost: Int64Array, worth: Int64Array, is_held: NDArray[np.bool_]) -> Int64Array:
    """Pod prices divided by the largest worth / cost of the violated options that hold the class.

    Parameters
    ----------
    cost, worth
        (option,), worth above cost.
    is_held
        bool (option, class).
    """
    ratios = [  # rounded up, so that the quotients round down
        -(-(int(u) << _RATIO_BITS) // int(t)) if t else 0 for u, t in zip(worth, cost, strict=True)
    ]
    largest = [1 << _RATIO_BITS] * len(pod)
    result = [int(p) for p in pod]
    for o in sorted(range(len(ratios)), key=ratios.__getitem__):
        for i in np.flatnonzero(is_held[o]):
            if ratios[o]:
                largest[i] = max(largest[i], ratios[o])
            else:
                result[i] = 0  # nothing that a free node without limit holds is worth anything
    return np.array([(p << _RATIO_BITS) // m for p, m in zip(result, largest, strict=True)], dtype=np.int64)
