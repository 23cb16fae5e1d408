"""Pods that a decision has to place on one node: for bounds, one large pod.

Whatever decision places so many pods of workloads that are tied to one node, by a gang, by a volume for one
node or as a group that selects itself by hostname, has all of them on one node. That node holds one pod
with the requests of all of them, which some member's labels and taints admit. It has that member's labels, by
which others select it, and states no rules itself, which only weakens the proof; what they are charged for
their place is charged together. A pod that is worth what its parts are is priced by the same certificate.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

from binwright_optimizer.model import (
    Certificate,
    DeviceClaim,
    LocalPrices,
    PodTemplate,
    Problem,
    Resources,
    Volume,
    Workload,
    labels,
)
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD
from binwright_optimizer.verify.attachments import as_own, users_of_claims
from binwright_optimizer.verify.device_claims import claims_held
from binwright_optimizer.verify.rulebook import Rulebook, rulebook
from binwright_optimizer.verify.volumes import Claim

Scope = tuple[tuple[str, str | None], ...]
Placed = tuple[int, ...]


def put_together(
    problem: Problem, certificate: Certificate, placed: Sequence[int]
) -> tuple[Problem, Certificate, Sequence[int]]:
    """The problem, its prices and its pods with each tied group as one pod; as they are without any."""
    groups = [
        group
        for group in tied_groups(problem)
        if sum(max(0, placed[w]) for w in group) > (0 if _shares_claims(problem, group) else 1)
        and not any(problem.workloads[w].template.gpu_share for w in group)  # shares do not add up to GPUs
    ]
    if not groups:
        return problem, certificate, placed
    counts = [max(0, int(n)) for n in placed]
    wider = _kept(problem, groups, tuple(counts))
    certificate = _priced(certificate, groups, counts)
    for group in groups:
        for w in group:
            counts[w] = 0
    return wider, certificate, [*counts, *[1] * len(groups)]


_cache: WeakKeyDictionary[Problem, tuple[object, Problem]] = WeakKeyDictionary()
_cache_lock = threading.Lock()


def _kept(problem: Problem, groups: list[tuple[int, ...]], counts: Placed) -> Problem:
    """The problem with a workload for each group; the one made before, if the same pods are placed."""
    with _cache_lock:
        known = _cache.get(problem)
        if known is not None and known[0] == counts:
            return known[1]
    made = tuple(_one_pod(problem, group, counts) for group in groups)
    wider = replace(problem, workloads=problem.workloads + made, gangs=())
    with _cache_lock:
        _cache[problem] = counts, wider
    return wider


def _one_pod(problem: Problem, group: tuple[int, ...], counts: Placed) -> Workload:
    members = [problem.workloads[w] for w in group if counts[w]]
    amounts: dict[str, int] = {}
    for w in group:
        for name, amount in problem.workloads[w].template.requests:
            amounts[name] = amounts.get(name, 0) + counts[w] * amount
    first = members[0].template
    default = problem.policies.restart_cost_microusd
    every = [(counts[w], problem.workloads[w].template) for w in group if counts[w]]
    restarts = sum(count * (template.restart_cost_microusd or default) for count, template in every)
    preferred = tuple(
        replace(term, weight=count * term.weight)
        for count, template in every
        for term in template.preferred_affinity
    )
    own = [claim for w in group for claim in counts[w] * _own(problem.workloads[w].template)]
    shared = {
        (member.namespace, claim.name): replace(claim, name="", node="")
        for member in members
        for claim in member.template.device_claims
        if claim.name and not claims_held(problem, (member.namespace, claim.name))
    }
    selectors = tuple(requirement for member in members for requirement in member.template.node_selector)
    template = PodTemplate(
        requests=Resources.of(amounts),
        labels=first.labels,  # whoever keeps off this member keeps off all of them
        node_selector=tuple(dict.fromkeys(selectors)),
        node_affinity=first.node_affinity,
        tolerations=first.tolerations,
        preferred_affinity=preferred,
        restart_cost_microusd=min(restarts, MAX_PRICE_MICROUSD),
        device_claims=(*own, *shared.values()),
        volumes=_volumes_of(members, [counts[w] for w in group if counts[w]], users_of_claims(problem)),
    )
    return Workload(members[0].name, template, 1, members[0].namespace)


def _volumes_of(members: list[Workload], counts: list[int], users: Counter[Claim]) -> tuple[Volume, ...]:
    """Volumes that the one pod mounts: claims that nobody else does as its own."""
    found: list[Volume] = []
    named: dict[tuple[str, str, str], tuple[str, Volume]] = {}
    mine: Counter[Claim] = Counter()
    for member, count in zip(members, counts, strict=True):
        for volume in member.template.volumes:
            if not volume.name:
                found += [volume] * count
            else:
                named[member.namespace, volume.driver, volume.name] = member.namespace, volume
        for name in {volume.name for volume in member.template.volumes if volume.name}:
            mine[member.namespace, name] += member.replicas
    for namespace, volume in named.values():
        found += as_own((volume,), namespace, lambda claim: users[claim] == mine[claim])
    return tuple(found)


def _own(template: PodTemplate) -> list[DeviceClaim]:
    return [claim for claim in template.device_claims if not claim.name]


def _shares_claims(problem: Problem, group: tuple[int, ...]) -> bool:
    return any(claim.name for w in group for claim in problem.workloads[w].template.device_claims)


def _priced(certificate: Certificate, groups: list[tuple[int, ...]], counts: list[int]) -> Certificate:
    """The certificate with the price of each group, whole and by domain."""
    apart = _without(certificate.local_prices, {w for group in groups for w in group})
    split = certificate.split
    if split is not None:
        fewer, more = _priced(split.fewer, groups, counts), _priced(split.more, groups, counts)
        return replace(certificate, local_prices=apart, split=replace(split, fewer=fewer, more=more))
    whole = list(certificate.pod_prices)
    whole += [0] * (len(counts) - len(whole))
    by_domain = {w: dict(entry.prices) for entry in certificate.local_prices for w in entry.workloads}
    local = []
    for number, group in enumerate(groups):
        mine = [w for w in group if counts[w]]
        whole.append(sum(counts[w] * whole[w] for w in mine))
        scopes = _common([by_domain[w] for w in mine if w in by_domain])
        if scopes:
            prices = [
                (scope, sum(counts[w] * by_domain.get(w, {}).get(scope, whole[w]) for w in mine))
                for scope in scopes
            ]
            local.append(LocalPrices((len(counts) + number,), tuple(prices)))
    return replace(certificate, pod_prices=tuple(whole), local_prices=(*apart, *local))


def _without(prices: tuple[LocalPrices, ...], tied: set[int]) -> tuple[LocalPrices, ...]:
    """Prices by domain of other workloads only.

    Priced there with none of their pods, tied ones would pass for pods that no domain has, and what spread
    constraints count would be known without them.
    """
    others = ((tuple(w for w in entry.workloads if w not in tied), entry) for entry in prices)
    return tuple(replace(entry, workloads=mine) for mine, entry in others if mine)


def _common(prices: list[dict[Scope, int]]) -> list[Scope]:
    """Domains in which all of them are priced, those of narrower domains first."""
    if not prices:
        return []
    return [scope for scope in prices[0] if all(scope in other for other in prices[1:])]


def tied_groups(problem: Problem) -> list[tuple[int, ...]]:
    """Workloads of which all pods placed are on one node; groups that share a workload are one."""
    merged: list[set[int]] = []
    for group in (*_gangs(problem), *_volumes(problem), *_claims(problem), *_self_selecting(problem)):
        apart = [other for other in merged if not other & group]
        merged = [*apart, group.union(*(other for other in merged if other & group))]
    return sorted(tuple(sorted(group)) for group in merged)


def _gangs(problem: Problem) -> Iterator[set[int]]:
    tied = {
        (gang.namespace, gang.name)
        for gang in problem.gangs
        if any(rule.is_required and rule.topology_key == labels.HOSTNAME for rule in gang.topology)
    }
    for name in sorted(tied):
        yield {w for w, work in enumerate(problem.workloads) if (work.namespace, work.gang) == name}


def _volumes(problem: Problem) -> Iterator[set[int]]:
    """Those that mount a volume which all of them say is for one node."""
    users: dict[tuple[str, str], dict[int, bool]] = {}
    for w, workload in enumerate(problem.workloads):
        for volume in workload.template.volumes:
            if volume.name:
                mine = users.setdefault((workload.namespace, volume.name), {})
                mine[w] = volume.is_single_node or mine.get(w, False)
    for _, mine in sorted(users.items()):
        if all(mine.values()):
            yield set(mine)


def _claims(problem: Problem) -> Iterator[set[int]]:
    """Those that share a device claim."""
    users: dict[tuple[str, str], set[int]] = {}
    for w, workload in enumerate(problem.workloads):
        for claim in workload.template.device_claims:
            if claim.name:
                users.setdefault((workload.namespace, claim.name), set()).add(w)
    for _, mine in sorted(users.items()):
        yield mine


def _self_selecting(problem: Problem) -> Iterator[set[int]]:
    """Groups whose pods need, by hostname, pods of the group and of no others, none of which runs.

    The first of them on a node founds it, so all are there.
    """
    if not any(
        term.topology_key == labels.HOSTNAME
        for workload in problem.workloads
        for term in workload.template.pod_affinity.required
    ):
        return
    book = rulebook(problem)
    running = {member.kind for member in book.running}
    targets = {k: _targets(book, k) for k in range(len(book.kinds))}
    seen = set()
    for mine in targets.values():
        if mine and mine not in seen and not mine & running and all(targets[k] == mine for k in mine):
            seen.add(mine)
            yield {w for w, k in enumerate(book.kind_of.tolist()) if k in mine}


def _targets(book: Rulebook, k: int) -> frozenset[int]:
    """Kinds that all affinity terms of a kind select, if one is by hostname."""
    terms = book.kinds[k].template.pod_affinity.required
    if not any(term.topology_key == labels.HOSTNAME for term in terms):
        return frozenset()
    return frozenset.intersection(*(frozenset(book.meant(book.kinds[k], term)) for term in terms))
