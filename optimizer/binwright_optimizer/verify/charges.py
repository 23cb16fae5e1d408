"""What a pod is charged for its place beside the price of the node: preferences and interruptions.

`penalties` adds up what a decision is charged, node by node. The bound needs the charges of all places at
once, and may take any that are too low: of labels that are still to be chosen, the best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    HOURS_PER_MONTH,
    CapacityType,
    Catalog,
    ExistingNode,
    PodTemplate,
    PreferredTerm,
    Problem,
    Taint,
    labels,
)
from binwright_optimizer.model.policies import UNTOLERATED_WEIGHT
from binwright_optimizer.model.spot import PPM, UNKNOWN_RATE_PPM
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.compatibility import LabelRows

Int64Array = NDArray[np.int64]
ChargeKey = tuple[tuple[PreferredTerm, ...], int]
"""What decides the charge of a pod, beside its tolerations."""

NOTHING: ChargeKey = ((), 0)


class PlaceCharges:
    """Charges of the pods of one problem.

    Attributes
    ----------
    is_empty
        No pod is ever charged anything.
    has_restarts
        Interruptions of some pods cost something.
    """

    def __init__(self, problem: Problem) -> None:
        self._weight_price = problem.policies.weight_price
        self._default = problem.policies.restart_cost_microusd
        taints = [pool.taints for pool in problem.node_pools]
        taints += [node.taints for node in problem.existing_nodes]
        self._has_soft = bool(self._weight_price) and any(soft_taints(some) for some in taints)
        self._keys = {self.key(template) for template in templates_of(problem)}
        self.has_restarts = any(cost for _, cost in self._keys)
        self.is_empty = self._keys <= {NOTHING} and not self._has_soft
        self._catalog = problem.catalog

    def key(self, template: PodTemplate) -> ChargeKey:
        """What decides the charge of a pod of this template, beside its tolerations."""
        return (
            template.preferred_affinity if self._weight_price else (),
            template.restart_cost_microusd or self._default,
        )

    def mentioned(self) -> frozenset[str]:
        """Labels that decide about charges."""
        return frozenset(r.key for terms, _ in self._keys for term in terms for r in term.term)

    def on(
        self, template: PodTemplate, nodes: LabelRows, taints: Iterable[tuple[Taint, ...]], rates: Int64Array
    ) -> Int64Array:
        """Least charge of a pod on nodes with these labels, taints and rates: (row,)."""
        preferred, cost = self.key(template)
        result = np.array([expected_cost(cost, rate) for rate in rates.tolist()], dtype=np.int64)
        if self._has_soft:
            points = [UNTOLERATED_WEIGHT * len(disliked(some, template)) for some in taints]
            result += np.array(points, dtype=np.int64) * self._weight_price
        for term in preferred:
            is_met = nodes.admit(PodTemplate(node_selector=term.term))
            result += np.where(is_met, 0, term.weight * self._weight_price)
        return result

    def unit(self) -> int:
        """Every charge is a multiple of it; 0 if there are none."""
        unit = UNTOLERATED_WEIGHT * self._weight_price if self._has_soft else 0
        rates = {*spot_rates(self._catalog).values(), UNKNOWN_RATE_PPM} if self.has_restarts else set()
        for preferred, cost in self._keys:
            unit = math.gcd(unit, *(term.weight * self._weight_price for term in preferred))
            unit = math.gcd(unit, *(expected_cost(cost, rate) for rate in rates))
        return unit


def expected_cost(restart_cost: int, rate_ppm: int) -> int:
    """Micro-dollars an hour that interruptions cost on average, rounded up.

    >>> expected_cost(730_000, 250_000), expected_cost(1, 1)
    (250, 1)
    """
    month = PPM * HOURS_PER_MONTH
    return (restart_cost * rate_ppm + month - 1) // month


def spot_rates(catalog: Catalog) -> dict[tuple[str, str, str], int]:
    """Interruptions a month of spot offerings by type, region and zone, parts per million."""
    return {
        (kind.name, o.region, o.zone): (
            UNKNOWN_RATE_PPM if o.interruption_ppm_per_month is None else o.interruption_ppm_per_month
        )
        for kind in catalog.instance_types
        for o in kind.offerings
        if o.capacity_type is CapacityType.SPOT
    }


def rates_by_zone(catalog: Catalog) -> dict[tuple[str, str], int]:
    """Interruptions a month of spot offerings by type and zone."""
    return {(name, zone): rate for (name, _, zone), rate in spot_rates(catalog).items()}


def rate_of_running(node: ExistingNode, by_zone: dict[tuple[str, str], int]) -> int:
    """Interruptions a month of a node that runs; 0 unless it is spot capacity."""
    own = dict(node.labels)
    if own.get(labels.CAPACITY_TYPE) != CapacityType.SPOT.value:
        return 0
    return by_zone.get((own.get(labels.INSTANCE_TYPE, ""), own.get(labels.ZONE, "")), UNKNOWN_RATE_PPM)


def soft_taints(taints: Iterable[Taint]) -> tuple[Taint, ...]:
    """Those that make a node less welcome without repelling anybody."""
    return tuple(taint for taint in taints if not taint.repels)


def disliked(taints: Iterable[Taint], template: PodTemplate) -> tuple[Taint, ...]:
    """PreferNoSchedule taints that a pod does not tolerate."""
    return tuple(t for t in soft_taints(taints) if not any(x.tolerates(t) for x in template.tolerations))
