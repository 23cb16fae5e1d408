"""Pods of one cell over sites: whether promises and quotas are kept, and what any split costs at least.

With s_ij the pods of item i that site j holds and t_ij those that run there while all is well, a split is
sound if sum_j t_ij = d_i, t_ij <= s_ij, every loss leaves sum_{j not lost} s_ij >= P_if, and all pods of a
region together stay within its quota.

**Bound.** A cut of site j says that its pods cost at least y_i each, whatever their number. For weights alpha
of each site's cuts with sum at most 1, phi >= 0 by item and loss and kappa >= 0 by region, let Y_ij = sum
alpha y_i + kappa_r c_i. Where sum_{f without j} phi_if <= Y_ij, weak duality gives

    cost >= sum_i d_i min_j (egress_ij + Y_ij - sum_{f without j} phi_if)
            + sum_if phi_if P_if - sum_r kappa_r K_r.

Where any one of an item's k sites may fail and the same P must be left, the k losses added up leave (k - 1)
times whole pods, which is more than k P by `_whole_pods`; so much more counts at the least phi of the k.

At other prices a cut is worth the least ratio of prices of its site; phi is scaled down item by item until
the condition holds, and kappa by the least ratio of all, which any factor may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from binwright_optimizer.verify.plan.places import Item, Site


@dataclass(frozen=True, slots=True)
class CutOf:
    """What a pod of each workload costs at least on a site, micro-dollars an hour at list prices."""

    site: Site
    worth: Mapping[int, Fraction]


@dataclass(frozen=True, slots=True)
class SplitRecord:
    """What a certificate says of one cell's pods of one kind.

    Parameters
    ----------
    held, running
        Pods by (demand, number of the site).
    weights
        Of cuts, by number.
    losses
        phi by (demand, zone or region lost).
    quotas
        kappa by region.
    """

    held: Mapping[tuple[int, int], int]
    running: Mapping[tuple[int, int], int]
    weights: tuple[tuple[int, Fraction], ...]
    losses: Mapping[tuple[int, str], Fraction]
    quotas: Mapping[str, Fraction]


def split_findings(items: Sequence[Item], sites: Sequence[Site], record: SplitRecord) -> Iterator[str]:
    """What is wrong with a split; quotas apart, which concern other pods, too."""
    by_demand = {item.demand: item for item in items}
    for (demand, at), pods in (*record.held.items(), *record.running.items()):
        if demand not in by_demand or not 0 <= at < len(sites) or pods < 0:
            yield f"{pods} pods of demand {demand} on site {at} are no part of it"
            return
        if pods and sites[at] not in by_demand[demand].sites:
            yield f"pods of demand {demand} may not run in {sites[at].name}"
    for (demand, at), pods in record.running.items():
        if pods > record.held.get((demand, at), 0):
            yield f"{pods} pods of demand {demand} run in {sites[at].name}, more than it holds"
    for item in items:
        held = {site: record.held.get((item.demand, at), 0) for at, site in enumerate(sites)}
        running = sum(n for (demand, _), n in record.running.items() if demand == item.demand)
        if running != item.pods:
            yield f"{running} pods of demand {item.demand} run, {item.pods} are wanted"
        for name, (lost, kept) in item.losses.items():
            left = sum(n for site, n in held.items() if site not in lost)
            if left < kept:
                yield f"the loss of {name} leaves {left} pods of demand {item.demand}, {kept} are promised"


def cpu_by_region(items: Sequence[Item], sites: Sequence[Site], record: SplitRecord) -> dict[str, int]:
    """Milli-CPU that the pods held take of each region's quota."""
    cpu = {item.demand: item.cpu_milli for item in items}
    found: dict[str, int] = {}
    for (demand, at), pods in record.held.items():
        region = sites[at].region
        found[region] = found.get(region, 0) + pods * cpu[demand]
    return found


def egress_of(items: Sequence[Item], sites: Sequence[Site], record: SplitRecord) -> int:
    """Micro-dollars an hour for data while all is well."""
    price = {item.demand: item.egress for item in items}
    return sum(pods * price[demand][sites[at]] for (demand, at), pods in record.running.items() if pods)


def proven_cost(
    items: Sequence[Item],
    record: SplitRecord,
    cuts: Mapping[int, CutOf],
    quotas: Mapping[str, int],
    ratio: Mapping[Site, Fraction],
    full: Fraction,
) -> Fraction:
    """What any split costs at least, nodes and data.

    Parameters
    ----------
    quotas
        Milli-CPU by region.
    ratio
        Least ratio of prices to list prices, by site.
    full
        What a micro-dollar costs that no commitment pays for.

    Raises
    ------
    ValueError
        If the weights or prices are none that prove anything.
    """
    sums: dict[Site, Fraction] = {}
    worth: dict[tuple[Site, int], Fraction] = {}
    least = full
    for number, weight in record.weights:
        cut = cuts[number]
        sums[cut.site] = sums.get(cut.site, Fraction(0)) + weight
        least = min(least, ratio[cut.site])
        for workload, value in cut.worth.items():
            key = cut.site, workload
            worth[key] = worth.get(key, Fraction(0)) + ratio[cut.site] * weight * value
    prices = (*record.losses.values(), *record.quotas.values(), *(w for _, w in record.weights))
    if any(total > 1 for total in sums.values()) or any(price < 0 for price in prices):
        raise ValueError("weights of cuts sum to one at most, and no price is negative")
    if not set(record.quotas) <= set(quotas):
        raise ValueError("a price is for a quota that the forecast does not have")
    total = -sum((least * kappa * quotas[region] for region, kappa in record.quotas.items()), Fraction(0))
    for item in items:
        own = {
            site: worth.get((site, item.workload), Fraction(0))
            + least * record.quotas.get(site.region, Fraction(0)) * item.cpu_milli
            for site in item.sites
        }
        total += _proven_of(item, own, record, full)
    return max(Fraction(0), total)


def _proven_of(item: Item, own: Mapping[Site, Fraction], record: SplitRecord, full: Fraction) -> Fraction:
    phi = {name: record.losses.get((item.demand, name), Fraction(0)) for name in item.losses}
    taken = {
        site: sum((phi[name] for name, (lost, _) in item.losses.items() if site not in lost), Fraction(0))
        for site in item.sites
    }
    scale = min((own[site] / t for site, t in taken.items() if t), default=Fraction(1))
    scale = min(scale, full)
    running = min(full * item.egress[site] + own[site] - scale * taken[site] for site in item.sites)
    kept = sum((phi[name] * pods for name, (_, pods) in item.losses.items()), Fraction(0))
    kept += min(phi.values(), default=Fraction(0)) * _whole_pods(item)
    return item.pods * running + scale * kept


def _whole_pods(item: Item) -> int:
    """By how much the losses of an item, added up, leave more than they ask, for pods are whole.

    If any one of k sites fails and the others hold P, all k hold ceil(k P / (k - 1)) or more together, and
    each pod is left by k - 1 of the k losses.
    """
    k = len(item.sites)
    asked = {pods for _, pods in item.losses.values()}
    each_alone = sorted(tuple(lost) for lost, _ in item.losses.values()) == [(s,) for s in sorted(item.sites)]
    if k < 2 or not each_alone or len(asked) > 1:
        return 0
    pods = next(iter(asked))
    together = (k * pods + k - 2) // (k - 1)
    return together * (k - 1) - k * pods
