"""Pod affinity and anti-affinity over domains larger than a node.

Anti-affinity: a domain with a pod that keeps away from a selection holds no other pod of it. Affinity:
a domain with a pod that wants to be near a selection holds a running pod of it, or a new one that does not
wait for the former and so can come first; or it is the one domain that such pods may start themselves,
where nothing they select is anywhere yet.
"""

from __future__ import annotations

from binwright_optimizer.instance.domains.counting import Counting
from binwright_optimizer.instance.domains.table import NO_DOMAIN
from binwright_optimizer.instance.stated import Near
from binwright_optimizer.model import labels


def add_affinity(counting: Counting) -> None:
    """Rows of every required term whose topology key is not the hostname."""
    _keep_away_from_running(counting)
    started: dict[tuple[Near, frozenset[int]], dict[int, int]] = {}
    for k in counting.local:
        for term in counting.kinds.stated[k].away:
            if term.topology_key != labels.HOSTNAME and term.selection >= 0:
                _add_away(counting, k, term)
        for term in counting.kinds.stated[k].near:
            if term.topology_key != labels.HOSTNAME:
                _add_near(counting, k, term, started)


def _add_away(counting: Counting, k: int, term: Near) -> None:
    key, builder = term.topology_key, counting.builder
    members = counting.members(term.selection)
    others = [m for m in members if m != k]
    agree = all(term in counting.kinds.stated[m].away for m in members)
    running = counting.running(term.selection, key)
    total = float(sum(counting.demand[m] for m in others))
    for d in sorted(counting.by_domain(k, key)):
        if d == NO_DOMAIN:
            continue
        if running[d]:
            counting.forbid(k, key, d)
            continue
        if k in members:  # and so no node of the domain holds more
            for v in counting.by_domain(k, key)[d]:
                counting.most[v] = min(int(counting.most[v]), 1)
        if k in members and agree:
            builder.row(counting.pods(members, key, d), upper=1.0)
            continue
        if k in members:
            builder.row(counting.pods([k], key, d), upper=1.0)
        theirs = counting.pods(others, key, d)
        if theirs:
            builder.row({**theirs, counting.presence(k, key, d): total}, upper=total)


def _keep_away_from_running(counting: Counting) -> None:
    """Running pods keep away what their own terms select."""
    for n, node in enumerate(counting.problem.existing_nodes):
        for pods in node.pods:
            own = dict(pods.template.labels)
            for term in pods.template.pod_anti_affinity.required:
                key = term.topology_key
                if key == labels.HOSTNAME:
                    continue
                domain = int(counting.table.existing_codes(key)[n])
                selection = counting.rules.selections.of_term(term, own, pods.namespace)
                for k in counting.members(selection) if domain != NO_DOMAIN else ():
                    counting.forbid(k, key, domain)


def _add_near(
    counting: Counting, k: int, term: Near, started: dict[tuple[Near, frozenset[int]], dict[int, int]]
) -> None:
    """Rows of a term; of several terms of a pod, those pods count that all of them select."""
    key, builder = term.topology_key, counting.builder
    counting.forbid(k, key, NO_DOMAIN)
    if any(near.topology_key == labels.HOSTNAME for near in counting.kinds.stated[k].near):
        return  # what is on the node is in the domain
    wanted = frozenset(near.selection for near in counting.kinds.stated[k].near)
    running = counting.running_in_all(wanted, key)
    starters = [m for m in _targets(counting, k) if k not in _needed(counting, m)]
    # Pods on nodes without the keys are in no domain, and kube-scheduler does not count them.
    keys = {near.topology_key for near in counting.kinds.stated[k].near}
    is_first = wanted <= set(counting.kinds.selected[k]) and not any(
        counting.running_in_all(wanted, other).any() for other in keys
    )
    if is_first and (term, wanted) not in started:
        started[term, wanted] = _startable(counting, k, key, len(running))
    demand = float(counting.demand[k])
    for d, mine in sorted(counting.by_domain(k, key).items()):
        if d == NO_DOMAIN or running[d]:
            continue
        terms = dict(mine)
        if is_first:  # at most the demand where they start a domain
            terms[started[term, wanted][d]] = -demand
        for v in counting.pods(starters, key, d):
            terms[v] = terms.get(v, 0.0) - demand
        builder.row(terms, upper=0.0)
        if starters:  # one whole pod must come first: a fraction of it would do for the row above
            first = {counting.presence(k, key, d): 1.0}
            if is_first:
                first[started[term, wanted][d]] = -1.0
            builder.row({**first, **dict.fromkeys(counting.pods(starters, key, d), -1.0)}, upper=0.0)


def _startable(counting: Counting, k: int, key: str, n_domains: int) -> dict[int, int]:
    """Variables that are 1 for the domain that a kind starts; what it selects is nowhere else then."""
    builder = counting.builder
    chosen = {d: builder.variable(0.0, 1.0, is_integer=True) for d in range(n_domains)}
    builder.row(chosen.values(), upper=1.0)
    others = _targets(counting, k)
    total = float(sum(counting.demand[m] for m in others))
    for d in chosen if total else ():
        theirs = counting.pods(others, key, d)
        if theirs:  # in this domain, only if no other is started
            elsewhere = {chosen[other]: total for other in chosen if other != d}
            builder.row({**theirs, **elsewhere}, upper=total)
    return chosen


def _targets(counting: Counting, k: int) -> list[int]:
    """Other kinds that all affinity terms of a kind select."""
    wanted = {near.selection for near in counting.kinds.stated[k].near}
    chosen = [set(counting.members(selection)) for selection in wanted]
    return sorted(set.intersection(*chosen) - {k})


def _needed(counting: Counting, k: int) -> set[int]:
    """Kinds that must be placed before a kind, or before one of these."""
    found: set[int] = set()
    waiting = [k]
    while waiting:
        m = waiting.pop()
        if counting.kinds.stated[m].near:
            fresh = set(_targets(counting, m)) - found
            found |= fresh
            waiting.extend(fresh)
    return found
