"""What NodePools may buy, and how much of it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

from binwright_optimizer.model import Operator, Problem, labels

from brute_force.commitments import kept_for_us, reserved_nodes_left
from brute_force.fitting import satisfies
from brute_force.nodes import Node, Option


@functools.lru_cache(maxsize=16)
def options(problem: Problem) -> list[Option]:
    """Everything that may be bought once, cheapest first.

    A custom label that a pool requires takes one of the values it lists; a requirement that lists none
    is not read here.
    """
    found = []
    for pool in problem.node_pools:
        for kind in problem.catalog.instance_types:
            defined = set(dict(kind.labels)) | {labels.REGION, labels.ZONE, labels.CAPACITY_TYPE}
            listed: dict[str, set[str]] = {}
            for r in pool.requirements:
                if r.key not in defined | set(dict(pool.labels)) and not r.key.startswith(
                    ("kubernetes.io/", "topology.kubernetes.io/", "karpenter.sh/")
                ):
                    assert r.operator is Operator.IN
                    listed[r.key] = listed.get(r.key, set(r.values)) & set(r.values)
            sold = [(offering, None) for offering in kind.offerings]
            for offering, held in (*sold, *kept_for_us(problem, kind)):
                for values in itertools.product(*(sorted(listed[key]) for key in sorted(listed))):
                    custom = tuple(zip(sorted(listed), values, strict=True))
                    option = Option(pool, kind, offering, custom, held)
                    if _may_buy(problem, option):
                        found.append(option)
    return sorted(found, key=lambda o: (o.offering.price_microusd_per_hour, o.pool.name, o.kind.name))


def _may_buy(problem: Problem, option: Option) -> bool:
    node = option.node("new")
    if option.offering.available == 0:
        return False
    if any(node.labels.get(key) != value for key, value in option.pool.labels):
        return False
    if not all(satisfies(r, node) for r in option.pool.requirements):
        return False
    return within_limits(problem, [node])


def within_limits(problem: Problem, nodes: Sequence[Node]) -> bool:
    """Whether NodePools and offerings have room for these new nodes beside the existing ones."""
    new = [node.option for node in nodes if node.option is not None]
    for pool in problem.node_pools:
        mine = [option for option in new if option.pool is pool]
        old = [node for node in problem.existing_nodes if node.node_pool == pool.name]
        limits = [(name, amount) for name, amount in pool.limits]
        if pool.max_nodes is not None:
            limits.append(("nodes", pool.max_nodes))
        for name, limit in limits:
            if name == "nodes":
                used, bought = len(old), len(mine)
            else:
                used = sum(node.capacity[name] for node in old)
                bought = sum(pool.capacity_of(option.kind)[name] for option in mine)
            if bought > max(0, limit - used):
                return False
    for option in new:
        same = [o for o in new if o.kind is option.kind and o.offering is option.offering]
        if option.offering.available is not None and len(same) > option.offering.available:
            return False
    return all(
        sum(option.reservation is held for option in new) <= left
        for held, left in zip(problem.reservations, reserved_nodes_left(problem), strict=True)
    )
