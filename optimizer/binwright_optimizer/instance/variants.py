"""NodePool variants: one choice of a pool's free labels.

A NodePool may require a custom label, say ``team In [a, b]``, that neither its own labels nor
the instance type define. Karpenter then gives each node the value its pods ask for. We try each
value that some pod names, and one more for the pods that do not care.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.model import NodePool, NodeSelectorTerm, Operator, PodTemplate, Requirement, labels

WELL_KNOWN = tuple(value for name, value in vars(labels).items() if name.isupper())
"""Labels with a meaning of their own: no value is invented for them."""
MAX_VARIANTS = 256
"""Most combinations of custom label values tried per NodePool."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A NodePool with its free labels chosen.

    ``fixed`` holds every label that does not depend on the offering; None marks a label that
    the pool keeps off its nodes.
    """

    pool: int
    fixed: tuple[tuple[str, str | None], ...]


def pool_variants(
    pools: tuple[NodePool, ...],
    shelf: Shelf,
    templates: Iterable[PodTemplate],
    topology_keys: frozenset[str] = frozenset(),
    preferred: Iterable[NodeSelectorTerm] = (),
) -> list[Variant]:
    """Every variant of every pool, in pool order.

    Of labels in ``topology_keys`` every value that a pool lists is tried: rules tell them apart. Values
    named by ``preferred`` terms are tried as well.
    """
    mentioned = _mentioned_values(templates, preferred)
    variants = []
    for index, pool in enumerate(pools):
        fixed: dict[str, str | None] = {
            key: value for key, value in pool.labels if key not in shelf.labels.columns
        }
        fixed[labels.NODE_POOL] = pool.name
        free: dict[str, list[Requirement]] = {}
        for requirement in pool.requirements:
            if requirement.key not in (*fixed, *shelf.labels.columns, *WELL_KNOWN):
                free.setdefault(requirement.key, []).append(requirement)
        choices = [
            _choices(rs, (*mentioned.get(key, ()), *(_listed(rs) if key in topology_keys else ())))
            for key, rs in sorted(free.items())
        ]
        total = 1
        for options in choices:
            total *= len(options)
        if total > MAX_VARIANTS:
            raise InvalidProblemError.of(
                f"node_pools[{index}].requirements",
                pool.name,
                f"pods choose among {total} combinations of its custom labels; at most {MAX_VARIANTS} work",
            )
        for values in itertools.product(*choices):
            chosen = dict(zip(sorted(free), values, strict=True))
            variants.append(Variant(index, tuple(sorted({**fixed, **chosen}.items()))))
    return variants


def _mentioned_values(
    templates: Iterable[PodTemplate], preferred: Iterable[NodeSelectorTerm]
) -> dict[str, tuple[str, ...]]:
    """Label values that any pod names, by key."""
    values: dict[str, set[str]] = {}
    named = [(template.node_selector, *template.node_affinity) for template in templates]
    for terms in (*named, tuple(preferred)):
        for requirement in itertools.chain.from_iterable(terms):
            values.setdefault(requirement.key, set()).update(requirement.values)
    return {key: tuple(sorted(found)) for key, found in values.items()}


def _listed(requirements: list[Requirement]) -> list[str]:
    """Values that the requirements list."""
    return sorted({v for r in requirements if r.operator is Operator.IN for v in r.values})


def _choices(requirements: list[Requirement], mentioned: tuple[str, ...]) -> list[str | None]:
    """Values worth trying for one free label; the last, if any, is one that no pod names."""

    def admitted(value: str | None) -> bool:
        return all(r.admits(value) for r in requirements)

    mentioned = tuple(sorted(set(mentioned)))
    listed = _listed(requirements)
    bounds = [int(r.values[0]) for r in requirements if r.operator in _COMPARISONS]
    beside = [str(n + d) for n in bounds for d in (-1, 0, 1)]
    spare = [v for v in (*listed, *beside, "any", "any-other") if admitted(v) and v not in mentioned]
    choices: list[str | None] = [v for v in mentioned if admitted(v)]
    if admitted(None):
        choices.append(None)
    elif spare:
        choices.append(spare[0])
    return choices


_COMPARISONS = (Operator.GT, Operator.LT, Operator.GTE, Operator.LTE)
