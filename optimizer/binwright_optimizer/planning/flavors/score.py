"""Weighted scores of the flavours that are left, and which weight would change the winner.

Each criterion is brought to 0..1 over the candidates, 1 the best of them; where all are equal it says nothing
and is 0 for all. A score is the mean of these by weight. Scores are linear in each weight, so the weight at
which another flavour draws level follows from one division, others kept: with n the normalised values, a the
winner, b another and D = sum_j w_j (n_aj - n_bj) > 0,

    w_i' = w_i - D / (n_ai - n_bi)

if that is not negative; the smallest change over all b is the criterion's flip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

from binwright_optimizer.catalog import embedded_catalog, regions
from binwright_optimizer.errors import PlanningError
from binwright_optimizer.planning.flavors.bare_metal import bare_metal_catalog
from binwright_optimizer.planning.flavors.catalogue import REGION_OF, Area, Flavor
from binwright_optimizer.planning.flavors.cost import FlavorCost

CRITERIA: Mapping[str, tuple[int, str]] = {
    "cost": (4, "total dollars a month, less is better"),
    "operations": (3, "hours of people a month, less is better"),
    "scale": (1, "documented nodes of a cluster, by order of magnitude"),
    "gpu-choice": (1, "GPU models for sale in the region"),
    "regions": (1, "regions with a price list"),
    "portability": (1, "how little ties workloads to the provider (judged)"),
    "control": (1, "how much of the control plane one may configure (judged)"),
}
"""Default weight and meaning of each criterion."""

LESS_IS_BETTER = frozenset({"cost", "operations"})


@dataclass(frozen=True, slots=True)
class Flip:
    """The least change of one weight, the others kept, at which another flavour draws level.

    ``weight`` is None if no weight of this criterion changes the winner.
    """

    criterion: str
    current: float
    weight: float | None = None
    challenger: str = ""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The ranking.

    Parameters
    ----------
    scores
        Pairs (flavour, score in 0..1), best first; ties by name.
    values, normalised
        By flavour and criterion: what was measured or judged, and what it counts.
    """

    scores: tuple[tuple[str, float], ...]
    values: Mapping[str, Mapping[str, float]]
    normalised: Mapping[str, Mapping[str, float]]
    weights: Mapping[str, float]
    flips: tuple[Flip, ...]

    @property
    def winner(self) -> str:
        """The best flavour."""
        return self.scores[0][0]


def gpu_models_of(flavor: Flavor, area: Area) -> frozenset[str]:
    """GPU models that a flavour's machines have."""
    if flavor.cloud:
        catalog = embedded_catalog(flavor.cloud, [REGION_OF[flavor.cloud, area]])
    else:
        catalog = bare_metal_catalog()
    return frozenset(t.gpu_model for t in catalog.instance_types if t.gpu_model)


def recommend(
    costs: Sequence[FlavorCost], area: Area = Area.US, weights: Mapping[str, float] | None = None
) -> Recommendation:
    """The candidates ranked.

    Parameters
    ----------
    weights
        By criterion; those not named keep their default.

    Raises
    ------
    PlanningError
        If there is no candidate, or all weights are zero.
    """
    chosen = {name: float(default) for name, (default, _) in CRITERIA.items()} | dict(weights or {})
    if not costs:
        raise PlanningError("no flavour meets every requirement")
    if any(weight < 0 for weight in chosen.values()) or not sum(chosen.values()):
        raise PlanningError("weights must not be negative, nor all zero")
    values = {cost.flavor.name: _values(cost, area) for cost in costs}
    normalised = normalise(values)
    scores = {name: score(row, chosen) for name, row in normalised.items()}
    ranked = tuple(sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])))
    return Recommendation(ranked, values, normalised, chosen, flips(normalised, chosen))


def _values(cost: FlavorCost, area: Area) -> dict[str, float]:
    flavor = cost.flavor
    return {
        "cost": cost.total_microusd / 1e6,
        "operations": cost.operations_hours,
        "scale": log10(flavor.max_nodes),
        "gpu-choice": float(len(gpu_models_of(flavor, area))),
        "regions": float(len(regions(flavor.cloud))) if flavor.cloud else 1.0,
        "portability": float(flavor.portability),
        "control": float(flavor.control),
    }


def normalise(values: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Every value brought to 0..1 over the flavours, 1 the best.

    Examples
    --------
    >>> normalise({"a": {"cost": 100.0}, "b": {"cost": 300.0}, "c": {"cost": 150.0}})
    {'a': {'cost': 1.0}, 'b': {'cost': 0.0}, 'c': {'cost': 0.75}}
    """
    found: dict[str, dict[str, float]] = {name: {} for name in values}
    for criterion in next(iter(values.values())):
        column = {name: row[criterion] for name, row in values.items()}
        least, most = min(column.values()), max(column.values())
        for name, value in column.items():
            # Where all are the same, all are the best.
            share = (value - least) / (most - least) if most > least else 1.0
            is_cost = criterion in LESS_IS_BETTER and most > least
            found[name][criterion] = 1.0 - share if is_cost else share
    return found


def score(row: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Mean of the normalised values by weight."""
    return sum(weights[name] * value for name, value in row.items()) / sum(weights.values())


def flips(normalised: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]) -> tuple[Flip, ...]:
    """For each criterion, the nearest weight at which the winner changes."""
    scores = {name: score(row, weights) for name, row in normalised.items()}
    winner = min(scores, key=lambda name: (-scores[name], name))
    found = []
    for criterion, weight in weights.items():
        nearest = Flip(criterion, weight)
        for other in sorted(normalised):
            slope = normalised[winner][criterion] - normalised[other][criterion]
            if other == winner or slope == 0:
                continue
            lead = sum(
                weights[name] * (normalised[winner][name] - normalised[other][name]) for name in weights
            )
            level = weight - lead / slope
            is_nearer = nearest.weight is None or abs(level - weight) < abs(nearest.weight - weight)
            if level >= 0 and is_nearer:
                nearest = Flip(criterion, weight, level, other)
        found.append(nearest)
    return tuple(found)
