"""Tiny problems whose decisions are counted by price level, and their optimum by enumeration."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping

from binwright_optimizer.model import Certificate, Problem, Split
from builders import existing_node, instance_type, node_pool, offering, pod, problem
from hypothesis import strategies as st

Counts = tuple[int, ...]


@st.composite
def counted_problems(draw: st.DrawFn) -> Problem:
    """One or two workloads, up to three instance types with one offering each, one NodePool.

    No two offerings are interchangeable, so that each part of the decisions can be looked at by
    itself. There may be supplies, a limit, a minimum and an existing node.
    """
    kinds = [
        instance_type(
            f"type-{t}",
            cpu=draw(st.integers(1, 6)),
            pods=draw(st.sampled_from([0, 0, 2])),
            offerings=[
                offering(draw(st.integers(0, 9)) / 10, available=draw(st.sampled_from([None, None, 0, 1, 3])))
            ],
        )
        for t in range(draw(st.integers(1, 3)))
    ]
    workloads = [
        pod(f"w-{w}", cpu=draw(st.integers(1, 3)), replicas=draw(st.integers(1, 3)))
        for w in range(draw(st.integers(1, 2)))
    ]
    pool = node_pool(
        min_nodes=draw(st.sampled_from([0, 0, 2])),
        max_nodes=draw(st.sampled_from([None, None, 3])),
        limits=draw(st.sampled_from([{}, {}, {"cpu": 9000}])),
    )
    existing = [
        existing_node(f"old-{e}", cpu=draw(st.integers(1, 3)), pool=draw(st.sampled_from(["", "default"])))
        for e in range(draw(st.sampled_from([0, 0, 1])))
    ]
    return problem(workloads, kinds, [pool], existing=existing)


def cheapest_in_part(
    question: Problem, least: Mapping[int, int], most: Mapping[int, int], most_nodes: int = 7
) -> int | None:
    """Cost of the cheapest decision with so many nodes of each price level; None if there is none.

    Tries all purchases of up to ``most_nodes`` nodes from one NodePool; nodes may stay empty.
    """
    (pool,) = question.node_pools
    kinds = question.catalog.instance_types
    sold = [kind.offerings[0] for kind in kinds]
    mine = [node for node in question.existing_nodes if node.node_pool == pool.name]
    used = {name: sum(node.capacity[name] for node in mine) for name, _ in pool.limits}
    can_hold = _packer(question)
    best: int | None = None
    for bought in _purchases([o.available for o in sold], most_nodes):
        cost = sum(n * o.price_microusd_per_hour for n, o in zip(bought, sold, strict=True))
        if best is not None and cost >= best:
            continue

        def nodes_from(level: int, bought: Counts = bought) -> int:
            return sum(n for n, o in zip(bought, sold, strict=True) if o.price_microusd_per_hour >= level)

        if any(nodes_from(level) < n for level, n in least.items()):
            continue
        if any(nodes_from(level) > n for level, n in most.items()):
            continue
        if sum(bought) + len(mine) < pool.min_nodes and len(mine) < pool.min_nodes:
            continue
        if pool.max_nodes is not None and sum(bought) > max(0, pool.max_nodes - len(mine)):
            continue
        if any(
            sum(n * kind.capacity[name] for n, kind in zip(bought, kinds, strict=True))
            > max(0, limit - used[name])
            for name, limit in pool.limits
        ):
            continue
        if can_hold(bought):
            best = cost
    return best


def _purchases(available: list[int | None], most_nodes: int) -> Iterator[Counts]:
    spans = [range(min(most_nodes, most_nodes if a is None else a) + 1) for a in available]
    return (bought for bought in itertools.product(*spans) if sum(bought) <= most_nodes)


def _packer(question: Problem):
    """Whether all pods fit the existing nodes and those bought: by trying every pattern."""
    demand = tuple(w.replicas for w in question.workloads)
    rooms = [kind.allocatable for kind in question.catalog.instance_types]
    free = [node.free for node in question.existing_nodes]

    def patterns(room, left: Counts) -> Iterator[Counts]:
        for pattern in itertools.product(*(range(n + 1) for n in left)):
            cpu = sum(
                c * w.template.requests["cpu"] for c, w in zip(pattern, question.workloads, strict=True)
            )
            if cpu <= room["cpu"] and (not room["pods"] or sum(pattern) <= room["pods"]):
                yield pattern

    @functools.cache
    def holds(nodes: Counts, n_existing: int, left: Counts) -> bool:
        if not any(left):
            return True
        if n_existing:
            room, rest = free[n_existing - 1], (nodes, n_existing - 1)
        else:
            kind = next((k for k, n in enumerate(nodes) if n), None)
            if kind is None:
                return False
            room, rest = rooms[kind], (tuple(n - (k == kind) for k, n in enumerate(nodes)), 0)
        return any(
            holds(*rest, tuple(a - b for a, b in zip(left, pattern, strict=True)))
            for pattern in patterns(room, left)
        )

    return lambda bought: holds(bought, len(free), demand)


@st.composite
def prices(draw: st.DrawFn, question: Problem, scale_bits: int = 20) -> Certificate:
    """Any integers for prices: sensible, negative, enormous; levels repeated or of no node."""
    dollars = st.integers(0, 12).map(lambda tenths: tenths * 100_000 << scale_bits)
    odd = st.one_of(
        st.integers(-5, 5),
        st.integers(2**48 - 2, 2**48 + 2),
        st.integers(2**56 - 2, 2**63),
        st.integers(2**63, 2**90),
        st.integers(-(2**90), 0),
    )
    price = st.one_of(dollars, dollars, odd)
    signed = st.one_of(dollars, dollars.map(lambda p: -p), odd)
    names = st.sampled_from([pool.name for pool in question.node_pools] + ["nobody"])
    n = len(question.workloads)
    return Certificate(
        scale_bits=draw(st.sampled_from([scale_bits] * 6 + [0, 60, 4096, 4097, -1])),
        pod_prices=tuple(draw(st.lists(price, min_size=n, max_size=n))),
        limit_prices=tuple(
            draw(st.lists(st.tuples(names, st.sampled_from(["cpu", "nodes"]), price), max_size=2))
        ),
        minimum_prices=tuple(draw(st.lists(st.tuples(names, price), max_size=2))),
        level_prices=tuple(draw(st.lists(st.tuples(levels(question), signed), max_size=4))),
    )


def levels(question: Problem) -> st.SearchStrategy[int]:
    """Mostly prices that nodes have, and some below, between and beyond."""
    known = sorted(
        {o.price_microusd_per_hour for kind in question.catalog.instance_types for o in kind.offerings}
    )
    return st.sampled_from([*known * 3, *(p + 1 for p in known), 0, -1, 2**62, 2**64, 2**100, -(2**100)])


@st.composite
def trees(
    draw: st.DrawFn, question: Problem, leaves: st.SearchStrategy[Certificate], most_depth: int = 4
) -> Certificate:
    """Any tree of splits; numbers of nodes around those that matter."""
    if most_depth == 0 or draw(st.integers(0, 2)) == 0:
        return draw(leaves)
    at_most = draw(
        st.one_of(st.integers(0, 3), st.integers(0, 3), st.sampled_from([-1, -(2**70), 2**40, 2**70]))
    )
    split = Split(
        draw(levels(question)),
        at_most,
        draw(trees(question, leaves, most_depth - 1)),
        draw(trees(question, leaves, most_depth - 1)),
    )
    return Certificate(0, (), split=split)
