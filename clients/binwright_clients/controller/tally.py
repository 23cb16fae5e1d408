"""What the controller has done since it started, in numbers that whoever watches it may read at any time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class RoundOutcome(StrEnum):
    """What came of a look at the cluster."""

    DECIDED = "decided"
    """There was a plan, and all of it was carried out, or told in a dry run."""
    NOTHING_NEW = "nothing_new"
    """For every pod that waits a NodeClaim is on its way, or there is nothing to be done for now."""
    PUT_OFF = "put_off"
    """A NodeClaim is still being launched, or leadership was lost: looked at again shortly."""
    FAILED = "failed"
    """It broke off: the API server, the search or the question."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a decision says of itself.

    Parameters
    ----------
    cost_microusd, bound_microusd
        An hour; the bound counts what the gap counts.
    gap
        (total - bound) / total, where the total is cost, interruptions and penalties.
    """

    cost_microusd: int
    bound_microusd: int
    gap: float


@dataclass(slots=True)
class Tally:
    """Counts, and the last decision; written by the thread of the rounds only.

    Parameters
    ----------
    claims
        NodeClaims by what came of them (``cycle.Outcome``).
    decision, decided_s
        The last decision, and when it was made in seconds since the epoch.
    """

    rounds: Counter[RoundOutcome] = field(default_factory=Counter)
    claims: Counter[str] = field(default_factory=Counter)
    decision: Figures | None = None
    decided_s: float = 0.0
