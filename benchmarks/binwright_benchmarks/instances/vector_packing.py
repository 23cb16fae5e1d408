"""Published bin packing instances; the seed is the number of the instance in its set."""

from __future__ import annotations

from functools import lru_cache, partial

from binwright_optimizer.model import Problem

from binwright_benchmarks.registry import SharedData, register
from binwright_benchmarks.vector_packing import (
    SETS,
    ConflictInstance,
    clique_cover,
    conflict_instances,
    conflict_problem,
    vector_instances,
    vector_problem,
)

MOST_CLIQUES = 64
"""Conflicts that need more resources than this wait for anti-affinity in the model itself."""

CONFIGS = ("set1_3types_linear", "set1_5types_linear", "set2_7types_concave", "set2_7types_convex")
"""Bin types; ``set2_7types_linear`` asks the same with costs like ``set1``."""


def _vector(name: str, seed: int, data: SharedData) -> Problem:
    found = [instance for instance in vector_instances(name, data) if instance.is_expressible]
    return vector_problem(found[seed % len(found)])


@lru_cache(maxsize=len(CONFIGS))
def covered(config: str, data: SharedData) -> tuple[tuple[ConflictInstance, tuple[frozenset[int], ...]], ...]:
    """Instances with a cover of at most `MOST_CLIQUES`: their conflicts are few, or form large cliques."""
    found = (
        (instance, clique_cover(len(instance.sizes), instance.conflicts))
        for instance in conflict_instances(config, data)
    )
    return tuple((instance, cliques) for instance, cliques in found if len(cliques) <= MOST_CLIQUES)


def _conflicts(config: str, seed: int, data: SharedData) -> Problem:
    found = covered(config, data)
    return conflict_problem(*found[seed % len(found)])


def _relaxed(config: str, seed: int, data: SharedData) -> Problem:
    found = conflict_instances(config, data)
    return conflict_problem(found[seed % len(found)], ())


for _name in SETS:
    register(
        f"vbp-{_name}",
        f"vector bin packing, {_name.title()} set; the seed chooses among its instances",
        is_seeded=True,
        deadline_s=2.0,
    )(partial(_vector, _name))
for _config in CONFIGS:
    _short = _config.removesuffix("_linear").replace("types", "t").replace("_", "-")
    register(
        f"vsbppc-{_short}",
        f"bins of several sizes with conflicts, exactly ({_config})",
        is_seeded=True,
    )(partial(_conflicts, _config))
    register(
        f"vsbppc-{_short}-relaxed",
        f"all of {_config} with their conflicts left out: a relaxation",
        is_seeded=True,
    )(partial(_relaxed, _config))
