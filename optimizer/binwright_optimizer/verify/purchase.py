"""What NodePools may buy: offerings by requirements, choices of custom labels, limits, minimums."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from binwright_optimizer.model import NodePool, Operator, Problem, Requirement, labels
from binwright_optimizer.verify.compatibility import BoolArray, new_host_admits
from binwright_optimizer.verify.offerings import WELL_KNOWN_LABELS, OfferingColumns

NODES = "nodes"
"""The limit on the number of nodes of a pool."""

_MOST_VARIANTS = 64
"""Combinations of custom label values told apart per pool; further keys stay undecided, which
only loosens the bound."""


@dataclass(frozen=True, slots=True)
class PoolTerms:
    """Limits of a NodePool on what is bought, existing nodes taken off.

    Parameters
    ----------
    room
        What may still be bought by resource (capacity), `NODES` for their number.
    missing
        Nodes that must be bought.
    """

    name: str
    room: dict[str, int]
    missing: int


def pool_terms(problem: Problem) -> tuple[PoolTerms, ...]:
    """Limits and minimums of every pool.

    Existing nodes above a limit leave no room, but do not make a decision wrong.
    """
    result = []
    for pool in problem.node_pools:
        mine = [node for node in problem.existing_nodes if node.node_pool == pool.name]
        caps = dict(pool.limits)
        if pool.max_nodes is not None:
            caps[NODES] = min(pool.max_nodes, caps.get(NODES, pool.max_nodes))
        used = {
            name: len(mine) if name == NODES else sum(node.capacity[name] for node in mine) for name in caps
        }
        room = {name: max(0, cap - used[name]) for name, cap in caps.items()}
        result.append(PoolTerms(pool.name, room, max(0, pool.min_nodes - len(mine))))
    return tuple(result)


@dataclass(frozen=True, slots=True)
class Variant:
    """A NodePool whose custom labels with few values are chosen."""

    fixed: dict[str, str | None]
    undecided: dict[str, tuple[Requirement, ...]]


def variants(pool: NodePool, columns: OfferingColumns, mentioned: frozenset[str]) -> list[Variant]:
    """Choices of the custom labels that pods or daemons mention."""
    fixed: dict[str, str | None] = dict(pool.labels)
    fixed[labels.NODE_POOL] = pool.name
    custom: dict[str, list[Requirement]] = {}
    for requirement in pool.requirements:
        if is_custom_key(requirement.key, pool, columns.defined_keys):
            custom.setdefault(requirement.key, []).append(requirement)
    choices: dict[str, list[str]] = {}
    undecided: dict[str, tuple[Requirement, ...]] = {}
    combinations = 1
    for key, wanted in sorted(custom.items()):
        if key not in mentioned:
            continue
        listed = [set(r.values) for r in wanted if r.operator is Operator.IN]
        values = (
            sorted(v for v in set.intersection(*listed) if all(r.admits(v) for r in wanted)) if listed else []
        )
        if listed and combinations * len(values) <= _MOST_VARIANTS:
            choices[key] = values
            combinations *= len(values)
        else:
            undecided[key] = tuple(wanted)
    return [
        Variant({**fixed, **dict(zip(choices, values, strict=True))}, undecided)
        for values in itertools.product(*choices.values())
    ]


def is_custom_key(key: str, pool: NodePool, defined_keys: frozenset[str]) -> bool:
    """Whether a pool requirement on ``key`` lets the decision choose the label's value."""
    return key not in WELL_KNOWN_LABELS and key not in defined_keys and key not in dict(pool.labels)


def buyable(pool: NodePool, terms: PoolTerms, columns: OfferingColumns) -> BoolArray:
    """Offerings that the pool may buy: bool (offering,)."""
    result: BoolArray = columns.available != 0
    wanted = list(pool.requirements)
    own = dict(pool.labels)
    # As in Karpenter, a pool label is a requirement on types that define the label.
    wanted += [Requirement(key, Operator.IN, (value,)) for key, value in pool.labels]
    for requirement in wanted:
        key = requirement.key
        if key == labels.HOSTNAME:
            result &= new_host_admits(requirement)
        elif key == labels.NODE_POOL:
            result &= requirement.admits(pool.name)
        elif key in columns.defined_keys:
            result &= columns.admitted(requirement)
        elif key in own or not is_custom_key(key, pool, columns.defined_keys):
            result &= requirement.admits(own.get(key))
    for name, room in terms.room.items():
        if name == NODES:
            result &= room > 0
        else:
            result &= (columns.capacity(name) <= room)[columns.type_of]
    return result
