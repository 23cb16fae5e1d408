"""What a decision says of wishes that it does not meet, and of what interruptions of its pods cost.

The search charges pods for places (`instance.charges`); here the charges of one placement are told by
workload and wish.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from binwright_optimizer.model import (
    HOURS_PER_MONTH,
    CapacityType,
    ExistingPlacement,
    NodeClaim,
    Operator,
    Penalty,
    PodRange,
    PodTemplate,
    Problem,
    Taint,
    labels,
)
from binwright_optimizer.model.policies import UNTOLERATED_WEIGHT
from binwright_optimizer.model.spot import NOTICE_S, PPM, UNKNOWN_RATE_PPM
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.pod_wishes import Domain, Place, PodWishes, Standing

Wishes = tuple[tuple[str, int], ...]
"""Wishes in words, each with its weight."""


def penalties_of(
    problem: Problem,
    claims: Sequence[NodeClaim],
    existing: Sequence[ExistingPlacement],
    between_pods: PodWishes | None = None,
) -> tuple[Penalty, ...]:
    """Wishes about nodes and other pods that pods go without, by workload.

    Parameters
    ----------
    between_pods
        Wishes between pods, if there are any.
    """
    price = problem.policies.weight_price
    found: dict[tuple[int, str], list[int]] = {}
    if between_pods is not None:
        _add_between_pods(between_pods, claims, existing, found)
    if not price or not _has_wishes(problem):
        return _told(found)
    known: dict[tuple[int, int, int], Wishes] = {}
    for pods, own, taints in _nodes(problem, claims, existing):
        for each in pods:
            template = problem.workloads[each.workload].template
            key = id(own), id(taints), id(template)
            if key not in known:
                known[key] = tuple(_unmet(template, own, taints))
            for wish, weight in known[key]:
                entry = found.setdefault((each.workload, wish), [0, 0])
                entry[0] += each.count
                entry[1] += each.count * weight * price
    return _told(found)


def _told(found: dict[tuple[int, str], list[int]]) -> tuple[Penalty, ...]:
    return tuple(Penalty(w, wish, pods, cost) for (w, wish), (pods, cost) in sorted(found.items()))


def _add_between_pods(
    wishes: PodWishes,
    claims: Iterable[NodeClaim],
    existing: Iterable[ExistingPlacement],
    found: dict[tuple[int, str], list[int]],
) -> None:
    """Add the wishes between pods that are not met."""
    pools = {pool.name: pool.taints for pool in wishes.problem.node_pools}
    numbers = {node.name: n for n, node in enumerate(wishes.problem.existing_nodes)}
    carried = {id(claim.labels): dict(claim.labels) for claim in claims}  # shared by claims that are alike
    placed = [
        (Place(carried[id(claim.labels)], pools[claim.node_pool], n), claim.pods)
        for n, claim in enumerate(claims)
    ]
    placed += [(wishes.existing[numbers[p.node]], p.pods) for p in existing]
    standing = Standing(wishes)
    stating: dict[tuple[int, Domain | None], list[tuple[int, int]]] = {}
    for place, pods in placed:
        for each in pods:
            sort = int(wishes.sort_of[each.workload])
            if sort < 0:
                continue
            standing.put(sort, place, each.count)
            for g in wishes.stated_by[sort]:
                at = g, place.domain(wishes.wishes[g].key)
                stating.setdefault(at, []).append((each.workload, each.count))
    for g, wish in enumerate(wishes.wishes):
        for domain, unmet in standing.unmet(g):
            left = unmet
            for w, count in sorted(stating[g, domain]):
                pays = min(left, count)
                if pays:
                    entry = found.setdefault((w, wish.text), [0, 0])
                    entry[0] += pays
                    entry[1] += pays * wish.points * wishes.problem.policies.weight_price
                left -= pays


def interruption_cost(
    problem: Problem, claims: Iterable[NodeClaim], existing: Iterable[ExistingPlacement]
) -> int:
    """What interruptions of pods on spot capacity cost on average, micro-dollars per hour."""
    default = problem.policies.restart_cost_microusd
    if not default and not any(template.restart_cost_microusd for template in templates_of(problem)):
        return 0
    rates = {
        (kind.name, sold.region, sold.zone): sold.interruption_ppm_per_month
        for kind in problem.catalog.instance_types
        for sold in kind.offerings
        if sold.capacity_type is CapacityType.SPOT
    }
    on_spot = [
        (claim.pods, rates.get((claim.instance_type, claim.region, claim.zone)))
        for claim in claims
        if claim.capacity_type is CapacityType.SPOT
    ]
    by_zone = {(name, zone): rate for (name, _, zone), rate in rates.items()}
    nodes = {node.name: dict(node.labels) for node in problem.existing_nodes}
    for placement in existing:
        own = nodes[placement.node]
        if own.get(labels.CAPACITY_TYPE) == CapacityType.SPOT.value:
            where = own.get(labels.INSTANCE_TYPE, ""), own.get(labels.ZONE, "")
            on_spot.append((placement.pods, by_zone.get(where)))
    total = 0
    for pods, rate in on_spot:
        monthly = UNKNOWN_RATE_PPM if rate is None else rate
        for each in pods:
            cost = problem.workloads[each.workload].template.restart_cost_microusd or default
            total += each.count * -(-cost * monthly // (PPM * HOURS_PER_MONTH))
    return total


def cut_off(problem: Problem, claims: Iterable[NodeClaim]) -> tuple[str, ...]:
    """Workloads with pods on spot nodes to be bought that take longer to end than the notice, by name."""
    slow = {t.grace_s for t in templates_of(problem) if t.grace_s > min(NOTICE_S.values())}
    if not slow:
        return ()
    cloud_of = {kind.name: kind.cloud for kind in problem.catalog.instance_types}
    found: set[int] = set()
    for claim in claims:
        notice = NOTICE_S.get(cloud_of.get(claim.instance_type, ""))
        if claim.capacity_type is CapacityType.SPOT and notice is not None:
            found |= {
                p.workload for p in claim.pods if problem.workloads[p.workload].template.grace_s > notice
            }
    return tuple(problem.workloads[w].name for w in sorted(found))


def _has_wishes(problem: Problem) -> bool:
    if any(template.preferred_affinity for template in templates_of(problem)):
        return True
    taints = [*(pool.taints for pool in problem.node_pools), *(n.taints for n in problem.existing_nodes)]
    return any(not taint.repels for some in taints for taint in some)


def _nodes(
    problem: Problem, claims: Iterable[NodeClaim], existing: Iterable[ExistingPlacement]
) -> Iterator[tuple[tuple[PodRange, ...], Mapping[str, str | None], tuple[Taint, ...]]]:
    """Pods with labels and taints of their node; nodes with equal labels share one mapping.

    A node to be bought has a host name that nobody knows: None stands for it.
    """
    pools = {pool.name: pool.taints for pool in problem.node_pools}
    shared: dict[tuple[tuple[str, str], ...], Mapping[str, str | None]] = {}
    for claim in claims:
        own = shared.get(claim.labels)
        if own is None:
            own = shared[claim.labels] = {**dict(claim.labels), labels.HOSTNAME: None}
        yield claim.pods, own, pools[claim.node_pool]
    nodes = {node.name: node for node in problem.existing_nodes}
    kept = []
    for placement in existing:
        node = nodes[placement.node]
        own = {labels.HOSTNAME: node.name, **dict(node.labels)}
        kept.append(own)  # alive, so that no other mapping takes its identity
        yield placement.pods, own, node.taints


def _unmet(
    template: PodTemplate, own: Mapping[str, str | None], taints: Iterable[Taint]
) -> Iterator[tuple[str, int]]:
    for preferred in template.preferred_affinity:
        for requirement in preferred.term:
            value = own.get(requirement.key)
            is_met = requirement.admits(value)
            if requirement.key == labels.HOSTNAME and value is None:
                is_met = requirement.operator in (Operator.EXISTS, Operator.NOT_IN)
            if not is_met:
                yield str(preferred), preferred.weight
                break
    for taint in taints:
        if not taint.repels and not any(t.tolerates(taint) for t in template.tolerations):
            yield f"no taint {taint}", UNTOLERATED_WEIGHT
