"""Prices of pods by domain, and what placing the pods is worth at least wherever they may go.

A certificate may price the pods of a workload by where they are placed. For the proof the workload then
stands for several *local* ones, one per domain, each with the domain's labels in its node selector; their
prices must not exceed what nodes cost, as those of any pods. How many pods are in which domain is not
known, so that the sum of demand times price becomes a minimum over all ways that rules allow::

    min  sum_(w, s) price_ws y_ws
    s.t. sum_s y_ws = d_w
         sum_s in a y_ws - sum_s in b y_ws <= maxSkew    for domains of a spread constraint (`spread_counts`)
         sum_s in a y_ws <= 1                            for domains of anti-affinity among the pods
         sum_(s on spot) y_ws <= d_w - least off spot
         y_ws <= cap per spot pool
         y >= 0

Any multipliers of the rows bound it from below (Lagrange), and theirs is exact integer arithmetic; good
ones come from a linear programme. Rules that are not written here only make the minimum smaller than it
need be. A pod that some node holds outside all domains priced is worth nothing there.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import highspy
import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    CapacityType,
    Certificate,
    Operator,
    Problem,
    Requirement,
    Workload,
    labels,
)
from binwright_optimizer.model.spot import PPM
from binwright_optimizer.verify.attachments import as_own, users_of_claims
from binwright_optimizer.verify.priced_groups import Group, Scope
from binwright_optimizer.verify.rulebook import rulebook
from binwright_optimizer.verify.spot_loss import TOLERANCE, pool_chances
from binwright_optimizer.verify.spread_counts import SpreadCounts
from binwright_optimizer.verify.volumes import Claim

MULTIPLIER_BITS = 20
"""Multipliers are rounded to 2**-20 of the largest price."""


@dataclass(frozen=True, slots=True)
class LocalWorkloads:
    """A problem whose locally priced workloads are split by domain.

    Parameters
    ----------
    problem
        The workloads of the original first, as they were, then the local ones.
    certificate
        Prices of all of them, one by one; none of its parts has prices by domain.
    placed
        Pods placed of each; of a local one the most there may be on a node, of the workloads they stand for
        none.
    groups
        The workloads that each group of local ones stands for, with its pods placed, and the numbers of
        its local ones with their scopes.
    """

    problem: Problem
    certificate: Certificate
    placed: list[int]
    groups: list[Group]


def has_local_prices(certificate: Certificate) -> bool:
    """Whether any part of it prices pods by domain."""
    if certificate.local_prices:
        return True
    split = certificate.split
    return split is not None and (has_local_prices(split.fewer) or has_local_prices(split.more))


def split_by_domain(problem: Problem, certificate: Certificate, placed: Sequence[int]) -> LocalWorkloads:
    """The problem for which ``certificate`` has one price per workload."""
    groups: dict[tuple[int, ...], list[Scope]] = {}
    _collect(certificate, groups)
    taken: set[int] = set()
    users = users_of_claims(problem)
    workloads, counts = list(problem.workloads), [max(0, int(n)) for n in placed]
    made: list[Group] = []
    number: dict[tuple[tuple[int, ...], Scope], int] = {}
    for members, scopes in groups.items():
        if not members or not taken.isdisjoint(members) or not _are_alike(problem, members):
            continue
        taken.update(members)
        first = problem.workloads[members[0]]
        pods = sum(counts[w] for w in members)
        local = []
        for scope in scopes:
            number[members, scope] = len(workloads)
            local.append(len(workloads))
            most = sum(_most_on_node(problem, w, scope, counts[w]) for w in members)
            workloads.append(_within(first, scope, most, users))
            counts.append(most)
        made.append(Group(members, pods, tuple(local), tuple(scopes)))
    for group in made:
        for w in group.workloads:
            counts[w] = 0
    wider = _kept(problem, replace(problem, workloads=tuple(workloads)), counts)
    return LocalWorkloads(wider, _flat(certificate, number, len(workloads)), counts, made)


_cache: WeakKeyDictionary[Problem, tuple[object, Problem]] = WeakKeyDictionary()
_cache_lock = threading.Lock()


def _kept(problem: Problem, wider: Problem, counts: list[int]) -> Problem:
    """The problem split the same way before, if it was: whatever is known of it is known by identity."""
    key = wider.workloads[len(problem.workloads) :], tuple(counts)
    with _cache_lock:
        known = _cache.get(problem)
        if known is not None and known[0] == key:
            return known[1]
        _cache[problem] = key, wider
    return wider


def _collect(certificate: Certificate, groups: dict[tuple[int, ...], list[Scope]]) -> None:
    """Scopes of each group of workloads over all parts, in order of first appearance."""
    for entry in certificate.local_prices:
        scopes = groups.setdefault(entry.workloads, [])
        known = set(scopes)
        scopes.extend(scope for scope, _ in entry.prices if scope not in known)
    if certificate.split is not None:
        _collect(certificate.split.fewer, groups)
        _collect(certificate.split.more, groups)


def _are_alike(problem: Problem, members: tuple[int, ...]) -> bool:
    """Whether workloads exist, once each, and differ in nothing that the proof looks at."""
    n = len(problem.workloads)
    if len(set(members)) < len(members) or not all(0 <= w < n for w in members):
        return False
    first = problem.workloads[members[0]]
    return all(
        problem.workloads[w].template == first.template
        and problem.workloads[w].namespace == first.namespace
        and (problem.workloads[w].spot or problem.policies.spot) == (first.spot or problem.policies.spot)
        for w in members
    )


def _most_on_node(problem: Problem, w: int, scope: Scope, pods: int) -> int:
    """How many of these pods of a workload may be on one node in a scope.

    On spot no more than in the pool that the node is in.
    """
    workload = problem.workloads[w]
    most = (workload.spot or problem.policies.spot).max_per_pool
    if most is None or (labels.CAPACITY_TYPE, CapacityType.SPOT.value) not in scope:
        return pods
    return min(pods, most.at_most(workload.replicas))


def _within(workload: Workload, scope: Scope, pods: int, users: Counter[Claim]) -> Workload:
    """The workload on nodes with these labels only."""
    wanted = tuple(
        Requirement(key, Operator.DOES_NOT_EXIST)
        if value is None
        else Requirement(key, Operator.IN, (value,))
        for key, value in scope
    )
    template = replace(workload.template, node_selector=(*workload.template.node_selector, *wanted))
    if template.volumes:
        own = as_own(template.volumes, workload.namespace, lambda claim: users[claim] == 1)
        template = replace(template, volumes=own)
    return Workload(workload.name, template, pods, workload.namespace, gang=workload.gang)


def _flat(
    certificate: Certificate, number: dict[tuple[tuple[int, ...], Scope], int], n_workloads: int
) -> Certificate:
    """The certificate with a price for each local workload."""
    split = certificate.split
    if split is not None:
        fewer, more = (_flat(side, number, n_workloads) for side in (split.fewer, split.more))
        return replace(certificate, local_prices=(), split=replace(split, fewer=fewer, more=more))
    prices = [*certificate.pod_prices, *[0] * max(0, n_workloads - len(certificate.pod_prices))]
    for entry in certificate.local_prices:
        cheapest: dict[int, int] = {}
        for scope, price in entry.prices:
            w = number.get((entry.workloads, scope))
            if w is not None:
                cheapest[w] = min(price, cheapest.get(w, price))
        for w, price in cheapest.items():
            prices[w] = price
    return replace(certificate, pod_prices=tuple(prices), local_prices=())


@dataclass(slots=True)
class LeastWorth:
    """The minimum over all ways to place the pods, for any prices of the local workloads.

    Rows are ``sum of coefficient * y <= most`` over local workloads, numbered as in `LocalWorkloads`.
    """

    groups: list[Group]
    rows: list[tuple[dict[int, int], int]] = field(default_factory=list)

    def of(self, prices: dict[int, int]) -> int:
        """A lower bound on what the pods are worth, exact arithmetic on integer prices."""
        best = self._relaxed(prices, {})
        if self.rows:
            best = max(best, self._relaxed(prices, self._multipliers(prices)))
        return best

    def _relaxed(self, prices: dict[int, int], multipliers: dict[int, int]) -> int:
        """The Lagrangian: each pod goes where it is worth least, rows priced in."""
        adjusted = dict(prices)
        total = 0
        for r, multiplier in multipliers.items():
            terms, most = self.rows[r]
            for v, coefficient in terms.items():
                adjusted[v] += multiplier * coefficient
            total -= multiplier * most
        for group in self.groups:
            if group.pods:
                total += group.pods * min((adjusted[v] for v in group.local), default=0)
        return total

    def _multipliers(self, prices: dict[int, int]) -> dict[int, int]:
        """Good multipliers of the rows, from the duals of the linear programme."""
        variables = [v for group in self.groups if group.pods for v in group.local]
        index = {v: at for at, v in enumerate(variables)}
        scale = max((prices[v] for v in variables), default=0)
        if scale <= 0:
            return {}
        solver = highspy.Highs()
        solver.silent()
        solver.setOptionValue("threads", 1)
        n = len(variables)
        none = np.zeros(n, dtype=np.int32)
        costs = np.array([prices[v] / scale for v in variables])
        solver.addCols(n, costs, np.zeros(n), np.full(n, np.inf), 0, none, none[:0], costs[:0])
        for group in self.groups:
            if group.pods:
                mine = np.array([index[v] for v in group.local], dtype=np.int32)
                solver.addRow(float(group.pods), float(group.pods), len(mine), mine, np.ones(len(mine)))
        first = sum(1 for group in self.groups if group.pods)
        for terms, most in self.rows:
            used = [(index[v], c) for v, c in terms.items() if v in index]
            where = np.array([at for at, _ in used], dtype=np.int32)
            solver.addRow(-np.inf, float(most), len(used), where, np.array([float(c) for _, c in used]))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return {}
        duals: NDArray[np.float64] = np.asarray(solver.getSolution().row_dual)[first:]
        found = np.rint(np.maximum(-duals, 0.0) * 2**MULTIPLIER_BITS).astype(np.int64)
        return {r: int(m) * scale >> MULTIPLIER_BITS for r, m in enumerate(found) if m}


def least_worth(problem: Problem, groups: list[Group], spread: Sequence[SpreadCounts]) -> LeastWorth:
    """The rules that every decision obeys, as rows over local workloads.

    Parameters
    ----------
    problem
        Without local workloads.
    groups
        Those of which every place is priced: nothing is known of the counts of others.
    spread
        What spread constraints say of these.
    """
    found = LeastWorth(groups)
    for counts in spread:
        found.rows.extend(counts.rows())
    for group in groups:
        found.rows.extend(_apart_rows(problem, group))
        found.rows.extend(_spot_rows(problem, group))
    return found


def _apart_rows(problem: Problem, group: Group) -> Iterator[tuple[dict[int, int], int]]:
    """Rows of anti-affinity that keeps the pods of the group from each other."""
    workload = problem.workloads[group.workloads[0]]
    if not workload.template.pod_anti_affinity.required:
        return
    book = rulebook(problem)
    k = int(book.kind_of[group.workloads[0]])
    for term in workload.template.pod_anti_affinity.required:
        key = term.topology_key
        if key == labels.HOSTNAME or k not in book.meant(book.kinds[k], term):
            continue
        by_name: dict[str, list[int]] = {}
        for v, scope in zip(group.local, group.scopes, strict=True):
            value = dict(scope).get(key)
            if value is not None:
                by_name.setdefault(value, []).append(v)
        for _, mine in sorted(by_name.items()):
            yield dict.fromkeys(mine, 1), 1


def _spot_rows(problem: Problem, group: Group) -> list[tuple[dict[int, int], int]]:
    """Rows of the spot policy of a single workload."""
    if len(group.workloads) != 1:
        return []
    workload = problem.workloads[group.workloads[0]]
    policy = workload.spot or problem.policies.spot
    spot = {
        v: scope
        for v, scope in zip(group.local, group.scopes, strict=True)
        if (labels.CAPACITY_TYPE, CapacityType.SPOT.value) in scope
    }
    rows = []
    if policy.min_on_demand is not None and spot:
        least = min(group.pods, policy.min_on_demand.at_least(workload.replicas))
        rows.append((dict.fromkeys(spot, 1), group.pods - least))
    pools: dict[tuple[str | None, str | None], list[int]] = {}
    for v, scope in spot.items():
        found = dict(scope)
        if found.get(labels.INSTANCE_TYPE) is not None and labels.ZONE in found:
            pools.setdefault((found[labels.INSTANCE_TYPE], found[labels.ZONE]), []).append(v)
    if policy.max_per_pool is not None:
        most = policy.max_per_pool.at_most(workload.replicas)
        rows.extend((dict.fromkeys(mine, 1), most) for mine in pools.values())
    if policy.loss is not None:  # a pool that alone is lost too often holds no more than may be lost
        most = policy.loss.share.at_most(workload.replicas)
        chances = pool_chances(problem.catalog, policy.loss.window_s)
        often = [p for p in pools if chances(p) * PPM > policy.loss.probability_ppm * (1 + TOLERANCE)]
        rows.extend((dict.fromkeys(pools[pool], 1), most) for pool in often)
        surely = [v for pool in often if chances(pool) >= 1.0 for v in pools[pool]]
        rows.append((dict.fromkeys(surely, 1), most))
    return rows
