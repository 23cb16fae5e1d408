"""The optimum of a tiny problem by exhaustive enumeration, written without the package's solver."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence

from binwright_optimizer.model import ExistingNode, InstanceType, NodePool, PodTemplate, Problem

Counts = tuple[int, ...]


def cheapest_cost(problem: Problem, demand: Sequence[int]) -> int | None:
    """Micro-dollars per hour of the cheapest nodes for these pods; None if no nodes hold them.

    Handles requests, node selectors on type labels, taints, supply, limits, minimums and existing
    nodes; custom pool labels and daemons are left to tests of their own.
    """
    target = tuple(demand)
    options = list(_options(problem))
    existing = [
        _maximal(problem, node.free, _admitted_on(problem, node), target) for node in problem.existing_nodes
    ]
    best: int | None = None
    for choice in itertools.product(*existing):
        left = tuple(max(0, d - sum(p[w] for p in choice)) for w, d in enumerate(target))
        cost = _buy(problem, options, left)
        if cost is not None and (best is None or cost < best):
            best = cost
    return best


def _options(problem: Problem) -> Iterator[tuple[NodePool, InstanceType, int, int | None, tuple[bool, ...]]]:
    for pool in problem.node_pools:
        for kind in problem.catalog.instance_types:
            labels = {**dict(pool.labels), **dict(kind.labels)}
            if not all(r.admits(labels.get(r.key)) for r in pool.requirements):
                continue
            admitted = tuple(
                _admits(w.template, labels) and _tolerates(w.template, pool) for w in problem.workloads
            )
            for offering in kind.offerings:
                yield pool, kind, offering.price_microusd_per_hour, offering.available, admitted


def _admits(template: PodTemplate, labels: dict[str, str]) -> bool:
    return all(r.admits(labels.get(r.key)) for r in template.node_selector)


def _tolerates(template: PodTemplate, carrier: NodePool | ExistingNode) -> bool:
    return all(any(t.tolerates(taint) for t in template.tolerations) for taint in carrier.taints)


def _admitted_on(problem: Problem, node: ExistingNode) -> tuple[bool, ...]:
    labels = dict(node.labels)
    return tuple(_admits(w.template, labels) and _tolerates(w.template, node) for w in problem.workloads)


def _fits(problem: Problem, room: dict[str, int], counts: Counts) -> bool:
    for name in {n for w in problem.workloads for n, _ in w.template.requests}:
        if sum(
            w.template.requests[name] * c for w, c in zip(problem.workloads, counts, strict=True)
        ) > room.get(name, 0):
            return False
    return sum(counts) <= room["pods"] if "pods" in room else True


def _maximal(problem: Problem, room, admitted: tuple[bool, ...], demand: Counts) -> list[Counts]:
    """Patterns to which no pod can be added; holding fewer pods is never better."""
    amounts = dict(room)
    spans = [range(d + 1) if ok else range(1) for d, ok in zip(demand, admitted, strict=True)]
    fitting = {c for c in itertools.product(*spans) if _fits(problem, amounts, c)}
    return [
        c
        for c in fitting
        if not any(tuple(n + (v == w) for v, n in enumerate(c)) in fitting for w in range(len(c)))
    ]


def _buy(problem: Problem, options: list, demand: Counts) -> int | None:
    """Cheapest purchase for ``demand`` under supply, limits and minimums."""
    patterns = [_maximal(problem, kind.allocatable, admitted, demand) for _, kind, _, _, admitted in options]
    missing = {
        p.name: p.min_nodes - sum(n.node_pool == p.name for n in problem.existing_nodes)
        for p in problem.node_pools
    }

    def is_allowed(bought: Counts) -> bool:
        for _, kind, price, available, _ in options:  # all pools buy from one supply
            shared = sum(n for n, o in zip(bought, options, strict=True) if o[1:3] == (kind, price))
            if available is not None and shared > available:
                return False
        for pool in problem.node_pools:
            mine = [n for n in problem.existing_nodes if n.node_pool == pool.name]
            held = [(kind, bought[o]) for o, (q, kind, *_) in enumerate(options) if q is pool]
            if pool.max_nodes is not None and sum(n for _, n in held) > max(0, pool.max_nodes - len(mine)):
                return False
            for name, limit in pool.limits:
                room = max(0, limit - sum(node.capacity[name] for node in mine))
                if sum(kind.capacity[name] * n for kind, n in held) > room:
                    return False
        return True

    needs_count = any(m > 0 for m in missing.values())

    @functools.cache
    def cheapest(left: Counts, bought: Counts) -> float:
        short = [
            pool
            for pool in problem.node_pools
            if missing[pool.name] > sum(bought[o] for o, (q, *_) in enumerate(options) if q is pool)
        ]
        if not any(left) and not short:
            return 0
        result = float("inf")
        for o, (pool, _, price, _, _) in enumerate(options):
            more = tuple(n + (k == o) for k, n in enumerate(bought))
            if not is_allowed(more):
                continue
            for pattern in patterns[o]:
                rest = tuple(max(0, d - c) for d, c in zip(left, pattern, strict=True))
                if rest == left and not (needs_count and pool in short):
                    continue
                result = min(result, price + cheapest(rest, more))
        return result

    cost = cheapest(demand, (0,) * len(options))
    return None if cost == float("inf") else int(cost)
