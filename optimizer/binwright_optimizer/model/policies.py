"""Choices that hold for a whole problem: what wishes are worth, and how GPUs and spot are treated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD
from binwright_optimizer.model.spot import SpotPolicy

DEFAULT_MICROUSD_PER_WEIGHT_HOUR = 10
"""What a weight point is worth to requests that do not say: 0.00001 $ an hour, so that a wish of weight 100
may cost 0.001 $ an hour and pod. That is some 2 % of a vCPU on demand: wishes decide between places that cost
nearly the same, and hardly ever buy a node for themselves."""

MOST_MICROUSD_PER_WEIGHT_HOUR = 10**9
"""Largest worth of a weight point, 1,000 $ an hour: sums over all pods stay inside int64."""

UNTOLERATED_WEIGHT = 100
"""Weight of a PreferNoSchedule taint that a pod does not tolerate; Kubernetes gives taints none."""


class PreferencePolicy(StrEnum):
    """Karpenter's ``--preference-policy``: whether preferences count at all."""

    RESPECT = "Respect"
    IGNORE = "Ignore"


class MinValuesPolicy(StrEnum):
    """Karpenter's ``--min-values-policy``: whether ``minValues`` of NodePools must be met."""

    STRICT = "Strict"
    BEST_EFFORT = "BestEffort"


class GpuNodePolicy(StrEnum):
    """Pods that ask for no accelerator, on nodes that have one."""

    IF_CHEAPER = "IfCheaper"
    NEVER = "Never"


@dataclass(frozen=True, slots=True)
class Policies:
    """Choices of one problem.

    Parameters
    ----------
    microusd_per_weight_hour
        Micro-dollars an hour that one weight point of one pod's broken preference is worth (weights
        are 1..100; a PreferNoSchedule taint weighs 100 a pod). 0: preferences are not weighed.
        Penalties are reported apart from dollars.
    spot
        For workloads that have no policy of their own.
    restart_cost_microusd
        What one interruption costs of pods that do not say, micro-dollars.
    """

    preferences: PreferencePolicy = PreferencePolicy.RESPECT
    microusd_per_weight_hour: int = 0
    min_values: MinValuesPolicy = MinValuesPolicy.STRICT
    gpu_nodes: GpuNodePolicy = GpuNodePolicy.IF_CHEAPER
    spot: SpotPolicy = SpotPolicy()
    restart_cost_microusd: int = 0

    def __post_init__(self) -> None:
        for field, most in (
            ("microusd_per_weight_hour", MOST_MICROUSD_PER_WEIGHT_HOUR),
            ("restart_cost_microusd", MAX_PRICE_MICROUSD),
        ):
            if not 0 <= getattr(self, field) <= most:
                raise WrongFieldError(field, getattr(self, field), f"must be in 0..{most}")

    @property
    def weight_price(self) -> int:
        """Micro-dollars an hour of one weight point; 0 if preferences are ignored."""
        return self.microusd_per_weight_hour if self.preferences is PreferencePolicy.RESPECT else 0
