"""Choices that hold for a whole problem: what wishes are worth, and how GPUs and spot are treated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD
from binwright_optimizer.model.spot import SpotPolicy


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
        are 1..100; a ScheduleAnyway constraint and a PreferNoSchedule taint weigh 100 a pod). 0:
        preferences break ties only. Penalties are reported apart from dollars.
    spot
        For workloads that have no policy of their own.
    """

    preferences: PreferencePolicy = PreferencePolicy.RESPECT
    microusd_per_weight_hour: int = 0
    min_values: MinValuesPolicy = MinValuesPolicy.STRICT
    gpu_nodes: GpuNodePolicy = GpuNodePolicy.IF_CHEAPER
    spot: SpotPolicy = SpotPolicy()

    def __post_init__(self) -> None:
        if not 0 <= self.microusd_per_weight_hour <= MAX_PRICE_MICROUSD:
            raise WrongFieldError(
                "microusd_per_weight_hour",
                self.microusd_per_weight_hour,
                f"must be in 0..{MAX_PRICE_MICROUSD}",
            )
