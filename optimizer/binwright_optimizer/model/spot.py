"""Spot capacity: what its loss costs, and how much of it a workload bears.

Kubernetes has no fields for these; they come from annotations and from the problem's policies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError

PPM = 1_000_000
"""Parts per million in a whole."""

NOTICE_S = {"aws": 120, "gcp": 30, "azure": 30}
"""Seconds between an interruption notice and the loss of the node, by cloud."""

UNKNOWN_RATE_PPM = PPM
"""Interruptions a month of a spot offering whose rate is not known, parts per million: one a month."""

DEFAULT_GRACE_S = 30
"""Kubernetes' terminationGracePeriodSeconds where a pod names none."""


_SHARE = re.compile(r"^(\d{1,9})(?:\.(\d{1,4}))?(%)?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Share:
    """A number of pods: a count, or parts per million of a workload's replicas.

    Raises
    ------
    WrongFieldError
        If it is negative or above the whole.

    Examples
    --------
    >>> Share(ppm=300_000).at_least(10), Share(ppm=250_000).at_most(10), Share(count=4).at_least(10)
    (3, 2, 4)
    """

    count: int = 0
    ppm: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.count < 2**31:
            raise WrongFieldError("count", self.count, "must not be negative")
        if not 0 <= self.ppm <= PPM:
            raise WrongFieldError("ppm", self.ppm, f"must be in 0..{PPM}")
        if self.count and self.ppm:
            raise WrongFieldError("ppm", self.ppm, "goes without a count: give one of both")

    @classmethod
    def parse(cls, text: str) -> Share:
        """The share that ``3`` or ``12.5%`` spells.

        Raises
        ------
        ValueError
            If the text is neither, or out of range.
        """
        match = _SHARE.match(text.strip())
        if match is None:
            raise ValueError("must be a number of pods such as 3, or a percentage such as 30% or 12.5%")
        if match[3]:
            ppm = int(match[1]) * 10_000 + int((match[2] or "").ljust(4, "0"))
            if ppm > PPM:
                raise ValueError("must be at most 100%")
            return cls(ppm=ppm)
        if match[2] is not None:
            raise ValueError("must be a whole number of pods, or a percentage")
        return cls(count=int(match[1]))

    def at_least(self, replicas: int) -> int:
        """Pods that a lower bound of this share demands, at most ``replicas``."""
        return min(replicas, self.count - (-replicas * self.ppm // PPM))

    def at_most(self, replicas: int) -> int:
        """Pods that an upper bound of this share allows."""
        return min(replicas, self.count + replicas * self.ppm // PPM)

    def __str__(self) -> str:
        if not self.ppm:
            return str(self.count)
        whole, rest = divmod(self.ppm, 10_000)
        return f"{whole}.{rest:04}".rstrip("0").rstrip(".") + "%"


@dataclass(frozen=True, slots=True)
class LossBound:
    """With probability 1 - ``probability_ppm``, at most ``share`` of the pods is lost within ``window_s``.

    Spot pools (instance type x zone) are reclaimed independently of each other, each as a whole, at the
    interruption rate of its offering: a rate of r a month means that a pool is reclaimed within t months
    with probability 1 - (1 - r)^t. A rate that is not known counts as one interruption a month on average:
    1 - e^-t, as of a known rate of 63.2 %.
    """

    share: Share
    probability_ppm: int
    window_s: int = 3_600

    def __post_init__(self) -> None:
        if not 1 <= self.probability_ppm < PPM:
            raise WrongFieldError("probability_ppm", self.probability_ppm, f"must be in 1..{PPM - 1}")
        if not 1 <= self.window_s <= 366 * 86_400:
            raise WrongFieldError("window_s", self.window_s, "must be from a second to a year")


@dataclass(frozen=True, slots=True)
class SpotPolicy:
    """How much of a workload may be on spot capacity; None leaves a rule out.

    Parameters
    ----------
    min_on_demand
        Pods that are on capacity other than spot.
    max_per_pool
        Pods in one spot pool (instance type x zone), so that one reclaim takes at most those.
    loss
        Bound on what is lost with some probability.
    """

    min_on_demand: Share | None = None
    max_per_pool: Share | None = None
    loss: LossBound | None = None

    def __bool__(self) -> bool:
        return not (self.min_on_demand is None and self.max_per_pool is None and self.loss is None)

    @property
    def counts_pools(self) -> bool:
        """Whether it matters how many pods are in which spot pool."""
        return self.max_per_pool is not None or self.loss is not None
